#pragma once

#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/executor.hpp"
#include "laminar/pipeline/ledger.hpp"
#include "laminar/pipeline/plan.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::pipeline {

/// How a checkpoint's model is applied.
struct PredictorOptions {
  /// The weights of the last epoch, not those of the best one.
  bool last_weights = false;
  /// Also what the output layer or head reads.
  bool embeddings = false;
  /// Stages and parts, how they are cut, and the link; there are no chunks, as nothing waits for another epoch.
  DistributionOptions distribution = {};
  /// Of all devices of this process together; 0 = one a core, of a rank its share.
  int threads = 0;
};

/// One exact forward pass.
struct PredictedRows {
  /// Rows of all vertices, in the file's order; empty but at device 0.
  Prediction rows;
  /// What all devices have sent; at device 0.
  Ledger sent;
};

/// Applies a checkpoint's model to a dataset with as many features: each device has its layers and its part only.
/// Devices are threads of this process, or, with `rank`, this process is one of them; then all ranks call it. The
/// numbers do not depend on the topology but for rounding. Throws Error if the model does not fit the dataset,
/// UsageError for a topology that does not fit.
PredictedRows predict(const Checkpoint& checkpoint, const core::Dataset& data, const PredictorOptions& options,
                      Transport* rank = nullptr);

/// The end of a checkpoint's model of pairs, with its decoder, which scores the rows that predict() gives; the best
/// weights, or those of the last epoch. Throws Error if the weights are not those of the model.
layers::Model make_decoder(const Checkpoint& checkpoint, bool last = false, core::MemoryPool* pool = nullptr);

/// Brings what the last stage's devices have predicted of their parts to device 0, in the file's order; all devices of
/// `plan` call it with what they have. Counted as evaluation. `communicator` is null on one device.
Prediction gather_prediction(Communicator* communicator, const Plan& plan, const DevicePlace& place,
                             const Prediction& own);

}  // namespace laminar::pipeline
