#include "laminar/pipeline/model_graph.hpp"

#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::pipeline {

using core::Graph;

namespace {

const layers::LayerInfo& info_of(const layers::ModelOptions& model, const core::DatasetSchema& schema) {
  const layers::LayerInfo& info = layers::Registry::instance().info(model.layer);
  if (info.edge_features && schema.num_edge_features < 1) {
    throw UsageError(fmt::format("layer '{}' reads edge features, but '{}' has none", model.layer, schema.name));
  }
  return info;
}

}  // namespace

bool reads_whole_graph(const layers::ModelOptions& model) { return model.initializer == core::Initializer::kVirgo; }

core::PartContents part_contents(const layers::ModelOptions& model, const core::DatasetSchema& schema) {
  const layers::LayerInfo& info = info_of(model, schema);
  return {.reversed_edges = info.reversed_edges, .edge_features = info.edge_features};
}

std::shared_ptr<const Graph> model_graph(const layers::ModelOptions& model, const core::Dataset& data) {
  const layers::LayerInfo& info = info_of(model, data.schema());
  auto graph = data.graph();
  // A layer that hears out-edges sees the edges of a graph beside their reverse, which have no attributes of their own.
  if (info.reversed_edges) graph = std::make_shared<const Graph>(graph->with_reversed_edges());
  if (info.edge_features) graph = std::make_shared<const Graph>(graph->with_edge_features(data.edge_features()));
  return graph;
}

Graph stand_in_graph(const layers::ModelOptions& model, const core::DatasetSchema& schema, const Graph& graph) {
  const layers::LayerInfo& info = info_of(model, schema);
  Graph result = graph;
  if (info.reversed_edges && graph.in_reversed().empty()) result = graph.with_reversed_edges();
  if (info.edge_features) {
    result = result.with_edge_features(
        core::Tensor::zeros(result.num_edges(), schema.num_edge_features, core::DType::kFloat32));
  }
  return result;
}

}  // namespace laminar::pipeline
