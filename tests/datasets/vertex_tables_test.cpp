// Features, labels and splits from files beside a bare graph.
#include "laminar/datasets/vertex_tables.hpp"

#include <limits>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/datasets/npz_files.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Texts = std::vector<std::string>;
using Ids = std::vector<core::VertexId>;

/// 0 -> 1 -> 2 -> 0, with or without the names a, b, c.
GraphData triangle(bool named) {
  GraphData data;
  data.name = "triangle";
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(3, Ids{0, 1, 2}, Ids{1, 2, 0}, {}, true));
  if (named) data.vertex_names = {"a", "b", "c"};
  return data;
}

std::vector<float> values_of(const core::Tensor& t) { return {t.data<float>(), t.data<float>() + t.size()}; }

class Files {
 public:
  std::filesystem::path put(const std::string& text, const char* name = "f.csv") {
    write_bytes(folder_ / name, text);
    return folder_ / name;
  }
  Texts notes;

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("features by row and by name") {
  Files f;
  GraphData data = triangle(false);
  attach_features(data, f.put("1,2\n3,4\n5,6\n"), {}, f.notes);
  CHECK(values_of(data.features) == std::vector<float>{1, 2, 3, 4, 5, 6});
  data = triangle(true);
  attach_features(data, f.put("node\tx\nc\t5\na\t1\nb\t-3e0\n"), {}, f.notes);
  CHECK(values_of(data.features) == std::vector<float>{1, -3, 5});
  // A first column of numbers is data unless its name or the user says that it is a vertex.
  data = triangle(false);
  attach_features(data, f.put("id,x\n2,5\n0,1\n1,3\n"), {}, f.notes);
  CHECK(values_of(data.features) == std::vector<float>{1, 3, 5});
  attach_features(data, f.put("2 5\n0 1\n1 3\n"), {.key = RowKey::kId}, f.notes);
  CHECK(values_of(data.features) == std::vector<float>{1, 3, 5});
  CHECK(f.notes.empty());
  check(data, "test");
}

TEST_CASE("vertices that no edge has are added") {
  Files f;
  GraphData data = triangle(true);
  attach_features(data, f.put("name,x\nd,4\nc,3\nb,2\na,1\n"), {}, f.notes);
  CHECK(data.graph->num_vertices() == 4);
  CHECK(data.vertex_names == Texts{"a", "b", "c", "d"});
  CHECK(values_of(data.features) == std::vector<float>{1, 2, 3, 4});
  CHECK(f.notes == Texts{"1 vertices of f.csv have no edges"});
  check(data, "test");
  // Features are there now: no more can be added.
  CHECK_THROWS_WITH_AS(attach_labels(data, f.put("e,x\n"), core::Task::kClassification, {}, f.notes),
                       doctest::Contains("'e' is the first"), Error);
  data = triangle(false);
  attach_labels(data, f.put("0\n1\n0\n1\n1\n"), core::Task::kClassification, {}, f.notes);
  CHECK(data.graph->num_vertices() == 5);
  CHECK_THROWS_WITH_AS(attach_labels(data, f.put("1000000,1\n"), core::Task::kClassification, {}, f.notes),
                       doctest::Contains("names vertex 1000000, but the graph has 5 and the file 1 rows"), Error);
}

TEST_CASE("features as a NumPy array") {
  Files f;
  GraphData data = triangle(true);
  attach_features(data, f.put(npy({3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6}), "x.npy"), {}, f.notes);
  CHECK(values_of(data.features) == std::vector<float>{1, 2, 3, 4, 5, 6});
  attach_features(data, f.put(npy({3}, std::vector<std::int64_t>{7, 8, 9}), "x.npy"), {}, f.notes);
  CHECK(values_of(data.features) == std::vector<float>{7, 8, 9});
  CHECK_THROWS_WITH_AS(attach_features(data, f.put(npy({4, 1}, std::vector<float>{1, 2, 3, 4}), "x.npy"), {}, f.notes),
                       doctest::Contains("x.npy: is f4 [4, 1], expected numbers [3, 1 or more]"), Error);
  CHECK_THROWS_AS(attach_features(data, f.put("no array", "x.npy"), {}, f.notes), Error);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(attach_features(data, f.put(npy({3}, std::vector<float>{1, nan, 3}), "x.npy"), {}, f.notes), Error);
  attach_labels(data, f.put(npy({3}, std::vector<std::int64_t>{1, -1, 0}), "y.npy"), core::Task::kClassification, {},
                f.notes);
  CHECK(data.labels.classes == std::vector<std::int32_t>{1, -1, 0});
  CHECK(data.labels.num_outputs == 2);
}

TEST_CASE("labels are numbers or names of classes") {
  Files f;
  GraphData data = triangle(true);
  const auto attach = [&](const std::string& text, core::Task task = core::Task::kClassification) -> core::Labels& {
    attach_labels(data, f.put(text), task, {}, f.notes);
    check(data, "test");
    return data.labels;
  };
  CHECK(attach("2\n-1\n0\n").classes == std::vector<std::int32_t>{2, -1, 0});
  CHECK(data.labels.num_outputs == 3);
  CHECK(data.labels.names.empty());
  CHECK(attach("c,cat\na,dog\nb,?\n").classes == std::vector<std::int32_t>{1, -1, 0});
  CHECK(data.labels.names == Texts{"cat", "dog"});
  CHECK(f.notes.empty());
  CHECK(attach("id,label\nc,2019\na,2017\n").classes == std::vector<std::int32_t>{0, -1, 1});
  CHECK(data.labels.names == Texts{"2017", "2019"});
  CHECK(f.notes == Texts{"1 of 3 vertices have no label in f.csv"});
  CHECK(attach("1.5\n2\n-3\n", core::Task::kRegression).targets == std::vector<float>{1.5, 2, -3});
  CHECK(attach("node,x,y\nb,0,1\na,1,1\nc,0,0\n", core::Task::kMultiLabel).multi_label ==
        std::vector<std::uint8_t>{1, 1, 0, 1, 0, 0});
  CHECK(data.labels.names == Texts{"x", "y"});
}

TEST_CASE("splits by row and by name, one or several") {
  Files f;
  GraphData data = triangle(true);
  attach_splits(data, f.put("test\ntrain\nvalid\n", "mine.txt"), {});
  attach_splits(data, f.put("id,one,two\nc,train,val\nb,val,test\na,test,train\n"), {});
  REQUIRE(data.splits.size() == 3);
  CHECK(data.splits[0].name == "mine");
  CHECK(data.splits[0].train == Ids{1});
  CHECK(data.splits[1].name == "one");
  CHECK(data.splits[1].train == Ids{2});
  CHECK(data.splits[2].val == Ids{2});
  check(data, "test");
  CHECK_THROWS_WITH_AS(attach_splits(data, f.put("test\ntrain\nvalid\n", "mine.txt"), {}),
                       doctest::Contains("there is a split 'mine' already"), Error);
}

TEST_CASE("tables that don't fit are refused with file and line") {
  Files f;
  const auto features = [&](const std::string& text, const char* says, bool named = true) {
    GraphData data = triangle(named);
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(attach_features(data, f.put(text), {}, f.notes), doctest::Contains(says), Error);
  };
  features("", "f.csv:1: the file ends");
  features("1\n2\n", "has 2 rows, but the graph 3 vertices: 'c' has none");
  features("1\n2\n", "vertex 2 has none", false);
  features("1\n2\n3\n4\n", "f.csv:4: expected 3 rows");
  features("1\n2\nx\n", "f.csv:3: column 1 is 'x'");
  features("1\n2\n1e99\n", "f.csv:3: column 1 is '1e99'");
  features("id,x\na,1\na,2\n", "f.csv:3: vertex 'a' stands here for the second time");
  features("id,x\n5,1\n5,2\n", "f.csv:3: vertex '5' stands here for the second time", false);
  features("id\na\n", "f.csv:2: there is no feature");
  features("id,x\n-1,2\n", "f.csv:2: the vertex is '-1'", false);
  features("id,x\n,2\n", "f.csv:2: the vertex is missing");
  const auto labels = [&](const std::string& text, const char* says, core::Task task = core::Task::kClassification) {
    GraphData data = triangle(true);
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(attach_labels(data, f.put(text), task, {}, f.notes), doctest::Contains(says), Error);
  };
  labels("a,1,2\n", "f.csv:1: there are 3 columns");
  labels("-2\n0\n1\n", "classes go from -2 to 1");
  labels("?\nNA\n?\n", "no vertex has a label");
  labels("id,y\na,x\n", "f.csv:2: the target is 'x'", core::Task::kRegression);
  labels("1\n2\n", "has 2 rows, but the graph 3 vertices", core::Task::kRegression);
  labels("1\n0\n2\n", "f.csv:3: the label is '2', expected 0 or 1", core::Task::kMultiLabel);
  const auto splits = [&](const std::string& text, const char* says) {
    GraphData data = triangle(true);
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(attach_splits(data, f.put(text), {}), doctest::Contains(says), Error);
  };
  splits("train\nval\nexam\n", "f.csv:3: the set is 'exam'");
  splits("a,train\nb,val\nx,test\n", "f.csv:3: 'x' is no vertex of the graph");
  splits("train\nval\ntest\ntest\n", "f.csv:4: expected 3 rows");
  splits("train\nval\n\n", "no vertex is in test");
  splits("\n", "the file ends");
  CHECK_THROWS_AS(parse_row_key("column"), UsageError);
  TableOptions little;
  little.max_memory_bytes = 10;
  GraphData data = triangle(true);
  CHECK_THROWS_WITH_AS(attach_features(data, f.put("1\n2\n3\n"), little, f.notes), doctest::Contains("--max-memory"),
                       Error);
}

}  // namespace laminar::datasets::test
