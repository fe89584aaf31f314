#include "laminar/pipeline/device_trainer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/device_features.hpp"
#include "laminar/pipeline/device_report.hpp"
#include "laminar/pipeline/gradient_fidelity.hpp"
#include "laminar/pipeline/history_state.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/predictor.hpp"
#include "laminar/pipeline/statistics.hpp"
#include "laminar/pipeline/stopwatch.hpp"
#include "laminar/pipeline/tensor_bytes.hpp"

namespace laminar::pipeline {

using core::NamedTensor;
using core::Tensor;

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
/// The training has diverged, on all devices alike.
class Diverged : public Error {
 public:
  using Error::Error;
};

}  // namespace

DeviceTrainer::DeviceTrainer(const TrainingInput& input, const core::Dataset& data, Index device, int threads,
                             Transport* transport)
    : input_(input),
      place_(input.plan.place(device)),
      arena_(threads),
      pool_(core::MemoryPool::create()),
      model_(input.model, data.schema(), pool_.get(),
             {place_.layer_begin, place_.layer_end, input.plan.recompute_carried}),
      best_{kUndefined, kUndefined, kUndefined, kUndefined} {
  const Plan& plan = input.plan;
  optimizer_ = core::make_optimizer(input.options.optimizer, pool_);
  for (const auto& p : model_.parameters()) parameters_.push_back(p.get());
  if (transport != nullptr) {
    communicator_ = std::make_unique<Communicator>(*transport, input.options.distribution.compression, pool_);
  }
  arena_.execute([&] {
    std::optional<core::Graph> whole;
    if (reads_whole_graph(input.model)) whole = plan.cut->in_file_order();
    model_.initialize(input.options.seed, whole ? &*whole : nullptr);
    ExecutorSetup setup;
    setup.model = &model_;
    setup.place = place_;
    setup.cut = plan.cut;
    setup.features = load_device_features(data.features(), model_, *plan.cut, place_,
                                          needs_features(model_, place_, plan.recompute_carried), pool_.get());
    setup.history = plan.history;
    setup.halo = plan.halo;
    setup.recompute_carried = plan.recompute_carried;
    setup.recompute = input.options.recompute == Recompute::kAlways;
    setup.communicator = communicator_.get();
    setup.pool = pool_;
    executor_ = std::make_unique<Executor>(std::move(setup));
    task_ = std::make_unique<DeviceTask>(input, place_, model_, communicator_.get(), pool_);
    sync_ = std::make_unique<GradientSync>(model_, place_, plan.recompute_carried, communicator_.get());
  });
  graph_bytes_ = plan.cut->graph.bytes();
  // An exact epoch's order never changes; with history it is made anew.
  if (plan.history.staleness == 0) fixed_schedule_ = plan.schedule_of(plan.order_of(input.options.seed, 0));
}

DeviceTrainer::~DeviceTrainer() = default;

double DeviceTrainer::compute_gradients(Index epoch) {
  const Plan& plan = input_.plan;
  const ChunkOrder order = plan.order_of(input_.options.seed, epoch);
  const Schedule schedule = fixed_schedule_ ? *fixed_schedule_ : plan.schedule_of(order);
  core::zero_gradients(model_.parameters());
  if (communicator_ != nullptr) communicator_->begin_epoch(epoch);
  const HistoryOptions& history = plan.history;
  if (history.staleness > 0 && history.refresh_every > 0 && epoch % history.refresh_every == 0) {
    executor_->refresh_history(input_.options.seed, epoch);
  }
  const double local =
      executor_->run(schedule.stages[static_cast<std::size_t>(place_.stage)], input_.options.seed, epoch, order,
                     train_loss(epoch), [&](Index layer) { sync_->begin_layer(layer, Cause::kWeights); });
  sync_->finish(Cause::kWeights);
  return local;
}

ChunkLoss DeviceTrainer::train_loss(Index epoch) const {
  return [this, epoch](Index chunk, const Tensor& outputs, Tensor& gradient) {
    return task_->train_loss(epoch, chunk, outputs, gradient);
  };
}

void DeviceTrainer::measure_fidelity(Index epoch, EpochRecord& record) {
  Stopwatch watch;
  std::vector<Tensor> trained;
  for (const core::Parameter* p : parameters_) {
    trained.push_back(p->gradient.clone(pool_.get(), core::MemoryPurpose::kGradients));
  }
  core::zero_gradients(model_.parameters());
  executor_->run_exact(input_.options.seed, epoch, train_loss(epoch));
  for (Index l = place_.layer_end - 1; l >= place_.layer_begin; --l) sync_->begin_layer(l, Cause::kEvaluation);
  sync_->finish(Cause::kEvaluation);
  FidelitySums sums(model_.num_layers());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (sync_->counts_here(i)) {
      sums.add(model_.layer_of(static_cast<Index>(i)), trained[i], parameters_[i]->gradient);
    }
    parameters_[i]->gradient.copy_from(trained[i]);
  }
  if (communicator_ != nullptr) sums.values() = communicator_->sum(sums.values(), Cause::kEvaluation);
  for (Index l = 0; l < model_.num_layers(); ++l) record.layer_fidelity.push_back(sums.of_layer(l));
  record.fidelity = sums.of_all();
  record.fidelity_ms = watch.lap_ms();
}

EpochRecord DeviceTrainer::train_epoch(Index done) {
  const TrainOptions& options = input_.options;
  EpochRecord record;
  Stopwatch watch;
  record.epoch = done + 1;
  record.learning_rate = core::learning_rate(options.learning_rate, done, options.epochs);
  record.gradient_norm = kUndefined;
  const double waited = communicator_ == nullptr ? 0 : communicator_->wait_ms();
  const double sent = communicator_ == nullptr ? 0 : communicator_->send_ms();
  Stopwatch pass;
  record.loss = compute_gradients(done);
  const double pass_ms = pass.lap_ms();
  for (const StepSpan& span : executor_->spans()) {
    const bool forward = span.step.kind == Step::Kind::kForward || span.step.kind == Step::Kind::kPublish ||
                         span.step.kind == Step::Kind::kRead;
    (forward ? record.forward_ms : record.backward_ms) += span.end_ms - span.begin_ms;
  }
  for (const StepSpan& span : executor_->recomputed()) record.recompute_ms += span.end_ms - span.begin_ms;
  record.loss_ms = executor_->loss_ms();
  record.forward_ms -= record.loss_ms;
  if (communicator_ != nullptr) {
    record.devices.resize(static_cast<std::size_t>(input_.plan.num_devices()));
    DeviceTimes& times = record.devices[static_cast<std::size_t>(place_.device())];
    times.wait_ms = communicator_->wait_ms() - waited;
    times.send_ms = communicator_->send_ms() - sent;
    times.busy_ms = pass_ms - times.wait_ms - times.send_ms;
  }
  const Index every = input_.options.distribution.fidelity_every;
  if (every > 0 && record.epoch % every == 0) measure_fidelity(done, record);
  share(record);
  if (!std::isfinite(record.loss)) {
    throw Diverged(
        fmt::format("the training loss is {} in epoch {}; try a smaller --lr, --clip-norm 1, or check the features",
                    record.loss, record.epoch));
  }
  Stopwatch step;
  if (options.clip_norm > 0) record.gradient_norm = sync_->clip(options.clip_norm);
  optimizer_->step(parameters_, record.learning_rate);
  record.optimizer_ms = step.lap_ms();
  record.epoch_ms = watch.lap_ms() - record.fidelity_ms;
  return record;
}

void DeviceTrainer::share(EpochRecord& record) {
  const auto num_layers = static_cast<std::size_t>(model_.num_layers());
  const bool history = input_.plan.history.staleness > 0 || input_.plan.halo.stale;
  std::vector<double> differences(num_layers, 0), norms(num_layers, 0);
  if (history) {
    const std::vector<StalenessError> errors = executor_->staleness();
    for (std::size_t i = 0; i < errors.size(); ++i) {
      differences[static_cast<std::size_t>(place_.layer_begin) + i] = errors[i].difference;
      norms[static_cast<std::size_t>(place_.layer_begin) + i] = errors[i].norm;
    }
  }
  if (communicator_ != nullptr) {
    const Ledger sent = communicator_->ledger() - reported_;
    reported_ = communicator_->ledger();
    std::vector<double> values{record.loss};
    for (const auto* counts : {&sent.bytes, &sent.messages})
      values.insert(values.end(), counts->begin(), counts->end());
    values.insert(values.end(), differences.begin(), differences.end());
    values.insert(values.end(), norms.begin(), norms.end());
    for (const DeviceTimes& d : record.devices) values.insert(values.end(), {d.busy_ms, d.wait_ms, d.send_ms});
    values = communicator_->sum(values);
    std::size_t at = 0;
    record.loss = values[at++];
    for (auto& b : record.ledger.bytes) b = static_cast<std::uint64_t>(values[at++]);
    for (auto& m : record.ledger.messages) m = static_cast<std::uint64_t>(values[at++]);
    for (double& d : differences) d = values[at++];
    for (double& n : norms) n = values[at++];
    for (DeviceTimes& d : record.devices) {
      d.busy_ms = values[at++];
      d.wait_ms = values[at++];
      d.send_ms = values[at++];
    }
    record.bytes = record.ledger.training_bytes();
  }
  for (std::size_t l = 0; l < num_layers && history; ++l) {
    record.staleness.push_back(norms[l] > 0 ? std::sqrt(differences[l] / norms[l]) : 0);
  }
}

void DeviceTrainer::evaluate(EpochRecord& record) {
  Stopwatch watch;
  const Ledger before = communicator_ == nullptr ? Ledger{} : communicator_->ledger();
  record.evaluation = task_->evaluate(executor_->predict().outputs);
  record.evaluated = true;
  if (communicator_ != nullptr) {
    constexpr auto kCause = static_cast<std::size_t>(Cause::kEvaluation);
    const Ledger sent = communicator_->ledger() - before;
    reported_.bytes[kCause] += sent.bytes[kCause];
    reported_.messages[kCause] += sent.messages[kCause];
    const std::vector<double> counts = communicator_->sum(
        std::vector<double>{static_cast<double>(sent.bytes[kCause]), static_cast<double>(sent.messages[kCause])});
    record.ledger.bytes[kCause] += static_cast<std::uint64_t>(counts[0]);
    record.ledger.messages[kCause] += static_cast<std::uint64_t>(counts[1]);
  }
  if (is_better(record.evaluation)) {
    best_ = record.evaluation;
    best_epoch_ = record.epoch;
    remember_weights();
  }
  record.evaluation_ms = watch.lap_ms();
}

bool DeviceTrainer::is_better(const Evaluation& e) const {
  if (best_epoch_ == 0) return true;
  if (input_.options.select == Selection::kLoss) return e.val_loss < best_.val_loss;
  // An undefined metric (no positives, say) never wins over a defined one.
  if (std::isnan(best_.val_metric) || std::isnan(e.val_metric)) {
    if (std::isnan(best_.val_metric) != std::isnan(e.val_metric)) return std::isnan(best_.val_metric);
    return e.val_loss < best_.val_loss;
  }
  if (e.val_metric != best_.val_metric) {
    return core::higher_is_better(input_.metric) == (e.val_metric > best_.val_metric);
  }
  return e.val_loss < best_.val_loss;
}

void DeviceTrainer::remember_weights() {
  if (best_weights_.empty()) {
    for (const core::Parameter* p : parameters_) {
      best_weights_.push_back({p->name, p->value.clone(pool_.get(), core::MemoryPurpose::kParameters)});
    }
    return;
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) best_weights_[i].value.copy_from(parameters_[i]->value);
}

/// They are put in the model's place meanwhile, as a resumed run has not seen their epoch. Without any the model stays.
template <class F>
void DeviceTrainer::with_best_weights(F&& work) {
  const auto swap = [&] {
    for (std::size_t i = 0; i < best_weights_.size(); ++i) std::swap(parameters_[i]->value, best_weights_[i].value);
  };
  swap();
  work();
  swap();
}

std::vector<PairFigure> DeviceTrainer::pair_figures() {
  std::vector<PairFigure> figures;
  arena_.execute([&] { with_best_weights([&] { figures = task_->pair_figures(executor_->predict().outputs); }); });
  return figures;
}

Prediction DeviceTrainer::predict(bool embedding) {
  Prediction all;
  arena_.execute([&] {
    Prediction own;
    with_best_weights([&] { own = executor_->predict(embedding); });
    all = gather_prediction(communicator_.get(), input_.plan, place_, own);
  });
  return all;
}

Checkpoint DeviceTrainer::checkpoint() {
  Checkpoint c;
  c.model = input_.model;
  c.options = input_.options;
  c.data = input_.signature;
  c.epoch = epoch_;
  c.best_epoch = best_epoch_;
  c.best = best_;
  c.epochs = epochs_;
  // A replica's parameters are those of the first part, and of the encoder those of the first stage.
  const auto is_replica = [&](const std::string& name) {
    return place_.part > 0 || (!place_.is_first() && name.rfind("encoder.", 0) == 0);
  };
  for (const core::Parameter* p : parameters_) {
    if (!is_replica(p->name)) c.weights.push_back({p->name, p->value});
  }
  for (const NamedTensor& t : best_weights_) {
    if (!is_replica(t.name)) c.best_weights.push_back(t);
  }
  for (const NamedTensor& t : optimizer_->state()) {
    const std::size_t slash = t.name.find('/');
    if (slash == std::string::npos ? place_.device() == 0 : !is_replica(t.name.substr(slash + 1))) {
      c.optimizer.push_back(t);
    }
  }
  c.tables = history_state(*executor_, model_.num_layers());
  if (communicator_ != nullptr) {
    // What rounding of weight gradients has kept back; empty without int8.
    for (const auto& [bucket, kept] : communicator_->feedback()) {
      c.tables.push_back({fmt::format("feedback.{}/{}", place_.device(), bucket), kept});
    }
  }
  if (!c.tables.empty()) describe_layout(input_.plan.cut->layout, c);
  if (communicator_ == nullptr) return c;
  // Every device's share goes to device 0, list by list.
  const std::array lists{&c.weights, &c.best_weights, &c.optimizer, &c.tables};
  for (std::size_t i = 0; i < lists.size(); ++i) {
    const Tag tag{.kind = Tag::Kind::kControl, .item = static_cast<std::uint8_t>(i + 1)};
    if (place_.device() != 0) {
      communicator_->send_bytes(0, tag, pack(*lists[i]), Cause::kOther);
      continue;
    }
    for (Index d = 1; d < input_.plan.num_devices(); ++d) {
      const std::vector<NamedTensor> share = unpack(communicator_->receive_bytes(d, tag));
      lists[i]->insert(lists[i]->end(), share.begin(), share.end());
    }
  }
  if (!c.tables.empty() && c.part_of.empty()) describe_layout(input_.plan.cut->layout, c);
  return c;
}

void DeviceTrainer::resume(const Checkpoint& c) {
  const auto held = [&](const std::vector<NamedTensor>& all) {
    std::vector<NamedTensor> mine;
    for (const NamedTensor& t : all) {
      const std::size_t slash = t.name.find('/');
      const std::string name = slash == std::string::npos ? t.name : t.name.substr(slash + 1);
      const bool is_mine = name == "step" || std::any_of(parameters_.begin(), parameters_.end(),
                                                         [&](const core::Parameter* p) { return p->name == name; });
      if (is_mine) mine.push_back(t);
    }
    return mine;
  };
  arena_.execute([&] {
    best_weights_.clear();
    if (!c.best_weights.empty()) {
      // Put through the model, so that they stand in its order and are known to fit.
      load_weights(held(c.best_weights), model_.parameters());
      remember_weights();
    }
    load_weights(held(c.weights), model_.parameters());
    optimizer_->load_state(held(c.optimizer), parameters_);
    load_history(c, *input_.plan.cut, *executor_);
    restore_feedback(c);
  });
  epoch_ = c.epoch;
  best_epoch_ = c.best_epoch;
  best_ = c.best;
  epochs_ = c.epochs;
}

void DeviceTrainer::restore_feedback(const Checkpoint& c) {
  // On other devices it means nothing: what was kept back there is lost, as a rounding error is.
  if (communicator_ == nullptr || !(c.options.distribution.topology == input_.plan.topology)) return;
  std::map<std::int32_t, Tensor> kept;
  const std::string prefix = fmt::format("feedback.{}/", place_.device());
  for (const NamedTensor& t : c.tables) {
    if (t.name.rfind(prefix, 0) == 0) kept[std::stoi(t.name.substr(prefix.size()))] = t.value.clone();
  }
  communicator_->restore_feedback(std::move(kept));
}

void DeviceTrainer::write_checkpoint_now() {
  if (input_.options.checkpoint.empty()) return;
  const Checkpoint c = checkpoint();
  if (place_.device() == 0) write_checkpoint(input_.options.checkpoint, c);
}

bool DeviceTrainer::patience_is_over() const {
  return input_.options.patience > 0 && best_epoch_ > 0 && epochs_.back().evaluated &&
         epoch_ - best_epoch_ >= input_.options.patience;
}

bool DeviceTrainer::stop_wanted(const std::atomic<bool>& stop) {
  if (communicator_ == nullptr) return stop.load();
  const double wanted = place_.device() == 0 && stop.load() ? 1 : 0;
  return communicator_->sum(std::vector<double>{wanted}).front() > 0;
}

Ending DeviceTrainer::train_all(const std::vector<std::function<void(const EpochRecord&)>>& observers,
                                const std::atomic<bool>& stop) {
  const TrainOptions& options = input_.options;
  const Index last = options.stop_after > 0 ? std::min(options.stop_after, options.epochs) : options.epochs;
  while (epoch_ < last) {
    // Asked before the epoch, so that a run that ended so ends so again when it is resumed.
    if (patience_is_over()) return Ending::kEarlyStop;
    if (stop_wanted(stop)) return Ending::kInterrupted;
    EpochRecord record = train_epoch(epoch_);
    epoch_ = record.epoch;
    if (epoch_ % options.eval_every == 0 || epoch_ == options.epochs) evaluate(record);
    epochs_.push_back(record);
    if (place_.device() == 0) {
      for (const auto& observer : observers) observer(record);
    }
    if (options.checkpoint_every > 0 && epoch_ % options.checkpoint_every == 0 && epoch_ < last) write_checkpoint_now();
  }
  return last < options.epochs ? Ending::kStopAfter : Ending::kAllEpochs;
}

TrainResult DeviceTrainer::train(const std::vector<std::function<void(const EpochRecord&)>>& observers,
                                 const std::atomic<bool>& stop) {
  TrainResult final;
  arena_.execute([&] {
    Ending ending = Ending::kAllEpochs;
    try {
      ending = train_all(observers, stop);
    } catch (const Diverged&) {
      // What was learnt before stays: the failed epoch has changed no weights, on any device.
      if (epoch_ > 0) write_checkpoint_now();
      throw;
    } catch (const Error&) {
      if (epoch_ > 0 && communicator_ == nullptr) write_checkpoint_now();
      throw;
    }
    write_checkpoint_now();
    final = result(ending);
  });
  return final;
}

TrainResult DeviceTrainer::result(Ending ending) {
  TrainResult r;
  r.metric = input_.metric;
  r.split = input_.options.split;
  r.seed = input_.options.seed;
  r.topology = input_.plan.topology;
  r.remarks = input_.plan.remarks;
  r.ending = ending;
  r.best_epoch = best_epoch_;
  r.best = best_;
  if (!best_weights_.empty() && task_->has_test_figures()) {
    with_best_weights([&] {
      const Tensor outputs = executor_->predict().outputs;
      r.confusion = task_->confusion_on_test(outputs);
      r.label_counts = task_->label_counts_on_test(outputs);
      r.links = task_->pair_figures(outputs);
    });
  }
  r.epochs = epochs_;
  r.loss = epochs_.empty() ? kUndefined : epochs_.back().loss;
  std::vector<double> times, bytes;
  for (const EpochRecord& e : epochs_) {
    times.push_back(e.epoch_ms);
    bytes.push_back(static_cast<double>(e.bytes));
  }
  r.epoch_ms = median(std::move(times));
  r.bytes_per_epoch = epochs_.empty() ? 0 : static_cast<std::uint64_t>(median(std::move(bytes)));
  DeviceReport own;
  own.spans = executor_->spans();
  own.recomputed = executor_->recomputed();
  for (std::size_t i = 0; i < core::kNumMemoryPurposes; ++i) {
    own.memory.peak_bytes[i] = pool_->peak_bytes(static_cast<core::MemoryPurpose>(i));
  }
  const std::size_t sparse_bytes = executor_->sparse_feature_bytes();
  own.memory.peak_bytes[static_cast<std::size_t>(core::MemoryPurpose::kFeatures)] += sparse_bytes;
  own.memory.peak_bytes_total = pool_->peak_bytes() + sparse_bytes;
  if (communicator_ != nullptr) {
    const Ledger& sent = communicator_->ledger();
    std::vector<double> counts(sent.bytes.begin(), sent.bytes.end());
    counts.insert(counts.end(), sent.messages.begin(), sent.messages.end());
    counts = communicator_->sum(counts);
    for (std::size_t c = 0; c < kNumCauses; ++c) {
      r.sent.bytes[c] = static_cast<std::uint64_t>(counts[c]);
      r.sent.messages[c] = static_cast<std::uint64_t>(counts[kNumCauses + c]);
    }
  }
  std::vector<DeviceReport> reports;
  if (communicator_ == nullptr) {
    reports.push_back(std::move(own));
  } else {
    for (const std::string& text : communicator_->gather_text_at_first(pack(own)))
      reports.push_back(unpack_report(text));
  }
  for (DeviceReport& device : reports) {
    for (std::size_t i = 0; i < r.peak_bytes.size(); ++i) {
      r.peak_bytes[i] = std::max(r.peak_bytes[i], device.memory.peak_bytes[i]);
    }
    r.peak_bytes_total = std::max(r.peak_bytes_total, device.memory.peak_bytes_total);
    r.device_memory.push_back(device.memory);
    r.spans.push_back(std::move(device.spans));
    r.recomputed.push_back(std::move(device.recomputed));
  }
  r.graph_bytes = graph_bytes_;
  return r;
}

}  // namespace laminar::pipeline
