#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "laminar/core/optimizer.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/device_task.hpp"
#include "laminar/pipeline/executor.hpp"
#include "laminar/pipeline/gradient_sync.hpp"
#include "laminar/pipeline/train_result.hpp"
#include "laminar/pipeline/training_input.hpp"

namespace laminar::pipeline {

/// One device's share of a training: its layers' parameters and optimiser state, its part's slices. All devices run the
/// same loop and come to the same decisions, since what those rest on (losses, metrics, a wish to stop) is exchanged.
/// Device 0 speaks for all: it has the observers and writes checkpoints.
class DeviceTrainer {
 public:
  /// `input` must outlive it; `transport` is null if the device is alone. Reads its features from `data`.
  DeviceTrainer(const TrainingInput& input, const core::Dataset& data, Index device, int threads, Transport* transport);
  ~DeviceTrainer();

  /// Trains to the end, calling the observers (at device 0) after every epoch; evaluates, writes checkpoints. On an
  /// error what was learnt before is written to the checkpoint, if that can be done by this device alone.
  /// `stop` is asked before each epoch, at device 0.
  TrainResult train(const std::vector<std::function<void(const EpochRecord&)>>& observers,
                    const std::atomic<bool>& stop);

  /// Takes over this device's share of a checkpoint that fits.
  void resume(const Checkpoint& checkpoint);
  /// Of all devices, at device 0; they all call it. Elsewhere only this device's share.
  Checkpoint checkpoint();

  /// See Trainer::pair_figures().
  std::vector<PairFigure> pair_figures();

  /// See Trainer::predict().
  Prediction predict(bool embedding);

  const layers::Model& model() const { return model_; }
  Executor& executor() { return *executor_; }
  /// The loss and gradients of one epoch without a step; all devices call it. For tests and measurements.
  double compute_gradients(Index epoch);

 private:
  EpochRecord train_epoch(Index done);
  void evaluate(EpochRecord& record);
  bool is_better(const Evaluation& e) const;
  void remember_weights();
  template <class F>
  void with_best_weights(F&& work);
  bool stop_wanted(const std::atomic<bool>& stop);
  bool patience_is_over() const;
  Ending train_all(const std::vector<std::function<void(const EpochRecord&)>>& observers,
                   const std::atomic<bool>& stop);
  void restore_feedback(const Checkpoint& checkpoint);
  void write_checkpoint_now();
  TrainResult result(Ending ending);
  ChunkLoss train_loss(Index epoch) const;
  void measure_fidelity(Index epoch, EpochRecord& record);
  void share(EpochRecord& record);

  const TrainingInput& input_;
  DevicePlace place_;
  core::Arena arena_;
  std::shared_ptr<core::MemoryPool> pool_;
  layers::Model model_;
  std::vector<core::Parameter*> parameters_;
  std::unique_ptr<core::Optimizer> optimizer_;
  std::unique_ptr<Communicator> communicator_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<DeviceTask> task_;
  std::unique_ptr<GradientSync> sync_;
  /// The schedule of an epoch whose order never changes.
  std::optional<Schedule> fixed_schedule_;

  Index epoch_ = 0;
  Index best_epoch_ = 0;
  Evaluation best_;
  std::vector<core::NamedTensor> best_weights_;
  std::vector<EpochRecord> epochs_;
  std::size_t graph_bytes_ = 0;
  /// What this device had sent when the last record was made: the next one tells of all that was sent since.
  Ledger reported_;
};

}  // namespace laminar::pipeline
