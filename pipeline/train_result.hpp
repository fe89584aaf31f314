#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "laminar/core/memory.hpp"
#include "laminar/core/metrics.hpp"
#include "laminar/pipeline/ledger.hpp"
#include "laminar/pipeline/step_span.hpp"
#include "laminar/pipeline/topology.hpp"

namespace laminar::pipeline {

/// An exact evaluation: metric on the three sets, and the loss on the validation set.
struct Evaluation {
  double train_metric = 0;
  double val_metric = 0;
  double test_metric = 0;
  double val_loss = 0;
};

/// How a device spent an epoch; busy is the rest of its time.
struct DeviceTimes {
  double busy_ms = 0;
  double wait_ms = 0;
  double send_ms = 0;
};

/// How a gradient compares with the exact one of the same weights and masks.
struct GradientFidelity {
  /// g . exact / (|g| |exact|) and |g - exact| / |exact|; NaN where the exact one is 0 and g is not, or there is none.
  double cosine = 0;
  double relative_error = 0;
};

/// What an epoch did. Times are this device's; phases but evaluation add up to about epoch_ms.
struct EpochRecord {
  /// Epochs done, this one included.
  Index epoch = 0;
  /// Training loss, with dropout, before the step.
  double loss = 0;
  double learning_rate = 0;
  /// Norm of the gradient before clipping; NaN if gradients are not clipped.
  double gradient_norm = 0;
  bool evaluated = false;
  Evaluation evaluation = {};
  /// Forward, loss, backward and optimizer step, without evaluation and checkpoints.
  double epoch_ms = 0;
  double forward_ms = 0;
  double loss_ms = 0;
  double backward_ms = 0;
  /// Of backward_ms, forwards that were run again; see Recompute.
  double recompute_ms = 0;
  double optimizer_ms = 0;
  double evaluation_ms = 0;
  /// Bytes sent between devices, without evaluation; 0 on one device.
  std::uint64_t bytes = 0;
  /// Of all devices, by cause; those of this epoch's evaluation included, and what was sent since the record before,
  /// such as a checkpoint's shares.
  Ledger ledger = {};
  /// One a device; empty on one device.
  std::vector<DeviceTimes> devices = {};
  /// |H_hist - H| / |H| of each layer's source rows, dropout noise of earlier layers included; with stale halos that of
  /// the halo rows of the epoch before, as the truth comes an epoch later. Empty where nothing is stale.
  std::vector<double> staleness = {};
  /// In the epochs that DistributionOptions::fidelity_every names, by layer, and of all parameters together (encoder
  /// and head included); empty in others.
  std::vector<GradientFidelity> layer_fidelity = {};
  GradientFidelity fidelity = {};
  /// What finding that out took; not in epoch_ms.
  double fidelity_ms = 0;
};

/// What a device held at its peak, in bytes: by purpose, in the order of core::MemoryPurpose, and all together.
struct DeviceMemory {
  std::array<std::size_t, core::kNumMemoryPurposes> peak_bytes = {};
  std::size_t peak_bytes_total = 0;
};

/// Why a run ended.
enum class Ending : std::uint8_t { kAllEpochs, kEarlyStop, kStopAfter, kInterrupted };

/// Counts of (true class, predicted class) on the test set by the best epoch's model, row-major [classes, classes];
/// empty if not classification, or of more than 4096 classes.
using Confusion = std::vector<std::int64_t>;

/// Of one label on the test set, by the best epoch's model, a label being predicted where its logit is above 0.
struct LabelCounts {
  std::int64_t true_positives = 0;
  std::int64_t false_positives = 0;
  std::int64_t false_negatives = 0;
};

/// A metric of pairs by the best epoch's model.
struct PairFigure {
  std::string name;
  double val = 0;
  double test = 0;
};

/// What a training gave; of several ranks rank 0 knows all of it, the others lack what is known of other devices and
/// the confusion. Metrics are those of the best epoch: the highest validation metric (lowest for MSE), the lower
/// validation loss among equals, the earlier among those; NaN, and epoch 0, if nothing was evaluated.
struct TrainResult {
  core::Metric metric = core::Metric::kAccuracy;
  std::string split;
  std::uint64_t seed = 0;
  /// Training loss of the last epoch.
  double loss = 0;
  Index best_epoch = 0;
  Evaluation best = {};
  Ending ending = Ending::kAllEpochs;
  /// Median without evaluation.
  double epoch_ms = 0;
  /// Median of EpochRecord::bytes.
  std::uint64_t bytes_per_epoch = 0;
  Topology topology = {};
  /// The last epoch's steps, by device.
  std::vector<std::vector<StepSpan>> spans = {};
  /// Forwards of single layers that were run again within those, by device.
  std::vector<std::vector<StepSpan>> recomputed = {};
  /// By device.
  std::vector<DeviceMemory> device_memory = {};
  std::vector<std::string> remarks = {};
  Confusion confusion = {};
  /// One a label; empty if not multi-label, or of more than 4096 labels.
  std::vector<LabelCounts> label_counts = {};
  /// Of a model of pairs; empty otherwise.
  std::vector<PairFigure> links = {};
  std::vector<EpochRecord> epochs = {};
  /// What all devices have sent in this run, the last checkpoint and evaluation included.
  Ledger sent = {};
  /// Of the largest device, purpose by purpose, and of all purposes together.
  std::array<std::size_t, core::kNumMemoryPurposes> peak_bytes = {};
  std::size_t peak_bytes_total = 0;
  /// Bytes of the graph's arrays and the blocks' matrices.
  std::size_t graph_bytes = 0;
};

}  // namespace laminar::pipeline
