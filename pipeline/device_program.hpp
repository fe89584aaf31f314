#pragma once

#include <array>
#include <vector>

#include "laminar/layers/model.hpp"
#include "laminar/pipeline/ledger.hpp"
#include "laminar/pipeline/plan.hpp"
#include "laminar/pipeline/simulation.hpp"

namespace laminar::pipeline {

/// What the sizes of a model's messages depend on.
struct TrafficShape {
  /// By layer: columns of the rows that a halo brings, and of their gradients; 0 = nothing is asked for, or constants
  /// that are fetched once.
  std::vector<Index> halo_forward;
  std::vector<Index> halo_backward;
  /// The same, either way, where halos are stale.
  std::vector<Index> stale_halo;
  /// By layer: columns that it gives to the next; then of each carried tensor.
  std::vector<Index> width_after;
  std::vector<Index> carried_widths;
  /// Learnt numbers by layer, and of encoder and head.
  std::vector<Index> weights;
  Index encoder_weights = 0;
  Index head_weights = 0;
  core::DType dtype = core::DType::kFloat32;
};

/// Reads the shape off a model: its layers are recorded on a graph of a few vertices to see what they ask their sources
/// for. `history`: as under history. Throws like Model.
TrafficShape traffic_shape(const layers::ModelOptions& model, const core::DatasetSchema& schema, bool history);

/// What one core needs for the work of a training step.
struct StepCosts {
  /// Milliseconds a unit of cost (see slice_costs), by Step::Kind and layer.
  std::array<std::vector<double>, 6> ms_per_unit;
  /// Of making constant carried tensors again, forward and backward.
  double encoder_forward_ms_per_unit = 0;
  double encoder_backward_ms_per_unit = 0;
  /// Of an epoch, what is not in its steps: by unit and layer; and of the optimizer's step, a learnt number.
  double rest_ms_per_unit = 0;
  double optimizer_ms = 0;
  /// At each end of a message, and for each number in it.
  double message_ms = 0;
  double number_ms = 0;
};

/// Units of cost of each slice, at part * chunks + chunk: sum of dense_cost + in-degree over its vertices.
std::vector<double> slice_costs(const CutGraph& cut, double dense_cost);

/// What all devices do in an epoch, and what they send, by cause: the numbers of the ledger to the byte, but for
/// Cause::kEvaluation and what is sent once a training.
struct EpochPrograms {
  std::vector<DeviceProgram> devices;
  Ledger ledger;
};

/// Programs that send what Executor and DeviceTrainer would under `plan` in an epoch with this order, and compute as
/// long as `costs` say. Of sampled halos (HaloOptions::rate) the mean, to a row a message. A pure function.
EpochPrograms make_programs(const Plan& plan, const TrafficShape& shape, const StepCosts& costs,
                            std::span<const double> slice_costs, const CompressionOptions& compression,
                            const ChunkOrder& order);

}  // namespace laminar::pipeline
