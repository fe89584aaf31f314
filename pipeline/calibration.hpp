#pragma once

#include <cstddef>

#include "laminar/core/dataset.hpp"
#include "laminar/pipeline/device_program.hpp"

namespace laminar::pipeline {

/// What a short measurement gave.
struct Calibration {
  StepCosts costs;
  /// Of history or of exact tables at their largest, of a layer, a row.
  double table_bytes_per_row = 0;
};

/// Times the work of `plan` on one core: up to three layers of the model (first, middle, last) run forward and backward
/// over slices of the plan's sizes, half steps and history as the plan has them. Of a slice's runs the fastest counts,
/// of the slices the one in the middle. Of a large graph only the first slices are taken, until they have about
/// kSampleCost units. `slices`: the plan's slice_costs(). Reads the features of the rows it needs. Takes about as long
/// as ten epochs of three layers.
///
/// Depends on the machine and on what else it does: its figures choose, and never compute.
Calibration calibrate(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                      const Plan& plan, std::span<const double> slices);

/// How much faster `threads` threads are than one, on up to three layers of the model and the whole graph (or a sample
/// of it), forward and backward; from 1 to `threads`.
double measure_speedup(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                       int threads);

/// What a message costs a device's cores at each end, packing included: of itself, and a number.
struct MessageCosts {
  double message_ms = 0;
  double number_ms = 0;
};
MessageCosts measure_messages(Codec codec, core::DType dtype);

}  // namespace laminar::pipeline
