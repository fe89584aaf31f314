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
  CHECK(g.names.empty());
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
  const EdgeListGraph g = read_text("source,target,weight\r\n0,1,2.5\r\n 1 , 2 , -1e1 \r\n\"1\",0,3");
  CHECK(copy_of(g.graph->in_sources()) == Ids{1, 0, 2, 1});
  // Of both directions of 0 - 1, the larger weight.
  CHECK(copy_of(g.graph->in_weights()) == std::vector<double>{3, 3, -10, -10});
  CHECK(g.notes == std::vector<std::string>{"the first line holds names of columns"});
}

TEST_CASE("vertices are the numbers as they stand, unless most of them don't occur") {
  const EdgeListGraph counted_from_1 = read_text("1 2\n2 3\n");
  CHECK(counted_from_1.graph->num_vertices() == 4);
  CHECK(counted_from_1.names.empty());
  CHECK(counted_from_1.notes == std::vector<std::string>{"the smallest number is 1; vertices 0..0 have no edges"});

  const EdgeListGraph few = read_text("9000000000000000000 17\n17 2000000000\n");
  CHECK(few.graph->num_vertices() == 3);
  CHECK(few.names == std::vector<std::string>{"17", "2000000000", "9000000000000000000"});
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
           {"0 1\n7\n", ":2: has 1 column, but the first row has 2"},
           {"7\n", ":1: the second vertex is missing"},
           {"0 1\n0 x\n", ":2: the second vertex is 'x'"},
           {"0 1\na b\n", ":2: the first vertex is 'a'"},
           {"0 -1\n", ":1: the second vertex is '-1'"},
           {"0,,1\n", ":1: the second vertex is missing"},
           {"0.5 1\n", ":1: the first vertex is '0.5'"},
           {"99999999999999999999 1\n", ":1: the first vertex is '99999999999999999999'"},
           {"0 1 2 3\n", ":1: there are 4 columns, expected FROM, TO and perhaps WEIGHT; say with --weight"},
           {"0 1 x\n", ":1: the weight is 'x', expected a finite number; if it is no weight, say --weight none"},
           {"0 1 inf\n", ":1: the weight is 'inf'"},
           {"0 1 2\n1 2\n", ":2: has 2 columns, but the first row has 3"},
           {"0 1\n1 2 3\n", ":2: has 3 columns, but the first row has 2"},
           {"%%MatrixMarket matrix coordinate\n2 2 1\n1 2\n", ":1: this is a Matrix Market file; say --from mtx"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(read_text(text), doctest::Contains(says.c_str()), Error);
  }
  CHECK_THROWS_AS(read_edge_list("/nowhere/at/all.txt", false), Error);
}

TEST_CASE("names of vertices, a byte order mark, quotes and other scripts") {
  const EdgeListGraph g = read_text(
      "\xef\xbb\xbfsource,target\r\nZo\xc3\xab,\"Doe, \"\"J\"\"\"\r\n\"Doe, \"\"J\"\"\",\xe6\x9d\xb1\r\n", true);
  CHECK(g.names == std::vector<std::string>{"Zo\xc3\xab", "Doe, \"J\"", "\xe6\x9d\xb1"});
  CHECK(copy_of(g.graph->in_offsets()) == Offsets{0, 0, 1, 2});
  CHECK(copy_of(g.graph->in_sources()) == Ids{0, 1});
  // Without a header: the first line is an edge.
  CHECK(read_text("ann bob\nbob cy\n").names == std::vector<std::string>{"ann", "bob", "cy"});
  // Numbers are names where the user says so, or where the first edge has a name.
  ImportOptions names;
  names.edges.ids = VertexIds::kNames;
  const TemporaryFolder folder;
  write_bytes(folder / "n.txt", "007 7\n");
  CHECK(read_edge_list(folder / "n.txt", names).names == std::vector<std::string>{"007", "7"});
  CHECK(read_text("a 5\nb 6\n5 b\n").names == std::vector<std::string>{"a", "5", "b", "6"});
  CHECK_THROWS_WITH_AS(read_text("a b\nc \xff\n"), doctest::Contains(":2: the second vertex is '?', which is no UTF-8"),
                       Error);
  CHECK_THROWS_WITH_AS(read_text("a,\"b\nc,d\n"), doctest::Contains(":1: a text in quotes does not end"), Error);
  CHECK_THROWS_WITH_AS(read_text("a,\"b\"c\n"), doctest::Contains(":1: 'c' stands behind a text in quotes"), Error);
  CHECK_THROWS_WITH_AS(read_text("\xff\xfe"
                                 "0,1\n"),
                       doctest::Contains(":1: the text is in UTF-16"), Error);
}

TEST_CASE("columns that the user names") {
  const TemporaryFolder folder;
  write_bytes(folder / "e.csv", "when,to,from,km,kind\n1,a,b,2.5,7\n2,b,c,1,8\n3,a,b,9,6\n");
  ImportOptions options;
  options.directed = true;
  options.edges.weight = "km";
  options.edges.edge_features = "rest";
  const EdgeListGraph g = read_edge_list(folder / "e.csv", options);
  CHECK(g.names == std::vector<std::string>{"b", "a", "c"});
  CHECK(copy_of(g.graph->in_sources()) == Ids{2, 0});
  // Of b -> a, the edge of weight 9 with its features when and kind.
  CHECK(copy_of(g.graph->in_weights()) == std::vector<double>{1, 9});
  REQUIRE(g.edge_features.cols() == 2);
  CHECK(std::vector<float>(g.edge_features.data<float>(), g.edge_features.data<float>() + 4) ==
        std::vector<float>{2, 8, 3, 6});

  options.directed = false;
  options.edges.edge_features = "kind";
  const EdgeListGraph both = read_edge_list(folder / "e.csv", options);
  CHECK(std::vector<float>(both.edge_features.data<float>(), both.edge_features.data<float>() + 4) ==
        std::vector<float>{6, 8, 6, 8});

  options.edges = {};
  options.edges.ends = "1,5";
  options.edges.weight = "none";
  CHECK_FALSE(read_edge_list(folder / "e.csv", options).graph->weighted());
  const auto refused = [&](const char* ends, const char* weight, const char* features) {
    options.edges.ends = ends;
    options.edges.weight = weight;
    options.edges.edge_features = features;
    CHECK_THROWS_AS(read_edge_list(folder / "e.csv", options), UsageError);
  };
  refused("1", "", "");
  refused("1,1", "", "");
  refused("1,9", "", "");
  refused("from,to", "to", "");
  refused("from,to", "mass", "");
  refused("from,to", "km", "km");
  options.edges = {};
  CHECK_THROWS_WITH_AS(read_edge_list(folder / "e.csv", options), doctest::Contains("e.csv:2: there are 5 columns"),
                       Error);
  options.edges.format = {Separator::kTab, HeaderLine::kNo};
  CHECK_THROWS_WITH_AS(read_edge_list(folder / "e.csv", options),
                       doctest::Contains("e.csv:1: the second vertex is missing"), Error);
}

TEST_CASE("how many vertices there are can be said, and how much memory may be taken") {
  const TemporaryFolder folder;
  write_bytes(folder / "few.txt", "0 9\n");
  ImportOptions options;
  CHECK(read_edge_list(folder / "few.txt", options).graph->num_vertices() == 2);
  options.vertices = 12;
  const EdgeListGraph g = read_edge_list(folder / "few.txt", options);
  CHECK(g.graph->num_vertices() == 12);
  CHECK(g.names.empty());
  options.vertices = 9;
  CHECK_THROWS_WITH_AS(read_edge_list(folder / "few.txt", options),
                       doctest::Contains("few.txt:1: the second vertex is '9', expected a whole number 0..8"), Error);
  options.edges.ids = VertexIds::kNames;
  CHECK_THROWS_AS(read_edge_list(folder / "few.txt", options), UsageError);
  options = {};
  options.max_memory_bytes = 1 << 20;
  options.vertices = 1000000000;
  CHECK_THROWS_WITH_AS(read_edge_list(folder / "few.txt", options),
                       doctest::Contains("few.txt: a graph of 1000000000 vertices takes more than 0.0 GiB"), Error);
  options.vertices = 0;
  std::string many;
  for (int i = 0; i < 20000; ++i) many += "0 1\n";
  write_bytes(folder / "many.txt", many);
  CHECK_THROWS_WITH_AS(read_edge_list(folder / "many.txt", options), doctest::Contains("raise --max-memory"), Error);
}

}  // namespace laminar::datasets::test
