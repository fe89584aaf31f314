#include "laminar/datasets/vertex_keys.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/names.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

RowKey parse_row_key(std::string_view word) {
  constexpr std::array<std::string_view, 3> kNames = {"auto", "row", "id"};
  return core::detail::from_name<RowKey>("key of rows", kNames, word);
}

VertexKeys::VertexKeys(const GraphData& data)
    : data_(data),
      names_(data.vertex_names),
      num_vertices_(data.graph->num_vertices()),
      met_(static_cast<std::size_t>(num_vertices_)) {}

bool VertexKeys::first_column(const TableReader& table, RowKey key, bool more_columns) {
  if (key != RowKey::kAuto) return key == RowKey::kId;
  return more_columns ||
         table.column_of({"id", "name", "node", "vertex", "node_id", "vertex_id", "nodeid", "vertexid"}) == 0 ||
         !looks_like_number(table.cells().front());
}

VertexId VertexKeys::by_id(const TableReader& table, std::string_view id) {
  Index vertex = 0;
  if (!data_.vertex_names.empty()) {
    if (id.empty()) table.fail("the vertex is missing");
    if (!valid_utf8(id)) table.fail(fmt::format("the vertex is {}, which is no UTF-8", shown(id)));
    vertex = names_.add(id).first;
  } else if (!read_number(id, vertex) || vertex < 0 || vertex >= std::numeric_limits<VertexId>::max()) {
    table.fail(
        fmt::format("the vertex is {}, expected a whole number of 0 or more, as the graph's vertices have no "
                    "names",
                    shown(id)));
  }
  num_vertices_ = std::max(num_vertices_, vertex + 1);
  // The graph's own in an array; others one by one, so that a number far beyond costs no memory.
  const bool own = vertex < static_cast<Index>(met_.size());
  if (own ? met_[vertex] : !others_met_.insert(vertex).second) {
    table.fail(fmt::format("vertex {} stands here for the second time", shown(id)));
  }
  if (own) met_[vertex] = true;
  ++met_count_;
  return static_cast<VertexId>(vertex);
}

VertexId VertexKeys::by_row(const TableReader& table, Index row) {
  if (row >= num_vertices_ && !data_.vertex_names.empty()) {
    table.fail(
        fmt::format("expected {} rows, one a vertex of the graph, in the order of its vertices; if the first "
                    "column holds vertices, say --key id",
                    num_vertices_));
  }
  if (row >= std::numeric_limits<VertexId>::max()) table.fail("there are more rows than a graph can have vertices");
  num_vertices_ = std::max(num_vertices_, row + 1);
  ++met_count_;
  return static_cast<VertexId>(row);
}

void VertexKeys::extend(GraphData& data, const std::filesystem::path& path, std::vector<std::string>& notes) const {
  const Index n = data.graph->num_vertices();
  if (num_vertices_ == n) return;
  const Index more = num_vertices_ - n;
  if (data.vertex_names.empty() && more > 2 * (n + met_count_)) {
    throw Error(
        fmt::format("{}: names vertex {}, but the graph has {} and the file {} rows; say --ids names if numbers "
                    "are names",
                    path.string(), num_vertices_ - 1, n, met_count_));
  }
  std::vector<std::string> names;
  if (!data.vertex_names.empty()) names.assign(names_.names().begin() + n, names_.names().end());
  if (data.features || data.sparse_features) {
    throw Error(
        fmt::format("{}: has {} vertices that the graph does not have ({} is the first), and features are "
                    "there already",
                    path.string(), more, names.empty() ? std::to_string(n) : shown(names.front())));
  }
  add_vertices(data, num_vertices_, std::move(names));
  notes.push_back(fmt::format("{} vertices of {} have no edges", more, path.filename().string()));
}

void add_vertices(GraphData& data, Index num_vertices, std::vector<std::string> names) {
  const core::Graph& graph = *data.graph;
  const Index more = num_vertices - graph.num_vertices();
  const bool fits = data.vertex_names.empty() ? names.empty() : static_cast<Index>(names.size()) == more;
  if (more < 0 || !fits || data.features || data.sparse_features || data.labels.task == core::Task::kRegression ||
      data.labels.task == core::Task::kMultiLabel) {
    throw Error(fmt::format("{}: {} vertices can't be added to a graph of {} with features, targets or other names",
                            data.name, more, graph.num_vertices()));
  }
  std::vector<core::EdgeId> offsets(graph.in_offsets().begin(), graph.in_offsets().end());
  offsets.resize(static_cast<std::size_t>(num_vertices) + 1, graph.num_edges());
  data.graph = std::make_shared<const core::Graph>(
      core::Graph::from_in_csr(num_vertices, std::move(offsets), {graph.in_sources().begin(), graph.in_sources().end()},
                               {graph.in_weights().begin(), graph.in_weights().end()}, graph.directed()));
  if (data.labels.task == core::Task::kClassification) data.labels.classes.resize(num_vertices, -1);
  for (auto& name : names) data.vertex_names.push_back(std::move(name));
  data.partitions.clear();
}

}  // namespace laminar::datasets
