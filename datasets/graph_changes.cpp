#include "laminar/datasets/graph_changes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/names.hpp"
#include "laminar/datasets/edge_table.hpp"
#include "laminar/datasets/vertex_keys.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

/// The edges with their features; `place` gives each vertex its new number, or -1 to leave it out.
EdgeTable table_of(const GraphData& data, const std::vector<VertexId>* place = nullptr) {
  const core::Graph& graph = *data.graph;
  EdgeTable edges;
  edges.feature_cols = data.edge_features ? data.edge_features.cols() : 0;
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      VertexId source = graph.in_sources()[e];
      auto target = static_cast<VertexId>(v);
      if (place != nullptr) {
        source = (*place)[source];
        target = (*place)[target];
        if (source < 0 || target < 0) continue;
      }
      edges.source.push_back(source);
      edges.target.push_back(target);
      if (graph.weighted()) edges.weight.push_back(graph.in_weights()[e]);
      if (edges.feature_cols == 0) continue;
      const float* const row = data.edge_features.data<float>() + e * edges.feature_cols;
      edges.features.insert(edges.features.end(), row, row + edges.feature_cols);
    }
  }
  return edges;
}

/// The graph of a table without removing parallel edges.
void set_directed_graph(GraphData& data, Index n, EdgeTable edges, bool directed) {
  std::vector<EdgeId> offsets(static_cast<std::size_t>(n) + 1);
  for (const VertexId t : edges.target) ++offsets[t + 1];
  for (Index v = 0; v < n; ++v) offsets[v + 1] += offsets[v];
  std::vector<EdgeId> rows(edges.source.size());
  auto next = offsets;
  for (EdgeId e = 0; e < edges.size(); ++e) rows[next[edges.target[e]]++] = e;
  std::vector<VertexId> sources;
  std::vector<double> weights;
  for (Index v = 0; v < n; ++v) {
    std::stable_sort(rows.begin() + offsets[v], rows.begin() + offsets[v + 1],
                     [&](EdgeId a, EdgeId b) { return edges.source[a] < edges.source[b]; });
  }
  for (const EdgeId e : rows) {
    sources.push_back(edges.source[e]);
    if (!edges.weight.empty()) weights.push_back(edges.weight[e]);
  }
  if (edges.feature_cols > 0) {
    core::Tensor features(edges.size(), edges.feature_cols, core::DType::kFloat32);
    std::copy(edges.features.begin(), edges.features.end(), features.data<float>());
    data.edge_features = gather_rows(features, rows);
  }
  data.graph = std::make_shared<const core::Graph>(
      core::Graph::from_in_csr(n, std::move(offsets), std::move(sources), std::move(weights), directed));
}

void note_change(GraphData& data, std::vector<std::string>& notes, const std::string& what) {
  if (!data.partitions.empty()) {
    notes.push_back(fmt::format("{} saved {} dropped, being of the graph before", data.partitions.size(),
                                data.partitions.size() == 1 ? "partition was" : "partitions were"));
    data.partitions.clear();
  }
  data.provenance += (data.provenance.empty() ? "" : "; ") + what;
}

core::Labels gather_labels(const core::Labels& labels, const std::vector<VertexId>& kept) {
  core::Labels result = labels;
  const auto gather = [&](const auto& from, auto& to, Index cols) {
    if (from.empty()) return;
    to.clear();
    for (const VertexId v : kept) to.insert(to.end(), from.begin() + v * cols, from.begin() + (v + 1) * cols);
  };
  gather(labels.classes, result.classes, 1);
  gather(labels.multi_label, result.multi_label, labels.num_outputs);
  gather(labels.targets, result.targets, labels.num_outputs);
  return result;
}

}  // namespace

std::vector<std::string> keep_vertices(GraphData& data, const std::vector<VertexId>& kept) {
  const Index n = data.graph->num_vertices();
  if (kept.empty()) throw Error(fmt::format("{}: no vertex is to be kept", data.name));
  std::vector<VertexId> place(static_cast<std::size_t>(n), -1);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const VertexId v = kept[i];
    if (v < 0 || v >= n || place[v] >= 0) {
      throw Error(fmt::format("{}: vertex {} is to be kept, but is not there, or named twice", data.name, v));
    }
    place[v] = static_cast<VertexId>(i);
  }
  std::vector<std::string> notes;
  const auto count = static_cast<Index>(kept.size());
  if (count == n && std::is_sorted(kept.begin(), kept.end())) return notes;
  GraphData result = data;
  result.edge_features = {};
  set_directed_graph(result, count, table_of(data, &place), data.graph->directed());
  const std::vector<EdgeId> rows(kept.begin(), kept.end());
  if (data.features) result.features = gather_rows(data.features, rows);
  if (data.sparse_features) result.sparse_features = data.sparse_features.gather_rows(kept);
  result.labels = gather_labels(data.labels, kept);
  result.vertex_names.clear();
  for (const VertexId v : kept) {
    result.vertex_names.push_back(data.vertex_names.empty() ? std::to_string(v) : data.vertex_names[v]);
  }
  result.splits.clear();
  for (core::Split split : data.splits) {
    for (auto* const set : {&split.train, &split.val, &split.test}) {
      for (VertexId& v : *set) v = place[v];
      set->erase(std::remove(set->begin(), set->end(), -1), set->end());
      std::sort(set->begin(), set->end());
    }
    if (split.train.empty() || split.val.empty() || split.test.empty()) {
      notes.push_back(fmt::format("split '{}' was dropped: none of its vertices are left in a part", split.name));
    } else {
      result.splits.push_back(std::move(split));
    }
  }
  note_change(result, notes,
              count == n ? "vertices in another order" : fmt::format("{} of {} vertices kept", count, n));
  data = std::move(result);
  return notes;
}

std::vector<std::string> make_undirected(GraphData& data) {
  std::vector<std::string> notes;
  if (!data.graph->directed()) return notes;
  const Index n = data.graph->num_vertices();
  BuiltGraph built = build_graph(n, table_of(data), /*directed=*/false);
  data.graph = std::move(built.graph);
  data.edge_features = std::move(built.edge_features);
  note_change(data, notes, "both directions of every edge");
  return notes;
}

SelfLoops parse_self_loops(std::string_view word) {
  constexpr std::array<std::string_view, 2> kNames = {"add", "remove"};
  return core::detail::from_name<SelfLoops>("--self-loops", kNames, word);
}

std::vector<std::string> change_self_loops(GraphData& data, SelfLoops how) {
  const Index n = data.graph->num_vertices();
  EdgeTable edges = table_of(data);
  std::vector<bool> has(static_cast<std::size_t>(n));
  EdgeTable kept;
  kept.feature_cols = edges.feature_cols;
  Index removed = 0;
  for (EdgeId e = 0; e < edges.size(); ++e) {
    if (edges.source[e] == edges.target[e]) {
      has[edges.source[e]] = true;
      if (how == SelfLoops::kRemove) {
        ++removed;
        continue;
      }
    }
    kept.source.push_back(edges.source[e]);
    kept.target.push_back(edges.target[e]);
    if (!edges.weight.empty()) kept.weight.push_back(edges.weight[e]);
    const auto row = edges.features.begin() + e * edges.feature_cols;
    kept.features.insert(kept.features.end(), row, row + edges.feature_cols);
  }
  Index added = 0;
  for (Index v = 0; v < n && how == SelfLoops::kAdd; ++v) {
    if (has[v]) continue;
    ++added;
    kept.source.push_back(static_cast<VertexId>(v));
    kept.target.push_back(static_cast<VertexId>(v));
    if (data.graph->weighted()) kept.weight.push_back(1);
    kept.features.resize(kept.features.size() + static_cast<std::size_t>(edges.feature_cols));
  }
  std::vector<std::string> notes;
  if (removed + added == 0) return notes;
  set_directed_graph(data, n, std::move(kept), data.graph->directed());
  const auto what =
      added > 0 ? fmt::format("{} self-loops added", added) : fmt::format("{} self-loops removed", removed);
  notes.push_back(what);
  note_change(data, notes, what);
  return notes;
}

std::vector<VertexId> read_vertices(const GraphData& data, const std::string& words) {
  std::int64_t first = 0;
  std::error_code ignored;
  std::vector<VertexId> vertices;
  if (read_number(words, first) && !std::filesystem::exists(words, ignored)) {
    const Index n = data.graph->num_vertices();
    if (first < 1 || first > n) throw UsageError(fmt::format("--subgraph {}: expected 1 to {}", words, n));
    for (Index v = 0; v < first; ++v) vertices.push_back(static_cast<VertexId>(v));
    return vertices;
  }
  TableReader table(words, {}, {"id", "node", "vertex", "node_id", "vertex_id"});
  VertexKeys keys(data);
  while (table.next()) {
    if (table.cols() != 1) table.fail(fmt::format("there are {} columns, expected a vertex a line", table.cols()));
    vertices.push_back(keys.by_id(table, table.cells()[0]));
    if (keys.num_vertices() > data.graph->num_vertices()) {
      table.fail(fmt::format("{} is no vertex of the graph", shown(table.cells()[0])));
    }
  }
  if (vertices.empty()) table.fail("the file ends, and there was no vertex");
  return vertices;
}

}  // namespace laminar::datasets
