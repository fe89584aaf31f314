#include "laminar/pipeline/part_map.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/part_graph.hpp"
#include "laminar/datasets/graph_data.hpp"
#include "laminar/pipeline/cut_graph.hpp"
#include "laminar/pipeline/slice.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/graphs.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::VertexId;
using partition::Layout;
using pipeline::CutGraph;
using pipeline::PartMap;
using pipeline::Range;

namespace {

std::vector<std::int32_t> list(std::span<const std::int32_t> values) { return {values.begin(), values.end()}; }

partition::Partition scattered(Index n, Index parts, Index step) {
  partition::Partition p{parts, {}};
  for (Index v = 0; v < n; ++v) p.part_of.push_back(static_cast<std::int32_t>((v * step + v / 5) % parts));
  return p;
}

// Renumbered: slices (0, 0) = 0 1, (0, 1) = 2, (1, 0) = 3, (1, 1) = 4 5.
const Layout kLayout({2, {0, 1, 0, 1, 0, 1}}, {2, {0, 0, 1, 1, 0, 1}});

core::Graph hand_made() {
  // In the file 1 -> 0, 3 -> 0, 2 -> 0, 5 -> 2, 0 -> 1, 2 -> 3, 2 -> 5, 3 -> 3.
  return core::Graph::from_edges(6, std::vector<VertexId>{1, 3, 2, 5, 0, 2, 2, 3},
                                 std::vector<VertexId>{0, 0, 0, 2, 1, 3, 5, 3}, {}, true);
}

}  // namespace

TEST_CASE("own rows, halos and lists of a graph made by hand") {
  const core::Graph graph = kLayout.renumber(hand_made());
  const PartMap a(graph, kLayout, 0), b(graph, kLayout, 1);
  CHECK(a.part() == 0);
  CHECK(a.num_parts() == 2);
  CHECK(a.num_chunks() == 2);
  CHECK(a.own() == Range{0, 3});
  CHECK(b.own() == Range{3, 6});
  CHECK(a.slice_rows(0) == Range{0, 2});
  CHECK(a.slice_rows(1) == Range{2, 3});
  CHECK(b.slice_rows(0) == Range{0, 1});
  CHECK(b.slice_rows(1) == Range{1, 3});
  CHECK(list(a.halo()) == std::vector<VertexId>{3, 4, 5});
  CHECK(list(b.halo()) == std::vector<VertexId>{0, 2});
  CHECK(a.num_rows() == 6);
  CHECK(b.num_rows() == 5);
  CHECK(list(a.rows_for(1, 0)) == std::vector<std::int32_t>{0});
  CHECK(list(a.rows_for(1, 1)) == std::vector<std::int32_t>{2});
  CHECK(list(b.rows_for(0, 0)) == std::vector<std::int32_t>{0});
  CHECK(list(b.rows_for(0, 1)) == std::vector<std::int32_t>{1, 2});
  CHECK(a.rows_from(1, 0) == Range{3, 4});
  CHECK(a.rows_from(1, 1) == Range{4, 6});
  CHECK(b.rows_from(0, 0) == Range{3, 4});
  CHECK(b.rows_from(0, 1) == Range{4, 5});
  CHECK(a.rows_for(0, 0).empty());
  CHECK(a.rows_from(0, 1).size() == 0);
  CHECK(b.row_of(3) == 0);
  CHECK(b.row_of(2) == 4);
  CHECK(b.vertex_of(1) == 4);
  CHECK(b.vertex_of(4) == 2);
  CHECK_THROWS_WITH_AS(b.row_of(1), doctest::Contains("vertex 1 is neither of part 1"), Error);
}

TEST_CASE("slices read the table's rows of their sources") {
  const core::Graph graph = kLayout.renumber(hand_made());
  const PartMap b(graph, kLayout, 1);
  // Vertices 4 and 5 read 2 and 4, and 2.
  const pipeline::Slice slice = make_slice(graph, kLayout, b, 1);
  CHECK(slice.chunk == 1);
  CHECK(slice.rows == Range{1, 3});
  CHECK(slice.source_rows == std::vector<std::int32_t>{1, 2, 4});
  CHECK(slice.source_chunks == std::vector<std::int32_t>{1, 1, 1});
  CHECK_FALSE(slice.reads_whole_table);
  const pipeline::Slice part = make_slice(graph, kLayout, b, -1);
  CHECK(part.rows == Range{0, 3});
  CHECK(part.source_rows == std::vector<std::int32_t>{0, 1, 2, 3, 4});
  CHECK(part.source_chunks == std::vector<std::int32_t>{0, 1, 1, 0, 1});
  CHECK(part.reads_whole_table);
  std::vector<VertexId> ids;
  for (const VertexId v : part.block.source_vertices()) ids.push_back(kLayout.file_ids()[static_cast<std::size_t>(v)]);
  CHECK(list(part.block.source_ids()) == ids);
}

TEST_CASE("what one part sends is what the other expects, row by row") {
  for (const auto& [name, original] : test_graphs()) {
    CAPTURE(name);
    const Index n = original.num_vertices();
    for (const Index parts : {1, 2, 3, 5}) {
      for (const Index chunks : {1, 4}) {
        CAPTURE(parts);
        CAPTURE(chunks);
        const Layout layout(scattered(n, parts, 3), scattered(n, chunks, 1));
        const core::Graph graph = layout.renumber(original);
        std::vector<PartMap> maps;
        for (Index p = 0; p < parts; ++p) maps.emplace_back(graph, layout, p);
        for (Index p = 0; p < parts; ++p) {
          Index received = 0;
          for (Index q = 0; q < parts; ++q) {
            for (Index c = 0; c < chunks; ++c) {
              const auto sent = maps[static_cast<std::size_t>(q)].rows_for(p, c);
              const Range rows = maps[static_cast<std::size_t>(p)].rows_from(q, c);
              REQUIRE(static_cast<Index>(sent.size()) == rows.size());
              received += rows.size();
              for (Index i = 0; i < rows.size(); ++i) {
                const VertexId v = maps[static_cast<std::size_t>(p)].vertex_of(rows.begin + i);
                CHECK(maps[static_cast<std::size_t>(q)].vertex_of(sent[static_cast<std::size_t>(i)]) == v);
                CHECK(maps[static_cast<std::size_t>(p)].row_of(v) == rows.begin + i);
                CHECK(layout.part_of(v) == q);
                CHECK(layout.chunk_of(v) == c);
              }
            }
          }
          CHECK(received == static_cast<Index>(maps[static_cast<std::size_t>(p)].halo().size()));
        }
      }
    }
  }
}

TEST_CASE("a rank that has its own part only maps it as one that has all") {
  for (const auto& [name, original] : test_graphs()) {
    CAPTURE(name);
    const Index n = original.num_vertices();
    datasets::GraphData data;
    data.name = name;
    data.graph = std::make_shared<const core::Graph>(original);
    const auto dataset = datasets::from_memory(std::move(data));
    for (const Index parts : {2, 3}) {
      for (const Index chunks : {1, 4}) {
        const auto part_of = scattered(n, parts, 3);
        const Layout layout(part_of, scattered(n, chunks, 1));
        const CutGraph whole(layout, original);
        for (Index p = 0; p < parts; ++p) {
          const CutGraph own(layout, core::read_part(*dataset, part_of.part_of, parts, p));
          CHECK(own.held_part == p);
          const PartMap a(whole, p), b(own, p);
          CHECK(list(a.halo()) == list(b.halo()));
          for (Index q = 0; q < parts; ++q) {
            for (Index c = 0; c < chunks; ++c) {
              CHECK(list(a.rows_for(q, c)) == list(b.rows_for(q, c)));
              CHECK(a.rows_from(q, c) == b.rows_from(q, c));
            }
            if (q != p) CHECK_THROWS_WITH_AS(PartMap(own, q), doctest::Contains("is there"), Error);
          }
          CHECK_THROWS_AS(own.in_file_order(), Error);
        }
        CHECK(whole.in_file_order().fingerprint() == original.fingerprint());
      }
    }
  }
}

TEST_CASE("a part of another layout is refused") {
  const auto data = block_model_dataset({.vertices = 12});
  const auto part_of = scattered(12, 3, 1);
  const core::PartGraph own = core::read_part(*data, part_of.part_of, 3, 1);
  CHECK_THROWS_WITH_AS(CutGraph(Layout(scattered(12, 2, 1), {1, std::vector<std::int32_t>(12, 0)}), own),
                       doctest::Contains("part 1 of 3 does not fit a layout of 2 parts"), Error);
}

TEST_CASE("a map of another graph or of no part is refused") {
  CHECK_THROWS_WITH_AS(PartMap(ring(5), kLayout, 0), doctest::Contains("5 vertices, a layout of 6"), Error);
  CHECK_THROWS_WITH_AS(PartMap(ring(6), kLayout, 2), doctest::Contains("part 2 of 2"), Error);
  CHECK_THROWS_AS(PartMap(ring(6), kLayout, -1), Error);
}
