#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/train_options.hpp"
#include "laminar/pipeline/train_result.hpp"

namespace laminar::pipeline {

struct Plan;
struct Prediction;
struct PairSplit;
class DeviceTrainer;

/// Trains a model on a dataset:
///
///     auto data = datasets::open("cora.h5");
///     pipeline::Trainer trainer({.layer = "gcn", .hidden = 16}, *data, {.epochs = 200, .seed = 1});
///     pipeline::TrainResult result = trainer.run();
///
/// A model with a decoder (ModelOptions::decoder) is trained on the graph's pairs of vertices, which TrainOptions::link
/// splits, on one device or in a pipeline with one chunk; labels and splits of the dataset are not looked at.
///
/// For a model that learns embeddings of vertices (ModelOptions::input) the dataset is that of with_learned_features().
///
/// Same seed, same result, on any number of threads. One thread at a time, but for request_stop().
class Trainer {
 public:
  /// Reads what it needs of `data`, which need not outlive it. Throws UsageError for options out of range, a split that
  /// isn't there, a metric that doesn't go with the task, or a topology that can't train pairs; Error if the split has
  /// no training or validation vertices with labels, or the graph too few pairs.
  ///
  /// Devices are threads of this process, or, with `rank`, which must outlive the trainer, this process is one of them:
  /// then all ranks make the same trainer and call the same functions. Throws Error, on all ranks, if their versions,
  /// options or graphs differ.
  Trainer(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
          Transport* rank = nullptr);
  ~Trainer();

  /// Called after every epoch, in the thread of device 0 (of this process's first device, on other ranks never).
  void observe(std::function<void(const EpochRecord&)> observer);
  /// Asks run() to end after the current epoch, write its checkpoint and return. Safe from a signal handler or another
  /// thread.
  void request_stop() noexcept;

  /// Goes on from a checkpoint of the same model, options and dataset, made on whatever topology. Throws Error, saying
  /// what differs, otherwise, and if ranks bring different checkpoints.
  void resume(const Checkpoint& checkpoint);

  /// Trains up to the last epoch, early stopping, or a stop request. Throws Error if the loss becomes NaN or infinite,
  /// naming the epoch, or if a checkpoint can't be written.
  TrainResult run();

  /// The state after the last epoch, sharing its tensors with the trainer; make_model() of it is the best epoch's
  /// model. Of several ranks all call it, and every one's tables of history go to rank 0.
  Checkpoint checkpoint() const;
  /// What is trained, as a checkpoint would say.
  const TrainOptions& options() const;
  const DataSignature& data() const;
  /// What the best epoch's weights (the last ones if nothing was evaluated) say of every vertex, in the file's order,
  /// through all devices; of several ranks all call it, and rank 0 gets the rows.
  Prediction predict(bool embedding = false);
  /// Of a model of pairs, what the best epoch's weights (before the training the initial ones) say of validation and
  /// test pairs; of several ranks all call it. Empty for a model of vertices.
  std::vector<PairFigure> pair_figures();
  /// How the pairs are split; null for a model of vertices.
  std::shared_ptr<const PairSplit> links() const;
  /// With the weights of the last epoch; of this process's first device.
  const layers::Model& model() const;
  const Plan& plan() const;

  /// The loss of one epoch, and its gradients in the devices' models, without a step. For tests and measurements.
  double compute_gradients(Index epoch);
  /// Device d of this process.
  DeviceTrainer& device(Index d);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laminar::pipeline
