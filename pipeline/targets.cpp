#include "laminar/pipeline/targets.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/loss.hpp"

namespace laminar::pipeline {
namespace {

/// The vertices of a set whose target is known.
std::vector<core::VertexId> labelled(const std::vector<core::VertexId>& set, const core::Labels& labels) {
  if (labels.task != core::Task::kClassification) return set;
  std::vector<core::VertexId> known;
  for (const core::VertexId v : set) {
    if (labels.classes[static_cast<std::size_t>(v)] >= 0) known.push_back(v);
  }
  return known;
}

/// Rows `ids` of a matrix of `width` columns, if there is any.
template <class T>
std::vector<T> select_rows(const std::vector<T>& from, std::size_t width, std::span<const core::VertexId> ids) {
  std::vector<T> rows;
  if (from.empty()) return rows;
  rows.reserve(ids.size() * width);
  for (const core::VertexId v : ids) {
    const auto first = from.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(v) * width);
    rows.insert(rows.end(), first, first + static_cast<std::ptrdiff_t>(width));
  }
  return rows;
}

std::vector<double> balanced_weights(const Targets& all) {
  const core::Labels& labels = all.labels;
  const auto outputs = static_cast<std::size_t>(labels.num_outputs);
  const bool classes = labels.task == core::Task::kClassification;
  std::vector<double> positives(outputs, 0);
  for (const core::VertexId vertex : all.train) {
    const auto v = static_cast<std::size_t>(vertex);
    if (classes) {
      ++positives[static_cast<std::size_t>(labels.classes[v])];
    } else {
      for (std::size_t c = 0; c < outputs; ++c) positives[c] += labels.multi_label[v * outputs + c];
    }
  }
  const auto n = static_cast<double>(all.train.size());
  std::vector<double> weights(outputs, 1);
  for (std::size_t c = 0; c < outputs; ++c) {
    if (classes && positives[c] > 0) weights[c] = n / (static_cast<double>(outputs) * positives[c]);
    if (!classes && positives[c] > 0 && positives[c] < n) weights[c] = (n - positives[c]) / positives[c];
  }
  return weights;
}

}  // namespace

Targets targets_of(const core::Dataset& data, const std::string& split_name) {
  const core::Split split = data.split(split_name);
  Targets t;
  t.labels = data.labels();
  t.train = labelled(split.train, t.labels);
  t.val = labelled(split.val, t.labels);
  t.test = labelled(split.test, t.labels);
  t.train_count = static_cast<double>(t.train.size());
  t.val_count = static_cast<double>(t.val.size());
  return t;
}

Targets select(const Targets& all, std::span<const core::VertexId> ids) {
  Targets t;
  const auto width = static_cast<std::size_t>(all.labels.num_outputs);
  t.labels.task = all.labels.task;
  t.labels.num_outputs = all.labels.num_outputs;
  t.labels.names = all.labels.names;
  t.class_weights = all.class_weights;
  t.label_smoothing = all.label_smoothing;
  t.train_count = all.train_count;
  t.val_count = all.val_count;
  t.labels.classes = select_rows(all.labels.classes, 1, ids);
  t.labels.multi_label = select_rows(all.labels.multi_label, width, ids);
  t.labels.targets = select_rows(all.labels.targets, width, ids);
  for (const auto& [from, to] : {std::pair{&all.train, &t.train}, {&all.val, &t.val}, {&all.test, &t.test}}) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (std::binary_search(from->begin(), from->end(), ids[i])) to->push_back(static_cast<core::VertexId>(i));
    }
  }
  return t;
}

void set_loss(const LossOptions& options, Targets& all) {
  const core::Labels& labels = all.labels;
  const bool classes = labels.task == core::Task::kClassification;
  const bool weighs = options.balanced || !options.class_weights.empty();
  if (!classes && labels.task != core::Task::kMultiLabel && (weighs || options.label_smoothing > 0)) {
    throw UsageError(fmt::format("--{} is for classes and labels, but the task is {}",
                                 weighs ? "class-weights" : "label-smoothing", core::name_of(labels.task)));
  }
  const auto outputs = static_cast<std::size_t>(labels.num_outputs);
  if (!options.class_weights.empty() && options.class_weights.size() != outputs) {
    throw UsageError(fmt::format("--class-weights has {} numbers, but there are {} {}", options.class_weights.size(),
                                 outputs, classes ? "classes" : "labels"));
  }
  all.label_smoothing = options.label_smoothing;
  all.class_weights = options.balanced ? balanced_weights(all) : options.class_weights;
  const auto count_of = [&](const std::vector<core::VertexId>& set) {
    if (!classes || all.class_weights.empty()) return static_cast<double>(set.size());
    double sum = 0;
    for (const core::VertexId v : set) {
      sum += all.class_weights[static_cast<std::size_t>(labels.classes[static_cast<std::size_t>(v)])];
    }
    return sum;
  };
  all.train_count = count_of(all.train);
  all.val_count = count_of(all.val);
}

double task_loss(const Targets& targets, LossSet set, const core::Tensor& outputs, core::Tensor* gradient) {
  const core::Labels& labels = targets.labels;
  const bool trains = set == LossSet::kTrain;
  const std::vector<core::VertexId>& rows = trains ? targets.train : targets.val;
  const double count = trains ? targets.train_count : targets.val_count;
  const core::LossShape shape{targets.class_weights, targets.label_smoothing};
  switch (labels.task) {
    case core::Task::kClassification:
      return core::cross_entropy(outputs, labels.classes, rows, count, gradient, shape);
    case core::Task::kMultiLabel:
      return core::binary_cross_entropy(outputs, labels.multi_label, rows, count, gradient, shape);
    case core::Task::kRegression:
      return core::mean_squared_error(outputs, labels.targets, rows, count, gradient);
    case core::Task::kNone:
      break;
  }
  throw Error("the dataset has no labels");
}

}  // namespace laminar::pipeline
