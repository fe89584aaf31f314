#include "laminar/datasets/edge_table.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "laminar/core/parallel.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

/// An in-edge and the row of the table that it comes from.
struct Entry {
  VertexId source;
  EdgeId row;
};

}  // namespace

core::Tensor gather_rows(const core::Tensor& rows, const std::vector<EdgeId>& from) {
  core::Tensor result(static_cast<Index>(from.size()), rows.cols(), rows.dtype());
  float* to = result.data<float>();
  for (const EdgeId row : from) to = std::copy_n(rows.data<float>() + row * rows.cols(), rows.cols(), to);
  return result;
}

BuiltGraph build_graph(Index n, EdgeTable edges, bool directed) {
  const EdgeId rows = edges.size();
  std::vector<EdgeId> offsets(static_cast<std::size_t>(n) + 1);
  const auto mirrored = [&](EdgeId e) { return !directed && edges.source[e] != edges.target[e]; };
  for (EdgeId e = 0; e < rows; ++e) {
    ++offsets[edges.target[e] + 1];
    if (mirrored(e)) ++offsets[edges.source[e] + 1];
  }
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  std::vector<Entry> entries(static_cast<std::size_t>(offsets.back()));
  std::vector<EdgeId> next(offsets.begin(), offsets.end() - 1);
  for (EdgeId e = 0; e < rows; ++e) {
    entries[next[edges.target[e]]++] = {edges.source[e], e};
    if (mirrored(e)) entries[next[edges.source[e]]++] = {edges.target[e], e};
  }
  edges.source = {};
  edges.target = {};

  // The choice among repeated edges is by weight and row, the same for both directions.
  const auto better = [&](const Entry& a, const Entry& b) {
    if (a.source != b.source) return a.source < b.source;
    if (!edges.weight.empty() && edges.weight[a.row] != edges.weight[b.row])
      return edges.weight[a.row] > edges.weight[b.row];
    return a.row < b.row;
  };
  core::parallel_for_rows(offsets, 0, n, [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      std::sort(entries.begin() + offsets[v], entries.begin() + offsets[v + 1], better);
    }
  });

  BuiltGraph built;
  std::vector<EdgeId> kept_offsets = {0};
  std::vector<VertexId> sources;
  std::vector<double> weights;
  std::vector<EdgeId> origin;
  kept_offsets.reserve(offsets.size());
  sources.reserve(entries.size());
  if (!edges.weight.empty()) weights.reserve(entries.size());
  for (Index v = 0; v < n; ++v) {
    for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) {
      const auto [source, row] = entries[e];
      if (e > offsets[v] && entries[e - 1].source == source) continue;
      sources.push_back(source);
      if (!edges.weight.empty()) weights.push_back(edges.weight[row]);
      if (edges.feature_cols > 0) origin.push_back(row);
    }
    kept_offsets.push_back(static_cast<EdgeId>(sources.size()));
  }
  built.dropped = static_cast<EdgeId>(entries.size() - sources.size());
  entries = {};
  if (edges.feature_cols > 0) {
    built.edge_features = core::Tensor(static_cast<Index>(origin.size()), edges.feature_cols, core::DType::kFloat32);
    float* to = built.edge_features.data<float>();
    for (const EdgeId row : origin) {
      to = std::copy_n(edges.features.begin() + row * edges.feature_cols, edges.feature_cols, to);
    }
  }
  built.graph = std::make_shared<const core::Graph>(
      core::Graph::from_in_csr(n, std::move(kept_offsets), std::move(sources), std::move(weights), directed));
  return built;
}

}  // namespace laminar::datasets
