#include "laminar/tests/support/datasets.hpp"

#include <utility>

#include "laminar/core/random.hpp"

namespace laminar::testing {

using core::Index;
using core::VertexId;

datasets::GraphData block_model(const BlockModelOptions& o) {
  datasets::GraphData data;
  data.name = "block model";
  data.provenance = "made by a test";
  const core::RandomKey key = core::random_key(11, "block model");
  std::uint64_t draw = 0;
  const auto community = [&](Index v) { return v % o.classes; };

  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  for (Index u = 0; u < o.vertices; ++u) {
    for (Index v = u + 1; v < o.vertices; ++v) {
      const double p = community(u) == community(v) ? 0.08 : 0.01;
      if (core::random_uniform(key, draw++) >= p) continue;
      sources.push_back(static_cast<VertexId>(u));
      targets.push_back(static_cast<VertexId>(v));
      if (o.directed) continue;
      sources.push_back(static_cast<VertexId>(v));
      targets.push_back(static_cast<VertexId>(u));
    }
  }
  data.graph = std::make_shared<core::Graph>(core::Graph::from_edges(o.vertices, sources, targets, {}, o.directed));

  constexpr Index kFeatures = 12;
  core::Tensor x(o.vertices, kFeatures, core::DType::kFloat32);
  for (Index v = 0; v < o.vertices; ++v) {
    for (Index c = 0; c < kFeatures; ++c) {
      x.set(v, c, core::random_normal(key, draw++) + (c % o.classes == community(v) ? 0.7 : 0.0));
    }
  }
  if (o.sparse_features) {
    std::vector<core::EdgeId> offsets{0};
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    for (Index v = 0; v < o.vertices; ++v) {
      for (Index c = 0; c < kFeatures; ++c) {
        if (x.at(v, c) <= 0.5) continue;
        columns.push_back(static_cast<std::int32_t>(c));
        values.push_back(static_cast<float>(x.at(v, c)));
      }
      offsets.push_back(static_cast<core::EdgeId>(columns.size()));
    }
    data.sparse_features = {o.vertices, kFeatures, std::move(offsets), std::move(columns), std::move(values)};
  } else {
    data.features = x;
  }

  if (o.edge_features > 0) {
    data.edge_features = core::Tensor(data.graph->num_edges(), o.edge_features, core::DType::kFloat32);
    const core::RandomKey edge_key = core::random_key(12, "edges of the block model");
    for (Index e = 0; e < data.edge_features.size(); ++e) {
      data.edge_features.data<float>()[e] =
          static_cast<float>(core::random_normal(edge_key, static_cast<std::uint64_t>(e)));
    }
  }

  core::Labels& labels = data.labels;
  labels.task = o.task;
  labels.num_outputs = o.classes;
  for (Index v = 0; v < o.vertices; ++v) {
    for (Index c = 0; c < o.classes; ++c) {
      const bool is_own = c == community(v);
      if (o.task == core::Task::kMultiLabel) labels.multi_label.push_back(is_own || c == community(v + 1) ? 1 : 0);
      if (o.task == core::Task::kRegression) labels.targets.push_back(is_own ? 1.5F : -0.5F);
    }
    if (o.task == core::Task::kClassification) labels.classes.push_back(static_cast<std::int32_t>(community(v)));
  }

  core::Split split{"random", {}, {}, {}};
  for (Index v = 0; v < o.vertices; ++v) {
    const double u = core::random_uniform(key, draw++);
    (u < 0.6 ? split.train : u < 0.8 ? split.val : split.test).push_back(static_cast<VertexId>(v));
  }
  data.splits.push_back(split);
  std::swap(split.train, split.test);
  split.name = "swapped";
  data.splits.push_back(std::move(split));
  return data;
}

std::unique_ptr<core::Dataset> block_model_dataset(const BlockModelOptions& options) {
  return datasets::from_memory(block_model(options));
}

}  // namespace laminar::testing
