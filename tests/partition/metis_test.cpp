#include "laminar/partition/metis.hpp"

#include <algorithm>
#include <numeric>
#include <thread>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

Partition run(const char* strategy, const core::Graph& graph, const PartitionOptions& options) {
  return Partitioners::instance().run(strategy, graph, options);
}

}  // namespace

TEST_CASE("a build without METIS says so" * doctest::skip(!metis_version().empty())) {
  CHECK_THROWS_WITH_AS(run("metis", testing::ring(40), {}), doctest::Contains("LAMINAR_WITH_METIS"), UsageError);
  CHECK_THROWS_WITH_AS(metis_partition(symmetric_adjacency(testing::ring(40)), {}), doctest::Contains("no METIS"),
                       Error);
}

TEST_SUITE_BEGIN("metis" * doctest::skip(metis_version().empty()));

TEST_CASE("METIS finds the communities") {
  const core::Graph graph = testing::clique_ring(4, 12);
  for (const char* strategy : {"metis", "metis_vol", "metis_balanced"}) {
    CAPTURE(strategy);
    const Partition p = run(strategy, graph, {.parts = 4});
    const PartitionMetrics m = measure(graph, p);
    CHECK(m.edge_cut == 4);
    CHECK(m.total_volume == 8);
    CHECK(m.vertex_balance == 1);
    CHECK(p.remarks.empty());
  }
}

TEST_CASE("directions, self-loops and copies of edges don't matter to METIS") {
  const core::Graph graph = testing::directed_random(200, 600, false, 1);
  std::vector<std::pair<int, int>> edges;
  for (VertexId v = 0; v < 200; ++v) {
    edges.emplace_back(v, v);
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const VertexId u = graph.in_sources()[e];
      edges.insert(edges.end(), {{u, v}, {v, u}, {v, u}});
    }
  }
  const PartitionOptions options{.parts = 4};
  CHECK(run("metis", graph, options).part_of == run("metis", testing::directed(200, edges), options).part_of);
}

TEST_CASE("METIS heeds capacity, vertex weights, edge weights, edges and training vertices") {
  const core::Graph grid = testing::grid(20, 20);
  CHECK(
      measure(grid, run("metis", grid, {.parts = 3, .capacity = {2, 1, 1}}), {.capacity = {2, 1, 1}}).vertex_balance <=
      1.031);

  std::vector<double> weights(400, 1.0);
  std::fill(weights.begin(), weights.begin() + 100, 7.5);
  const Partition weighted = run("metis_vol", grid, {.parts = 4, .vertex_weights = weights});
  CHECK(measure(grid, weighted, {.vertex_weights = weights}).vertex_balance <= 1.05);

  // A path whose middle edge is cheap: {0..19} {20..39} by weight, whatever METIS does without.
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  std::vector<double> edge_weights;
  for (VertexId v = 0; v + 1 < 40; ++v) {
    sources.insert(sources.end(), {v, v + 1});
    targets.insert(targets.end(), {v + 1, v});
    edge_weights.insert(edge_weights.end(), 2, v == 19 ? 0.5 : 20.0);
  }
  const core::Graph path = core::Graph::from_edges(40, sources, targets, edge_weights, false);
  const Partition cut = run("metis", path, {.parts = 2, .imbalance = 0.5, .use_edge_weights = true});
  CHECK(cut.part_of[19] != cut.part_of[20]);
  CHECK(measure(path, cut).edge_cut == 1);

  const core::Graph random = testing::directed_random(600, 4000, false, 3);
  std::vector<VertexId> train(150);
  std::iota(train.begin(), train.end(), 0);
  const PartitionMetrics m = measure(
      random, run("metis_balanced", random, {.parts = 4, .edge_imbalance = .05, .train_imbalance = .1, .train = train}),
      {.train = train});
  CHECK(m.vertex_balance <= 1.04);
  CHECK(m.edge_balance <= 1.06);
  CHECK(m.train_balance <= 1.15);
}

TEST_CASE("METIS gives the same for the same seed, from several threads at once too") {
  const core::Graph graph = testing::undirected_random(800, 4000, 2);
  const auto part = [&](std::uint64_t seed) { return run("metis", graph, {.parts = 5, .seed = seed}).part_of; };
  const auto first = part(1);
  CHECK(part(2) != first);
  CHECK(part(1) == first);
  std::vector<std::vector<std::int32_t>> results(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = part(i % 2 + 1); });
  }
  for (std::thread& t : threads) t.join();
  CHECK(results[0] == first);
  CHECK(results[2] == first);
  CHECK(results[1] == results[3]);
}

TEST_CASE("graphs too small for METIS are cut in breadth-first order, and it is said") {
  const core::Graph graph = testing::ring(15);
  const Partition p = run("metis", graph, {.parts = 2});
  CHECK(p.remarks.size() == 1);
  CHECK(p.remarks.front().find("breadth-first") != std::string::npos);
  CHECK(measure(graph, p).edge_cut == 2);
  CHECK(run("metis", graph, {.parts = 1}).remarks.empty());
}

TEST_CASE("a vertex heavier than a part is no trouble, but the imbalance is said") {
  std::vector<double> weights(400, 1.0);
  weights[210] = 1000;
  const core::Graph graph = testing::grid(20, 20);
  const Partition p = run("metis", graph, {.parts = 4, .vertex_weights = weights});
  const std::vector<Index> sizes = part_sizes(p);
  CHECK(sizes[p.part_of[210]] <= 5);
  for (const Index size : sizes) CHECK(size > 0);
  CHECK(p.remarks.size() == 1);
}

TEST_CASE("METIS survives graphs without edges and parts it would leave empty") {
  for (const char* strategy : {"metis", "metis_vol", "metis_balanced"}) {
    CAPTURE(strategy);
    for (const testing::NamedGraph& g : testing::partition_graphs()) {
      CAPTURE(g.name);
      for (const Index parts : {2, 6}) {
        for (const Index size : part_sizes(run(strategy, g.graph, {.parts = parts}))) CHECK(size > 0);
      }
    }
  }
}

TEST_SUITE_END();
