#include "laminar/datasets/import_ogb.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/edge_table.hpp"
#include "laminar/datasets/memory_budget.hpp"
#include "laminar/datasets/table_reader.hpp"

namespace laminar::datasets {

namespace fs = std::filesystem;
using core::Index;
using core::VertexId;

namespace {

constexpr std::size_t kEdgeBytes = 80;

/// "edge.csv", compressed or not; empty if there is none.
fs::path find_table(const fs::path& folder, const std::string& name) {
  for (const char* ending : {".csv.gz", ".csv", ".csv.xz", ".csv.zst"}) {
    std::error_code ignored;
    if (fs::path path = folder / (name + ending); fs::is_regular_file(path, ignored)) return path;
  }
  return {};
}

class OgbReader {
 public:
  OgbReader(const fs::path& folder, const ImportOptions& options)
      : folder_(folder), options_(options), budget_(options.max_memory_bytes) {}

  ImportResult read() {
    std::error_code ignored;
    if (!fs::is_directory(folder_, ignored)) {
      throw Error(fmt::format("{}: there is no such folder", folder_.string()));
    }
    if (fs::is_directory(folder_ / "raw/relations", ignored)) {
      throw Error(fmt::format("{}: has several kinds of vertices and edges (raw/relations), expected one kind",
                              folder_.string()));
    }
    num_vertices_ = read_count();
    ImportResult result;
    GraphData& data = result.data;
    read_graph(result);
    if (const auto path = find_table(folder_ / "raw", "node-feat"); !path.empty()) {
      Index cols = 0;
      const auto values = numbers(path, num_vertices_, cols, false);
      data.features = core::Tensor(num_vertices_, cols, core::DType::kFloat32);
      std::copy(values.begin(), values.end(), data.features.data<float>());
    }
    if (const auto path = find_table(folder_ / "raw", "node-label"); !path.empty()) read_labels(path, data.labels);
    if (fs::is_directory(folder_ / "split", ignored)) read_splits(data);
    data.name = fs::absolute(folder_).lexically_normal().filename().string();
    if (data.name.empty()) data.name = fs::absolute(folder_).lexically_normal().parent_path().filename().string();
    data.provenance = fmt::format("imported from the Open Graph Benchmark's folder {}", data.name);
    check(data, folder_.string());
    return result;
  }

 private:
  static TableReader open(const fs::path& path) { return TableReader(path, {Separator::kComma, HeaderLine::kNo}, {}); }

  fs::path required(const std::string& name) const {
    fs::path path = find_table(folder_ / "raw", name);
    if (path.empty()) {
      throw Error(
          fmt::format("{}: there is no raw/{}.csv.gz; expected the folder of a node property dataset of the "
                      "Open Graph Benchmark",
                      folder_.string(), name));
    }
    return path;
  }

  std::int64_t integer(const TableReader& table, std::string_view cell, std::int64_t limit) const {
    std::int64_t value = 0;
    if (!read_number(cell, value) || value < 0 || value >= limit) {
      table.fail(fmt::format("{} is found, expected a whole number 0..{}", shown(cell), limit - 1));
    }
    return value;
  }

  void take(const TableReader& table, std::size_t bytes) {
    if (budget_.take(bytes)) return;
    table.fail(budget_.complaint("what is read up to here"));
  }

  Index read_count() {
    TableReader table = open(required("num-node-list"));
    if (!table.next()) table.fail("the file is empty, expected the number of vertices");
    const auto n = integer(table, table.cells()[0], std::int64_t{std::numeric_limits<VertexId>::max()} + 1);
    if (n < 1 || table.cols() != 1 || table.next()) table.fail("expected one number of 1 or more: there is one graph");
    budget_.take_vertices(n, required("num-node-list").string());
    return n;
  }

  void read_graph(ImportResult& result) {
    EdgeTable edges;
    TableReader table = open(required("edge"));
    while (table.next()) {
      if (table.cols() != 2) table.fail(fmt::format("has {} columns, expected FROM,TO", table.cols()));
      take(table, kEdgeBytes);
      edges.source.push_back(static_cast<VertexId>(integer(table, table.cells()[0], num_vertices_)));
      edges.target.push_back(static_cast<VertexId>(integer(table, table.cells()[1], num_vertices_)));
    }
    if (const auto path = find_table(folder_ / "raw", "edge-feat"); !path.empty()) {
      edges.features = numbers(path, edges.size(), edges.feature_cols, false);
    }
    BuiltGraph built = build_graph(num_vertices_, std::move(edges), options_.directed);
    result.data.graph = std::move(built.graph);
    result.data.edge_features = std::move(built.edge_features);
    if (options_.directed && built.dropped > 0) {
      result.notes.push_back(fmt::format("{} repeated edges were dropped", built.dropped));
    }
  }

  /// [rows, cols] of a file; with `missing` a cell may be nan or empty, which gives -1.
  std::vector<float> numbers(const fs::path& path, Index rows, Index& cols, bool missing) {
    TableReader table = open(path);
    std::vector<float> values;
    Index row = 0;
    for (; table.next(); ++row) {
      if (row == rows) table.fail(fmt::format("expected {} lines", rows));
      take(table, table.cells().size() * 2 * sizeof(float));
      for (const auto cell : table.cells()) {
        double value = 0;
        if (missing && (cell.empty() || cell == "nan")) {
          value = -1;
        } else if (!read_number(cell, value) || !std::isfinite(static_cast<float>(value))) {
          table.fail(fmt::format("{} is found, expected a finite number", shown(cell)));
        }
        values.push_back(static_cast<float>(value));
      }
    }
    if (row != rows) table.fail(fmt::format("the file ends after {} lines, expected {}", row, rows));
    cols = table.cols();
    return values;
  }

  void read_labels(const fs::path& path, core::Labels& labels) {
    Index cols = 0;
    const auto values = numbers(path, num_vertices_, cols, true);
    constexpr float kMostClasses = 1 << 20;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool good = values[i] == std::floor(values[i]) && values[i] >= -1 &&
                        (cols == 1 ? values[i] < kMostClasses : values[i] == 0 || values[i] == 1);
      if (good) continue;
      throw Error(fmt::format("{}: vertex {}: the label is {}, expected {}", path.string(),
                              i / static_cast<std::size_t>(cols), values[i],
                              cols == 1 ? "a class, 0 or more, or nan" : "0 or 1"));
    }
    if (cols == 1) {
      labels.task = core::Task::kClassification;
      labels.classes.assign(values.begin(), values.end());
      labels.num_outputs = 1 + *std::max_element(labels.classes.begin(), labels.classes.end());
    } else {
      labels.task = core::Task::kMultiLabel;
      labels.multi_label.assign(values.begin(), values.end());
      labels.num_outputs = cols;
    }
  }

  void read_splits(GraphData& data) const {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(folder_ / "split")) {
      if (entry.is_directory()) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    for (const auto& folder : folders) {
      core::Split split;
      split.name = folder.filename().string();
      for (const auto& [name, set] :
           {std::pair("train", &split.train), std::pair("valid", &split.val), std::pair("test", &split.test)}) {
        const auto path = find_table(folder, name);
        if (path.empty()) throw Error(fmt::format("{}: there is no {}.csv.gz", folder.string(), name));
        TableReader table = open(path);
        while (table.next()) {
          set->push_back(static_cast<VertexId>(integer(table, table.cells()[0], num_vertices_)));
        }
        std::sort(set->begin(), set->end());
      }
      data.splits.push_back(std::move(split));
    }
  }

  fs::path folder_;
  const ImportOptions& options_;
  MemoryBudget budget_;
  Index num_vertices_ = 0;
};

}  // namespace

ImportResult import_ogb(const fs::path& folder, const ImportOptions& options) {
  return OgbReader(folder, options).read();
}

}  // namespace laminar::datasets
