// NumPy archives: both layouts, their errors, and the real graphs where they are at hand.
#include "laminar/datasets/import_npz.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/npz.hpp"
#include "laminar/datasets/statistics.hpp"
#include "laminar/tests/datasets/npz_files.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using core::Index;
using core::VertexId;
using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Floats = std::vector<float>;

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

struct Case {
  std::string says;
  std::function<void(Arrays&)> change;
};

void check_cases(const Arrays& good, const std::vector<Case>& cases) {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.npz";
  for (const auto& [says, change] : cases) {
    Arrays arrays = good;
    change(arrays);
    std::filesystem::remove(path);
    write_npz(path, arrays);
    std::string text = "no error";
    try {
      import_npz(path, {});
    } catch (const Error& error) {
      text = error.what();
    }
    CAPTURE(says);
    const std::string expected = path + ": " + says;
    CHECK_MESSAGE(text.substr(0, expected.size()) == expected, text);
  }
}

void check_split_sizes(const GraphData& data, std::size_t train, std::size_t val, std::size_t test) {
  REQUIRE(data.splits.size() == 10);
  for (std::size_t s = 0; s < 10; ++s) {
    CHECK(data.splits[s].name == std::to_string(s));
    CHECK(data.splits[s].train.size() == train);
    CHECK(data.splits[s].val.size() == val);
    CHECK(data.splits[s].test.size() == test);
  }
}

}  // namespace

TEST_CASE("the layout of the heterophilous graphs") {
  const TemporaryFolder folder;
  write_npz(folder / "four.npz", masked_arrays());
  const auto [data, fingerprint, notes] = import_npz(folder / "four.npz", {});
  CHECK(data.name == "four");
  CHECK(fingerprint.empty());
  CHECK(notes.empty());
  CHECK_FALSE(data.graph->directed());
  CHECK_FALSE(data.graph->weighted());
  CHECK(copy_of(data.graph->in_offsets()) == std::vector<core::EdgeId>{0, 1, 3, 4, 5});
  CHECK(copy_of(data.graph->in_sources()) == std::vector<VertexId>{1, 0, 2, 1, 3});
  CHECK(data.features.at(2, 1) == 6);
  CHECK(data.labels.classes == Ints{0, 1, 1, 0});
  CHECK(data.labels.num_outputs == 2);
  REQUIRE(data.splits.size() == 2);
  CHECK(data.splits[0].train == std::vector<VertexId>{0, 1});
  CHECK(data.splits[0].val == std::vector<VertexId>{2});
  CHECK(data.splits[1].val == std::vector<VertexId>{0});
  CHECK(data.splits[1].test == std::vector<VertexId>{1, 2});
}

TEST_CASE("the layout of gnn-benchmark") {
  const TemporaryFolder folder;
  Arrays arrays = triple_arrays();
  SUBCASE("one direction of each edge, no weights") {
    write_npz(folder / "three.npz", arrays);
    const auto [data, fingerprint, notes] = import_npz(folder / "three.npz", {});
    CHECK(copy_of(data.graph->in_offsets()) == std::vector<core::EdgeId>{0, 1, 3, 4});
    CHECK(copy_of(data.graph->in_sources()) == std::vector<VertexId>{1, 0, 2, 1});
    CHECK_FALSE(data.graph->weighted());
    CHECK(data.sparse_features.cols() == 4);
    CHECK(copy_of(data.sparse_features.columns()) == Ints{0, 3, 1});
    CHECK(copy_of(data.sparse_features.values()) == Floats{1, 2, 3});
    CHECK(data.labels.names == std::vector<std::string>{"ä", "b"});
    CHECK(data.splits.empty());
    CHECK(notes.empty());
  }
  SUBCASE("weights, of two directions the larger") {
    arrays["adj_indptr"] = npy({4}, Ints{0, 1, 3, 3});
    arrays["adj_indices"] = npy({3}, Ints{1, 0, 2});
    arrays["adj_data"] = npy({3}, Floats{2, 5, 7});
    write_npz(folder / "three.npz", arrays);
    const auto data = import_npz(folder / "three.npz", {}).data;
    CHECK(copy_of(data.graph->in_weights()) == std::vector<double>{5, 5, 7, 7});
  }
  SUBCASE("class names that are Python objects are left out, and said so") {
    arrays["class_names"] = npy("|O", {2}, "pickle");
    write_npz(folder / "three.npz", arrays);
    const auto result = import_npz(folder / "three.npz", {});
    CHECK(result.data.labels.names.empty());
    REQUIRE(result.notes.size() == 1);
    CHECK(result.notes[0].find("'|O'") != std::string::npos);
  }
  SUBCASE("no labels") {
    arrays.erase("labels");
    write_npz(folder / "three.npz", arrays);
    CHECK(import_npz(folder / "three.npz", {}).data.labels.task == core::Task::kNone);
  }
}

TEST_CASE("splits as asked for") {
  const TemporaryFolder folder;
  write_npz(folder / "four.npz", masked_arrays());
  const auto import = [&](const char* split) {
    GraphData imported = import_npz(folder / "four.npz", {}).data;
    add_splits(imported, std::vector{parse_split_request(split)}, 3);
    return imported;
  };
  CHECK(import("none").splits.empty());
  CHECK(import("published").splits.size() == 2);
  const auto data = import("random:50/25/25");
  REQUIRE(data.splits.size() == 3);
  CHECK(data.splits[2].name == "random");
  CHECK(data.splits[2].train.size() == 2);
  CHECK(data.provenance.find("seed 3") != std::string::npos);
}

TEST_CASE("element types and orders") {
  const TemporaryFolder folder;
  Arrays arrays;
  arrays["f"] = npy("<f8", {2, 3}, std::string(48, '\0'), true);
  arrays["i2"] = npy("<i2", {2}, std::string("\xFE\xFF\x05\x00", 4));
  arrays["u1"] = npy("|u1", {2}, std::string("\xFE\x01", 2));
  arrays["order"] = npy("<i4", {2, 3}, std::string("\1\0\0\0\4\0\0\0\2\0\0\0\5\0\0\0\3\0\0\0\6\0\0\0", 24), true);
  arrays["scalar"] = npy("<f4", {}, std::string(4, '\0'));
  write_npz(folder / "a.npz", arrays);
  const NpzFile file(folder / "a.npz");
  std::vector<Index> shape = {2, -1};
  CHECK(file.numbers("f", shape) == Floats(6));
  CHECK(shape == std::vector<Index>{2, 3});
  CHECK(file.integers("order", shape) == Longs{1, 2, 3, 4, 5, 6});
  shape = {-1};
  CHECK(file.integers("i2", shape) == Longs{-2, 5});
  shape = {-1};
  CHECK(file.integers("u1", shape) == Longs{254, 1});
  CHECK(file.read("scalar").size() == 1);
  CHECK_THROWS_AS(file.read("missing"), Error);
  CHECK_THROWS_AS(file.strings("u1"), Error);
}

TEST_CASE("archives that are wrong") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(import_npz(folder / "missing.npz", {}), Error);
  write_bytes(folder / "text.npz", "not an archive");
  CHECK_THROWS_AS(import_npz(folder / "text.npz", {}), Error);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  check_cases(masked_arrays(),
              {
                  {"expected the arrays node_features", [](Arrays& a) { a.erase("edges"); }},
                  {"node_features: is missing", [](Arrays& a) { a.erase("node_features"); }},
                  {"val_masks: is missing", [](Arrays& a) { a.erase("val_masks"); }},
                  {"edges: entry 3 is 4, expected 0..3",
                   [](Arrays& a) {
                     a["edges"] = npy({2, 2}, Longs{0, 1, 2, 4});
                   }},
                  {"edges: entry 0 is -1, expected 0..3",
                   [](Arrays& a) {
                     a["edges"] = npy({1, 2}, Longs{-1, 0});
                   }},
                  {"edges: is i8 [2, 3], expected integers [any, 2]",
                   [](Arrays& a) {
                     a["edges"] = npy({2, 3}, Longs{0, 1, 2, 3, 0, 1});
                   }},
                  {"edges: is f4 [1, 2], expected integers",
                   [](Arrays& a) {
                     a["edges"] = npy({1, 2}, Floats{0, 1});
                   }},
                  {"node_labels: entry 2 is 1000000",
                   [](Arrays& a) {
                     a["node_labels"] = npy({4}, Longs{0, 1, 1'000'000, 0});
                   }},
                  {"node_labels: entry 0 is -2",
                   [](Arrays& a) {
                     a["node_labels"] = npy({4}, Longs{-2, 1, 1, 0});
                   }},
                  {"node_labels: has 0 vertices", [](Arrays& a) { a["node_labels"] = npy({0}, Longs{}); }},
                  {"node_features: is f4 [3, 2], expected numbers [4, any]",
                   [](Arrays& a) {
                     a["node_features"] = npy({3, 2}, Floats(6));
                   }},
                  {"node_features: entry 1 is nan",
                   [=](Arrays& a) {
                     a["node_features"] = npy({4, 1}, Floats{0, nan, 0, 0});
                   }},
                  {"node_features: has no columns",
                   [](Arrays& a) {
                     a["node_features"] = npy({4, 0}, Floats{});
                   }},
                  {"split '0': train is empty",
                   [](Arrays& a) {
                     a["train_masks"] = npy("|b1", {2, 4}, std::string(8, '\0'));
                   }},
                  {"split '0': vertex 0 is in train and in val", [](Arrays& a) { a["val_masks"] = a["train_masks"]; }},
                  {"edges: has elements of type '>i8'",
                   [](Arrays& a) {
                     a["edges"] = npy(">i8", {1, 2}, std::string(16, '\0'));
                   }},
                  {"edges: declares i8 [1000000000000, 2], which does not fit its 16 bytes",
                   [](Arrays& a) {
                     a["edges"] = npy("<i8", {1'000'000'000'000, 2}, std::string(16, '\0'));
                   }},
                  {"edges: declares i8 [9223372036854775807, 2]",
                   [](Arrays& a) {
                     a["edges"] = npy("<i8", {std::numeric_limits<Index>::max(), 2}, std::string(16, '\0'));
                   }},
                  {"edges: is not a NumPy array", [](Arrays& a) { a["edges"] = "something else"; }},
              });
  check_cases(triple_arrays(), {
                                   {"adj_shape: is [3, 4], expected a square",
                                    [](Arrays& a) {
                                      a["adj_shape"] = npy({2}, Longs{3, 4});
                                    }},
                                   {"adj_shape: has -3 vertices",
                                    [](Arrays& a) {
                                      a["adj_shape"] = npy({2}, Longs{-3, 3});
                                    }},
                                   {"adj_indptr: is i4 [3], expected integers [4]",
                                    [](Arrays& a) {
                                      a["adj_indptr"] = npy({3}, Ints{0, 1, 2});
                                    }},
                                   {"adj_indptr: entry 2 is 0, expected 1..2",
                                    [](Arrays& a) {
                                      a["adj_indptr"] = npy({4}, Ints{0, 1, 0, 2});
                                    }},
                                   {"adj_indptr: ends at 1, expected 2",
                                    [](Arrays& a) {
                                      a["adj_indptr"] = npy({4}, Ints{0, 1, 1, 1});
                                    }},
                                   {"adj_indices: entry 1 is 3, expected 0..2",
                                    [](Arrays& a) {
                                      a["adj_indices"] = npy({2}, Ints{1, 3});
                                    }},
                                   {"adj_data: is f4 [3], expected numbers [2]",
                                    [](Arrays& a) {
                                      a["adj_data"] = npy({3}, Floats{1, 1, 1});
                                    }},
                                   {"attr_shape: has 4 rows, expected 3",
                                    [](Arrays& a) {
                                      a["attr_shape"] = npy({2}, Longs{4, 4});
                                    }},
                                   {"attr_shape: has 2000000000 columns, expected at most 16777216",
                                    [](Arrays& a) {
                                      a["attr_shape"] = npy({2}, Longs{3, 2'000'000'000});
                                    }},
                                   {"attr_indices: entry 0 is 4, expected 0..3",
                                    [](Arrays& a) {
                                      a["attr_indices"] = npy({3}, Ints{4, 3, 1});
                                    }},
                                   {"labels: is i8 [2], expected integers [3]",
                                    [](Arrays& a) {
                                      a["labels"] = npy({2}, Longs{0, 1});
                                    }},
                                   {"class_names: has 1 names, but labels go up to 1",
                                    [](Arrays& a) { a["class_names"] = npy("<U1", {1}, std::string("b\0\0\0", 4)); }},
                               });
}

TEST_CASE("an archive that would unpack to far more than it is") {
  const TemporaryFolder folder;
  Arrays arrays = masked_arrays();
  arrays["node_features"] = npy({4, 2'000'000}, Floats(8'000'000));
  write_npz(folder / "zeros.npz", arrays);
  // 32 MB of zeros in 31 kB are within what deflate can do.
  CHECK(import_npz(folder / "zeros.npz", {}).data.features.cols() == 2'000'000);
  ImportOptions little;
  little.max_memory_bytes = std::uint64_t{64} << 20;
  CHECK_THROWS_WITH_AS(import_npz(folder / "zeros.npz", little), doctest::Contains("node_features: what unpacks to"),
                       Error);
  // The same entry claiming 100 times as much, in both places where an archive says so.
  std::string bytes = read_bytes(folder / "zeros.npz");
  const auto real = static_cast<std::uint32_t>(arrays["node_features"].size());
  const std::uint32_t claimed = real * 100;
  const std::string from(reinterpret_cast<const char*>(&real), 4);
  const std::string to(reinterpret_cast<const char*>(&claimed), 4);
  std::size_t replaced = 0;
  for (std::size_t at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + 4)) {
    bytes.replace(at, 4, to);
    ++replaced;
  }
  CHECK(replaced >= 1);
  write_bytes(folder / "bomb.npz", bytes);
  CHECK_THROWS_AS(import_npz(folder / "bomb.npz", {}), Error);
}

TEST_CASE("the real graphs have the sizes that their authors publish") {
  const auto root = real_data("the sizes of the real graphs");
  if (!root) return;
  struct Expected {
    const char* file;
    Index vertices;
    core::EdgeId undirected_edges;
    Index features;
    Index classes;
  };
  const TemporaryFolder folder;
  for (const auto& e : {Expected{"heterophilous/squirrel.npz", 5201, 198'353, 2089, 5},
                        Expected{"heterophilous/chameleon.npz", 2277, 31'371, 2325, 5},
                        Expected{"heterophilous/minesweeper.npz", 10'000, 39'402, 7, 2},
                        Expected{"gnn_benchmark/facebook_page_page.npz", 22'470, 171'002, 4714, 4}}) {
    CAPTURE(e.file);
    const GraphData data = import_npz(*root / "datasets" / e.file, {}).data;
    const auto schema = schema_of(data);
    CHECK(schema.num_vertices == e.vertices);
    const auto loops = statistics_of(*data.graph).self_loops;
    CHECK((schema.num_edges - loops) / 2 + loops == e.undirected_edges);
    CHECK(schema.num_features == e.features);
    CHECK(schema.num_outputs == e.classes);
    CHECK_FALSE(schema.directed);
    CHECK_FALSE(schema.weighted);
    write(folder / "real.h5", data);
    CHECK(read(folder / "real.h5").graph->fingerprint() == data.graph->fingerprint());
    for (const auto& finding : validate(folder / "real.h5")) CHECK(finding.severity == Finding::Severity::kWarning);
  }
  check_split_sizes(import_npz(*root / "datasets/heterophilous/squirrel.npz", {}).data, 2496, 1664, 1041);
  check_split_sizes(import_npz(*root / "datasets/heterophilous/chameleon.npz", {}).data, 1092, 729, 456);
  check_split_sizes(import_npz(*root / "datasets/heterophilous/minesweeper.npz", {}).data, 5000, 2500, 2500);
  auto pages = import_npz(*root / "datasets/gnn_benchmark/facebook_page_page.npz", {}).data;
  add_splits(pages, std::vector{SplitRequest{}}, 1);
  CHECK(pages.labels.names == std::vector<std::string>{"tvshow", "government", "company", "politician"});
  CHECK(class_counts(pages.labels) == std::vector<Index>{3327, 6880, 6495, 5768, 0});
  REQUIRE(pages.splits.size() == 1);
  CHECK(pages.splits[0].train.size() == 13'482);
}

}  // namespace laminar::datasets::test
