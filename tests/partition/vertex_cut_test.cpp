#include "laminar/partition/vertex_cut.hpp"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

TEST_CASE("every pair of neighbours lies in one part, and copies are counted") {
  for (const VertexCutStrategy strategy : {VertexCutStrategy::kDbh, VertexCutStrategy::kHdrf}) {
    CAPTURE(name_of(strategy));
    for (const testing::NamedGraph& g : testing::partition_graphs()) {
      CAPTURE(g.name);
      const VertexCut whole = cut_vertices(g.graph, strategy, 1, 1);
      CHECK(whole.replication_factor == 1);
      CHECK(whole.edge_balance == 1);
      for (const Index parts : {2, 7, 70}) {
        const VertexCut cut = cut_vertices(g.graph, strategy, parts, 1);
        CHECK(std::accumulate(cut.edges.begin(), cut.edges.end(), EdgeId{0}) == whole.edges[0]);
        const auto copies = std::accumulate(cut.vertices.begin(), cut.vertices.end(), Index{0});
        if (whole.vertices[0] > 0) {
          CHECK(cut.replication_factor ==
                doctest::Approx(static_cast<double>(copies) / static_cast<double>(whole.vertices[0])));
        }
        CHECK(cut.replication_factor >= 1);
        CHECK(cut.replication_factor <= static_cast<double>(parts));
        for (Index p = 0; p < parts; ++p) CHECK(cut.vertices[p] <= 2 * cut.edges[p]);
      }
    }
  }
}

TEST_CASE("a star is cut at its hub only") {
  // Every leaf has one edge, so one copy; the hub has one in each part.
  const core::Graph graph = testing::star(401);
  for (const VertexCutStrategy strategy : {VertexCutStrategy::kDbh, VertexCutStrategy::kHdrf}) {
    CAPTURE(name_of(strategy));
    const VertexCut cut = cut_vertices(graph, strategy, 4, 1);
    CHECK(cut.replication_factor == doctest::Approx((400 + 4) / 401.0));
  }
  CHECK(cut_vertices(graph, VertexCutStrategy::kHdrf, 4, 1).edge_balance <= 1.04);
}

TEST_CASE("HDRF keeps a mesh's edges balanced, though they come row after row") {
  const VertexCut cut = cut_vertices(testing::grid(30, 30), VertexCutStrategy::kHdrf, 4, 1);
  CHECK(cut.edge_balance <= 1.033);
  CHECK(cut.replication_factor < 1.5);
  CHECK(cut_vertices(testing::grid(30, 30), VertexCutStrategy::kDbh, 4, 1).replication_factor > 1.5);
}

TEST_CASE("loops, copies and directions of edges count once") {
  const core::Graph graph = testing::directed(3, {{0, 1}, {1, 0}, {0, 1}, {2, 2}, {1, 2}});
  const VertexCut cut = cut_vertices(graph, VertexCutStrategy::kHdrf, 1, 1);
  CHECK(cut.edges[0] == 2);
  CHECK(cut.vertices[0] == 3);
}

TEST_CASE("options of vertex cuts out of range are refused") {
  CHECK_THROWS_AS(cut_vertices(testing::ring(4), VertexCutStrategy::kDbh, 0, 1), UsageError);
  CHECK_THROWS_AS(cut_vertices(testing::ring(4), VertexCutStrategy::kHdrf, 2, 1, -1), UsageError);
}
