#pragma once

#include <span>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::pipeline {

/// What each layer's forward costs on the whole graph, roughly, in multiply-adds of a dense product: rows x weights for
/// the dense work, 6 x entries x columns for sparse features, 6 x (edges + vertices) x width for the aggregation, and
/// 300 x vertices x width for what is done element by element. The encoder counts to the first layer, the head to the
/// last.
std::vector<double> layer_costs(const layers::Model& model, const core::DatasetSchema& schema);

/// What the work on a row is worth in edges, by layer_costs() of all layers together.
double row_cost(const layers::ModelOptions& model, const core::DatasetSchema& schema);

/// Places 0 = b_0 < b_1 < ... < b_S = number of layers; stage s is layers [b_s, b_{s+1}). By cost: the costliest stage
/// is as cheap as can be, and so on for the layers after each stage; among equals earlier stages are longer. Throws
/// UsageError if there are more stages than layers, or places given that are not as many as stages - 1, ascending and
/// in range.
std::vector<Index> cut_stages(std::span<const double> costs, Index stages, const StageCut& cut);

}  // namespace laminar::pipeline
