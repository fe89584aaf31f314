#include "laminar/core/edge_stream.hpp"

#include <doctest/doctest.h>

#include "laminar/core/neighbours.hpp"
#include "laminar/tests/support/graphs.hpp"

using namespace laminar;
using namespace laminar::core;

TEST_CASE("a graph streams each vertex's neighbours once, in both directions, without itself") {
  const std::vector<VertexId> sources{0, 1, 0, 2, 2, 3};
  const std::vector<VertexId> targets{1, 0, 1, 0, 2, 2};
  const Graph graph = Graph::from_edges(4, sources, targets, {}, true);
  GraphEdgeStream stream(graph);
  CHECK(stream.num_vertices() == 4);
  for (int pass = 0; pass < 2; ++pass) {
    stream.rewind();
    std::vector<std::vector<VertexId>> rows;
    EdgeStream::Row row;
    while (stream.next(row)) {
      CHECK(row.vertex == static_cast<VertexId>(rows.size()));
      rows.emplace_back(row.neighbours.begin(), row.neighbours.end());
    }
    CHECK(rows == std::vector<std::vector<VertexId>>{{1, 2}, {0}, {0, 3}, {2}});
    CHECK_FALSE(stream.next(row));
  }
}

TEST_CASE("a stream tells about how many entries it has") {
  for (const testing::NamedGraph& g : testing::test_graphs()) {
    CAPTURE(g.name);
    GraphEdgeStream stream(g.graph);
    EdgeId entries = 0;
    EdgeStream::Row row;
    stream.rewind();
    while (stream.next(row)) entries += static_cast<EdgeId>(row.neighbours.size());
    CHECK(entries <= stream.num_entries());
  }
}

TEST_CASE("neighbours come with the sum of the absolute weights of all edges between the two") {
  const std::vector<VertexId> sources{0, 1, 0, 2};
  const std::vector<VertexId> targets{1, 0, 1, 1};
  const std::vector<double> weights{1, -2, 4, 8};
  const Graph graph = Graph::from_edges(3, sources, targets, weights, true);
  std::vector<std::pair<VertexId, double>> seen;
  for_each_neighbour(graph, 1, true, [&](VertexId u, double w) { seen.emplace_back(u, w); });
  CHECK(seen == std::vector<std::pair<VertexId, double>>{{0, 7.0}, {2, 8.0}});
}
