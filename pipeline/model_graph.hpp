#pragma once

#include <memory>

#include "laminar/core/dataset.hpp"
#include "laminar/core/part_graph.hpp"
#include "laminar/layers/model.hpp"

namespace laminar::pipeline {

/// The graph of `data` with what the layers of `model` read of it beside its edges: attributes of edges, edges
/// reversed. Throws UsageError for an unknown layer or data without the edge features that it reads.
std::shared_ptr<const core::Graph> model_graph(const layers::ModelOptions& model, const core::Dataset& data);

/// What of it a device reads for its part, if it holds only that; see core::read_part(). Throws likewise.
core::PartContents part_contents(const layers::ModelOptions& model, const core::DatasetSchema& schema);

/// Whether Model::initialize() reads the graph.
bool reads_whole_graph(const layers::ModelOptions& model);

/// The same of a graph that only stands for one of `schema`'s kind: edge features are 0.
core::Graph stand_in_graph(const layers::ModelOptions& model, const core::DatasetSchema& schema,
                           const core::Graph& graph);

}  // namespace laminar::pipeline
