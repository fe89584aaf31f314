#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/train_options.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// Memory that this process could still take, in bytes: what the system has available or, where a control group grants
/// less, what is left of that; 0 if neither tells.
std::uint64_t available_memory();

struct RecomputeDecision {
  bool recomputes = false;
  /// One line: "never, as asked".
  std::string why;
};

/// What TrainOptions::recompute comes to. kAuto recomputes where the training as estimate_memory() has it, and a tenth
/// more, would not fit into `available_bytes` (0 = as much as one likes). `rank`: this process's end of MPI, whose
/// ranks share out activations, and the memory of a host among those on it; null = the only process. Throws like
/// estimate_memory().
RecomputeDecision decide_recompute(const layers::ModelOptions& model, const core::DatasetSchema& schema,
                                   const TrainOptions& options, const Transport* rank, std::uint64_t available_bytes);

}  // namespace laminar::pipeline
