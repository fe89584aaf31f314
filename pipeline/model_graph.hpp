#pragma once

#include <memory>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"

namespace laminar::pipeline {

/// The graph of `data` with what the layers of `model` read of it beside its edges: attributes of edges, edges
/// reversed. Throws UsageError for an unknown layer or data without the edge features that it reads.
std::shared_ptr<const core::Graph> model_graph(const layers::ModelOptions& model, const core::Dataset& data);

/// The same of a graph that only stands for one of `schema`'s kind: edge features are 0.
core::Graph stand_in_graph(const layers::ModelOptions& model, const core::DatasetSchema& schema,
                           const core::Graph& graph);

}  // namespace laminar::pipeline
