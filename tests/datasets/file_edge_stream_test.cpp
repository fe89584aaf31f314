#include "laminar/datasets/file_edge_stream.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

void check_rows(FileEdgeStream& stream, const core::Graph& graph) {
  CHECK(stream.num_vertices() == graph.num_vertices());
  CHECK(stream.num_entries() == graph.num_edges());
  core::EdgeStream::Row row;
  for (core::Index v = 0; v < graph.num_vertices(); ++v) {
    REQUIRE(stream.next(row));
    REQUIRE(row.vertex == v);
    const auto from = static_cast<std::size_t>(graph.in_offsets()[v]);
    const auto expected = graph.in_sources().subspan(from, static_cast<std::size_t>(graph.in_offsets()[v + 1]) - from);
    REQUIRE(std::equal(row.neighbours.begin(), row.neighbours.end(), expected.begin(), expected.end()));
  }
  CHECK_FALSE(stream.next(row));
  CHECK_FALSE(stream.next(row));
}

}  // namespace

TEST_CASE("the rows of a file, again after rewinding") {
  const TemporaryFolder folder;
  const GraphData data = small_graph();
  write(folder / "graph.h5", data);
  FileEdgeStream stream(folder / "graph.h5");
  CHECK(stream.schema().name == "small");
  CHECK(stream.split("0").test == std::vector<core::VertexId>{3, 4});
  CHECK_THROWS_AS(stream.split("none"), UsageError);
  check_rows(stream, *data.graph);
  stream.rewind();
  core::EdgeStream::Row row;
  CHECK(stream.next(row));
  stream.rewind();
  check_rows(stream, *data.graph);
}

TEST_CASE("rows beyond a block: many of them, and one that is longer than a block") {
  const TemporaryFolder folder;
  constexpr core::Index kVertices = 150'000;
  std::vector<core::VertexId> sources;
  std::vector<core::VertexId> targets;
  const core::RandomKey key = core::random_key(1, "edges");
  for (std::uint64_t e = 0; e < 1'500'000; ++e) {
    sources.push_back(static_cast<core::VertexId>(core::random_below(key, 2 * e, kVertices)));
    // Two hubs take 600 000 edges each.
    const auto place = core::random_below(key, 2 * e + 1, kVertices);
    targets.push_back(static_cast<core::VertexId>(e % 5 < 2 ? 70'000 : e % 5 < 4 ? kVertices - 1 : place));
  }
  GraphData data;
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(kVertices, sources, targets, {}, true));
  write(folder / "graph.h5", data);
  FileEdgeStream stream(folder / "graph.h5");
  check_rows(stream, *data.graph);
}

TEST_CASE("damage is found where it is read") {
  const TemporaryFolder folder;
  const auto read_all = [&] {
    FileEdgeStream stream(folder / "graph.h5");
    core::EdgeStream::Row row;
    while (stream.next(row)) continue;
  };
  write(folder / "graph.h5", small_graph());
  CHECK_NOTHROW(read_all());
  {
    RawHdf5 raw(folder / "graph.h5");
    raw.put("/graph/indices", {7}, std::vector<std::int32_t>{1, 2, 0, 5, 3, 4, 0});
  }
  CHECK_THROWS_WITH_AS(read_all(), doctest::Contains("/graph/indices: entry 3 is 5"), Error);
  write(folder / "graph.h5", small_graph());
  {
    RawHdf5 raw(folder / "graph.h5");
    raw.put("/graph/indptr", {6}, std::vector<std::int64_t>{0, 2, 1, 5, 7, 7});
  }
  CHECK_THROWS_WITH_AS(read_all(), doctest::Contains("/graph/indptr: entry 2 is 1"), Error);
  CHECK_THROWS_AS(FileEdgeStream(folder / "none.h5"), Error);
}

}  // namespace laminar::datasets::test
