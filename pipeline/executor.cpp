#include "laminar/pipeline/executor.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/tape.hpp"

namespace laminar::pipeline {

using core::Tape;
using core::Tensor;
using core::Var;
using layers::State;

namespace {

bool begins_backward(Step::Kind kind) { return kind == Step::Kind::kBackward || kind == Step::Kind::kBackwardSources; }

}  // namespace

Executor::Executor(ExecutorSetup setup)
    : setup_(std::move(setup)),
      map_(*setup_.cut, setup_.place.part),
      slices_(*setup_.cut, map_),
      link_(*setup_.model, setup_.place, setup_.recompute_carried, setup_.communicator, setup_.pool) {
  const partition::Layout& layout = setup_.cut->layout;
  ids_.reserve(static_cast<std::size_t>(map_.num_rows()));
  for (Index r = 0; r < map_.num_rows(); ++r) {
    ids_.push_back(layout.file_ids()[static_cast<std::size_t>(map_.vertex_of(r))]);
  }
  if (setup_.place.num_parts > 1) {
    if (setup_.communicator == nullptr) throw Error("[executor] several parts need a communicator");
    halo_ =
        std::make_unique<Halo>(map_, *setup_.communicator, setup_.place.stage * setup_.place.num_parts, setup_.pool);
  } else {
    whole_graph_ = std::make_unique<core::Block>(slices_.part().block);
  }
  const auto num_layers = static_cast<std::size_t>(setup_.model->num_layers());
  exact_.resize(num_layers);
  history_.resize(num_layers);
  stale_.resize(num_layers);
  recomputes_.fill(setup_.recompute ? Recomputed(num_layers) : Recomputed(num_layers, false));
  if (halo_ != nullptr && setup_.halo.stale) {
    // Apart from the exact one, whose messages never outlive a pass.
    stale_halo_ = std::make_unique<Halo>(map_, *setup_.communicator, setup_.place.stage * setup_.place.num_parts,
                                         setup_.pool, std::uint8_t{1});
  }
  for (Index l = setup_.place.layer_begin; l < setup_.place.layer_end; ++l) {
    exact_[l] = std::make_unique<ExactTable>(map_, slices_.chunks(), l, halo_.get(), setup_.pool);
    if (with_history()) {
      history_[l] = std::make_unique<HistoryTable>(map_, ids_, setup_.history, l, halo_.get(), setup_.pool);
    }
    if (with_stale_halos()) {
      stale_[l] = std::make_unique<StaleHalo>(map_, setup_.halo, l, *stale_halo_, setup_.pool);
    }
  }
  if (setup_.place.num_parts > 1) {
    std::vector<Index> group;
    for (Index p = 0; p < setup_.place.num_parts; ++p) {
      group.push_back(setup_.place.stage * setup_.place.num_parts + p);
    }
    statistics_ = std::make_unique<StageStatistics>(*setup_.communicator, std::move(group));
  }
  exchange_ = std::make_unique<DeviceExchange>(setup_.features, exact_, history_, stale_);
}

Executor::~Executor() = default;

bool Executor::with_history() const { return setup_.history.staleness > 0 && setup_.cut->layout.num_chunks() > 1; }
core::DType Executor::computed_dtype() const { return core::computed(setup_.model->options().precision); }
bool Executor::keeps_bfloat16() const { return setup_.model->options().precision == core::DType::kBfloat16; }

/// What stands between layers, as it is kept; outputs are not rounded.
Tensor Executor::state_of(const Tape& tape, Var v, Index layer) const {
  return layer == setup_.model->num_layers() - 1 ? tape.value(v) : tape.narrowed(v);
}

core::TapeContext Executor::context(Index layer) const {
  // A device that holds the whole graph as one slice needs no exchange; its layers may project before they aggregate.
  const bool alone = halo_ == nullptr && slices().size() == 1;
  return {.pool = setup_.pool,
          .dtype = computed_dtype(),
          .bfloat16 = keeps_bfloat16(),
          .layer = static_cast<std::uint64_t>(layer),
          .exchange = alone ? nullptr : exchange_.get(),
          .statistics = statistics_.get()};
}

core::TapeContext Executor::training_context(Index layer) {
  core::TapeContext c = context(layer);
  c.training = true;
  c.history = with_history() || with_stale_halos();
  c.seed = seed_;
  c.epoch = static_cast<std::uint64_t>(epoch_);
  return c;
}

State Executor::features_of(Tape& tape, const Slice& slice) const {
  const Features& f = setup_.features;
  const Index rows = f.sparse ? f.sparse.rows() : f.dense.rows();
  const bool all = slice.rows.begin == 0 && slice.rows.end == rows;
  if (f.sparse) return {tape.input(all ? f.sparse : f.sparse.slice_rows(slice.rows.begin, slice.rows.end)), {}, 0};
  const Tensor x = all ? f.dense : f.dense.slice_rows(slice.rows.begin, slice.rows.end);
  const bool same_always = !tape.context().training || setup_.model->options().input_dropout == 0;
  return {same_always ? tape.permanent_input(x) : tape.input(x, false), {}, 0};
}

/// What layer `layer` starts from.
State Executor::input_of(Tape& tape, const SliceState& state, const Slice& slice, Index layer) const {
  if (layer == 0) return features_of(tape, slice);
  State in;
  in.x = tape.input(state.x, true);
  for (const Tensor& t : state.carried) in.carried.push_back(tape.input(t, true));
  return in;
}

/// From the stage before; constant carried tensors are made again.
void Executor::receive_state(SliceRun& run, const Slice& slice, Cause cause) {
  run.state = link_.receive(slice, Tag::Kind::kState, cause);
  if (!setup_.recompute_carried || setup_.model->num_carried() == 0) return;
  run.encoder = record_encoder(slice);
  for (const Var v : run.encoder->out.carried) run.state.carried.push_back(run.encoder->tape->narrowed(v));
  run.encoder->tape->finish_forward({});
  if (setup_.recompute) run.encoder->tape.reset();
}

std::unique_ptr<RecordedLayer> Executor::record_encoder(const Slice& slice) {
  auto recorded = std::make_unique<RecordedLayer>();
  // Masks are those of layer 0, where the encoder stands.
  recorded->tape = std::make_unique<Tape>(training_context(0));
  recorded->out = setup_.model->encode(*recorded->tape, slice.block, features_of(*recorded->tape, slice));
  return recorded;
}

double Executor::run(std::span<const Step> steps, std::uint64_t seed, Index epoch, const ChunkOrder& order,
                     const ChunkLoss& loss, const std::function<void(Index)>& layer_done) {
  seed_ = seed;
  epoch_ = epoch;
  if (statistics_ != nullptr) statistics_->evaluating(false);
  live_tape_bytes_ = 0;
  loss_ms_ = 0;
  spans_.clear();
  recomputed_.clear();
  double total = 0;
  const auto num_layers = static_cast<std::size_t>(setup_.model->num_layers());
  for (const auto& table : history_) {
    if (table != nullptr) table->begin_epoch(epoch, order);
  }
  for (const auto& halo : stale_) {
    if (halo != nullptr) halo->begin_epoch();
  }
  if (halo_ != nullptr && setup_.halo.samples()) halo_->sample(setup_.halo.rate, seed, epoch, ids_);
  runs_ = std::vector<SliceRun>(slices().size());
  for (SliceRun& run : runs_) run.layers.resize(num_layers);
  std::vector<std::size_t> backwards_left(num_layers, slices().size());
  const Communicator* communicator = setup_.communicator;
  clock_.start(setup_.by_thread_time);
  double now = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const bool turns = i + 1 < steps.size() && begins_backward(steps[i + 1].kind) && steps[i + 1].chunk == step.chunk;
    read_next_ = turns ? steps[i + 1].layer_end - 1 : -1;
    SliceRun& run = runs_[static_cast<std::size_t>(step.chunk)];
    const Slice& slice = slices()[static_cast<std::size_t>(step.chunk)];
    StepSpan span{step, now, 0, 0, 0};
    const double waited = communicator == nullptr ? 0 : communicator->wait_ms();
    const double sent = communicator == nullptr ? 0 : communicator->send_ms();
    run_step(step, run, slice);
    const bool is_forward = step.kind == Step::Kind::kForward || step.kind == Step::Kind::kRead;
    if (is_forward) {
      std::size_t live = 0;
      for (const SliceRun& r : runs_) {
        for (const auto& recorded : r.layers) live += recorded && recorded->tape ? recorded->tape->saved_bytes() : 0;
      }
      live_tape_bytes_ = std::max(live_tape_bytes_, live);
    }
    if (is_forward && step.layer_end == setup_.model->num_layers()) {
      Stopwatch loss_watch;
      total += loss_of(run, slice, loss);
      loss_ms_ += loss_watch.lap_ms();
    }
    if (step.kind == Step::Kind::kBackward || step.kind == Step::Kind::kBackwardRest) {
      for (Index l = step.layer_end - 1; l >= step.layer_begin; --l) {
        if (--backwards_left[l] > 0) continue;
        // Before the gradients of the layer are complete, those of stale reads must be in.
        if (history_[l] != nullptr) history_[l]->finish_epoch();
        if (layer_done) layer_done(l);
      }
    }
    span.begin_ms = std::exchange(now, clock_.elapsed_ms());
    span.end_ms = now;
    span.wait_ms = communicator == nullptr ? 0 : communicator->wait_ms() - waited;
    span.send_ms = communicator == nullptr ? 0 : communicator->send_ms() - sent;
    spans_.push_back(span);
  }
  runs_.clear();
  return total;
}

void Executor::run_step(const Step& step, SliceRun& run, const Slice& slice) {
  const DevicePlace& place = setup_.place;
  switch (step.kind) {
    case Step::Kind::kForward:
    case Step::Kind::kPublish:
      if (step.layer_begin == place.layer_begin && !place.is_first()) receive_state(run, slice, Cause::kStageForward);
      if (step.kind == Step::Kind::kPublish) {
        publish(run.state, slice, step.layer_begin, Recording::kOnce);
        return;
      }
      for (Index l = step.layer_begin; l < step.layer_end; ++l) {
        forward(run, slice, l, training_mode());
      }
      break;
    case Step::Kind::kRead:
      forward(run, slice, step.layer_begin, DeviceExchange::Mode::kRead);
      break;
    case Step::Kind::kBackward:
    case Step::Kind::kBackwardSources:
      if (step.layer_end == place.layer_end && !place.is_last()) {
        run.state = link_.receive(slice, Tag::Kind::kStateGradient, Cause::kStageBackward);
      }
      if (step.kind == Step::Kind::kBackwardSources) {
        backward_to_sources(run, slice, step.layer_begin);
        return;
      }
      for (Index l = step.layer_end - 1; l >= step.layer_begin; --l) {
        backward_to_sources(run, slice, l);
        backward_rest(run, slice, l);
      }
      break;
    case Step::Kind::kBackwardRest:
      backward_rest(run, slice, step.layer_begin);
      break;
  }
  const bool is_forward = step.kind == Step::Kind::kForward || step.kind == Step::Kind::kRead;
  if (is_forward && step.layer_end == place.layer_end && !place.is_last()) {
    link_.send(std::exchange(run.state, {}), slice, Tag::Kind::kState, Cause::kStageForward);
  }
  if (!is_forward && step.layer_begin == place.layer_begin) {
    end_stage(run, slice, Cause::kStageBackward);
  }
}

/// After the backward of a stage's first layer.
void Executor::end_stage(SliceRun& run, const Slice& slice, Cause cause) {
  if (run.encoder != nullptr) {
    if (run.encoder->tape == nullptr) {
      run.encoder = record_encoder(slice);
      run.encoder->tape->finish_forward({});
    }
    for (std::size_t i = 0; i < run.state.carried.size(); ++i) {
      run.encoder->tape->add_gradient(run.encoder->out.carried[i], std::exchange(run.state.carried[i], Tensor()));
    }
    run.encoder->tape->backward();
    run.encoder.reset();
  }
  if (!setup_.place.is_first()) link_.send(std::exchange(run.state, {}), slice, Tag::Kind::kStateGradient, cause);
}

double Executor::run_exact(std::uint64_t seed, Index epoch, const ChunkLoss& loss) {
  const DevicePlace& place = setup_.place;
  // As one slice, whatever its chunks are.
  Slice slice = slices_.part();
  slice.chunk = -1;
  seed_ = seed;
  epoch_ = epoch;
  exact_pass_ = true;
  SliceRun run;
  run.layers.resize(static_cast<std::size_t>(setup_.model->num_layers()));
  read_next_ = place.layer_end - 1;
  if (!place.is_first()) receive_state(run, slice, Cause::kEvaluation);
  for (Index l = place.layer_begin; l < place.layer_end; ++l) forward(run, slice, l, DeviceExchange::Mode::kPass);
  double value = 0;
  if (place.is_last()) {
    value = loss_of(run, slice, loss);
  } else {
    link_.send(std::exchange(run.state, {}), slice, Tag::Kind::kState, Cause::kEvaluation);
    run.state = link_.receive(slice, Tag::Kind::kStateGradient, Cause::kEvaluation);
  }
  for (Index l = place.layer_end - 1; l >= place.layer_begin; --l) {
    backward_to_sources(run, slice, l);
    backward_rest(run, slice, l);
  }
  end_stage(run, slice, Cause::kEvaluation);
  exact_pass_ = false;
  return value;
}

DeviceExchange::Mode Executor::training_mode() const {
  using Mode = DeviceExchange::Mode;
  return with_history() ? Mode::kHistory : with_stale_halos() ? Mode::kStale : Mode::kPass;
}

void Executor::check_sampled(const Tape& tape, Index layer) const {
  if (halo_ == nullptr || !setup_.halo.samples()) return;
  const core::AggregationNode* aggregation = tape.aggregation();
  if (aggregation == nullptr || aggregation->linear_matrix() != nullptr) return;
  throw UsageError(
      fmt::format("--boundary-rate {}: layer {} ({}) aggregates by more than a sum or a mean, where rows that are left "
                  "out can't be made up for by a factor; leave the option out",
                  setup_.halo.rate, layer, setup_.model->options().layer));
}

void Executor::publish(const SliceState& from, const Slice& slice, Index layer, Recording recording) {
  core::TapeContext context = training_context(layer);
  context.record = false;
  Tape tape(context);
  exchange_->begin({DeviceExchange::Mode::kPublish, &slice, layer, Cause::kHaloForward, &tape.context(), recording});
  try {
    setup_.model->forward(layer, tape, slice.block, input_of(tape, from, slice, layer));
  } catch (const Published&) {
    return;
  }
}

void Executor::forward(SliceRun& run, const Slice& slice, Index layer, DeviceExchange::Mode mode) {
  auto recorded = std::make_unique<RecordedLayer>();
  recorded->mode = mode;
  recorded->from = std::exchange(run.state, {});
  // What several slices share is kept for all of them.
  const bool is_read_next = layer == read_next_;
  const bool keeps = recomputes(layer).value_or(true) && (slices().size() > 1 || !is_read_next);
  record(*recorded, slice, layer, keeps ? Recording::kFirst : Recording::kOnce);
  Tape& tape = *recorded->tape;
  recorded->learnt_sources = exchange_->kind() == DeviceExchange::Kind::kLearnt;
  if (recorded->learnt_sources && mode == DeviceExchange::Mode::kHistory) history_[layer]->recorded(tape);
  if (recorded->learnt_sources && !exact_pass_) check_sampled(tape, layer);
  run.state.x = state_of(tape, recorded->out.x, layer);
  for (const Var v : recorded->out.carried) run.state.carried.push_back(tape.narrowed(v));
  // The state lives on in `run` and in the next tape; this one keeps only what its own backward reads.
  tape.finish_forward({});
  if (keeps && !is_read_next) drop(*recorded, slice, layer, run.state);
  // With several slices the others' second time may need where this one started from.
  const bool others_recorded_again = slices().size() > 1 && recomputes(layer).value_or(true);
  if (recorded->tape != nullptr && !others_recorded_again) recorded->from = {};
  run.layers[static_cast<std::size_t>(layer)] = std::move(recorded);
}

/// Runs the layer's forward on a new tape.
void Executor::record(RecordedLayer& recorded, const Slice& slice, Index layer, Recording recording) {
  recorded.tape = std::make_unique<Tape>(training_context(layer));
  Tape& tape = *recorded.tape;
  recorded.in = input_of(tape, recorded.from, slice, layer);
  // A tape that is the only one to hold its input may write in the same place.
  if (recording != Recording::kFirst) recorded.from = {};
  const Cause cause = exact_pass_ ? Cause::kEvaluation : Cause::kHaloForward;
  const Slice& reader = reads_in_place(layer, recorded.mode) ? slices_.reading_table(slice) : slice;
  exchange_->begin({recorded.mode, &reader, layer, cause, &tape.context(), recording});
  const KeptSums sums(statistics_.get(), recording, recorded.sums);
  recorded.out = setup_.model->forward(layer, tape, reader.block, recorded.in);
}

/// Drops a tape that will be recorded again, if the layer's are to be: decided by the first slice with rows, for good.
/// `state`: what it gave, which lives on.
void Executor::drop(RecordedLayer& recorded, const Slice& slice, Index layer, const SliceState& state) {
  std::optional<bool>& recomputes = this->recomputes(layer);
  if (!recomputes && slice.rows.size() > 0) {
    recomputes = is_worth_recording_again(recorded, state, exchange_->kept_bytes());
    if (!*recomputes && history_[layer] != nullptr) history_[layer]->forget();
    if (!*recomputes) exact_[layer]->forget();
  }
  if (recomputes.value_or(false)) recorded.tape.reset();
}

void Executor::record_again(RecordedLayer& recorded, const Slice& slice, Index layer) {
  StepSpan span{{Step::Kind::kForward, slice.chunk, layer, layer + 1}, clock_.elapsed_ms(), 0, 0, 0};
  const bool reads = recorded.mode == DeviceExchange::Mode::kRead && recorded.learnt_sources;
  if (reads && !exact_[layer]->is_published()) {
    for (const Slice& s : slices()) {
      const auto& other = runs_[static_cast<std::size_t>(s.chunk)].layers[static_cast<std::size_t>(layer)];
      // A slice that is through with its backward has no readers left.
      if (other != nullptr) publish(other->from, s, layer, Recording::kAgain);
    }
  }
  record(recorded, slice, layer, Recording::kAgain);
  recorded.tape->finish_forward({});
  span.end_ms = clock_.elapsed_ms();
  if (!exact_pass_) recomputed_.push_back(span);
}

/// Where the gradient is pulled, no tape keeps source rows, so they can be read where they stand, and no chunk copies
/// those that it reads. Blocks over the whole table carry a transpose with a row for each vertex: only if those of all
/// chunks are no larger than the table.
bool Executor::reads_in_place(Index layer, DeviceExchange::Mode mode) const {
  return mode == DeviceExchange::Mode::kHistory && history_[layer]->pulls() &&
         2 * setup_.cut->layout.num_chunks() <= history_[layer]->width();
}

double Executor::loss_of(SliceRun& run, const Slice& slice, const ChunkLoss& loss) {
  const Tensor& x = run.state.x;
  Tensor gradient(x.rows(), x.cols(), x.dtype(), setup_.pool.get(), core::MemoryPurpose::kGradients);
  const double value = loss(slice.chunk, x, gradient);
  run.state = {std::move(gradient), {}};
  return value;
}

void Executor::backward_to_sources(SliceRun& run, const Slice& slice, Index layer) {
  RecordedLayer& recorded = *run.layers[static_cast<std::size_t>(layer)];
  if (recorded.tape == nullptr) record_again(recorded, slice, layer);
  Tape& tape = *recorded.tape;
  tape.add_gradient(recorded.out.x, std::exchange(run.state.x, Tensor()));
  for (std::size_t i = 0; i < run.state.carried.size(); ++i) {
    tape.add_gradient(recorded.out.carried[i], std::exchange(run.state.carried[i], Tensor()));
  }
  run.state.carried.clear();
  // The history runs the tape down itself.
  if (!exact_pass_ && with_history() && recorded.learnt_sources) return;
  tape.backward_to_sources();
  if (exact_pass_ || slices().size() == 1 || !recorded.learnt_sources) return;
  exact_[layer]->add_gradient(slice, tape.take_source_gradient());
}

void Executor::backward_rest(SliceRun& run, const Slice& slice, Index layer) {
  RecordedLayer& recorded = *run.layers[static_cast<std::size_t>(layer)];
  Tape& tape = *recorded.tape;
  if (!recorded.learnt_sources) {
    tape.backward_from_sources(tape.take_source_gradient());
  } else if (exact_pass_) {
    tape.backward_from_sources(exact_[layer]->pass_back(slice, tape.take_source_gradient(), Cause::kEvaluation));
  } else if (with_history()) {
    tape.backward_from_sources(history_[layer]->backward(slice, tape, whole_graph_.get()));
  } else if (with_stale_halos()) {
    tape.backward_from_sources(stale_[layer]->pass_back(slice, tape.take_source_gradient()));
  } else if (slices().size() == 1) {
    tape.backward_from_sources(exact_[layer]->pass_back(slice, tape.take_source_gradient()));
  } else {
    tape.backward_from_sources(exact_[layer]->take_gradient(slice));
  }
  if (layer > 0) {
    run.state.x = tape.take_gradient(recorded.in.x);
    for (const Var v : recorded.in.carried) run.state.carried.push_back(tape.take_gradient(v));
  }
  run.layers[static_cast<std::size_t>(layer)].reset();
}

void Executor::refresh_history(std::uint64_t seed, Index epoch) {
  if (!with_history()) return;
  seed_ = seed;
  epoch_ = epoch;
  exact_forward(true, DeviceExchange::Mode::kRefresh, false);
}

Prediction Executor::predict(bool embedding) { return exact_forward(false, DeviceExchange::Mode::kPass, embedding); }

Prediction Executor::exact_forward(bool training, DeviceExchange::Mode mode, bool embedding) {
  const layers::Model& model = *setup_.model;
  const DevicePlace& place = setup_.place;
  const Slice& slice = slices_.part();
  const Cause cause = training ? Cause::kHaloForward : Cause::kEvaluation;
  if (statistics_ != nullptr) statistics_->evaluating(!training);
  const auto context_of = [&](Index layer) {
    core::TapeContext c = training ? training_context(layer) : context(layer);
    c.record = false;
    return c;
  };
  Prediction result;
  SliceState state;
  if (!place.is_first()) {
    state = link_.receive(slice, Tag::Kind::kState, training ? Cause::kStageForward : cause);
    if (setup_.recompute_carried && model.num_carried() > 0) {
      Tape tape(context_of(0));
      const State made = model.encode(tape, slice.block, features_of(tape, slice));
      for (const Var v : made.carried) state.carried.push_back(tape.narrowed(v));
    }
  }
  for (Index l = place.layer_begin; l < place.layer_end; ++l) {
    Tape tape(context_of(l));
    State in = input_of(tape, state, slice, l);
    state = {};
    exchange_->begin({mode, &slice, l, cause, &tape.context()});
    Var read;
    const State out = model.forward(l, tape, slice.block, std::move(in), embedding ? &read : nullptr);
    state.x = state_of(tape, out.x, l);
    if (read && !tape.is_sparse(read)) result.embedding = tape.value(read);
    for (const Var v : out.carried) state.carried.push_back(tape.narrowed(v));
  }
  if (!place.is_last()) {
    link_.send(std::move(state), slice, Tag::Kind::kState, training ? Cause::kStageForward : cause);
    return {};
  }
  result.outputs = std::move(state.x);
  return result;
}

std::vector<StalenessError> Executor::staleness() const {
  std::vector<StalenessError> errors;
  for (Index l = setup_.place.layer_begin; l < setup_.place.layer_end; ++l) {
    errors.push_back(history_[l] != nullptr ? history_[l]->staleness()
                     : stale_[l] != nullptr ? stale_[l]->staleness()
                                            : StalenessError{});
  }
  return errors;
}

}  // namespace laminar::pipeline
