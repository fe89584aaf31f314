#include "laminar/datasets/import_matrix_market.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Ids = std::vector<core::VertexId>;
using Offsets = std::vector<core::EdgeId>;
using Weights = std::vector<double>;

ImportResult import_text(const std::string& text) {
  const TemporaryFolder folder;
  write_gzip(folder / "m.mtx.gz", text);
  return import_matrix_market(folder / "m.mtx.gz", {});
}

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("a general matrix is a directed graph, entry (i, j) an edge i -> j") {
  const auto r = import_text(
      "%%MatrixMarket matrix coordinate real general\r\n% a comment\r\n3 3 4\r\n1 2 0.5\r\n3 2 -2e0\r\n2 1 1\r\n3 3 "
      "4\r\n");
  const core::Graph& g = *r.data.graph;
  CHECK(r.data.name == "m");
  CHECK(g.directed());
  CHECK(copy_of(g.in_offsets()) == Offsets{0, 1, 3, 4});
  CHECK(copy_of(g.in_sources()) == Ids{1, 0, 2, 2});
  CHECK(copy_of(g.in_weights()) == Weights{1, 0.5, -2, 4});
  CHECK(r.notes.empty());
}

TEST_CASE("symmetric, skew-symmetric and pattern matrices") {
  const auto symmetric =
      import_text("%%MatrixMarket MATRIX Coordinate Integer Symmetric\n3 3 3\n2 1 7\n3 3 5\n3 2 1\n");
  CHECK_FALSE(symmetric.data.graph->directed());
  CHECK(copy_of(symmetric.data.graph->in_sources()) == Ids{1, 0, 2, 1, 2});
  CHECK(copy_of(symmetric.data.graph->in_weights()) == Weights{7, 7, 1, 1, 5});
  const auto skew = import_text("%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 3\n");
  CHECK(skew.data.graph->directed());
  CHECK(copy_of(skew.data.graph->in_weights()) == Weights{3, -3});
  const auto pattern = import_text("%%MatrixMarket matrix coordinate pattern general\n2 2 2\n1 2\n1 2\n");
  CHECK_FALSE(pattern.data.graph->weighted());
  CHECK(pattern.data.graph->num_edges() == 1);
  REQUIRE(pattern.notes.size() == 1);
  CHECK(pattern.notes[0] == "1 entries stand for a place that has one already; the largest stayed");
  CHECK_FALSE(import_text("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 1.0\n").data.graph->weighted());
}

TEST_CASE("damaged Matrix Market files are refused with file and line") {
  const std::string head = "%%MatrixMarket matrix coordinate ";
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"", ":1: the file is empty, expected \"%%MatrixMarket"},
           {"1 2\n", ":1: the line is '1 2', expected"},
           {"%%MatrixMarket vector\n", ":1: the line is"},
           {"%%MatrixMarket matrix array real general\n2 2\n", ":1: the format is 'array', expected coordinate"},
           {head + "complex general\n", ":1: the field is 'complex'"},
           {head + "real hermitian\n", ":1: the symmetry is 'hermitian'"},
           {head + "real\n", ":1: the symmetry is ''"},
           {head + "pattern skew-symmetric\n", ":1: a pattern can't be skew-symmetric"},
           {head + "real general\n% c\n", ":3: the file ends, expected the line of sizes"},
           {head + "real general\n2 3 1\n", ":2: the matrix is 2 x 3, expected a square one"},
           {head + "real general\n0 0 0\n", ":2: the number of rows is '0'"},
           {head + "real general\n2 2\n", ":2: the number of entries is missing"},
           {head + "real general\n2 2 1 1\n", ":2: '1' is too much"},
           {head + "real general\n2147483647 2147483647 1000000000000\n1 2 1\n",
            ":4: the file ends after 1 of 1000000000000"},
           {head + "real general\n2 2 1\n3 1 1\n", ":3: the row is '3', expected a whole number 1..2"},
           {head + "real general\n2 2 1\n1 0 1\n", ":3: the column is '0'"},
           {head + "real general\n2 2 1\n1 1\n", ":3: the value is missing"},
           {head + "real general\n2 2 1\n1 1 nan\n", ":3: the value is 'nan'"},
           {head + "pattern general\n2 2 1\n1 1 1\n", ":3: '1' is too much"},
           {head + "real skew-symmetric\n2 2 1\n1 1 1\n", ":3: a skew-symmetric matrix has nothing on its diagonal"},
           {head + "pattern general\n2 2 1\n1 1\n1 2\n", ":4: expected nothing after the 1 entries"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(import_text(text), doctest::Contains(says.c_str()), Error);
  }
  const TemporaryFolder folder;
  write_bytes(folder / "big.mtx", head + "pattern general\n9 9 3\n1 2\n2 3\n3 4\n");
  ImportOptions options;
  options.max_memory_bytes = 100;
  CHECK_THROWS_WITH_AS(import_matrix_market(folder / "big.mtx", options), doctest::Contains("raise --max-memory"),
                       Error);
  // A header of few bytes that claims many vertices is refused before there is memory for them.
  options.max_memory_bytes = std::uint64_t{1} << 30;
  write_bytes(folder / "big.mtx", head + "pattern general\n1000000000 1000000000 1\n1 1\n");
  CHECK_THROWS_WITH_AS(import_matrix_market(folder / "big.mtx", options),
                       doctest::Contains("big.mtx: a graph of 1000000000 vertices takes more than 1.0 GiB"), Error);
}

}  // namespace laminar::datasets::test
