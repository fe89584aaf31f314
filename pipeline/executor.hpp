#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "laminar/layers/model.hpp"
#include "laminar/pipeline/cut_graph.hpp"
#include "laminar/pipeline/device_exchange.hpp"
#include "laminar/pipeline/device_place.hpp"
#include "laminar/pipeline/part_slices.hpp"
#include "laminar/pipeline/recorded_layer.hpp"
#include "laminar/pipeline/schedule.hpp"
#include "laminar/pipeline/stage_link.hpp"
#include "laminar/pipeline/stage_statistics.hpp"
#include "laminar/pipeline/step_span.hpp"
#include "laminar/pipeline/stopwatch.hpp"

namespace laminar::pipeline {

/// What an executor is made of; all pointers but `communicator` (null on one device) are set, and outlive it.
struct ExecutorSetup {
  const layers::Model* model = nullptr;
  DevicePlace place;
  std::shared_ptr<const CutGraph> cut;
  /// Input features of the device's own rows, followed by those of its halo if the model has no encoder; empty if the
  /// stage needs none. See needs_features().
  Features features;
  HistoryOptions history;
  HaloOptions halo;
  /// Whether constant carried tensors are made again from the features rather than sent.
  bool recompute_carried = false;
  /// Whether tapes are dropped after the forward, and recorded again before the backward: wherever that frees more than
  /// must be kept for it. Affects no number.
  bool recompute = false;
  /// Whether steps are timed by what the calling thread has of a core rather than by the clock; for arenas of one
  /// thread.
  bool by_thread_time = false;
  Communicator* communicator = nullptr;
  std::shared_ptr<core::MemoryPool> pool;
};

/// What a forward pass without training gives: rows of the device's own vertices, in the layout's order. Empty but on
/// the last stage.
struct Prediction {
  /// [num_rows, outputs]
  core::Tensor outputs;
  /// [num_rows, width]: what the output layer or head reads. Empty unless asked for.
  core::Tensor embedding;
};

/// The loss of one slice: returns its share of the global loss and writes the gradient of `outputs`.
using ChunkLoss = std::function<double(Index chunk, const core::Tensor& outputs, core::Tensor& gradient)>;

/// Runs a device's step list over its slices: one tape a (chunk, layer), freed as soon as its backward has run, or with
/// ExecutorSetup::recompute as soon as its forward has. Parameter gradients add up in the model. Not thread-safe; call
/// inside the device's arena.
class Executor {
 public:
  explicit Executor(ExecutorSetup setup);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// One pass over `steps` with the dropout masks of (seed, epoch). Returns the sum of the slices' losses.
  /// `layer_done(l)` is called when the last backward of layer l has run, so that its gradients can travel.
  double run(std::span<const Step> steps, std::uint64_t seed, Index epoch, const ChunkOrder& order,
             const ChunkLoss& loss, const std::function<void(Index)>& layer_done = {});
  /// The exact gradients of an epoch's masks, whatever is stale or sampled in training: the whole part forward and
  /// backward as one slice, through all stages and parts. `loss` is called with the chunk -1. Returns the part's share
  /// of the loss. Parameter gradients add up in the model, tables stay as they are; what travels is counted as
  /// evaluation.
  double run_exact(std::uint64_t seed, Index epoch, const ChunkLoss& loss);
  /// Fills the history with an exact forward pass with the masks of (seed, epoch).
  void refresh_history(std::uint64_t seed, Index epoch);

  /// The exact forward pass without dropout, layer by layer, nothing recorded; through all stages and parts.
  Prediction predict(bool embedding = false);

  /// Of the last run().
  const std::vector<StepSpan>& spans() const { return spans_; }
  /// Of the last run(): the forwards of single layers that were run again, each within a step of spans().
  const std::vector<StepSpan>& recomputed() const { return recomputed_; }
  /// Time in the loss within steps.
  double loss_ms() const { return loss_ms_; }
  /// Largest sum of saved activations that were alive at once in the last run().
  std::size_t live_tape_bytes() const { return live_tape_bytes_; }
  /// By layer of the stage, of history or of stale halos; zeros without.
  std::vector<StalenessError> staleness() const;

  const DevicePlace& place() const { return setup_.place; }
  const PartMap& map() const { return map_; }
  const std::vector<Slice>& slices() const { return slices_.chunks(); }
  const Features& features() const { return setup_.features; }
  HistoryTable* history(Index layer) { return history_[static_cast<std::size_t>(layer)].get(); }
  StaleHalo* stale_halo(Index layer) { return stale_[static_cast<std::size_t>(layer)].get(); }
  /// Bytes of sparse input features, which the pool does not meter.
  std::size_t sparse_feature_bytes() const { return setup_.features.sparse.bytes(); }

 private:
  /// Whether a layer's tapes are recorded again; nothing before its first slice with rows has gone forward.
  using Recomputed = std::vector<std::optional<bool>>;
  core::TapeContext context(Index layer) const;
  core::TapeContext training_context(Index layer);
  core::DType computed_dtype() const;
  bool keeps_bfloat16() const;
  core::Tensor state_of(const core::Tape& tape, core::Var v, Index layer) const;
  bool with_history() const;
  bool with_stale_halos() const { return stale_halo_ != nullptr; }
  DeviceExchange::Mode training_mode() const;
  void check_sampled(const core::Tape& tape, Index layer) const;
  bool reads_in_place(Index layer, DeviceExchange::Mode mode) const;
  layers::State features_of(core::Tape& tape, const Slice& slice) const;
  layers::State input_of(core::Tape& tape, const SliceState& state, const Slice& slice, Index layer) const;
  void receive_state(SliceRun& run, const Slice& slice, Cause cause);
  std::unique_ptr<RecordedLayer> record_encoder(const Slice& slice);
  void run_step(const Step& step, SliceRun& run, const Slice& slice);
  void forward(SliceRun& run, const Slice& slice, Index layer, DeviceExchange::Mode mode);
  void record(RecordedLayer& recorded, const Slice& slice, Index layer, Recording recording);
  std::optional<bool>& recomputes(Index layer) {
    return recomputes_[exact_pass_ ? 1 : 0][static_cast<std::size_t>(layer)];
  }
  void drop(RecordedLayer& recorded, const Slice& slice, Index layer, const SliceState& state);
  void record_again(RecordedLayer& recorded, const Slice& slice, Index layer);
  void end_stage(SliceRun& run, const Slice& slice, Cause cause);
  void publish(const SliceState& from, const Slice& slice, Index layer, Recording recording);
  void backward_to_sources(SliceRun& run, const Slice& slice, Index layer);
  void backward_rest(SliceRun& run, const Slice& slice, Index layer);
  double loss_of(SliceRun& run, const Slice& slice, const ChunkLoss& loss);
  Prediction exact_forward(bool training, DeviceExchange::Mode mode, bool embedding);

  ExecutorSetup setup_;
  PartMap map_;
  /// File id of each table row.
  std::vector<core::VertexId> ids_;
  PartSlices slices_;
  std::unique_ptr<core::Block> whole_graph_;
  std::unique_ptr<Halo> halo_;
  std::vector<std::unique_ptr<ExactTable>> exact_;
  std::vector<std::unique_ptr<HistoryTable>> history_;
  std::unique_ptr<Halo> stale_halo_;
  std::vector<std::unique_ptr<StaleHalo>> stale_;
  std::unique_ptr<DeviceExchange> exchange_;
  StageLink link_;
  /// Null with one part.
  std::unique_ptr<StageStatistics> statistics_;

  /// Within run_exact().
  bool exact_pass_ = false;
  /// By layer: in run(), and in run_exact(), which keeps other things.
  std::array<Recomputed, 2> recomputes_;
  /// The layer whose tape is read next, by the backward of the slice that is going forward; -1 = none.
  Index read_next_ = -1;
  std::uint64_t seed_ = 0;
  Index epoch_ = 0;
  /// Runs since the beginning of run().
  StepClock clock_;
  /// Within run(), by slice.
  std::vector<SliceRun> runs_;
  std::vector<StepSpan> spans_;
  std::vector<StepSpan> recomputed_;
  double loss_ms_ = 0;
  std::size_t live_tape_bytes_ = 0;
};

}  // namespace laminar::pipeline
