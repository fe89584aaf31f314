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
/// over slices of the plan's sizes, half steps and history as the plan has them, and the optimizer's step. As many
/// threads as `devices` do the same at the same time, each with tables and weights of its own, and what counts is the
/// time that a thread has of a core: so it is known how devices on one host slow each other, by memory and caches, and
/// only their waiting for a core is left to be simulated. Of a large graph only the first slices are taken, until they
/// have about kSampleCost units, and slices of more than that only in part. `slices`: the plan's slice_costs(). Reads
/// the features of the rows it needs. Takes about as long as three epochs of three layers on each device.
///
/// Depends on the machine and on what else it does: its figures choose, and never compute.
Calibration calibrate(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                      const Plan& plan, std::span<const double> slices, Index devices = 1);

/// How much faster `threads` threads are than one, on up to three layers of the model and the whole graph (or a sample
/// of it), forward and backward; from 1 to `threads`.
double measure_speedup(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                       int threads);

/// What a message costs a device's cores at each end, packing and waking the receiver included: of itself, and a
/// number.
struct MessageCosts {
  double message_ms = 0;
  double number_ms = 0;
};
/// Measured on a ring of so many threads (two at least), by the time that each has of a core. `emulated`: with the
/// bookkeeping of an emulated link.
MessageCosts measure_messages(Codec codec, core::DType dtype, Index devices, bool emulated);

}  // namespace laminar::pipeline
