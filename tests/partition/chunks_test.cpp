#include "laminar/partition/chunks.hpp"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/partition/balance.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

/// Largest chunk's cost over the mean.
double cost_balance(const core::Graph& graph, const Partition& chunks, double dense_cost) {
  const std::vector<double> held = part_weights(chunks.part_of, vertex_costs(graph, dense_cost), chunks.num_parts);
  return *std::max_element(held.begin(), held.end()) * static_cast<double>(chunks.num_parts) /
         std::accumulate(held.begin(), held.end(), 0.0);
}

}  // namespace

TEST_CASE("chunks are balanced by cost, none is empty, and what can't be is said") {
  for (const testing::NamedGraph& g : testing::partition_graphs()) {
    CAPTURE(g.name);
    for (const Index chunks : {1, 2, 4, 48}) {
      CAPTURE(chunks);
      const Partition p = make_chunks(g.graph, {.chunks = chunks});
      validate(p, g.graph.num_vertices());
      CHECK(p.num_parts == chunks);
      for (const Index size : part_sizes(p)) CHECK(size > 0);
      const double balance = cost_balance(g.graph, p, 32);
      if (chunks <= 4 && g.name != "hub linked to all" && g.name != "star" && g.name != "clique") {
        CHECK(balance <= 1.05 + 1e-9);
      }
      CHECK((balance <= 1.05 + 1e-9) == p.remarks.empty());
    }
  }
}

TEST_CASE("hubs don't make a chunk heavy") {
  // Four hubs side by side read from everyone; by vertex counts their chunk would cost 2.5 x the mean.
  std::vector<std::pair<int, int>> pairs;
  for (int v = 4; v < 400; ++v) {
    for (int hub = 0; hub < 4; ++hub) pairs.emplace_back(hub, v);
  }
  const core::Graph graph = testing::undirected(400, pairs);
  for (const Index chunks : {2, 4, 8}) {
    const Partition p = make_chunks(graph, {.chunks = chunks, .dense_cost = 1});
    CHECK(cost_balance(graph, p, 1) <= 1.05 + 1e-9);
  }
}

TEST_CASE("chunks follow communities") {
  const core::Graph graph = testing::clique_ring(8, 10);
  const Partition p = make_chunks(graph, {.chunks = 8});
  for (VertexId v = 0; v < 80; ++v) CHECK(p.part_of[v] == p.part_of[v / 10 * 10]);
  CHECK(stale_share(graph, p).shuffled == doctest::Approx(8.0 / 368 / 2));
}

TEST_CASE("chunks of an acyclic graph are numbered along its edges") {
  // Eight cliques, all edges upwards, in a chain that visits them in a scrambled order.
  const std::vector<int> chain{3, 6, 0, 5, 1, 7, 2, 4};
  std::vector<std::pair<int, int>> edges;
  for (int c = 0; c < 8; ++c) {
    for (int a = 0; a < 8; ++a) {
      for (int b = a + 1; b < 8; ++b) edges.emplace_back(c * 8 + a, c * 8 + b);
    }
  }
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) edges.emplace_back(chain[i] * 8 + 7, chain[i + 1] * 8);
  const core::Graph graph = testing::directed(64, edges);
  const Partition p = make_chunks(graph, {.chunks = 8});
  const StaleShare stale = stale_share(graph, p);
  CHECK(stale.fixed == 0);
  CHECK(stale.shuffled == doctest::Approx(7.0 / (8 * 28 + 7) / 2));
}

TEST_CASE("a feedback edge costs no more than itself") {
  // A ring of four pairs, one direction: some one edge must lead backwards.
  const core::Graph graph = testing::directed(
      8, {{0, 1}, {1, 0}, {2, 3}, {3, 2}, {4, 5}, {5, 4}, {6, 7}, {7, 6}, {1, 4}, {5, 2}, {3, 6}, {7, 0}});
  const Partition p = make_chunks(graph, {.chunks = 4, .strategy = "range"});
  CHECK(stale_share(graph, p).fixed == doctest::Approx(1.0 / 12));
}

TEST_CASE("stale edges are counted by hand") {
  const core::Graph graph = testing::directed(4, {{0, 1}, {2, 0}, {3, 1}, {1, 1}});
  const StaleShare stale = stale_share(graph, {2, {0, 0, 1, 1}});
  CHECK(stale.fixed == 0.5);  // 2 -> 0 and 3 -> 1
  CHECK(stale.shuffled == 0.25);
  CHECK(stale_share(graph, {2, {1, 1, 0, 0}}).fixed == 0);
  CHECK(stale_share(graph, {1, {0, 0, 0, 0}}).shuffled == 0);
  CHECK(stale_share(testing::undirected(3, {}), {2, {0, 1, 0}}).fixed == 0);
}

TEST_CASE("vertex costs are dense cost plus in-degree") {
  CHECK(vertex_costs(testing::directed(3, {{0, 1}, {2, 1}, {1, 0}}), 4) == std::vector<double>{5, 6, 4});
}

TEST_CASE("any strategy can make the chunks") {
  const core::Graph graph = testing::undirected_random(400, 1500, 3);
  for (const char* strategy : {"auto", "range", "random", "hash", "rcm", "fennel"}) {
    CAPTURE(strategy);
    CHECK(cost_balance(graph, make_chunks(graph, {.chunks = 5, .strategy = strategy}), 32) <= 1.05 + 1e-9);
  }
  CHECK_THROWS_AS(make_chunks(graph, {.chunks = 2, .strategy = "no_such"}), UsageError);
}

TEST_CASE("chunks and orders are the same on any number of threads and differ by seed") {
  const core::Graph graph = testing::undirected_random(600, 3000, 5);
  const auto on = [&](int threads, std::uint64_t seed) {
    std::pair<std::vector<std::int32_t>, std::vector<VertexId>> result;
    core::Arena(threads).execute([&] {
      const Partition p = make_chunks(graph, {.chunks = 6, .seed = seed});
      result = {p.part_of, locality_order(graph, p)};
    });
    return result;
  };
  CHECK(on(1, 1) == on(2, 1));
  CHECK(on(1, 1) == on(4, 1));
  CHECK(on(1, 2) == on(2, 2));
}

TEST_CASE("the locality order goes chunk after chunk, along a path inside each") {
  // The path 0 - 3 - 1 - 4 in chunk 1, 2 - 5 in chunk 0.
  const core::Graph graph = testing::undirected(6, {{0, 3}, {3, 1}, {1, 4}, {2, 5}, {4, 2}});
  const std::vector<VertexId> order = locality_order(graph, {2, {1, 1, 0, 1, 1, 0}});
  CHECK(std::vector<VertexId>(order.begin(), order.begin() + 2) == std::vector<VertexId>{2, 5});
  std::vector<VertexId> path(order.begin() + 2, order.end());
  if (path.front() != 0) std::reverse(path.begin(), path.end());
  CHECK(path == std::vector<VertexId>{0, 3, 1, 4});
  CHECK_THROWS_AS(locality_order(graph, {2, {0, 1}}), Error);
}

TEST_CASE("options of chunks out of range are refused") {
  const core::Graph graph = testing::ring(4);
  CHECK_THROWS_AS(make_chunks(graph, {.chunks = 0}), UsageError);
  CHECK_THROWS_AS(make_chunks(graph, {.chunks = 5}), UsageError);
  CHECK_THROWS_AS(make_chunks(graph, {.chunks = 2, .dense_cost = 0}), UsageError);
  CHECK_THROWS_AS(make_chunks(graph, {.chunks = 2, .imbalance = -1}), UsageError);
  CHECK_THROWS_AS(stale_share(graph, {2, {0, 1, 2, 0}}), Error);
  CHECK(make_chunks(core::Graph::from_edges(0, {}, {}, {}, false), {}).part_of.empty());
}
