// What every strategy must do on every kind of graph, and what single ones promise.
#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

Partition run(std::string_view strategy, const core::Graph& graph, const PartitionOptions& options) {
  return Partitioners::instance().run(strategy, graph, options);
}

std::vector<std::string> all() { return Partitioners::instance().names(); }

}  // namespace

TEST_CASE("every strategy tells what it is") {
  for (const std::string& name : all()) {
    CAPTURE(name);
    const PartitionerInfo& info = Partitioners::instance().info(name);
    CHECK(info.name == name);
    CHECK_FALSE(info.summary.empty());
  }
}

TEST_CASE("every strategy gives full parts on every kind of graph, balanced or with a remark") {
  for (const std::string& name : all()) {
    CAPTURE(name);
    for (const testing::NamedGraph& g : testing::partition_graphs()) {
      CAPTURE(g.name);
      for (const Index parts : {1, 3, 8, 48}) {
        CAPTURE(parts);
        const PartitionOptions options{.parts = parts, .seed = 3, .imbalance = 0.1};
        const Partition p = run(name, g.graph, options);
        CHECK(p.num_parts == parts);
        const std::vector<Index> sizes = part_sizes(p);
        CHECK(*std::min_element(sizes.begin(), sizes.end()) > 0);
        const Index mean = (g.graph.num_vertices() + parts - 1) / parts;
        const double most = std::max(1.1 * static_cast<double>(g.graph.num_vertices()) / static_cast<double>(parts),
                                     static_cast<double>(mean));
        if (p.remarks.empty()) CHECK(static_cast<double>(*std::max_element(sizes.begin(), sizes.end())) <= most + 1e-6);
      }
    }
  }
}

TEST_CASE("every strategy gives the same for the same seed on any number of threads") {
  const core::Graph graph = testing::undirected_random(500, 2500, 4);
  for (const std::string& name : all()) {
    CAPTURE(name);
    const auto on = [&](int threads) {
      std::vector<std::int32_t> result;
      core::Arena(threads).execute([&] { result = run(name, graph, {.parts = 6, .seed = 7}).part_of; });
      return result;
    };
    const auto one = on(1);
    CHECK(on(2) == one);
    CHECK(on(4) == one);
  }
}

TEST_CASE("every strategy refuses more parts than vertices, and puts each vertex apart if there are as many") {
  const core::Graph graph = testing::ring(5);
  for (const std::string& name : all()) {
    CAPTURE(name);
    CHECK_THROWS_AS(run(name, graph, {.parts = 6}), UsageError);
    for (const Index size : part_sizes(run(name, graph, {.parts = 5}))) CHECK(size == 1);
  }
}

TEST_CASE("strategies that heed weights and capacity keep to them") {
  const core::Graph graph = testing::undirected_random(600, 2400, 5);
  PartitionOptions options{.parts = 3, .imbalance = 0.05, .capacity = {3, 2, 1}};
  for (Index v = 0; v < 600; ++v) options.vertex_weights.push_back(1 + static_cast<double>(v % 5));
  for (const std::string& name : all()) {
    CAPTURE(name);
    const PartitionerInfo& info = Partitioners::instance().info(name);
    if (!info.capacity || !info.vertex_weights) continue;
    const Partition p = run(name, graph, options);
    const MeasureOptions by{.vertex_weights = options.vertex_weights, .capacity = options.capacity};
    CHECK(measure(graph, p, by).vertex_balance <= 1.06);
  }
}

TEST_CASE("an imbalance that can't be reached is said in the remarks") {
  const core::Graph graph = testing::ring(4);
  const Partition p = run("range", graph, {.parts = 2, .vertex_weights = {10, 1, 1, 1}});
  CHECK(p.remarks.size() == 1);
  CHECK(p.remarks.front().find("imbalance") != std::string::npos);
}

TEST_CASE("random and hash know nothing of edges, and differ by seed") {
  for (const char* name : {"random", "hash"}) {
    CAPTURE(name);
    const auto part = [&](const core::Graph& graph, std::uint64_t seed) {
      return run(name, graph, {.parts = 4, .seed = seed}).part_of;
    };
    CHECK(part(testing::ring(100), 1) == part(testing::star(100), 1));
    CHECK(part(testing::ring(100), 1) != part(testing::ring(100), 2));
  }
  CHECK(part_sizes(run("random", testing::ring(100), {.parts = 4})) == std::vector<Index>{25, 25, 25, 25});
  // A vertex's hash does not depend on how many others there are.
  const auto small = run("hash", testing::ring(50), {.parts = 4}).part_of;
  const auto large = run("hash", testing::ring(100), {.parts = 4}).part_of;
  CHECK(std::equal(small.begin(), small.end(), large.begin()));
}

TEST_CASE("bfs and rcm cut a long grid across") {
  // 40 x 4, the vertices shuffled so that the file's order is of no use.
  std::vector<VertexId> place(160);
  for (VertexId v = 0; v < 160; ++v) place[v] = static_cast<VertexId>(v * 67 % 160);
  std::vector<std::pair<int, int>> pairs;
  for (int x = 0; x < 40; ++x) {
    for (int y = 0; y < 4; ++y) {
      if (x < 39) pairs.emplace_back(place[x * 4 + y], place[x * 4 + 4 + y]);
      if (y < 3) pairs.emplace_back(place[x * 4 + y], place[x * 4 + y + 1]);
    }
  }
  const core::Graph graph = testing::undirected(160, pairs);
  for (const char* name : {"bfs", "rcm"}) {
    CAPTURE(name);
    const PartitionMetrics m = measure(graph, run(name, graph, {.parts = 4}));
    CHECK(m.edge_cut <= 3 * 7);
    CHECK(m.max_neighbour_parts <= 2);
  }
}

TEST_CASE("label propagation never makes its start worse, and finds communities") {
  for (const testing::NamedGraph& g : testing::partition_graphs()) {
    CAPTURE(g.name);
    const Partition start = run("random", g.graph, {.parts = 4});
    const Partition p = run("label_propagation", g.graph, {.parts = 4, .start = start.part_of});
    CHECK(measure(g.graph, p).edge_cut <= measure(g.graph, start).edge_cut);
  }
  const core::Graph graph = testing::clique_ring(4, 12);
  CHECK(measure(graph, run("label_propagation", graph, {.parts = 4, .imbalance = .5})).edge_cut <= 8);
}

TEST_CASE("order_preserving leads no edge of an acyclic graph backwards") {
  const core::Graph& graph = [] {
    const auto& all_graphs = testing::partition_graphs();
    return std::find_if(all_graphs.begin(), all_graphs.end(), [](const auto& g) { return g.name == "acyclic"; })->graph;
  }();
  for (const Index parts : {2, 7, 48}) {
    const Partition p = run("order_preserving", graph, {.parts = parts});
    CHECK(p.remarks.empty());
    for (VertexId v = 0; v < graph.num_vertices(); ++v) {
      for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
        CHECK(p.part_of[graph.in_sources()[e]] <= p.part_of[v]);
      }
    }
  }
}

TEST_CASE("order_preserving goes by levels, and keeps a cycle together") {
  // 4 -> 2 -> 0, 4 -> 0, 3 -> 1: levels 4, 3 | 2, 1 | 0
  const core::Graph graph = testing::directed(5, {{4, 2}, {2, 0}, {4, 0}, {3, 1}});
  const Partition p = run("order_preserving", graph, {.parts = 2, .vertex_weights = {2, 1, 1, 2, 2}});
  CHECK(p.part_of == std::vector<std::int32_t>{1, 1, 1, 0, 0});

  // 3 -> {0, 1, 2 in a cycle} -> 4, 5
  const core::Graph cyclic = testing::directed(6, {{3, 0}, {0, 1}, {1, 2}, {2, 0}, {2, 4}, {2, 5}});
  const Partition whole = run("order_preserving", cyclic, {.parts = 3, .vertex_weights = {1, 1, 1, 3, 1.5, 1.5}});
  CHECK(whole.part_of == std::vector<std::int32_t>{1, 1, 1, 0, 2, 2});
  CHECK(whole.remarks.empty());

  const Partition cut = run("order_preserving", testing::directed(4, {{0, 1}, {1, 2}, {2, 3}, {3, 0}}), {.parts = 2});
  CHECK(cut.remarks.size() == 1);
  CHECK(cut.remarks.front().find("cycles") != std::string::npos);
}
