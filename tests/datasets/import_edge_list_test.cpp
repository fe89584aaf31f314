#include "laminar/datasets/import_edge_list.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Ids = std::vector<core::VertexId>;
using Offsets = std::vector<core::EdgeId>;

EdgeListGraph read_text(const std::string& text, bool directed = false) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.txt", text);
  return read_edge_list(folder / "a.txt", directed);
}

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("an undirected edge list holds both directions of each edge once") {
  const EdgeListGraph g = read_text("# comment\n0 1\n\n1 0\n% another\n2 1\n2 2\n0\t1\n");
  CHECK_FALSE(g.graph->directed());
  CHECK(copy_of(g.graph->in_offsets()) == Offsets{0, 1, 3, 5});
  CHECK(copy_of(g.graph->in_sources()) == Ids{1, 0, 2, 1, 2});
  CHECK(g.ids.empty());
  CHECK(g.notes.empty());
}

TEST_CASE("a directed edge list") {
  const EdgeListGraph g = read_text("0 1\n1 0\n0 1\n2 1\n", true);
  CHECK(g.graph->directed());
  CHECK(copy_of(g.graph->in_offsets()) == Offsets{0, 1, 3, 3});
  CHECK(copy_of(g.graph->in_sources()) == Ids{1, 0, 2});
  REQUIRE(g.notes.size() == 1);
  CHECK(g.notes[0] == "1 repeated edges were dropped");
}

TEST_CASE("commas, names of columns, weights, other line ends, no last line end") {
  const EdgeListGraph g = read_text("source,target,weight\r\n0,1,2.5\r\n 1 , 2 , -1e1 \r\n1\t0\t3");
  CHECK(copy_of(g.graph->in_sources()) == Ids{1, 0, 2, 1});
  // Of both directions of 0 - 1, the larger weight.
  CHECK(copy_of(g.graph->in_weights()) == std::vector<double>{3, 3, -10, -10});
  CHECK(g.notes == std::vector<std::string>{"the first line holds names of columns"});
}

TEST_CASE("vertices are the numbers as they stand, unless most of them don't occur") {
  const EdgeListGraph counted_from_1 = read_text("1 2\n2 3\n");
  CHECK(counted_from_1.graph->num_vertices() == 4);
  CHECK(counted_from_1.ids.empty());
  CHECK(counted_from_1.notes == std::vector<std::string>{"the smallest number is 1; vertices 0..0 have no edges"});

  const EdgeListGraph few = read_text("9000000000000000000 17\n17 2000000000\n");
  CHECK(few.graph->num_vertices() == 3);
  CHECK(few.ids == std::vector<std::int64_t>{17, 2000000000, 9000000000000000000});
  CHECK(copy_of(few.graph->in_sources()) == Ids{1, 2, 0, 0});
  CHECK(few.notes.size() == 1);
  // The limits of the rule: of 0..3 two occur, of 0..4 two are fewer than half.
  CHECK(read_text("0 3\n").graph->num_vertices() == 4);
  CHECK(read_text("0 4\n").graph->num_vertices() == 2);

  const TemporaryFolder folder;
  write_bytes(folder / "sparse.txt", "70 80\n80 90\n");
  const ImportResult r = find_importer("edges").run(folder / "sparse.txt", {.directed = true});
  CHECK(r.data.vertex_names == std::vector<std::string>{"70", "80", "90"});
  CHECK(r.data.graph->directed());
  CHECK(r.data.name == "sparse");
}

TEST_CASE("damaged edge lists are refused with file and line") {
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"", ":1: the file ends, and there was no edge"},
           {"# nothing\n", ":2: the file ends"},
           {"0 1\n7\n", ":2: the second vertex is missing"},
           {"0 1\n0 x\n", ":2: the second vertex is 'x'"},
           {"0 1\na b\n", ":2: the first vertex is 'a'"},
           {"a b\nc d\n", ":2: the first vertex is 'c'"},
           {"0 -1\n", ":1: the second vertex is '-1'"},
           {"0,,1\n", ":1: the second vertex is ','"},
           {"0.5 1\n", ":1: the first vertex is '0.5'"},
           {"99999999999999999999 1\n", ":1: the first vertex is '99999999999999999999'"},
           {"0 1 2 3\n", ":1: '3' is too much"},
           {"0 1 x\n", ":1: the weight is 'x'"},
           {"0 1 inf\n", ":1: the weight is 'inf'"},
           {"0 1 2\n1 2\n", ":2: has 2 columns, but the first edge has 3"},
           {"0 1\n1 2 3\n", ":2: has 3 columns, but the first edge has 2"},
           {"%%MatrixMarket matrix coordinate\n2 2 1\n1 2\n", ":1: this is a Matrix Market file"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(read_text(text), doctest::Contains(says.c_str()), Error);
  }
  CHECK_THROWS_AS(read_edge_list("/nowhere/at/all.txt", false), Error);
}

}  // namespace laminar::datasets::test
