#include "laminar/partition/community_order.hpp"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/partition/gather_locality.hpp"
#include "laminar/partition/orderings.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

/// Vertex v of `graph` becomes new_id[v].
core::Graph renamed(const core::Graph& graph, const std::vector<VertexId>& new_id) {
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      sources.push_back(new_id[graph.in_sources()[e]]);
      targets.push_back(new_id[v]);
    }
  }
  return core::Graph::from_edges(graph.num_vertices(), sources, targets, {}, graph.directed());
}

}  // namespace

TEST_CASE("a community order holds every vertex once, whatever the bound, and is the same on any number of threads") {
  for (const auto* graphs : {&testing::test_graphs(), &testing::partition_graphs()}) {
    for (const testing::NamedGraph& g : *graphs) {
      for (const Index most : {Index{1}, Index{4}, Index{64}, Index{100'000}}) {
        CAPTURE(g.name);
        CAPTURE(most);
        std::vector<VertexId> order;
        core::Arena(1).execute([&] { order = community_order(g.graph, most); });
        std::vector<VertexId> again;
        core::Arena(4).execute([&] { again = community_order(g.graph, most); });
        CHECK(again == order);
        std::sort(order.begin(), order.end());
        std::vector<VertexId> all(static_cast<std::size_t>(g.graph.num_vertices()));
        std::iota(all.begin(), all.end(), 0);
        CHECK(order == all);
      }
    }
  }
}

TEST_CASE("cliques that are shuffled come to stand together") {
  constexpr Index kCliques = 40;
  constexpr Index kSize = 12;
  const core::Graph ring = testing::clique_ring(kCliques, kSize);
  const core::Graph graph = renamed(ring, random_order(kCliques * kSize, 7));
  const std::vector<VertexId> order = community_order(graph, 2 * kSize);
  const double before = gather_reuse(graph, {}, 2 * kSize);
  const double after = gather_reuse(graph, order, 2 * kSize);
  CAPTURE(before);
  CAPTURE(after);
  CHECK(before < 0.2);
  CHECK(after > 0.6);
}

TEST_CASE("directed edges tie both their ends") {
  // Two stars, their centres' edges leading out and in, in turn in the file.
  std::vector<std::pair<int, int>> edges;
  for (int i = 1; i < 8; ++i) {
    edges.emplace_back(0, 2 * i);
    edges.emplace_back(2 * i + 1, 1);
  }
  const std::vector<VertexId> order = community_order(testing::directed(16, edges), 8);
  const auto is_even = [](VertexId v) { return v % 2 == 0; };
  CHECK(std::is_partitioned(order.begin(), order.end(),
                            [&](VertexId v) { return is_even(v) == is_even(order.front()); }));
}

TEST_CASE("a community order needs clusters of at least one vertex") {
  CHECK_THROWS_AS(community_order(testing::undirected(3, {{0, 1}}), 0), Error);
}
