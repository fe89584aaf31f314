#include "laminar/pipeline/targets.hpp"

#include <algorithm>
#include <string>

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

}  // namespace

Targets targets_of(const core::Dataset& data, const std::string& split_name) {
  const core::Split split = data.split(split_name);
  Targets t;
  t.labels = data.labels();
  t.train = labelled(split.train, t.labels);
  t.val = labelled(split.val, t.labels);
  t.test = labelled(split.test, t.labels);
  return t;
}

Targets select(const Targets& all, std::span<const core::VertexId> ids) {
  Targets t;
  const auto width = static_cast<std::size_t>(all.labels.num_outputs);
  t.labels.task = all.labels.task;
  t.labels.num_outputs = all.labels.num_outputs;
  t.labels.names = all.labels.names;
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

double task_loss(const core::Labels& labels, const core::Tensor& outputs, std::span<const core::VertexId> rows,
                 double count, core::Tensor* gradient) {
  switch (labels.task) {
    case core::Task::kClassification:
      return core::cross_entropy(outputs, labels.classes, rows, count, gradient);
    case core::Task::kMultiLabel:
      return core::binary_cross_entropy(outputs, labels.multi_label, rows, count, gradient);
    case core::Task::kRegression:
      return core::mean_squared_error(outputs, labels.targets, rows, count, gradient);
    case core::Task::kNone:
      break;
  }
  throw Error("the dataset has no labels");
}

}  // namespace laminar::pipeline
