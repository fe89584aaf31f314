#include "laminar/partition/balance.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "laminar/partition/metrics.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

TEST_CASE("limits are shares with a margin, whole vertices rounded up") {
  CHECK(part_limits({}, {}, 10, 4, 0)[0] == 3);
  CHECK(part_limits({}, {}, 8, 4, 0.5)[0] == 3);
  const std::vector<double> weights{1, 2, 3};
  const std::vector<double> capacity{2, 1};
  const std::vector<double> limits = part_limits(weights, capacity, 3, 2, 0.1);
  CHECK(limits[0] == doctest::Approx(4.4));
  CHECK(limits[1] == doctest::Approx(2.2));
}

TEST_CASE("rebalancing moves the end of a path, not its middle") {
  const core::Graph graph = testing::undirected(6, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}});
  std::vector<std::int32_t> part_of{0, 0, 0, 0, 1, 1};
  rebalance(symmetric_adjacency(graph), {}, std::vector<double>{3, 3}, part_of);
  CHECK(part_of == std::vector<std::int32_t>{0, 0, 0, 1, 1, 1});
}

TEST_CASE("rebalancing brings any labels within limits that whole vertices allow") {
  for (const testing::NamedGraph& g : testing::partition_graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    for (const Index parts : {2, 5, 20}) {
      std::vector<std::int32_t> part_of(static_cast<std::size_t>(n), 0);  // all in one
      const std::vector<double> limits = part_limits({}, {}, n, parts, 0.02);
      rebalance(symmetric_adjacency(g.graph), {}, limits, part_of);
      const std::vector<double> held = part_weights(part_of, {}, parts);
      for (Index p = 0; p < parts; ++p) CHECK(held[p] <= limits[p]);
    }
  }
}

TEST_CASE("rebalancing gives up on a vertex heavier than a part, but moves what is beside it") {
  const core::Graph graph = testing::undirected(4, {{0, 1}, {0, 2}, {0, 3}});
  std::vector<std::int32_t> part_of{0, 0, 0, 1};
  const std::vector<double> weights{9, 1, 1, 1};
  rebalance(symmetric_adjacency(graph), weights, part_limits(weights, {}, 4, 2, 0), part_of);
  CHECK(part_of == std::vector<std::int32_t>{0, 1, 1, 1});
}

TEST_CASE("refining never cuts more and stays within limits") {
  for (const testing::NamedGraph& g : testing::partition_graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    Partition p = testing::random_labels(n, 4, 3);
    const std::vector<double> limits = part_limits({}, {}, n, 4, 0.1);
    const Adjacency adjacency = symmetric_adjacency(g.graph);
    rebalance(adjacency, {}, limits, p.part_of);
    const auto cut = [&] {
      EdgeId sum = 0;
      for (Index v = 0; v < n; ++v) {
        for (const VertexId u : adjacency.of(v)) sum += p.part_of[u] != p.part_of[v] ? 1 : 0;
      }
      return sum;
    };
    const EdgeId before = cut();
    refine_cut(adjacency, {}, limits, 5, p.part_of);
    CHECK(cut() <= before);
    const std::vector<double> held = part_weights(p.part_of, {}, 4);
    for (Index q = 0; q < 4; ++q) CHECK(held[q] <= limits[q]);
  }
}

TEST_CASE("empty parts get the vertex that is missed the least") {
  const core::Graph graph = testing::undirected(5, {{0, 1}, {1, 2}, {2, 0}, {2, 3}});
  std::vector<std::int32_t> part_of{0, 0, 0, 0, 0};
  CHECK(fill_empty_parts(symmetric_adjacency(graph), 3, part_of) == 2);
  CHECK(part_of == std::vector<std::int32_t>{0, 0, 0, 2, 1});  // the isolated one first, then the leaf
  std::vector<std::int32_t> without{1, 1, 1};
  CHECK(fill_empty_parts(3, without) == 2);
  CHECK(without == std::vector<std::int32_t>{1, 2, 0});
}
