#include "laminar/partition/layout.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::VertexId;
using partition::Layout;
using partition::Partition;
using partition::Range;

namespace {

// Slices (part, chunk): (0, 0) = {0, 4}, (0, 1) = {2}, (1, 0) = {1}, (1, 1) = {3, 5}.
const Partition kParts{2, {0, 1, 0, 1, 0, 1}};
const Partition kChunks{2, {0, 0, 1, 1, 0, 1}};

}  // namespace

TEST_CASE("slices are contiguous, part by part and chunk by chunk") {
  const Layout layout(kParts, kChunks);
  CHECK(layout.num_vertices() == 6);
  CHECK(layout.num_parts() == 2);
  CHECK(layout.num_chunks() == 2);
  CHECK_FALSE(layout.is_identity());
  CHECK(layout.file_ids() == std::vector<VertexId>{0, 4, 2, 1, 3, 5});
  CHECK(layout.new_ids() == std::vector<VertexId>{0, 3, 2, 4, 1, 5});
  CHECK(layout.slice(0, 0) == Range{0, 2});
  CHECK(layout.slice(0, 1) == Range{2, 3});
  CHECK(layout.slice(1, 0) == Range{3, 4});
  CHECK(layout.slice(1, 1) == Range{4, 6});
  CHECK(layout.part(0) == Range{0, 3});
  CHECK(layout.part(1) == Range{3, 6});
  for (VertexId v = 0; v < 6; ++v) {
    const auto old = static_cast<std::size_t>(layout.file_ids()[static_cast<std::size_t>(v)]);
    CHECK(layout.part_of(v) == kParts.part_of[old]);
    CHECK(layout.chunk_of(v) == kChunks.part_of[old]);
  }
}

TEST_CASE("ranks order the vertices of a slice, and their old order breaks ties") {
  CHECK(Layout(kParts, kChunks, std::vector<Index>{5, 4, 3, 2, 1, 0}).file_ids() ==
        std::vector<VertexId>{4, 0, 2, 1, 5, 3});
  CHECK(Layout(kParts, kChunks, std::vector<Index>(6, 7)).file_ids() == Layout(kParts, kChunks).file_ids());
}

TEST_CASE("empty slices are ranges of no vertices, also at the ends") {
  const Layout layout({3, {1, 1, 1}}, {2, {1, 1, 1}});
  CHECK(layout.part(0) == Range{0, 0});
  CHECK(layout.slice(1, 0) == Range{0, 0});
  CHECK(layout.slice(1, 1) == Range{0, 3});
  CHECK(layout.part(2) == Range{3, 3});
  for (VertexId v = 0; v < 3; ++v) {
    CHECK(layout.part_of(v) == 1);
    CHECK(layout.chunk_of(v) == 1);
  }
}

TEST_CASE("one part and chunk change nothing, unless ranks do") {
  const core::Graph graph = directed(3, {{0, 1}, {1, 2}});
  const Layout identity(3);
  CHECK(identity.is_identity());
  CHECK(identity.part(0) == Range{0, 3});
  CHECK(identity.renumber(graph).fingerprint() == graph.fingerprint());
  CHECK(Layout({1, {0, 0, 0}}, {1, {0, 0, 0}}).is_identity());
  const Layout ranked({1, {0, 0, 0}}, {1, {0, 0, 0}}, std::vector<Index>{2, 1, 0});
  CHECK(ranked.file_ids() == std::vector<VertexId>{2, 1, 0});
  CHECK_FALSE(ranked.is_identity());
  CHECK(ranked.renumber(graph).fingerprint() == directed(3, {{2, 1}, {1, 0}}).fingerprint());
}

TEST_CASE("a renumbered graph has the same edges, weights and parallel edges") {
  for (const auto& [name, graph] : test_graphs()) {
    CAPTURE(name);
    const Index n = graph.num_vertices();
    const Layout layout(random_labels(n, 3, 1), random_labels(n, 4, 2));
    const core::Graph renumbered = layout.renumber(graph);
    CHECK(renumbered.directed() == graph.directed());
    CHECK(renumbered.weighted() == graph.weighted());
    using Edge = std::tuple<VertexId, VertexId, double>;
    const auto edges_of = [](const core::Graph& g, const std::vector<VertexId>& ids) {
      std::vector<Edge> edges;
      for (Index v = 0; v < g.num_vertices(); ++v) {
        for (core::EdgeId e = g.in_offsets()[v]; e < g.in_offsets()[v + 1]; ++e) {
          edges.emplace_back(ids.empty() ? g.in_sources()[e] : ids[static_cast<std::size_t>(g.in_sources()[e])],
                             ids.empty() ? static_cast<VertexId>(v) : ids[static_cast<std::size_t>(v)],
                             g.weighted() ? g.in_weights()[e] : 1.0);
        }
      }
      std::sort(edges.begin(), edges.end());
      return edges;
    };
    CHECK(edges_of(renumbered, layout.file_ids()) == edges_of(graph, {}));
  }
}

TEST_CASE("what does not fit together is refused") {
  CHECK_THROWS_AS(Layout(kParts, {2, {0, 1}}), Error);
  CHECK_THROWS_AS(Layout(kParts, {2, {0, 0, 1, 1, 0, 2}}), Error);
  CHECK_THROWS_AS(Layout({2, {0, 1, 0, 1, 0, -1}}, kChunks), Error);
  CHECK_THROWS_AS(Layout({0, {}}, {1, {}}), Error);
  CHECK_THROWS_WITH_AS(Layout(kParts, kChunks, std::vector<Index>{1, 2}), doctest::Contains("2 ranks for 6 vertices"),
                       Error);
  CHECK_THROWS_WITH_AS(Layout(kParts, kChunks).renumber(ring(5)), doctest::Contains("5 vertices"), Error);
}
