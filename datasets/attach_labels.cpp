#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/npz.hpp"
#include "laminar/datasets/vertex_keys.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

constexpr std::int64_t kMostClasses = std::int64_t{1} << 20;

bool is_unknown(std::string_view cell) { return cell.empty() || cell == "?" || cell == "NA"; }

/// Numbers -1, 0, 1, ... as classes.
void set_numbers(core::Labels& labels, const std::vector<std::int64_t>& classes, const std::string& where) {
  const std::set<std::int64_t> occurring(classes.begin(), classes.end());
  if (*occurring.begin() < -1 || *occurring.rbegin() < 0) {
    throw Error(fmt::format("{}: classes go from {} to {}, expected 0 and more, or -1 where one is unknown", where,
                            *occurring.begin(), *occurring.rbegin()));
  }
  const std::int64_t largest = *occurring.rbegin();
  const auto known = static_cast<std::int64_t>(occurring.size()) - (*occurring.begin() < 0 ? 1 : 0);
  if (std::min(known, largest) >= kMostClasses) {
    throw Error(fmt::format("{}: there are more than {} classes; for numbers to predict say --task regression", where,
                            kMostClasses));
  }
  labels.classes.resize(classes.size(), -1);
  if (largest / 2 < known) {
    labels.num_outputs = largest + 1;
    std::transform(classes.begin(), classes.end(), labels.classes.begin(),
                   [](std::int64_t c) { return static_cast<std::int32_t>(c); });
    return;
  }
  std::map<std::int64_t, std::int32_t> place;
  for (const std::int64_t c : occurring) {
    if (c < 0) continue;
    place.emplace(c, static_cast<std::int32_t>(place.size()));
    labels.names.push_back(std::to_string(c));
  }
  labels.num_outputs = known;
  for (std::size_t v = 0; v < classes.size(); ++v) {
    if (classes[v] >= 0) labels.classes[v] = place.at(classes[v]);
  }
}

void set_words(core::Labels& labels, const std::vector<std::string>& words, const std::string& where) {
  std::map<std::string_view, std::int32_t> place;
  for (const auto& word : words) {
    if (!is_unknown(word)) place.emplace(word, 0);
  }
  if (static_cast<std::int64_t>(place.size()) > kMostClasses) {
    throw Error(fmt::format("{}: there are more than {} classes", where, kMostClasses));
  }
  for (auto& [name, number] : place) {
    number = static_cast<std::int32_t>(labels.names.size());
    labels.names.emplace_back(name);
  }
  labels.num_outputs = static_cast<Index>(place.size());
  for (const auto& word : words) labels.classes.push_back(is_unknown(word) ? -1 : place.at(word));
}

/// The table's rows by vertex.
struct Rows {
  std::vector<VertexId> vertices;
  /// [rows, cols]
  std::vector<std::string> cells;
  Index cols = 0;
  std::vector<std::string> names;
};

Rows read_rows(GraphData& data, const std::filesystem::path& path, core::Task task, const TableOptions& options,
               std::vector<std::string>& notes) {
  TableReader table(path, options.format, {"id", "node", "vertex", "node_id", "vertex_id", "label", "class", "target"});
  VertexKeys keys(data);
  Rows rows;
  std::size_t first = 0;
  while (table.next()) {
    const auto cells = table.cells();
    if (rows.vertices.empty()) {
      const bool keyed = task == core::Task::kClassification || options.key != RowKey::kAuto
                             ? VertexKeys::first_column(table, options.key, cells.size() > 1) && cells.size() > 1
                             : VertexKeys::first_column(table, options.key, false);
      first = keyed ? 1 : 0;
      rows.cols = static_cast<Index>(cells.size() - first);
      if (rows.cols < 1 || (task == core::Task::kClassification && rows.cols != 1)) {
        table.fail(
            fmt::format("there are {} columns, expected LABEL or VERTEX,LABEL; for several numbers a vertex say "
                        "--task regression or multi-label",
                        cells.size()));
      }
    }
    rows.vertices.push_back(first == 1 ? keys.by_id(table, cells[0])
                                       : keys.by_row(table, static_cast<Index>(rows.vertices.size())));
    for (std::size_t c = first; c < cells.size(); ++c) {
      if (!cells[c].empty() && !valid_utf8(cells[c])) table.fail(fmt::format("{} is no UTF-8", shown(cells[c])));
      double value = 0;
      if (task == core::Task::kRegression &&
          (!read_number(cells[c], value) || !std::isfinite(static_cast<float>(value)))) {
        table.fail(fmt::format("the target is {}, expected a finite number", shown(cells[c])));
      }
      if (task == core::Task::kMultiLabel && cells[c] != "0" && cells[c] != "1") {
        table.fail(fmt::format("the label is {}, expected 0 or 1", shown(cells[c])));
      }
      rows.cells.emplace_back(cells[c]);
    }
  }
  if (rows.vertices.empty()) table.fail("the file ends, and there was no label");
  if (!table.header().empty()) {
    rows.names.assign(table.header().begin() + static_cast<std::ptrdiff_t>(first), table.header().end());
  }
  keys.extend(data, path, notes);
  return rows;
}

void set_classes(core::Labels& labels, const Rows& rows, Index n, const std::string& where) {
  std::vector<std::string> words(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < rows.vertices.size(); ++i) words[rows.vertices[i]] = rows.cells[i];
  std::vector<std::int64_t> numbers(words.size(), -1);
  bool whole = true;
  for (std::size_t v = 0; v < words.size() && whole; ++v) {
    whole = is_unknown(words[v]) || read_number(words[v], numbers[v]);
  }
  if (std::all_of(words.begin(), words.end(), [](const auto& w) { return is_unknown(w); })) {
    throw Error(fmt::format("{}: no vertex has a label", where));
  }
  if (whole) {
    set_numbers(labels, numbers, where);
  } else {
    set_words(labels, words, where);
  }
}

}  // namespace

void attach_labels(GraphData& data, const std::filesystem::path& path, core::Task task, const TableOptions& options,
                   std::vector<std::string>& notes) {
  core::Labels labels;
  labels.task = task;
  const std::string where = path.string();
  data.labels = {};
  if (extension_of(path) == ".npy" && task == core::Task::kClassification) {
    const NpyArray array = read_npy(path);
    const Index n = data.graph->num_vertices();
    if (array.shape != std::vector<Index>{n}) {
      throw Error(fmt::format("{}: is {}, expected integers [{}], a class for each vertex", where, array.text(), n));
    }
    set_numbers(labels, integers_of(array, where), where);
  } else {
    const Rows rows = read_rows(data, path, task, options, notes);
    const Index n = data.graph->num_vertices();
    const auto known = static_cast<Index>(rows.vertices.size());
    if (task == core::Task::kClassification) {
      set_classes(labels, rows, n, where);
      if (known < n)
        notes.push_back(fmt::format("{} of {} vertices have no label in {}", n - known, n, path.filename().string()));
    } else {
      if (known != n) {
        throw Error(fmt::format("{}: has {} rows, but the graph {} vertices; {} needs one for each", where, known, n,
                                name_of(task)));
      }
      labels.num_outputs = rows.cols;
      labels.names = rows.names;
      const auto entries = static_cast<std::size_t>(n * rows.cols);
      const bool regression = task == core::Task::kRegression;
      (regression ? labels.targets.resize(entries) : labels.multi_label.resize(entries));
      for (std::size_t i = 0; i < rows.cells.size(); ++i) {
        const auto at = static_cast<std::size_t>(rows.vertices[i / rows.cols] * rows.cols) + i % rows.cols;
        double value = 0;
        read_number(rows.cells[i], value);
        if (regression) {
          labels.targets[at] = static_cast<float>(value);
        } else {
          labels.multi_label[at] = value == 1 ? 1 : 0;
        }
      }
    }
  }
  data.labels = std::move(labels);
  data.provenance += fmt::format("; labels of {}", path.filename().string());
}

}  // namespace laminar::datasets
