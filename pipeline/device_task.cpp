#include "laminar/pipeline/device_task.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "laminar/core/confusion_matrix.hpp"

namespace laminar::pipeline {

using core::Tensor;

namespace {

// Beyond, a table of classes or labels is of no use.
constexpr Index kMostClasses = 4096;

/// Numbers as the bytes of a text, and back.
std::string to_text(std::span<const double> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}
std::vector<double> from_text(const std::string& text) {
  std::vector<double> values(text.size() / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), text.data(), values.size() * sizeof(double));
  return values;
}

std::vector<core::VertexId> file_ids(const partition::Layout& layout, const partition::Range& range) {
  const auto first = layout.file_ids().begin() + range.begin;
  return {first, first + range.size()};
}

}  // namespace

DeviceTask::DeviceTask(const TrainingInput& input, const DevicePlace& place, const layers::Model& model,
                       Communicator* communicator, std::shared_ptr<core::MemoryPool> pool)
    : input_(input), communicator_(communicator), is_last_stage_(place.is_last()) {
  if (!is_last_stage_) return;
  const partition::Layout& layout = input.plan.cut->layout;
  const std::vector<core::VertexId> ids = file_ids(layout, layout.part(place.part));
  if (input.links != nullptr) {
    pairs_ = std::make_unique<PairObjective>(input.links, input.options.pairs, input.options.seed, model, ids,
                                             std::move(pool));
    return;
  }
  part_targets_ = select(input.targets, ids);
  for (Index c = 0; c < layout.num_chunks(); ++c) {
    slice_targets_.push_back(select(input.targets, file_ids(layout, layout.slice(place.part, c))));
  }
}

DeviceTask::~DeviceTask() = default;

double DeviceTask::train_loss(Index epoch, Index chunk, const Tensor& outputs, Tensor& gradient) const {
  if (pairs_ != nullptr) return pairs_->train(epoch, outputs, gradient);
  const Targets& targets = chunk < 0 ? part_targets_ : slice_targets_[static_cast<std::size_t>(chunk)];
  return task_loss(targets, LossSet::kTrain, outputs, &gradient);
}

Evaluation DeviceTask::evaluate(const Tensor& outputs) const {
  return input_.links == nullptr ? evaluate_labels(outputs) : evaluate_pairs(outputs);
}

Evaluation DeviceTask::evaluate_labels(const Tensor& outputs) const {
  const Targets& t = part_targets_;
  const core::Labels& labels = input_.targets.labels;
  const auto accumulator = [&] { return core::MetricAccumulator(input_.metric, labels.task, labels.num_outputs); };
  std::array<core::MetricAccumulator, 3> sets{accumulator(), accumulator(), accumulator()};
  double val_loss = 0;
  if (is_last_stage_) {
    const std::array rows{&t.train, &t.val, &t.test};
    for (std::size_t i = 0; i < sets.size(); ++i) sets[i].add(outputs, t.labels, *rows[i]);
    val_loss = task_loss(t, LossSet::kValidation, outputs, nullptr);
  }
  if (communicator_ == nullptr) return {sets[0].value(), sets[1].value(), sets[2].value(), val_loss};
  // A metric may need every vertex's output: that goes to device 0 only, which tells the others what it found.
  std::vector<double> found{val_loss};
  for (core::MetricAccumulator& set : sets) {
    const auto packed =
        communicator_->gather_text_at_first(is_last_stage_ ? to_text(set.pack()) : "", Cause::kEvaluation);
    set = accumulator();
    for (const std::string& text : packed) {
      if (!text.empty()) set.merge_packed(from_text(text));
    }
    found.push_back(communicator_->rank() == 0 ? set.value() : 0);
  }
  found = communicator_->sum(found, Cause::kEvaluation);
  return {found[1], found[2], found[3], found[0]};
}

Evaluation DeviceTask::evaluate_pairs(const Tensor& outputs) const {
  Evaluation e;
  if (pairs_ != nullptr) e = pairs_->evaluate(input_.metric, outputs);
  if (communicator_ == nullptr) return e;
  const std::vector<double> found = communicator_->sum(
      std::vector<double>{e.train_metric, e.val_metric, e.test_metric, e.val_loss}, Cause::kEvaluation);
  return {found[0], found[1], found[2], found[3]};
}

bool DeviceTask::tells_of(core::Task task) const {
  const core::Labels& labels = input_.targets.labels;
  return input_.links == nullptr && labels.task == task && labels.num_outputs <= kMostClasses;
}

bool DeviceTask::has_test_figures() const {
  return input_.links != nullptr || tells_of(core::Task::kClassification) || tells_of(core::Task::kMultiLabel);
}

Confusion DeviceTask::confusion_on_test(const Tensor& outputs) const {
  if (!tells_of(core::Task::kClassification)) return {};
  core::ConfusionMatrix matrix(input_.targets.labels.num_outputs);
  if (is_last_stage_) matrix.add(outputs, part_targets_.labels.classes, part_targets_.test);
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

std::vector<LabelCounts> DeviceTask::label_counts_on_test(const Tensor& outputs) const {
  if (!tells_of(core::Task::kMultiLabel)) return {};
  const Index num_labels = input_.targets.labels.num_outputs;
  // True positives, false positives and false negatives, label by label.
  std::vector<double> counts(static_cast<std::size_t>(3 * num_labels), 0);
  for (std::size_t i = 0; is_last_stage_ && i < part_targets_.test.size(); ++i) {
    const Index row = part_targets_.test[i];
    for (Index c = 0; c < num_labels; ++c) {
      const bool predicted = outputs.at(row, c) > 0;
      const bool actual = part_targets_.labels.multi_label[static_cast<std::size_t>(row * num_labels + c)] != 0;
      if (predicted || actual) {
        ++counts[static_cast<std::size_t>(3 * c + (predicted && actual ? 0 : predicted ? 1 : 2))];
      }
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

std::vector<PairFigure> DeviceTask::pair_figures(const Tensor& outputs) const {
  if (input_.links == nullptr) return {};
  const std::vector<std::string> names = pair_figure_names(input_.options.pairs);
  std::vector<double> values(2 * names.size(), 0);
  if (pairs_ != nullptr) values = pairs_->figures(outputs);
  if (communicator_ != nullptr) values = communicator_->sum(values, Cause::kEvaluation);
  std::vector<PairFigure> figures;
  for (std::size_t i = 0; i < names.size(); ++i) figures.push_back({names[i], values[i], values[names.size() + i]});
  return figures;
}

}  // namespace laminar::pipeline
