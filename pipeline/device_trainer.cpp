#include "laminar/pipeline/device_trainer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/clip.hpp"
#include "laminar/core/confusion_matrix.hpp"
#include "laminar/core/error.hpp"
#include "laminar/pipeline/device_report.hpp"
#include "laminar/pipeline/history_state.hpp"
#include "laminar/pipeline/predictor.hpp"
#include "laminar/pipeline/statistics.hpp"
#include "laminar/pipeline/stopwatch.hpp"
#include "laminar/pipeline/tensor_bytes.hpp"

namespace laminar::pipeline {

using core::NamedTensor;
using core::Tensor;

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
// Buckets of all-reduces beside those of layers, which are numbered by layer.
constexpr std::int32_t kEncoderBucket = -1;
constexpr std::int32_t kHeadBucket = -2;
// Beyond, a table of classes or labels is of no use.
constexpr Index kMostClasses = 4096;

/// The training has diverged, on all devices alike.
class Diverged : public Error {
 public:
  using Error::Error;
};

/// Numbers as the bytes of a text, and back.
std::string to_text(std::span<const double> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}
std::vector<double> from_text(const std::string& text) {
  std::vector<double> values(text.size() / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), text.data(), values.size() * sizeof(double));
  return values;
}

double sum_of_squares(const Tensor& t) {
  double sum = 0;
  core::dispatch(t.dtype(), [&]<class T>(T) {
    const T* p = t.data<T>();
    sum = core::parallel_sum(t.size(), 1 << 14, [&](Index begin, Index end) {
      double s = 0;
      for (Index i = begin; i < end; ++i) s += static_cast<double>(p[i]) * static_cast<double>(p[i]);
      return s;
    });
  });
  return sum;
}

/// a . b, |a|^2, |b|^2, |a - b|^2 and 1.
std::array<double, 5> compare(const Tensor& a, const Tensor& b) {
  std::array<double, 5> sums{0, 0, 0, 0, 1};
  core::dispatch(a.dtype(), [&]<class T>(T) {
    const T* x = a.data<T>();
    const T* y = b.data<T>();
    const auto sum = [&](auto&& term) {
      return core::parallel_sum(a.size(), 1 << 14, [&](Index begin, Index end) {
        double s = 0;
        for (Index i = begin; i < end; ++i) s += term(static_cast<double>(x[i]), static_cast<double>(y[i]));
        return s;
      });
    };
    sums = {sum([](double p, double q) { return p * q; }), sum([](double p, double) { return p * p; }),
            sum([](double, double q) { return q * q; }), sum([](double p, double q) { return (p - q) * (p - q); }), 1};
  });
  return sums;
}

std::vector<core::VertexId> file_ids(const partition::Layout& layout, const Range& range) {
  const auto first = layout.file_ids().begin() + range.begin;
  return {first, first + range.size()};
}

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
    model_.initialize(input.options.seed, input.graph.get());
    ExecutorSetup setup;
    setup.model = &model_;
    setup.place = place_;
    setup.cut = plan.cut;
    setup.features = load_device_features(data.features(), model_, *plan.cut, place_,
                                          needs_features(model_, place_, plan.recompute_carried), pool_.get());
    setup.history = plan.history;
    setup.halo = plan.halo;
    setup.recompute_carried = plan.recompute_carried;
    setup.communicator = communicator_.get();
    setup.pool = pool_;
    executor_ = std::make_unique<Executor>(std::move(setup));
  });
  graph_bytes_ = graph_bytes(plan.cut->graph);
  if (place_.is_last()) {
    const partition::Layout& layout = plan.cut->layout;
    part_targets_ = select(input.targets, file_ids(layout, layout.part(place_.part)));
    for (Index c = 0; c < layout.num_chunks(); ++c) {
      slice_targets_.push_back(select(input.targets, file_ids(layout, layout.slice(place_.part, c))));
    }
    if (input.links != nullptr) {
      links_ = std::make_unique<PairObjective>(input.links, input.options.pairs, input.options.seed, model_,
                                               file_ids(layout, layout.part(place_.part)), pool_);
    }
  }
  // An exact epoch's order never changes; with history it is made anew.
  if (plan.history.staleness == 0) fixed_schedule_ = plan.schedule_of(plan.order_of(input.options.seed, 0));
}

DeviceTrainer::~DeviceTrainer() = default;

std::vector<Index> DeviceTrainer::peers(bool all_stages) const {
  std::vector<Index> group;
  for (Index s = all_stages ? 0 : place_.stage; s < (all_stages ? place_.num_stages : place_.stage + 1); ++s) {
    for (Index p = 0; p < place_.num_parts; ++p) group.push_back(s * place_.num_parts + p);
  }
  return group;
}

void DeviceTrainer::reduce_layer(Index layer, Cause cause) {
  if (place_.num_parts == 1) return;
  std::vector<Tensor> gradients;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (model_.layer_of(static_cast<Index>(i)) == layer) gradients.push_back(parameters_[i]->gradient);
  }
  if (gradients.empty()) return;
  communicator_->begin_all_reduce(peers(false), static_cast<std::int32_t>(layer), std::move(gradients), cause);
  communicator_->progress();
}

void DeviceTrainer::reduce_dense(Cause cause) {
  if (communicator_ == nullptr) return;
  std::vector<Tensor> encoder, head;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto index = static_cast<Index>(i);
    if (model_.layer_of(index) >= 0) continue;
    (model_.is_of_encoder(index) ? encoder : head).push_back(parameters_[i]->gradient);
  }
  const bool shared = input_.plan.recompute_carried;
  if (!encoder.empty() && (shared || place_.num_parts > 1)) {
    communicator_->begin_all_reduce(peers(shared), kEncoderBucket, std::move(encoder), cause);
  }
  if (!head.empty() && place_.num_parts > 1) {
    communicator_->begin_all_reduce(peers(false), kHeadBucket, std::move(head), cause);
  }
  communicator_->finish_all_reduces();
}

double DeviceTrainer::compute_gradients(Index epoch) {
  const Plan& plan = input_.plan;
  const ChunkOrder order = plan.order_of(input_.options.seed, epoch);
  const Schedule schedule = fixed_schedule_ ? *fixed_schedule_ : plan.schedule_of(order);
  core::zero_gradients(model_.parameters());
  if (communicator_ != nullptr) communicator_->begin_epoch(epoch);
  const auto loss = [&](Index chunk, const Tensor& outputs, Tensor& gradient) {
    if (links_ != nullptr) return links_->train(epoch, outputs, gradient);
    return task_loss(slice_targets_[static_cast<std::size_t>(chunk)], LossSet::kTrain, outputs, &gradient);
  };
  const HistoryOptions& history = plan.history;
  if (history.staleness > 0 && history.refresh_every > 0 && epoch % history.refresh_every == 0) {
    executor_->refresh_history(input_.options.seed, epoch);
  }
  const double local = executor_->run(schedule.stages[static_cast<std::size_t>(place_.stage)], input_.options.seed,
                                      epoch, order, loss, [&](Index layer) { reduce_layer(layer); });
  reduce_dense();
  return local;
}

void DeviceTrainer::measure_fidelity(Index epoch, EpochRecord& record) {
  Stopwatch watch;
  std::vector<Tensor> trained;
  for (const core::Parameter* p : parameters_) {
    trained.push_back(p->gradient.clone(pool_.get(), core::MemoryPurpose::kGradients));
  }
  core::zero_gradients(model_.parameters());
  executor_->run_exact(input_.options.seed, epoch, [&](Index, const Tensor& outputs, Tensor& gradient) {
    if (links_ != nullptr) return links_->train(epoch, outputs, gradient);
    return task_loss(part_targets_, LossSet::kTrain, outputs, &gradient);
  });
  for (Index l = place_.layer_end - 1; l >= place_.layer_begin; --l) reduce_layer(l, Cause::kEvaluation);
  reduce_dense(Cause::kEvaluation);
  // By layer, then of all: g . exact, |g|^2, |exact|^2, |g - exact|^2, and how many parameters.
  constexpr std::size_t kSums = 5;
  const auto num_layers = static_cast<std::size_t>(model_.num_layers());
  std::vector<double> sums(kSums * (num_layers + 1), 0);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Index layer = model_.layer_of(static_cast<Index>(i));
    // Every parameter counts once: on the first part, and the encoder's on the first stage.
    if (place_.part == 0 && (place_.is_first() || !model_.is_of_encoder(static_cast<Index>(i)))) {
      const std::array<double, kSums> of = compare(trained[i], parameters_[i]->gradient);
      for (std::size_t k = 0; k < kSums; ++k) {
        if (layer >= 0) sums[kSums * static_cast<std::size_t>(layer) + k] += of[k];
        sums[kSums * num_layers + k] += of[k];
      }
    }
    parameters_[i]->gradient.copy_from(trained[i]);
  }
  if (communicator_ != nullptr) sums = communicator_->sum(sums, Cause::kEvaluation);
  for (std::size_t l = 0; l <= num_layers; ++l) {
    const double* s = sums.data() + kSums * l;
    GradientFidelity f{kUndefined, kUndefined};
    if (s[4] > 0 && s[2] > 0) f = {s[1] > 0 ? s[0] / std::sqrt(s[1] * s[2]) : kUndefined, std::sqrt(s[3] / s[2])};
    if (s[4] > 0 && s[2] == 0 && s[1] == 0) f = {1, 0};
    if (l == num_layers) {
      record.fidelity = f;
    } else {
      record.layer_fidelity.push_back(f);
    }
  }
  record.fidelity_ms = watch.lap_ms();
}

double DeviceTrainer::clip() {
  if (communicator_ == nullptr) return core::clip_gradients(parameters_, input_.options.clip_norm);
  // Every parameter counts once: on the first part, and the encoder's on the first stage.
  double own = 0;
  for (std::size_t i = 0; i < parameters_.size() && place_.part == 0; ++i) {
    if (!place_.is_first() && model_.is_of_encoder(static_cast<Index>(i))) continue;
    own += sum_of_squares(parameters_[i]->gradient);
  }
  return core::clip_gradients(parameters_, input_.options.clip_norm,
                              [&](double) { return communicator_->sum(std::vector<double>{own}).front(); });
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
  if (options.clip_norm > 0) record.gradient_norm = clip();
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

Evaluation DeviceTrainer::evaluate_labels() {
  const Targets& t = part_targets_;
  const core::Labels& labels = input_.targets.labels;
  const auto accumulator = [&] { return core::MetricAccumulator(input_.metric, labels.task, labels.num_outputs); };
  std::array<core::MetricAccumulator, 3> sets{accumulator(), accumulator(), accumulator()};
  double val_loss = 0;
  const Tensor outputs = executor_->predict().outputs;
  if (place_.is_last()) {
    const std::array rows{&t.train, &t.val, &t.test};
    for (std::size_t i = 0; i < sets.size(); ++i) sets[i].add(outputs, t.labels, *rows[i]);
    val_loss = task_loss(t, LossSet::kValidation, outputs, nullptr);
  }
  if (communicator_ == nullptr) return {sets[0].value(), sets[1].value(), sets[2].value(), val_loss};
  // A metric may need every vertex's output: that goes to device 0 only, which tells the others what it found.
  std::vector<double> found{val_loss};
  for (core::MetricAccumulator& set : sets) {
    const auto packed =
        communicator_->gather_text_at_first(place_.is_last() ? to_text(set.pack()) : "", Cause::kEvaluation);
    set = accumulator();
    for (const std::string& text : packed) {
      if (!text.empty()) set.merge_packed(from_text(text));
    }
    found.push_back(place_.device() == 0 ? set.value() : 0);
  }
  found = communicator_->sum(found, Cause::kEvaluation);
  return {found[1], found[2], found[3], found[0]};
}

/// The device with the last layers has all vertices and speaks for all.
Evaluation DeviceTrainer::evaluate_links() {
  const Tensor outputs = executor_->predict().outputs;
  Evaluation e;
  if (links_ != nullptr) e = links_->evaluate(input_.metric, outputs);
  if (communicator_ == nullptr) return e;
  const std::vector<double> found = communicator_->sum(
      std::vector<double>{e.train_metric, e.val_metric, e.test_metric, e.val_loss}, Cause::kEvaluation);
  return {found[0], found[1], found[2], found[3]};
}

void DeviceTrainer::evaluate(EpochRecord& record) {
  Stopwatch watch;
  const Ledger before = communicator_ == nullptr ? Ledger{} : communicator_->ledger();
  record.evaluation = input_.links == nullptr ? evaluate_labels() : evaluate_links();
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

void DeviceTrainer::swap_best_weights() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) std::swap(parameters_[i]->value, best_weights_[i].value);
}

std::vector<LabelCounts> DeviceTrainer::labels_on_test() {
  const core::Labels& labels = input_.targets.labels;
  if (labels.task != core::Task::kMultiLabel || best_weights_.empty() || labels.num_outputs > kMostClasses) return {};
  swap_best_weights();
  const Tensor outputs = executor_->predict().outputs;
  swap_best_weights();
  std::vector<double> counts(static_cast<std::size_t>(3 * labels.num_outputs), 0);
  for (std::size_t i = 0; place_.is_last() && i < part_targets_.test.size(); ++i) {
    const Index row = part_targets_.test[i];
    for (Index c = 0; c < labels.num_outputs; ++c) {
      const bool predicted = outputs.at(row, c) > 0;
      const bool actual = part_targets_.labels.multi_label[static_cast<std::size_t>(row * labels.num_outputs + c)] != 0;
      if (predicted || actual)
        ++counts[static_cast<std::size_t>(3 * c + (predicted && actual ? 0 : predicted ? 1 : 2))];
    }
  }
  if (communicator_ != nullptr) counts = communicator_->sum(counts, Cause::kEvaluation);
  std::vector<LabelCounts> result;
  for (std::size_t i = 0; i < counts.size(); i += 3) {
    result.push_back({static_cast<std::int64_t>(counts[i]), static_cast<std::int64_t>(counts[i + 1]),
                      static_cast<std::int64_t>(counts[i + 2])});
  }
  return result;
}

/// Of the best weights. They are put in the model's place for one pass, as a resumed run has not seen that epoch.
Confusion DeviceTrainer::confusion_on_test() {
  const core::Labels& labels = input_.targets.labels;
  if (labels.task != core::Task::kClassification || best_weights_.empty() || labels.num_outputs > kMostClasses) {
    return {};
  }
  swap_best_weights();
  const Tensor outputs = executor_->predict().outputs;
  swap_best_weights();
  core::ConfusionMatrix matrix(labels.num_outputs);
  if (place_.is_last()) matrix.add(outputs, part_targets_.labels.classes, part_targets_.test);
  Confusion counts(matrix.counts().begin(), matrix.counts().end());
  if (communicator_ == nullptr) return counts;
  // Only what is not 0 travels: (place, count).
  std::vector<double> entries;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) entries.insert(entries.end(), {static_cast<double>(i), static_cast<double>(counts[i])});
  }
  std::fill(counts.begin(), counts.end(), 0);
  for (const std::string& text : communicator_->gather_text_at_first(to_text(entries), Cause::kEvaluation)) {
    const std::vector<double> pairs = from_text(text);
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      counts[static_cast<std::size_t>(pairs[i])] += static_cast<std::int64_t>(pairs[i + 1]);
    }
  }
  return counts;
}

std::vector<PairFigure> DeviceTrainer::figures_of_best() {
  if (input_.links == nullptr) return {};
  const bool best = !best_weights_.empty();
  if (best) swap_best_weights();
  const Tensor outputs = executor_->predict().outputs;
  const std::vector<std::string> names = pair_figure_names(input_.options.pairs);
  std::vector<double> values(2 * names.size(), 0);
  if (links_ != nullptr) values = links_->figures(outputs);
  if (best) swap_best_weights();
  if (communicator_ != nullptr) values = communicator_->sum(values, Cause::kEvaluation);
  std::vector<PairFigure> figures;
  for (std::size_t i = 0; i < names.size(); ++i) figures.push_back({names[i], values[i], values[names.size() + i]});
  return figures;
}

std::vector<PairFigure> DeviceTrainer::pair_figures() {
  std::vector<PairFigure> figures;
  arena_.execute([&] { figures = figures_of_best(); });
  return figures;
}

Prediction DeviceTrainer::predict(bool embedding) {
  Prediction all;
  arena_.execute([&] {
    const bool best = !best_weights_.empty();
    if (best) swap_best_weights();
    const Prediction own = executor_->predict(embedding);
    if (best) swap_best_weights();
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
    load_history(c, *input_.graph, input_.plan.cut->layout, *executor_);
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
  r.confusion = confusion_on_test();
  r.label_counts = labels_on_test();
  r.links = figures_of_best();
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
  }
  r.graph_bytes = graph_bytes_;
  return r;
}

}  // namespace laminar::pipeline
