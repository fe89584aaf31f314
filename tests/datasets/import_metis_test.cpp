#include "laminar/datasets/import_metis.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

using Ids = std::vector<core::VertexId>;

std::string error_of(const TemporaryFolder& folder, const std::string& text) {
  write_bytes(folder / "bad.graph", text);
  try {
    read_metis(folder / "bad.graph");
  } catch (const Error& error) {
    const std::string what = error.what();
    const std::string where = (folder / "bad.graph").string() + ":";
    CHECK(what.substr(0, where.size()) == where);
    return what.substr(where.size());
  }
  return "no error";
}

// The seven vertices and eleven edges of figure 3 in METIS's manual, with all kinds of weights.
constexpr const char* kPlain = "% a comment\n7 11\n5 3 2\n1 3 4\n5 4 2 1\n2 3 6 7\n1 3 6\n5 4 7\n6 4\n";

}  // namespace

TEST_CASE("a METIS graph without weights") {
  const TemporaryFolder folder;
  write_bytes(folder / "a.graph", kPlain);
  const MetisGraph m = read_metis(folder / "a.graph");
  CHECK(m.graph->num_vertices() == 7);
  CHECK(m.graph->num_edges() == 22);
  CHECK_FALSE(m.graph->directed());
  CHECK_FALSE(m.graph->weighted());
  CHECK(copy_of(m.graph->in_offsets()) == std::vector<core::EdgeId>{0, 3, 6, 10, 14, 17, 20, 22});
  CHECK(copy_of(m.graph->in_sources().subspan(6, 4)) == Ids{0, 1, 3, 4});
  CHECK(m.vertex_weights.empty());
  CHECK(m.notes.empty());

  SUBCASE("line ends of other systems, blanks, gzip, no last line end") {
    std::string other;
    for (const char c : std::string(kPlain)) other += c == '\n' ? " \t\r\n" : std::string(1, c);
    other.resize(other.size() - 4);
    write_bytes(folder / "b.graph", other);
    CHECK(read_metis(folder / "b.graph").graph->fingerprint() == m.graph->fingerprint());
    write_gzip(folder / "c.graph.gz", other);
    CHECK(read_metis(folder / "c.graph.gz").graph->fingerprint() == m.graph->fingerprint());
  }
  SUBCASE("as a dataset, through the registry") {
    const ImportResult r = find_importer("metis").run(folder / "a.graph", {});
    CHECK(r.data.name == "a");
    CHECK(r.data.graph->fingerprint() == m.graph->fingerprint());
    CHECK(r.data.splits.empty());
    write(folder / "a.h5", r.data);
    CHECK(read(folder / "a.h5").graph->fingerprint() == m.graph->fingerprint());
  }
}

TEST_CASE("weights of a METIS graph, and vertices without edges") {
  const TemporaryFolder folder;
  write_bytes(folder / "w.graph", "4 2 111 2\n9 4 0.5 2 7\n9 5 1 1 7 3 1.5\n9 6 1 2 1.5\n9 1 1\n\n% the end\n");
  const MetisGraph m = read_metis(folder / "w.graph");
  CHECK(m.vertex_weights == std::vector<double>{4, 5, 6, 1});
  CHECK(copy_of(m.graph->in_weights()) == std::vector<double>{7, 7, 1.5, 1.5});
  CHECK(copy_of(m.graph->in_sources()) == Ids{1, 0, 2, 1});
  CHECK(m.notes.size() == 2);
  CHECK(import_metis(folder / "w.graph", {}).notes.size() == 3);

  write_bytes(folder / "e.graph", "3 1 001\n2 5\n1 5\n\n");
  CHECK(read_metis(folder / "e.graph").graph->num_edges() == 2);
  write_bytes(folder / "v.graph", "2 1 10\n3 2\n4 1\n");
  CHECK(read_metis(folder / "v.graph").vertex_weights == std::vector<double>{3, 4});
}

TEST_CASE("damaged METIS graphs are refused with file and line") {
  const TemporaryFolder folder;
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"", "1: expected the first line"},
           {"% only this\n", "2: expected the first line"},
           {"3\n", "1: the number of edges is missing"},
           {"x 3\n", "1: the number of vertices is 'x'"},
           {"0 0\n", "1: the number of vertices is '0', expected a whole number 1..2147483647"},
           {"-2 1\n", "1: the number of vertices is '-2'"},
           {"99999999999999999999 1\n", "1: the number of vertices"},
           {"3 1 2\n", "1: the format is '2'"},
           {"3 1 0011\n", "1: the format is '0011'"},
           {"3 1 10 0\n", "1: the number of weights a vertex is '0'"},
           {"3 1 10 1 1\n", "1: '1' is too much"},
           // What the first line claims must not be allocated.
           {"2147483647 4611686018427387903\n2\n1\n", "1: the number of edges"},
           {"2147483647 1000000000000\n2\n1\n", "4: the file ends after 2 of 2147483647 vertices"},
           {"2 1\n2\n3\n", "3: a neighbour is '3', expected a whole number 1..2"},
           {"2 1\n2\n0\n", "3: a neighbour is '0'"},
           {"2 1\n2\nI\n", "3: a neighbour is 'I'"},
           {"2 1\n2\n1.0\n", "3: a neighbour is '1.0'"},
           {"2 1\n2\n1\n1\n", "4: expected nothing after the 2 vertices"},
           {"2 1\n1\n2\n", "2: vertex 1 is its own neighbour"},
           {"3 2\n2 3\n1\n\n", "2: vertex 1 lists 3, but vertex 3 (line 4) doesn't list 1"},
           {"3 2\n2\n1\n1\n", "4: vertex 3 lists 1, but vertex 1 (line 2) doesn't list 3"},
           {"2 1\n2 2\n1 1\n", "2: vertex 1 lists its neighbour 2 twice"},
           {"% c\n2 2\n2\n1\n", "2: the first line says 2 edges, but the vertices list 1"},
           {"2 1 1\n2\n1 1\n", "2: the weight of an edge is missing"},
           {"2 1 1\n2 0\n1 0\n", "2: the weight of an edge is '0'"},
           {"2 1 1\n2 nan\n1 1\n", "2: the weight of an edge is 'nan'"},
           {"2 1 1\n2 3\n1 4\n", "2: the edge to 2 weighs 3, but 4 there (line 3)"},
           {"2 1 10\n-1 2\n1 1\n", "2: a weight of the vertex is '-1'"},
           {"2 1 100\n\n1 1\n", "2: the vertex's size is missing"},
           {std::string("\x89HDF\r\n\x1a\n\0\0", 10), "1: the number of vertices is '?HDF'"}}) {
    CAPTURE(text);
    const std::string found = error_of(folder, text);
    CHECK_MESSAGE(found.substr(0, says.size()) == says, found);
    CHECK(found.find('\n') == std::string::npos);
  }
  CHECK_THROWS_AS(read_metis(folder / "missing.graph"), Error);
  CHECK_THROWS_AS(read_metis(folder.path()), Error);
}

TEST_CASE("a compressed file that is cut off or damaged is refused") {
  const TemporaryFolder folder;
  std::string text = "2000 1999\n2\n";
  for (int v = 2; v < 2000; ++v) text += std::to_string(v - 1) + " " + std::to_string(v + 1) + "\n";
  text += "1999\n";
  write_gzip(folder / "path.gz", text);
  CHECK(read_metis(folder / "path.gz").graph->num_edges() == 3998);
  const std::string bytes = read_bytes(folder / "path.gz");
  write_bytes(folder / "cut.gz", bytes.substr(0, bytes.size() - 20));
  CHECK_THROWS_WITH_AS(read_metis(folder / "cut.gz"), doctest::Contains("cut.gz"), Error);
  std::string damaged = bytes;
  damaged[bytes.size() / 2] = static_cast<char>(damaged[bytes.size() / 2] ^ 0x55);
  write_bytes(folder / "damaged.gz", damaged);
  CHECK_THROWS_AS(read_metis(folder / "damaged.gz"), Error);
}

}  // namespace laminar::datasets::test
