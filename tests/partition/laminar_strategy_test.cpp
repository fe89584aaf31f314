#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"
#include "laminar/partition/multilevel_state.hpp"
#include "laminar/partition/partitioner.hpp"
#include "laminar/tests/support/graphs.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

Partition run(const core::Graph& graph, const PartitionOptions& options) {
  return Partitioners::instance().run("laminar", graph, options);
}

multilevel::Volumes volumes(const core::Graph& graph, const Partition& p) {
  const std::vector<double> ones(static_cast<std::size_t>(graph.num_vertices()), 1);
  return multilevel::count_volumes(multilevel::volume_hypergraph(graph, 1, ones), p.num_parts, p.part_of);
}

std::int64_t total(const core::Graph& graph, const Partition& p) { return volumes(graph, p).total; }

std::int64_t largest(const core::Graph& graph, const Partition& p) {
  const auto received = volumes(graph, p).received;
  return *std::max_element(received.begin(), received.end());
}

core::Graph undirected(Index n, const std::vector<std::pair<VertexId, VertexId>>& edges) {
  std::vector<VertexId> from;
  std::vector<VertexId> to;
  for (const auto& [u, v] : edges) {
    from.insert(from.end(), {u, v});
    to.insert(to.end(), {v, u});
  }
  return core::Graph::from_edges(n, from, to, {}, false);
}

/// `blocks` groups of `size` vertices, dense inside and with few edges between them; vertices dealt round-robin.
core::Graph block_model(Index blocks, Index size, std::uint64_t seed) {
  std::set<std::pair<VertexId, VertexId>> edges;
  const core::RandomKey key = core::random_key(seed, "block model");
  const Index n = blocks * size;
  for (Index i = 0; i < 8 * n; ++i) {
    const Index u = core::random_below(key, static_cast<std::uint64_t>(3 * i), n);
    Index v = core::random_below(key, static_cast<std::uint64_t>(3 * i + 1), n);
    if (core::random_uniform(key, static_cast<std::uint64_t>(3 * i + 2)) < 0.97) v = v - v % blocks + u % blocks;
    if (u != v && v < n) edges.insert({static_cast<VertexId>(std::min(u, v)), static_cast<VertexId>(std::max(u, v))});
  }
  return undirected(n, {edges.begin(), edges.end()});
}

core::Graph bipartite(Index left, Index right) {
  std::vector<std::pair<VertexId, VertexId>> edges;
  for (Index u = 0; u < left; ++u) {
    for (Index v = 0; v < right; ++v) {
      if ((u * 7 + v * 3) % 5 == 0) edges.emplace_back(static_cast<VertexId>(u), static_cast<VertexId>(left + v));
    }
  }
  return undirected(left + right, edges);
}

std::vector<testing::NamedGraph> graphs() {
  std::vector<testing::NamedGraph> result = testing::test_graphs();
  result.push_back({"block model", block_model(4, 60, 1)});
  result.push_back({"bipartite", bipartite(30, 50)});
  result.push_back({"large star", testing::star(100)});
  result.push_back({"large ring", testing::ring(120)});
  result.push_back({"large grid", testing::grid(16, 16)});
  result.push_back({"hub", testing::directed_weighted_hub(120, 300, 2)});
  result.push_back({"two rings", undirected(6, {{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}, {5, 3}})});
  result.push_back({"no edges", core::Graph::from_edges(50, {}, {}, {}, true)});
  return result;
}

void check_balance(const std::vector<double>& weight, const Partition& p, const std::vector<double>& share,
                   double imbalance) {
  std::vector<double> load(share.size(), 0);
  for (std::size_t v = 0; v < weight.size(); ++v) load[p.part_of[v]] += weight[v];
  for (std::size_t i = 0; i < share.size(); ++i) {
    CHECK(load[i] <= std::max(share[i] * (1 + imbalance), std::ceil(share[i])) + 1e-6);
  }
}

}  // namespace

TEST_CASE("laminar: valid, balanced, no empty part, on every graph with every objective") {
  for (const testing::NamedGraph& g : graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    for (const Index parts : {Index{2}, Index{3}, Index{7}, n}) {
      if (parts > n || (parts == n && n > 50)) continue;
      for (const Objective objective : {Objective::kTotal, Objective::kMax, Objective::kBalanced}) {
        const Partition p = run(g.graph, {.parts = parts, .objective = objective, .preset = Preset::kFast});
        const std::vector<Index> sizes = part_sizes(p);
        CHECK(*std::min_element(sizes.begin(), sizes.end()) >= 1);
        check_balance(
            std::vector<double>(static_cast<std::size_t>(n), 1), p,
            std::vector<double>(static_cast<std::size_t>(parts), static_cast<double>(n) / static_cast<double>(parts)),
            0.03);
        CHECK(p.remarks.empty());
      }
    }
  }
}

TEST_CASE("laminar: the same partition on 1, 2 and 4 threads, another for another seed") {
  const core::Graph graph = testing::undirected_random(1500, 5000, 8);
  for (const Objective objective : {Objective::kTotal, Objective::kBalanced}) {
    PartitionOptions o{.parts = 4, .seed = 3, .objective = objective, .preset = Preset::kFast};
    std::vector<std::vector<std::int32_t>> results;
    for (const int threads : {1, 2, 4}) {
      core::Arena arena(threads);
      arena.execute([&] { results.push_back(run(graph, o).part_of); });
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
    o.seed = 4;
    CHECK(run(graph, o).part_of != results[0]);
  }
  const PartitionOptions quality{.parts = 3, .objective = Objective::kMax};
  const core::Graph small = testing::grid(20, 20);
  core::Arena one(1);
  std::vector<std::int32_t> serial;
  one.execute([&] { serial = run(small, quality).part_of; });
  CHECK(serial == run(small, quality).part_of);
}

TEST_CASE("laminar: finds what is there") {
  // Groups with few edges between them: much less volume than a random partition, and the groups themselves.
  const core::Graph blocks = block_model(4, 100, 5);
  const Partition p = run(blocks, {.parts = 4, .objective = Objective::kTotal});
  for (Index v = 4; v < blocks.num_vertices(); ++v) CHECK(p.part_of[v] == p.part_of[v % 4]);
  // A ring in two parts: two cuts, each of two rows.
  CHECK(total(testing::ring(200), run(testing::ring(200), {.parts = 2, .objective = Objective::kTotal})) == 4);
  // Two components, two parts: nothing is sent.
  const core::Graph rings = undirected(6, {{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}, {5, 3}});
  CHECK(total(rings, run(rings, {.parts = 2})) == 0);
}

TEST_CASE("laminar: max lowers the busiest part within the bound, balanced keeps the total near") {
  const core::Graph graph = testing::directed_weighted_hub(600, 2500, 4);
  const Partition t = run(graph, {.parts = 4, .objective = Objective::kTotal});
  const Index bound = total(graph, t) * 13 / 10;
  const Partition m = run(graph, {.parts = 4, .objective = Objective::kMax, .volume_bound = bound});
  CHECK(largest(graph, m) <= largest(graph, t));
  CHECK(total(graph, m) <= bound);
  const Partition b = run(graph, {.parts = 4, .objective = Objective::kBalanced});
  CHECK(largest(graph, b) <= largest(graph, t));
  CHECK(total(graph, b) <= total(graph, t) * 21 / 20);
  // A bound that can't be met is said.
  const Partition no =
      run(graph, {.parts = 4, .objective = Objective::kMax, .preset = Preset::kFast, .volume_bound = 1});
  REQUIRE(no.remarks.size() == 1);
  CHECK(no.remarks[0].find("above the bound of 1") != std::string::npos);
}

TEST_CASE("laminar: edges, training vertices, capacities and vertex weights are balanced") {
  const core::Graph graph = block_model(6, 80, 9);
  const Index n = graph.num_vertices();
  std::vector<double> ones(static_cast<std::size_t>(n), 1);
  std::vector<double> edges(static_cast<std::size_t>(n));
  for (Index v = 0; v < n; ++v) edges[v] = static_cast<double>(graph.in_degree(static_cast<VertexId>(v)));
  PartitionOptions o{.parts = 4, .edge_imbalance = 0.05, .preset = Preset::kFast};
  const double mean_edges = static_cast<double>(graph.num_edges()) / 4;
  Partition p = run(graph, o);
  check_balance(ones, p, std::vector<double>(4, static_cast<double>(n) / 4), 0.03);
  check_balance(edges, p, std::vector<double>(4, mean_edges), 0.05);

  // Training vertices all in one group: without the option they would stay together.
  o = {.parts = 3, .train_imbalance = 0.1, .objective = Objective::kTotal, .preset = Preset::kFast};
  std::vector<double> train(static_cast<std::size_t>(n), 0);
  for (VertexId v = 0; v < n; v += 6) {
    o.train.push_back(v);
    train[v] = 1;
  }
  p = run(graph, o);
  check_balance(train, p, std::vector<double>(3, static_cast<double>(o.train.size()) / 3), 0.1);
  check_balance(ones, p, std::vector<double>(3, static_cast<double>(n) / 3), 0.03);

  p = run(graph, {.parts = 3, .capacity = {2, 1, 1}, .preset = Preset::kFast});
  check_balance(ones, p, {240, 120, 120}, 0.03);
  CHECK(part_sizes(p)[0] > n * 45 / 100);

  o = {.parts = 4, .imbalance = 0.1, .preset = Preset::kFast};
  o.vertex_weights = edges;
  for (double& w : o.vertex_weights) w += 0.5;
  const double sum = std::accumulate(o.vertex_weights.begin(), o.vertex_weights.end(), 0.0);
  check_balance(o.vertex_weights, run(graph, o), std::vector<double>(4, sum / 4), 0.1);
}

TEST_CASE("laminar: an impossible balance is said, not hidden") {
  PartitionOptions o{.parts = 2, .vertex_weights = std::vector<double>(20, 1), .preset = Preset::kFast};
  o.vertex_weights[3] = 100;
  const Partition p = run(testing::ring(20), o);
  REQUIRE(p.remarks.size() == 1);
  CHECK(p.remarks[0].find("--imbalance 0.03 allows") != std::string::npos);
  const std::vector<Index> sizes = part_sizes(p);
  CHECK(std::min(sizes[0], sizes[1]) >= 1);
}

TEST_CASE("laminar: a start is improved, never made worse") {
  const core::Graph graph = testing::undirected_random(400, 1600, 6);
  std::vector<std::int32_t> start(400);
  for (Index v = 0; v < 400; ++v) start[v] = static_cast<std::int32_t>(v % 4);
  const Partition before{4, start};
  for (const Preset preset : {Preset::kFast, Preset::kQuality}) {
    PartitionOptions o{.parts = 4, .preset = preset, .start = start};
    o.objective = Objective::kTotal;
    const Partition t = run(graph, o);
    CHECK(total(graph, t) < total(graph, before));
    o.start = t.part_of;
    CHECK(total(graph, run(graph, o)) <= total(graph, t));
    o.objective = Objective::kMax;
    o.volume_bound = total(graph, t);
    const Partition m = run(graph, o);
    CHECK(largest(graph, m) <= largest(graph, t));
    CHECK(total(graph, m) <= total(graph, t));
    o.objective = Objective::kBalanced;
    const Partition b = run(graph, o);
    CHECK(total(graph, b) <= total(graph, t));
  }
  // A start out of balance is balanced.
  PartitionOptions o{.parts = 2, .preset = Preset::kFast, .start = std::vector<std::int32_t>(400, 0)};
  const std::vector<Index> sizes = part_sizes(run(graph, o));
  CHECK(std::max(sizes[0], sizes[1]) <= 206);
}

TEST_CASE("laminar: a time limit that strikes is said") {
  const core::Graph graph = testing::undirected_random(3000, 12000, 1);
  const Partition p = run(graph, {.parts = 8, .preset = Preset::kBest, .time_limit_s = 1e-6});
  REQUIRE(!p.remarks.empty());
  CHECK(p.remarks[0].find("time limit") != std::string::npos);
  check_balance(std::vector<double>(3000, 1), p, std::vector<double>(8, 375), 0.03);
}

TEST_CASE("laminar: both directions count on a directed graph") {
  // 0 -> 1, 2 -> 1 in parts {0, 2} and {1}: part 1 reads two rows; backwards part 0 reads one.
  const std::vector<VertexId> from = {0, 2};
  const std::vector<VertexId> to = {1, 1};
  const core::Graph graph = core::Graph::from_edges(3, from, to, {}, true);
  const multilevel::Volumes v = volumes(graph, Partition{2, {0, 1, 0}});
  CHECK(v.total == 3);
  CHECK(v.received == std::vector<std::int64_t>{1, 2});
}
