#include "laminar/partition/multilevel.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include <doctest/doctest.h>

#include "laminar/partition/multilevel_anneal.hpp"
#include "laminar/partition/multilevel_coarsen.hpp"
#include "laminar/partition/multilevel_heap.hpp"
#include "laminar/partition/multilevel_initial.hpp"
#include "laminar/tests/support/graphs.hpp"

using namespace laminar;
using namespace laminar::partition;
using namespace laminar::partition::multilevel;

namespace {

Hypergraph unit_hypergraph(const core::Graph& graph) {
  return volume_hypergraph(graph, 1, std::vector<double>(static_cast<std::size_t>(graph.num_vertices()), 1));
}

Balance even(Index parts, double weight, double imbalance) {
  const auto k = static_cast<std::size_t>(parts);
  const double share = weight / static_cast<double>(parts);
  return {parts, 1, std::vector<double>(k, share * (1 + imbalance)), std::vector<double>(k, share), {1}};
}

std::vector<std::int32_t> random_parts(Index n, Index k, std::uint64_t seed) {
  RandomSequence random(seed, 0, 0);
  std::vector<std::int32_t> part(static_cast<std::size_t>(n));
  for (auto& p : part) p = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(k)));
  for (Index p = 0; p < k; ++p) part[p] = static_cast<std::int32_t>(p);
  return part;
}

/// Rows received by each part by the definition: vertices outside that some vertex of the part reads (and, on a
/// directed graph, once more those that read some vertex of the part).
std::vector<std::int64_t> received_by_definition(const core::Graph& g, const std::vector<std::int32_t>& part, Index k) {
  std::vector<std::int64_t> received(static_cast<std::size_t>(k), 0);
  const auto count = [&](std::span<const EdgeId> offsets, std::span<const VertexId> others) {
    for (Index v = 0; v < g.num_vertices(); ++v) {
      std::set<std::int32_t> parts;
      for (EdgeId j = offsets[v]; j < offsets[v + 1]; ++j) parts.insert(part[others[j]]);
      parts.erase(part[v]);
      for (const std::int32_t p : parts) ++received[p];
    }
  };
  count(g.out_offsets(), g.out_targets());
  if (g.directed()) count(g.in_offsets(), g.in_sources());
  return received;
}

/// All gains of `state` against a state made anew.
void check_tables(const State& state) {
  const Hypergraph& h = state.hypergraph();
  const State fresh(h, state.balance(), state.parts());
  CHECK(state.total() == fresh.total());
  CHECK(state.received() == fresh.received());
  bool same = true;
  for (Index v = 0; v < h.num_vertices; ++v) {
    same = same && state.benefit(v) == fresh.benefit(v);
    for (std::int32_t t = 0; t < state.num_parts(); ++t) same = same && state.penalty(v, t) == fresh.penalty(v, t);
  }
  CHECK(same);
}

std::vector<testing::NamedGraph> shapes() {
  std::vector<testing::NamedGraph> result = testing::test_graphs();
  result.push_back({"random 200", testing::undirected_random(200, 700, 3)});
  result.push_back({"hub 150", testing::directed_weighted_hub(150, 400, 5)});
  result.push_back({"grid 15 x 12", testing::grid(15, 12)});
  return result;
}

}  // namespace

TEST_CASE("the hypergraph's connectivity is the volume, part by part") {
  for (const testing::NamedGraph& g : shapes()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    const Index k = std::min<Index>(3, n);
    const Hypergraph h = unit_hypergraph(g.graph);
    const std::vector<std::int32_t> part = random_parts(n, k, 7);
    const std::vector<std::int64_t> expected = received_by_definition(g.graph, part, k);
    const Volumes counted = count_volumes(h, k, part);
    CHECK(counted.received == expected);
    CHECK(counted.total == std::accumulate(expected.begin(), expected.end(), std::int64_t{0}));
    for (Index e = 0; e < h.num_nets(); ++e) CHECK(h.pins_of(e).size() >= 2);
  }
}

TEST_CASE("equal nets are merged, one-pin nets folded away") {
  // A triangle: all closed neighbourhoods are the same net of weight 3. Vertex 3 is alone.
  const std::vector<VertexId> from = {0, 1, 1, 2, 0, 2};
  const std::vector<VertexId> to = {1, 0, 2, 1, 2, 0};
  const Hypergraph h = unit_hypergraph(core::Graph::from_edges(4, from, to, {}, false));
  REQUIRE(h.num_nets() == 1);
  CHECK(h.net_weight[0] == 3);
  CHECK(h.pins == std::vector<VertexId>{0, 1, 2});
  CHECK(h.own_rows == std::vector<std::int32_t>{-1, -1, -1, 0});
  const Volumes v = count_volumes(h, 2, std::vector<std::int32_t>{0, 0, 1, 1});
  CHECK(v.total == 3);
  CHECK(v.received == std::vector<std::int64_t>{1, 2});
  // Contracted to {0, 1} and {2, 3}, then to one vertex.
  const Hypergraph two = contract(h, std::vector<std::int32_t>{0, 0, 1, 1}, 2);
  CHECK(two.num_nets() == 1);
  CHECK(two.weight == std::vector<double>{2, 2});
  const Hypergraph one = contract(h, std::vector<std::int32_t>{0, 0, 0, 0}, 1);
  CHECK(one.num_nets() == 0);
  CHECK(one.own_rows == std::vector<std::int32_t>{0});  // 3 folded - 3 own; vertex 3 adds nothing
  // Only vertices 1 and 2.
  const Hypergraph sub = extract(h, std::vector<char>{0, 1, 1, 0});
  CHECK(sub.num_vertices == 2);
  CHECK(sub.pins == std::vector<VertexId>{0, 1});
}

TEST_CASE("tables and totals stay right under random moves") {
  for (const testing::NamedGraph& g : shapes()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    if (n < 2) continue;
    const Index k = std::min<Index>(4, n);
    const Hypergraph h = unit_hypergraph(g.graph);
    const Balance balance = even(k, static_cast<double>(n), 1);
    State state(h, balance, random_parts(n, k, 11));
    RandomSequence random(5, 0, 0);
    const Goal total;
    const Goal busiest{.power = 8, .scale = 10, .price = 0.1, .bound = static_cast<double>(state.total()) * 0.9};
    for (int i = 0; i < 60; ++i) {
      const Index v = random.below(static_cast<std::uint32_t>(n));
      const auto t = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(k)));
      if (t == state.part_of(v)) continue;
      for (const Goal& goal : {total, busiest}) {
        const double before = state.value(goal);
        const double gain = state.gain(goal, v, t);
        const std::int32_t from = state.part_of(v);
        state.move(v, t);
        CHECK(before - gain == doctest::Approx(state.value(goal)));
        state.move(v, from);
        CHECK(before == doctest::Approx(state.value(goal)));
      }
      const double excess = state.excess();
      const double change = state.excess_change(v, t);
      state.move(v, t);
      CHECK(excess + change == doctest::Approx(state.excess()));
    }
    check_tables(state);
    const std::vector<std::int64_t> received = received_by_definition(g.graph, state.parts(), k);
    CHECK(state.received() == received);
  }
}

TEST_CASE("contraction keeps the volume of partitions it can express") {
  for (const testing::NamedGraph& g : shapes()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    const Hypergraph h = unit_hypergraph(g.graph);
    const WeightedGraph cut = cut_graph(g.graph);
    for (const bool by_cut : {false, true}) {
      RandomSequence random(3, 0, 0);
      const std::vector<std::int32_t> block = random_parts(n, std::min<Index>(2, n), 1);
      ClusterLimits limits{.weight = {4}, .block = block};
      const Clustering c = cluster_vertices(h, by_cut ? &cut : nullptr, limits, random);
      std::vector<double> weight(static_cast<std::size_t>(c.count), 0);
      std::vector<std::int32_t> block_of(weight.size(), -1);
      for (Index v = 0; v < n; ++v) {
        weight[c.cluster[v]] += 1;
        std::int32_t& b = block_of[c.cluster[v]];
        CHECK((b < 0 || b == block[v]));  // blocks are not mixed
        b = block[v];
      }
      CHECK(*std::max_element(weight.begin(), weight.end()) <= 4);
      const Hypergraph coarse = contract(h, c.cluster, c.count);
      CHECK(coarse.weight == weight);
      const Volumes fine_volumes = count_volumes(h, 2, block);
      const Volumes coarse_volumes = count_volumes(coarse, 2, block_of);
      CHECK(fine_volumes.total == coarse_volumes.total);
      CHECK(fine_volumes.received == coarse_volumes.received);
      // The graph's cut too.
      const WeightedGraph small = contract(cut, c.cluster, c.count);
      const auto cut_of = [](const WeightedGraph& w, const std::vector<std::int32_t>& p) {
        std::int64_t sum = 0;
        for (std::size_t v = 0; v + 1 < w.offsets.size(); ++v) {
          for (EdgeId j = w.offsets[v]; j < w.offsets[v + 1]; ++j) sum += p[v] != p[w.targets[j]] ? w.weights[j] : 0;
        }
        return sum;
      };
      CHECK(cut_of(cut, block) == cut_of(small, block_of));
    }
  }
}

TEST_CASE("refinement never makes the goal or the balance worse, and rebalancing balances") {
  for (const testing::NamedGraph& g : shapes()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    if (n < 4) continue;
    const Hypergraph h = unit_hypergraph(g.graph);
    const Index k = 3;
    const Balance balance = even(k, static_cast<double>(n), 0.4);
    for (const int power : {1, 8}) {
      RandomSequence random(9, 0, 0);
      Deadline deadline;
      State state(h, balance, random_parts(n, k, 2));
      SearchOptions options;
      options.goal = {.power = power, .scale = 5, .price = 0.01};
      rebalance(state, options.goal, random);
      CHECK(state.excess() <= 1e-9);
      double before = state.value(options.goal);
      greedy_rounds(state, options, random, deadline);
      CHECK(state.value(options.goal) <= before * (1 + 1e-12));
      before = state.value(options.goal);
      local_searches(state, options, random, deadline);
      CHECK(state.value(options.goal) <= before * (1 + 1e-12));
      CHECK(state.excess() <= 1e-9);
      for (std::int32_t p = 0; p < k; ++p) CHECK(state.members(p) > 0);
      options.sweeps = 20;
      before = state.value(options.goal);
      anneal(state, options, random, deadline);
      CHECK(state.value(options.goal) <= before * (1 + 1e-12));
      CHECK(state.excess() <= 1e-9);
      for (std::int32_t p = 0; p < k; ++p) CHECK(state.members(p) > 0);
      check_tables(state);
    }
  }
}

TEST_CASE("annealing exchanges vertices of parts that are full") {
  // Two rings of fifty, each vertex tied to the four next ones on both sides; one vertex of each is in the other's
  // part, and neither part has room for one more.
  std::vector<std::pair<VertexId, VertexId>> edges = {{0, 99}};
  for (VertexId v = 0; v < 100; ++v) {
    for (VertexId step = 1; step <= 4; ++step) edges.emplace_back(v, v / 50 * 50 + (v + step) % 50);
  }
  std::vector<VertexId> from;
  std::vector<VertexId> to;
  for (const auto& [u, v] : edges) {
    from.insert(from.end(), {u, v});
    to.insert(to.end(), {v, u});
  }
  const Hypergraph h = unit_hypergraph(core::Graph::from_edges(100, from, to, {}, false));
  const Balance balance = even(2, 100, 0);
  std::vector<std::int32_t> part(100, 0);
  std::fill(part.begin() + 50, part.end(), 1);
  std::swap(part[20], part[70]);
  RandomSequence random(3, 0, 0);
  Deadline deadline;
  SearchOptions options;
  State state(h, balance, part);
  greedy_rounds(state, options, random, deadline);
  local_searches(state, options, random, deadline);
  anneal(state, options, random, deadline);  // no sweeps: does nothing
  CHECK(state.parts() == part);
  options.sweeps = 50;
  anneal(state, options, random, deadline);
  CHECK(state.total() == 2);
  CHECK(state.excess() <= 1e-9);
}

TEST_CASE("a V-cycle and a recombination are never worse than their first start") {
  const core::Graph graph = testing::undirected_random(400, 1200, 4);
  Problem problem{unit_hypergraph(graph), cut_graph(graph), even(4, 400, 0.05)};
  RunOptions options;
  options.coarsest_a_part = 20;
  Deadline deadline;
  const std::vector<std::int32_t> a = partition_run(problem, options, deadline);
  options.seed = 2;
  options.cut = true;
  const std::vector<std::int32_t> b = partition_run(problem, options, deadline);
  const auto total = [&](const std::vector<std::int32_t>& part) {
    return count_volumes(problem.hypergraph, 4, part).total;
  };
  const std::vector<const std::vector<std::int32_t>*> starts = {&a, &b};
  CHECK(total(improve_run(problem, std::span(starts).first(1), options, deadline)) <= total(a));
  CHECK(total(improve_run(problem, starts, options, deadline)) <= total(a));
}

TEST_CASE("grown partitions leave no part empty") {
  const Hypergraph h = unit_hypergraph(testing::star(12));
  RandomSequence random(1, 0, 0);
  const std::vector<std::int32_t> three = grow(h, even(3, 12, 0.03), random);
  for (const std::int32_t p : {0, 1, 2}) CHECK(std::count(three.begin(), three.end(), p) == 4);
  const std::vector<std::int32_t> two = grow_one(h, even(2, 12, 0.03), random);
  CHECK(std::count(two.begin(), two.end(), 0) == 6);
}

TEST_CASE("the heap gives the largest key, also after changes") {
  IndexedHeap heap(5);
  for (const std::int32_t i : {0, 1, 2, 3, 4}) heap.push(i, i);
  heap.raise_key(1, 10);
  CHECK(heap.top() == 1);
  heap.lower_top(0.5);
  CHECK(heap.key(1) == 0.5);
  std::vector<std::int32_t> order;
  for (; !heap.empty(); heap.pop()) order.push_back(heap.top());
  CHECK(order == std::vector<std::int32_t>{4, 3, 2, 1, 0});
  heap.push(2, 1);
  heap.clear();
  CHECK_FALSE(heap.holds(2));
}
