#include "laminar/datasets/half_hop.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/edge_table.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

/// An edge that is split; slow vertex N + i stands for the i-th.
struct SplitEdge {
  VertexId source;
  VertexId target;
};

struct Choice {
  std::vector<bool> chosen;
  std::vector<SplitEdge> edges;
  bool splits(VertexId source, VertexId target) const { return chosen[target] && source != target; }
};

Choice choose(const core::Graph& graph, const HalfHop& settings) {
  const core::RandomKey key = core::random_key(settings.seed, "half-hop");
  const auto offsets = graph.in_offsets();
  const auto sources = graph.in_sources();
  Choice choice;
  choice.chosen.resize(static_cast<std::size_t>(graph.num_vertices()));
  for (VertexId v = 0; v < graph.num_vertices(); ++v) {
    choice.chosen[v] = core::random_uniform(key, static_cast<std::uint64_t>(v)) < settings.probability;
    for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) {
      if (choice.splits(sources[e], v)) choice.edges.push_back({sources[e], v});
    }
  }
  return choice;
}

/// The new graph, and for each of its in-edges the old one that it is or was made of.
struct Rewired {
  core::Graph graph;
  std::vector<EdgeId> origin;
};

Rewired rewire(const core::Graph& graph, const Choice& choice) {
  const auto offsets = graph.in_offsets();
  const auto sources = graph.in_sources();
  const auto n = static_cast<VertexId>(graph.num_vertices());
  const Index vertices = n + static_cast<Index>(choice.edges.size());
  std::vector<EdgeId> new_offsets{0};
  std::vector<VertexId> new_sources;
  std::vector<double> new_weights;
  std::vector<EdgeId> origin;
  new_offsets.reserve(static_cast<std::size_t>(vertices) + 1);
  new_sources.reserve(sources.size() + 2 * choice.edges.size());
  origin.reserve(new_sources.capacity());
  const auto add = [&](VertexId source, EdgeId e, double weight) {
    new_sources.push_back(source);
    origin.push_back(e);
    if (graph.weighted()) new_weights.push_back(weight);
  };
  const auto weight_of = [&](EdgeId e) { return graph.weighted() ? graph.in_weights()[e] : 1.0; };

  std::vector<EdgeId> split_at;
  split_at.reserve(choice.edges.size());
  for (VertexId v = 0; v < n; ++v) {
    // Rows are ascending: edges that stay come from smaller vertices than slow ones.
    for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) {
      if (!choice.splits(sources[e], v)) add(sources[e], e, weight_of(e));
    }
    for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) {
      if (!choice.splits(sources[e], v)) continue;
      add(n + static_cast<VertexId>(split_at.size()), e, weight_of(e));
      split_at.push_back(e);
    }
    new_offsets.push_back(static_cast<EdgeId>(new_sources.size()));
  }
  for (std::size_t i = 0; i < split_at.size(); ++i) {
    const auto [u, v] = choice.edges[i];
    add(std::min(u, v), split_at[i], 1);
    add(std::max(u, v), split_at[i], 1);
    new_offsets.push_back(static_cast<EdgeId>(new_sources.size()));
  }
  return {core::Graph::from_in_csr(vertices, std::move(new_offsets), std::move(new_sources), std::move(new_weights),
                                   /*directed=*/true),
          std::move(origin)};
}

core::Tensor extend(const core::Tensor& features, const std::vector<SplitEdge>& edges, double alpha) {
  const Index cols = features.cols();
  core::Tensor result(features.rows() + static_cast<Index>(edges.size()), cols, features.dtype());
  const float* x = features.data<float>();
  float* to = std::copy_n(x, features.size(), result.data<float>());
  for (const auto [u, v] : edges) {
    to = std::transform(x + u * cols, x + (u + 1) * cols, x + v * cols, to,
                        [&](float a, float b) { return static_cast<float>(alpha * a + (1 - alpha) * b); });
  }
  return result;
}

core::SparseMatrix extend(const core::SparseMatrix& features, const std::vector<SplitEdge>& edges, double alpha) {
  const auto offsets = features.offsets();
  std::vector<EdgeId> new_offsets(offsets.begin(), offsets.end());
  std::vector<std::int32_t> columns(features.columns().begin(), features.columns().end());
  std::vector<float> values(features.values().begin(), features.values().end());
  std::vector<std::pair<std::int32_t, double>> row;
  const auto append = [&](VertexId from, double share) {
    for (EdgeId i = offsets[from]; i < offsets[from + 1]; ++i) {
      row.emplace_back(features.columns()[i], share * features.values()[i]);
    }
  };
  for (const auto [u, v] : edges) {
    row.clear();
    append(u, alpha);
    append(v, 1 - alpha);
    std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto at = row.begin(); at != row.end();) {
      const std::int32_t column = at->first;
      double sum = 0;
      for (; at != row.end() && at->first == column; ++at) sum += at->second;
      const auto value = static_cast<float>(sum);
      if (value == 0) continue;
      columns.push_back(column);
      values.push_back(value);
    }
    new_offsets.push_back(static_cast<EdgeId>(values.size()));
  }
  const Index rows = features.rows() + static_cast<Index>(edges.size());
  return {rows, features.cols(), std::move(new_offsets), std::move(columns), std::move(values)};
}

void extend(core::Labels& labels, std::size_t vertices) {
  const std::size_t entries = vertices * static_cast<std::size_t>(labels.num_outputs);
  switch (labels.task) {
    case core::Task::kNone:
      break;
    case core::Task::kClassification:
      labels.classes.resize(vertices, -1);
      break;
    case core::Task::kMultiLabel:
      labels.multi_label.resize(entries, 0);
      break;
    case core::Task::kRegression:
      labels.targets.resize(entries, 0);
      break;
  }
}

}  // namespace

void check(const HalfHop& settings) {
  const auto require_share = [](std::string_view what, double value) {
    if (value >= 0 && value <= 1) return;
    throw UsageError(fmt::format("half-hop: the {} is {}; expected 0 to 1", what, value));
  };
  require_share("probability", settings.probability);
  require_share("alpha", settings.alpha);
}

std::vector<std::string> half_hop(GraphData& data, const HalfHop& settings) {
  check(settings);
  const Index n = data.graph->num_vertices();
  const Choice choice = choose(*data.graph, settings);
  const auto count = static_cast<Index>(choice.edges.size());
  if (count == 0) return {"half-hop split no edge; the graph is as it was"};
  if (count > std::numeric_limits<VertexId>::max() - n) {
    throw Error(
        fmt::format("{}: half-hop of {} edges gives {} vertices, and a graph holds up to {}; use a smaller "
                    "probability",
                    data.name, count, n + count, std::numeric_limits<VertexId>::max()));
  }
  const std::string done = fmt::format("{} of {} edges split, vertices {}..{} are slow ones", count,
                                       data.graph->num_edges(), n, n + count - 1);
  std::vector<std::string> notes = {fmt::format("half-hop: {}, without label or split", done)};

  GraphData result = data;
  Rewired rewired = rewire(*data.graph, choice);
  result.graph = std::make_shared<const core::Graph>(std::move(rewired.graph));
  if (data.features) result.features = extend(data.features, choice.edges, settings.alpha);
  if (data.sparse_features) result.sparse_features = extend(data.sparse_features, choice.edges, settings.alpha);
  if (data.edge_features) result.edge_features = gather_rows(data.edge_features, rewired.origin);
  extend(result.labels, static_cast<std::size_t>(n + count));
  if (!data.vertex_names.empty()) {
    for (const auto [u, v] : choice.edges) {
      result.vertex_names.push_back(fmt::format("{}->{}", data.vertex_names[u], data.vertex_names[v]));
    }
  }
  if (!data.partitions.empty()) {
    notes.push_back(fmt::format("{} saved {} dropped, being of the graph before half-hop", data.partitions.size(),
                                data.partitions.size() == 1 ? "partition was" : "partitions were"));
    result.partitions.clear();
  }
  result.provenance +=
      fmt::format("{}half-hop with probability {}, alpha {} and seed {}: {}", data.provenance.empty() ? "" : "; ",
                  settings.probability, settings.alpha, settings.seed, done);
  data = std::move(result);
  return notes;
}

}  // namespace laminar::datasets
