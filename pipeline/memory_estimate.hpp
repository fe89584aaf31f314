#pragma once

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::pipeline {

/// Bytes that a training will hold at its peak, by purpose.
struct MemoryEstimate {
  std::size_t graph_bytes = 0;
  std::size_t features_bytes = 0;
  std::size_t parameters_bytes = 0;
  std::size_t optimizer_bytes = 0;
  std::size_t activations_bytes = 0;
  std::size_t gradients_bytes = 0;
  std::size_t total() const {
    return graph_bytes + features_bytes + parameters_bytes + optimizer_bytes + activations_bytes + gradients_bytes;
  }
};

/// Estimates it from the schema alone, without reading the graph: every layer is recorded on a small ring of the same
/// average degree, and what its tape keeps a row is scaled to the dataset. Works for any layer. TrainOptions::recompute
/// kAuto is taken for kNever. Throws like Model.
MemoryEstimate estimate_memory(const layers::ModelOptions& model, const core::DatasetSchema& schema,
                               const TrainOptions& options);

}  // namespace laminar::pipeline
