#pragma once

#include <memory>
#include <vector>

#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/device_place.hpp"
#include "laminar/pipeline/pair_objective.hpp"
#include "laminar/pipeline/training_input.hpp"

namespace laminar::pipeline {

/// What a training is made to do, as one device sees it: the loss that its backward starts from, and the figures that
/// the model is judged by. The devices of the last stage hold targets; what is judged is exchanged, counted as
/// evaluation, so that all devices know it. One thread at a time, inside an arena.
class DeviceTask {
 public:
  /// `input`, `model` and `communicator`, which is null on one device, must outlive it.
  DeviceTask(const TrainingInput& input, const DevicePlace& place, const layers::Model& model,
             Communicator* communicator, std::shared_ptr<core::MemoryPool> pool);
  ~DeviceTask();

  /// A ChunkLoss of the last stage: the share of the training loss of a chunk's outputs, or, with chunk -1, of the
  /// part's.
  double train_loss(Index epoch, Index chunk, const core::Tensor& outputs, core::Tensor& gradient) const;

  // All devices call these with what they have predicted: the part's outputs, or, before the last stage, nothing.

  Evaluation evaluate(const core::Tensor& outputs) const;
  /// Known at device 0. Empty, without anything sent, if the task is not to tell classes apart, or there are more than
  /// 4096, where it is of no use.
  Confusion confusion_on_test(const core::Tensor& outputs) const;
  /// Likewise, of multi-label targets.
  std::vector<LabelCounts> label_counts_on_test(const core::Tensor& outputs) const;
  /// Empty if the model is not of pairs.
  std::vector<PairFigure> pair_figures(const core::Tensor& outputs) const;
  /// Whether one of the last three has something to tell.
  bool has_test_figures() const;

 private:
  bool tells_of(core::Task task) const;
  Evaluation evaluate_labels(const core::Tensor& outputs) const;
  Evaluation evaluate_pairs(const core::Tensor& outputs) const;

  const TrainingInput& input_;
  Communicator* communicator_;
  bool is_last_stage_;
  /// On the last stage: of the part, and of each slice.
  Targets part_targets_;
  std::vector<Targets> slice_targets_;
  /// On the last stage, for models of pairs: the one device that has the last layers has all vertices.
  std::unique_ptr<PairObjective> pairs_;
};

}  // namespace laminar::pipeline
