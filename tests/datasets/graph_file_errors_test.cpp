// Every way in which a graph file can be wrong, and the words that say so.
#include <functional>
#include <limits>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Change = std::function<void(RawHdf5&)>;

struct Case {
  /// What the error must say, after the file's name.
  std::string says;
  Change change;
};

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// Both kinds of file, changed, must be refused by read() and validate() with these words.
void check_cases(const std::vector<Case>& cases) {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.h5";
  write(folder / "good.h5", small_graph());
  for (const auto& [says, change] : cases) {
    CAPTURE(says);
    std::filesystem::copy_file(folder / "good.h5", path, std::filesystem::copy_options::overwrite_existing);
    {
      RawHdf5 raw(path);
      change(raw);
    }
    const std::string expected = path + ": " + says;
    const std::string text = error_of([&] { read(path); });
    CHECK_MESSAGE(text.substr(0, expected.size()) == expected, text);
    if (says.starts_with("/graph") || says.starts_with("/edges")) {
      const std::string of_rows = error_of(
          [&] { open(path)->visit_rows({.weights = true, .edge_features = true}, [](const core::GraphRows&) {}); });
      CHECK_MESSAGE(of_rows.substr(0, expected.size()) == expected, of_rows);
    }
    CHECK(text.find('\n') == std::string::npos);
    bool found = false;
    try {
      for (const auto& finding : validate(path)) found = found || finding.text.find(expected) == 0;
    } catch (const Error& error) {
      found = std::string(error.what()).find(expected) == 0;
    }
    CHECK(found);
  }
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("files that are no graph files") {
  const TemporaryFolder folder;
  CHECK(error_of([&] { open(folder / "missing.h5"); }) == (folder / "missing.h5").string() + ": there is no such file");
  CHECK(error_of([&] { open(folder.path()); }).find("is not a file") != std::string::npos);
  for (const char* bytes : {"", "text", "\x89HDF\r\n\x1a\n"}) {
    write_bytes(folder / "bad.h5", bytes);
    CHECK(error_of([&] { open(folder / "bad.h5"); }).find("expected an HDF5 file") != std::string::npos);
    CHECK_THROWS_AS(validate(folder / "bad.h5"), Error);
  }
  write(folder / "good.h5", small_graph());
  const std::string bytes = read_bytes(folder / "good.h5");
  for (const double share : {0.1, 0.5, 0.9, 0.999}) {
    write_bytes(folder / "bad.h5",
                std::string_view(bytes).substr(0, static_cast<std::size_t>(share * static_cast<double>(bytes.size()))));
    CHECK_THROWS_AS(read(folder / "bad.h5"), Error);
  }
}

TEST_CASE("a header that is wrong") {
  check_cases({
      {"/: the attribute 'format' is missing", [](RawHdf5& f) { f.remove_attribute("/", "format"); }},
      {"/: the attribute 'format' is 'anndata', expected", [](RawHdf5& f) { f.attribute("/", "format", "anndata"); }},
      {"/: the attribute 'format' is int64, expected text", [](RawHdf5& f) { f.attribute("/", "format", 3); }},
      {"/: the attribute 'version' is 2, expected 1", [](RawHdf5& f) { f.attribute("/", "version", 2); }},
      {"/: the attribute 'version' is string, expected an integer",
       [](RawHdf5& f) { f.attribute("/", "version", "one"); }},
      {"/: the attribute 'version' has 2 values",
       [](RawHdf5& f) {
         f.attribute("/", "version", Longs{1, 1});
       }},
      {"/: the attribute 'directed' is missing", [](RawHdf5& f) { f.remove_attribute("/", "directed"); }},
      {"/: the attribute 'directed' is 7", [](RawHdf5& f) { f.attribute("/", "directed", 7); }},
      {"/: the attribute 'num_vertices' is 0, expected 1..2147483647",
       [](RawHdf5& f) { f.attribute("/", "num_vertices", std::int64_t{0}); }},
      {"/: the attribute 'num_vertices' is 2147483648",
       [](RawHdf5& f) { f.attribute("/", "num_vertices", std::int64_t{1} << 31); }},
      {"/: the attribute 'num_vertices' is -5", [](RawHdf5& f) { f.attribute("/", "num_vertices", -5); }},
      {"/graph: shape is [5, 5], expected [6, 6]", [](RawHdf5& f) { f.attribute("/", "num_vertices", 6); }},
      {"/graph/indices: has 7 entries, expected 8", [](RawHdf5& f) { f.attribute("/", "num_edges", 8); }},
  });
}

TEST_CASE("a graph that is wrong") {
  check_cases({
      {"/graph: is missing", [](RawHdf5& f) { f.remove("/graph"); }},
      {"/graph: the attribute 'encoding-type' is missing",
       [](RawHdf5& f) { f.remove_attribute("/graph", "encoding-type"); }},
      {"/graph: encoding-type is 'csc_matrix', expected 'csr_matrix'",
       [](RawHdf5& f) { f.attribute("/graph", "encoding-type", "csc_matrix"); }},
      {"/graph: encoding-version is '0.2.0'", [](RawHdf5& f) { f.attribute("/graph", "encoding-version", "0.2.0"); }},
      {"/graph: the attribute 'shape' is [5, 5, 5]",
       [](RawHdf5& f) {
         f.attribute("/graph", "shape", Longs{5, 5, 5});
       }},
      {"/graph: shape is [4294967296, 5]",
       [](RawHdf5& f) {
         f.attribute("/graph", "shape", Longs{std::int64_t{1} << 32, 5});
       }},
      {"/graph: the attribute 'weighted' is 2", [](RawHdf5& f) { f.attribute("/graph", "weighted", 2); }},
      {"/graph/indptr: is missing", [](RawHdf5& f) { f.remove("/graph/indptr"); }},
      {"/graph/indptr: expected an array, found a group",
       [](RawHdf5& f) { f.remove("/graph/indptr"), f.group("/graph/indptr"); }},
      {"/graph/indptr: is float32 [6], expected a list of integers",
       [](RawHdf5& f) {
         f.put("/graph/indptr", {6}, Floats{0, 2, 4, 5, 7, 7});
       }},
      {"/graph/indptr: is int64 [6, 1], expected a list of integers",
       [](RawHdf5& f) {
         f.put("/graph/indptr", {6, 1}, Longs{0, 2, 4, 5, 7, 7});
       }},
      {"/graph/indptr: has 5 entries, expected 6 (rows + 1)",
       [](RawHdf5& f) {
         f.put("/graph/indptr", {5}, Longs{0, 2, 4, 5, 7});
       }},
      {"/graph/indptr: entry 0 is 1, expected 0",
       [](RawHdf5& f) {
         f.put("/graph/indptr", {6}, Longs{1, 2, 4, 5, 7, 7});
       }},
      {"/graph/indptr: entry 2 is 1, expected 2..7",
       [](RawHdf5& f) {
         f.put("/graph/indptr", {6}, Longs{0, 2, 1, 5, 7, 7});
       }},
      {"/graph/indptr: entry 2 is 1000000000000, expected 2..7",
       [](RawHdf5& f) {
         f.put("/graph/indptr", {6}, Longs{0, 2, 1'000'000'000'000, 5, 7, 7});
       }},
      {"/graph/indptr: entry 5 is 6, expected 7",
       [](RawHdf5& f) {
         f.put("/graph/indptr", {6}, Longs{0, 2, 4, 5, 6, 6});
       }},
      {"/graph/indices: entry 3 is 9999, expected 0..4",
       [](RawHdf5& f) {
         f.put("/graph/indices", {7}, Ints{1, 2, 0, 9999, 3, 0, 4});
       }},
      {"/graph/indices: entry 0 is -1, expected 0..4",
       [](RawHdf5& f) {
         f.put("/graph/indices", {7}, Ints{-1, 2, 0, 3, 3, 0, 4});
       }},
      {"/graph/indices: entry 6 is 4294967296, expected 0..4",
       [](RawHdf5& f) {
         f.put("/graph/indices", {7}, Longs{1, 2, 0, 3, 3, 0, std::int64_t{1} << 32});
       }},
      {"/graph/data: has 6 entries, expected 7",
       [](RawHdf5& f) {
         f.put("/graph/data", {6}, Floats{1, 1, 1, 1, 1, 1});
       }},
      {"/graph/data: entry 2 is nan, expected a finite number",
       [](RawHdf5& f) {
         f.put("/graph/data", {7}, Floats{1, 1, kNan, 1, 1, 1, 1});
       }},
      {"/graph/data: entry 0 is inf, expected a finite number",
       [](RawHdf5& f) {
         f.put("/graph/data", {7}, std::vector<double>{1e300, 1, 1, 1, 1, 1, 1});
       }},
      {"/graph/data: is missing, but the graph says that it is weighted", [](RawHdf5& f) { f.remove("/graph/data"); }},
      {"/graph: the graph says that it is undirected, but edge",
       [](RawHdf5& f) { f.attribute("/", "directed", std::int64_t{0}); }},
      {"/graph/indices: is a link to another file",
       [](RawHdf5& f) { f.external_link("/graph/indices", "other.h5", "/x"); }},
      {"/edges/features: is float32 [7, 0]",
       [](RawHdf5& f) {
         f.put("/edges/features", {7, 0}, Floats{});
       }},
      {"/edges/features: is float32 [6, 1], expected float32 [7, 1 or more]",
       [](RawHdf5& f) {
         f.put("/edges/features", {6, 1}, Floats(6));
       }},
      {"/edges/features: row 3, column 1 is nan",
       [](RawHdf5& f) {
         f.put("/edges/features", {7, 2}, Floats{0, 0, 0, 0, 0, 0, 0, kNan, 0, 0, 0, 0, 0, 0});
       }},
  });
}

TEST_CASE("vertex arrays that are wrong") {
  const auto sparse = [](RawHdf5& f, Longs shape, Longs offsets, Ints indices, Floats values) {
    f.remove("/vertices/features");
    f.group("/vertices/features");
    f.attribute("/vertices/features", "encoding-type", "csr_matrix");
    f.attribute("/vertices/features", "shape", shape);
    f.put("/vertices/features/indptr", {offsets.size()}, offsets);
    f.put("/vertices/features/indices", {indices.size()}, indices);
    f.put("/vertices/features/data", {values.size()}, values);
  };
  check_cases({
      {"/vertices/features: is float32 [5], expected float32 [5, 1 or more]",
       [](RawHdf5& f) { f.put("/vertices/features", {5}, Floats(5)); }},
      {"/vertices/features: is float32 [4, 3]",
       [](RawHdf5& f) {
         f.put("/vertices/features", {4, 3}, Floats(12));
       }},
      {"/vertices/features: row 1, column 2 is nan, expected a finite number",
       [](RawHdf5& f) {
         f.put("/vertices/features", {5, 3}, Floats{0, 0, 0, 0, 0, kNan, 0, 0, 0, 0, 0, 0, 0, 0, 0});
       }},
      {"/vertices/features: has more than 4 dimensions",
       [](RawHdf5& f) {
         f.put("/vertices/features", {5, 1, 1, 1, 1}, Floats(5));
       }},
      {"/vertices/features: declares 12000000000 bytes, but the file stores only 0",
       [](RawHdf5& f) {
         f.put_empty("/vertices/features", {5, 600'000'000});
       }},
      {"/vertices/features: shape is [4, 3], expected [5, 1 or more]",
       [&](RawHdf5& f) {
         sparse(f, {4, 3}, {0, 0, 0, 0, 0}, {}, {});
       }},
      {"/vertices/features: has 2147483647 columns, expected at most 16777216",
       [&](RawHdf5& f) {
         sparse(f, {5, 2147483647}, {0, 0, 0, 0, 0, 0}, {}, {});
       }},
      {"/vertices/features/indices: entry 1 is 3, expected 0..2",
       [&](RawHdf5& f) {
         sparse(f, {5, 3}, {0, 2, 2, 2, 2, 2}, {0, 3}, {1, 1});
       }},
      {"/vertices/features/indptr: entry 3 is 0, expected 2..2",
       [&](RawHdf5& f) {
         sparse(f, {5, 3}, {0, 2, 2, 0, 2, 2}, {0, 1}, {1, 1});
       }},
      {"/vertices/features/data: entry 1 is nan",
       [&](RawHdf5& f) {
         sparse(f, {5, 3}, {0, 2, 2, 2, 2, 2}, {0, 1}, {1, kNan});
       }},
      {"/vertices/labels: entry 2 is 3, expected -1..2",
       [](RawHdf5& f) {
         f.put("/vertices/labels", {5}, Ints{0, 1, 3, 1, 0}), f.attribute("/vertices/labels", "num_classes", 3);
       }},
      {"/vertices/labels: entry 0 is -2, expected -1..",
       [](RawHdf5& f) {
         f.put("/vertices/labels", {5}, Ints{-2, 1, 2, 1, 0});
       }},
      {"/vertices/labels: no vertex has a label",
       [](RawHdf5& f) {
         f.put("/vertices/labels", {5}, Ints{-1, -1, -1, -1, -1});
       }},
      {"/vertices/labels: has 1000000000000 classes without names",
       [](RawHdf5& f) {
         f.put("/vertices/labels", {5}, Ints(5)), f.attribute("/vertices/labels", "num_classes", 1'000'000'000'000);
       }},
      {"/vertices/labels: is int32 [4], expected", [](RawHdf5& f) { f.put("/vertices/labels", {4}, Ints(4)); }},
      {"/vertices/labels: row 1, column 0 is 2, expected 0 or 1",
       [](RawHdf5& f) {
         f.put("/vertices/labels", {5, 2}, Ints{0, 1, 2, 0, 0, 0, 0, 0, 0, 0});
       }},
      {"/vertices/labels: entry 4 is inf",
       [](RawHdf5& f) {
         f.put("/vertices/labels", {5}, Floats{0, 0, 0, 0, std::numeric_limits<float>::infinity()});
       }},
      {"/vertices/labels: the attribute 'classes' has 3 names, expected 2",
       [](RawHdf5& f) {
         f.put("/vertices/labels", {5, 2}, Ints(10)),
             f.attribute("/vertices/labels", "classes", std::vector<std::string>{"a", "b", "c"});
       }},
      {"/vertices/names: is string [4], expected strings [5]",
       [](RawHdf5& f) {
         f.put("/vertices/names", {"a", "b", "c", "d"});
       }},
      {"/vertices/names: is int32 [5], expected strings [5]",
       [](RawHdf5& f) { f.put("/vertices/names", {5}, Ints(5)); }},
  });
}

TEST_CASE("splits and partitions that are wrong") {
  check_cases({
      {"/splits/0/val: is missing", [](RawHdf5& f) { f.remove("/splits/0/val"); }},
      {"/splits/0/val: has 0 vertices, expected 1..5", [](RawHdf5& f) { f.put("/splits/0/val", {0}, Longs{}); }},
      {"/splits/0/val: is float32 [1], expected a list of vertices",
       [](RawHdf5& f) { f.put("/splits/0/val", {1}, Floats{1}); }},
      {"/splits/0/val: entry 0 is 5, expected 0..4", [](RawHdf5& f) { f.put("/splits/0/val", {1}, Longs{5}); }},
      {"/splits/0/test: entry 1 is -1, expected 0..4",
       [](RawHdf5& f) {
         f.put("/splits/0/test", {2}, Longs{3, -1});
       }},
      {"/splits/0: vertex 0 is in train and in val", [](RawHdf5& f) { f.put("/splits/0/val", {1}, Longs{0}); }},
      {"/splits/random: val holds vertex 1 twice",
       [](RawHdf5& f) {
         f.put("/splits/random/val", {2}, Longs{1, 1});
       }},
      {"/partitions/mine: is int32 [4], expected int32 [5]",
       [](RawHdf5& f) { f.put("/partitions/mine", {4}, Ints(4)); }},
      {"/partitions/mine: the attribute 'strategy' is missing",
       [](RawHdf5& f) { f.remove_attribute("/partitions/mine", "strategy"); }},
      {"/partitions/mine: the attribute 'parts' is -1, expected 1 or more",
       [](RawHdf5& f) { f.attribute("/partitions/mine", "parts", -1); }},
      {"/partitions/mine: entry 2 is 1, expected 0..0",
       [](RawHdf5& f) { f.attribute("/partitions/mine", "parts", 1); }},
  });
}

TEST_CASE("validate() finds every error and what is merely odd") {
  const TemporaryFolder folder;
  const auto path = folder / "graph.h5";
  write(path, small_graph());
  CHECK(validate(path).empty());
  SUBCASE("several errors at once") {
    {
      RawHdf5 raw(path);
      raw.put("/graph/data", {7}, Floats{1, 1, kNan, 1, 1, 1, 1});
      raw.put("/vertices/features", {5, 1}, Floats{0, 0, 0, 0, kNan});
      raw.put("/splits/0/val", {1}, Longs{0});
    }
    CHECK(validate(path).size() == 3);
  }
  SUBCASE("oddities are warnings") {
    GraphData data;
    const std::vector<core::VertexId> source = {0, 0, 1, 2};
    const std::vector<core::VertexId> target = {1, 1, 1, 0};
    data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(4, source, target, {}, true));
    data.labels.task = core::Task::kClassification;
    data.labels.num_outputs = 2;
    data.labels.classes = {0, 1, -1, 0};
    data.splits = {{"0", {0}, {1}, {2}}};
    data.vertex_names = {"a", "b", "a", "c"};
    data.partitions = {{"p", "blocks", 1, 0, 12345, {0, 0, 0, 0}}};
    write(path, data);
    const auto findings = validate(path);
    REQUIRE(findings.size() == 5);
    for (const auto& finding : findings) CHECK(finding.severity == Finding::Severity::kWarning);
    CHECK(findings[0].text.find("1 self-loops") != std::string::npos);
    CHECK(findings[1].text.find("1 edges that are there already") != std::string::npos);
    CHECK(findings[2].text.find("/splits/0/test: 1 of its vertices have no label") != std::string::npos);
    CHECK(findings[3].text.find("'a' stands for more than one vertex") != std::string::npos);
    CHECK(findings[4].text.find("made for another graph") != std::string::npos);
  }
}

}  // namespace laminar::datasets::test
