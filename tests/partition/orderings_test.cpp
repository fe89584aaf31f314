#include "laminar/partition/orderings.hpp"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/parallel.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

bool is_permutation_of_all(std::vector<VertexId> order, Index n) {
  std::sort(order.begin(), order.end());
  std::vector<VertexId> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return order == all;
}

/// The longest distance between the ends of an edge, in positions.
Index bandwidth(const Adjacency& adjacency, const std::vector<VertexId>& order) {
  std::vector<Index> position(order.size());
  for (std::size_t at = 0; at < order.size(); ++at) position[order[at]] = static_cast<Index>(at);
  Index widest = 0;
  for (Index v = 0; v < adjacency.num_vertices(); ++v) {
    for (const VertexId u : adjacency.of(v)) widest = std::max(widest, std::abs(position[u] - position[v]));
  }
  return widest;
}

}  // namespace

TEST_CASE("an adjacency has each neighbour once, sorted, in both rows, with the weights added") {
  const std::vector<VertexId> sources{0, 1, 0, 2, 2, 3};
  const std::vector<VertexId> targets{1, 0, 1, 0, 2, 2};
  const std::vector<double> weights{1, 2, 4, -8, 16, 32};
  const core::Graph graph = core::Graph::from_edges(4, sources, targets, weights, true);
  const Adjacency a = symmetric_adjacency(graph, true);
  CHECK(a.offsets == std::vector<EdgeId>{0, 2, 3, 5, 6});
  CHECK(a.neighbours == std::vector<VertexId>{1, 2, 0, 0, 3, 2});
  CHECK(a.weights == std::vector<double>{7, 8, 7, 8, 32, 32});
  CHECK(symmetric_adjacency(graph).weights.empty());
}

TEST_CASE("orders hold every vertex once") {
  for (const auto* graphs : {&testing::test_graphs(), &testing::partition_graphs()}) {
    for (const testing::NamedGraph& g : *graphs) {
      CAPTURE(g.name);
      const Index n = g.graph.num_vertices();
      const Adjacency a = symmetric_adjacency(g.graph);
      CHECK(is_permutation_of_all(breadth_first_order(a), n));
      CHECK(is_permutation_of_all(reverse_cuthill_mckee_order(a), n));
      CHECK(is_permutation_of_all(random_order(n, 1), n));
      const Partition p = testing::random_labels(n, 3, 2);
      const std::vector<VertexId> grouped = reverse_cuthill_mckee_order(a, p);
      CHECK(is_permutation_of_all(grouped, n));
      CHECK(std::is_sorted(grouped.begin(), grouped.end(),
                           [&](VertexId x, VertexId y) { return p.part_of[x] < p.part_of[y]; }));
    }
  }
}

TEST_CASE("a shuffled path comes out straight") {
  const std::vector<VertexId> path = random_order(50, 3);
  std::vector<std::pair<int, int>> pairs;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) pairs.emplace_back(path[i], path[i + 1]);
  const Adjacency a = symmetric_adjacency(testing::undirected(50, pairs));
  CHECK(bandwidth(a, breadth_first_order(a)) == 1);
  CHECK(bandwidth(a, reverse_cuthill_mckee_order(a)) == 1);
}

TEST_CASE("reverse Cuthill-McKee makes a grid's band as narrow as the grid") {
  const Adjacency a = symmetric_adjacency(testing::grid(30, 6));
  CHECK(bandwidth(a, reverse_cuthill_mckee_order(a)) <= 7);
}

TEST_CASE("components stay together") {
  const Adjacency a = symmetric_adjacency(testing::undirected(7, {{0, 4}, {4, 6}, {1, 3}, {3, 5}}));
  CHECK(breadth_first_order(a) == std::vector<VertexId>{6, 4, 0, 5, 3, 1, 2});
}

TEST_CASE("an order is cut by weight and capacity, no range empty") {
  const std::vector<VertexId> order{3, 1, 0, 2};
  CHECK(cut_order(order, 2, {}, {}).part_of == std::vector<std::int32_t>{1, 0, 1, 0});
  CHECK(cut_order(order, 2, {}, std::vector<double>{3, 1}).part_of == std::vector<std::int32_t>{0, 0, 1, 0});
  CHECK(cut_order(order, 3, std::vector<double>{1, 1, 1, 100}, {}).part_of == std::vector<std::int32_t>{2, 1, 2, 0});
}

TEST_CASE("a random order is drawn from the seed") {
  CHECK(random_order(100, 1) == random_order(100, 1));
  CHECK(random_order(100, 1) != random_order(100, 2));
}
