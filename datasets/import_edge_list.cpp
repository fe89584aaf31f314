#include "laminar/datasets/import_edge_list.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/edge_columns.hpp"
#include "laminar/datasets/edge_table.hpp"
#include "laminar/datasets/memory_budget.hpp"
#include "laminar/datasets/name_index.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

// About what an edge takes while the graph is made of it, and a name in the index.
constexpr std::size_t kEdgeBytes = 96;
constexpr std::size_t kNameBytes = 160;

struct Entries {
  /// FROM and TO of each line, one behind the other; places of names if there are any.
  std::vector<std::int64_t> ends;
  std::vector<double> weights;
  std::vector<float> features;
  Index feature_cols = 0;
  NameIndex names;
  bool named = false;
  bool header = false;
};

/// Reads the rows of a table as edges.
class Reader {
 public:
  Reader(TableReader& table, const ImportOptions& options, MemoryBudget& budget)
      : table_(table), options_(options), budget_(budget) {}

  Entries read() {
    while (table_.next()) {
      if (entries_.ends.empty()) start();
      if (!budget_.take(kEdgeBytes + columns_.features.size() * 3 * sizeof(float))) fail_too_large();
      entries_.ends.push_back(vertex(table_.cells()[columns_.from], "the first vertex"));
      entries_.ends.push_back(vertex(table_.cells()[columns_.to], "the second vertex"));
      if (columns_.weight >= 0) entries_.weights.push_back(number(columns_.weight, "the weight"));
      for (const Index c : columns_.features) {
        entries_.features.push_back(number(c, "a feature"));
      }
    }
    if (entries_.ends.empty()) table_.fail("the file ends, and there was no edge");
    entries_.header = !table_.header().empty();
    entries_.feature_cols = static_cast<Index>(columns_.features.size());
    return std::move(entries_);
  }

 private:
  void start() {
    columns_ = choose_edge_columns(table_, options_.edges);
    const auto is_name = [&](Index c) { return !looks_like_number(table_.cells()[c]) && !table_.cells()[c].empty(); };
    entries_.named = options_.edges.ids == VertexIds::kNames ||
                     (options_.edges.ids == VertexIds::kAuto && (is_name(columns_.from) || is_name(columns_.to)));
  }

  std::int64_t vertex(std::string_view word, const char* what) {
    if (word.empty()) table_.fail(fmt::format("{} is missing", what));
    if (entries_.named) {
      if (!valid_utf8(word)) {
        table_.fail(fmt::format("{} is {}, which is no UTF-8; convert the file (iconv -t UTF-8)", what, shown(word)));
      }
      const auto [place, added] = entries_.names.add(word);
      if (added && !budget_.take(kNameBytes + 2 * word.size())) fail_too_large();
      return place;
    }
    std::int64_t id = 0;
    if (read_number(word, id) && id >= 0 && (options_.vertices == 0 || id < options_.vertices)) return id;
    table_.fail(options_.vertices > 0
                    ? fmt::format("{} is {}, expected a whole number 0..{}", what, shown(word), options_.vertices - 1)
                    : fmt::format("{} is {}, expected a whole number of 0 or more; if vertices have names, say --ids "
                                  "names",
                                  what, shown(word)));
  }

  /// In float32, as graph files store it, so that a graph is the same before and after it is written.
  float number(Index column, const char* what) {
    double value = 0;
    if (!read_number(table_.cells()[column], value) || !std::isfinite(static_cast<float>(value))) {
      table_.fail(fmt::format("{} is {}, expected a finite number{}", what, shown(table_.cells()[column]),
                              column == columns_.weight ? "; if it is no weight, say --weight none" : ""));
    }
    return static_cast<float>(value);
  }

  [[noreturn]] void fail_too_large() const { table_.fail(budget_.complaint("what the file holds up to here")); }

  TableReader& table_;
  const ImportOptions& options_;
  MemoryBudget& budget_;
  EdgeColumns columns_;
  Entries entries_;
};

void check_count(const std::filesystem::path& path, std::int64_t n) {
  if (n <= std::numeric_limits<VertexId>::max()) return;
  throw Error(
      fmt::format("{}: {} vertices; a graph holds at most {}", path.string(), n, std::numeric_limits<VertexId>::max()));
}

/// Numbers as vertices, and their names where they are renumbered. Returns the number of vertices.
std::int64_t number_vertices(const std::filesystem::path& path, Entries& entries, Index vertices,
                             EdgeListGraph& result) {
  std::vector<std::int64_t> occurring = entries.ends;
  std::sort(occurring.begin(), occurring.end());
  occurring.erase(std::unique(occurring.begin(), occurring.end()), occurring.end());
  const std::int64_t largest = occurring.back();
  const auto count = static_cast<std::int64_t>(occurring.size());
  if (vertices > 0) {
    check_count(path, vertices);
    return vertices;
  }
  // Written so that the largest number of all does not overflow.
  if (largest / 2 < count) {
    check_count(path, largest);
    if (occurring.front() > 0) {
      result.notes.push_back(fmt::format("the smallest number is {}; vertices 0..{} have no edges", occurring.front(),
                                         occurring.front() - 1));
    }
    return largest + 1;
  }
  check_count(path, count);
  result.notes.push_back(
      fmt::format("only {} of the numbers 0..{} occur; they are the vertices, in ascending order", count, largest));
  for (std::int64_t& id : entries.ends) {
    id = std::lower_bound(occurring.begin(), occurring.end(), id) - occurring.begin();
  }
  result.names.reserve(occurring.size());
  for (const std::int64_t id : occurring) result.names.push_back(std::to_string(id));
  return count;
}

}  // namespace

EdgeListGraph read_edge_list(const std::filesystem::path& path, const ImportOptions& options) {
  TableReader table(path, options.edges.format,
                    {"source", "target", "from", "to", "src", "dst", "fromnodeid", "tonodeid", "weight"});
  MemoryBudget budget(options.max_memory_bytes);
  Entries entries = Reader(table, options, budget).read();
  EdgeListGraph result;
  if (entries.header) result.notes.emplace_back("the first line holds names of columns");
  std::int64_t n = 0;
  if (entries.named) {
    if (options.vertices > 0) throw UsageError("--vertices goes with numbers as ids; here vertices have names");
    n = static_cast<std::int64_t>(entries.names.names().size());
    check_count(path, n);
    result.names = entries.names.take_names();
  } else {
    n = number_vertices(path, entries, options.vertices, result);
  }
  budget.take_vertices(n, path.string());
  EdgeTable edges;
  edges.source.reserve(entries.ends.size() / 2);
  edges.target.reserve(entries.ends.size() / 2);
  for (std::size_t i = 0; i < entries.ends.size(); i += 2) {
    edges.source.push_back(static_cast<VertexId>(entries.ends[i]));
    edges.target.push_back(static_cast<VertexId>(entries.ends[i + 1]));
  }
  entries.ends = {};
  edges.weight = std::move(entries.weights);
  edges.features = std::move(entries.features);
  edges.feature_cols = entries.feature_cols;
  BuiltGraph built = build_graph(n, std::move(edges), options.directed);
  result.graph = std::move(built.graph);
  result.edge_features = std::move(built.edge_features);
  // Of an undirected graph, listing both directions is no repetition worth a note.
  if (options.directed && built.dropped > 0) {
    result.notes.push_back(fmt::format("{} repeated edges were dropped", built.dropped));
  }
  return result;
}

EdgeListGraph read_edge_list(const std::filesystem::path& path, bool directed) {
  ImportOptions options;
  options.directed = directed;
  return read_edge_list(path, options);
}

ImportResult import_edge_list(const std::filesystem::path& path, const ImportOptions& options) {
  EdgeListGraph list = read_edge_list(path, options);
  ImportResult result;
  GraphData& data = result.data;
  data.name = stem_of(path);
  data.graph = std::move(list.graph);
  data.edge_features = std::move(list.edge_features);
  data.vertex_names = std::move(list.names);
  data.provenance = fmt::format("imported from the edge list {}", path.filename().string());
  result.notes = std::move(list.notes);
  check(data, path.string());
  return result;
}

}  // namespace laminar::datasets
