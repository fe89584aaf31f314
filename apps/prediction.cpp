#include "laminar/apps/prediction.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using core::Task;
using core::Tensor;

/// softmax of a row, in place, shifted by its maximum so that nothing overflows.
void softmax(std::vector<double>& row) {
  const double shift = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& x : row) sum += x = std::exp(x - shift);
  for (double& x : row) x /= sum;
}

Tensor probabilities_of(const Tensor& outputs, Task task) {
  Tensor result(outputs.rows(), outputs.cols(), core::DType::kFloat32);
  auto* out = result.data<float>();
  const Index cols = outputs.cols();
  core::dispatch(outputs.dtype(), [&]<class T>(T) {
    const T* in = outputs.data<T>();
    core::parallel_for(outputs.rows(), core::row_grain(cols), [&](Index begin, Index end) {
      std::vector<double> row(static_cast<std::size_t>(cols));
      for (Index r = begin; r < end; ++r) {
        std::copy(in + r * cols, in + (r + 1) * cols, row.begin());
        if (task == Task::kClassification) softmax(row);
        if (task == Task::kMultiLabel) {
          for (double& x : row) x = 1 / (1 + std::exp(-x));
        }
        std::transform(row.begin(), row.end(), out + r * cols, [](double x) { return static_cast<float>(x); });
      }
    });
  });
  return result;
}

}  // namespace

std::int32_t Predictions::predicted_class(Index vertex) const {
  return static_cast<std::int32_t>(core::predicted_class(outputs, vertex));
}

bool Predictions::has_label(Index vertex, Index label) const { return outputs.at(vertex, label) > 0; }

void check_fits(const pipeline::DataSignature& trained_on, const core::DatasetSchema& schema, bool ignore_labels) {
  if (schema.num_features != trained_on.num_features) {
    throw Error(fmt::format("'{}' has {} features a vertex, but the model was trained on '{}' with {}", schema.name,
                            schema.num_features, trained_on.name, trained_on.num_features));
  }
  if (ignore_labels || schema.task == Task::kNone) return;
  const char* advice = "; with --ignore-labels predictions are made all the same, without a metric";
  if (schema.task != trained_on.task || schema.num_outputs != trained_on.num_outputs) {
    throw Error(fmt::format("'{}' has labels for {} with {} outputs, but the model was trained for {} with {}{}",
                            schema.name, name_of(schema.task), schema.num_outputs, name_of(trained_on.task),
                            trained_on.num_outputs, advice));
  }
  const auto& here = schema.output_names;
  const auto& there = trained_on.output_names;
  if (here.empty() || there.empty()) return;
  for (std::size_t i = 0; i < here.size(); ++i) {
    if (here[i] == there[i]) continue;
    throw Error(fmt::format("output {} of '{}' is named '{}', but '{}' where the model was trained{}", i, schema.name,
                            here[i], there[i], advice));
  }
}

Predictions predictions_of(const pipeline::DataSignature& model, const core::Dataset& data, pipeline::Prediction rows) {
  Predictions result;
  result.task = model.task;
  result.output_names = model.output_names;
  result.vertex_names = data.vertex_names();
  result.outputs = std::move(rows.outputs);
  // A model of pairs gives embeddings.
  if (result.task == Task::kNone) {
    result.embeddings = result.outputs.to(core::DType::kFloat32);
    return result;
  }
  result.probabilities = probabilities_of(result.outputs, result.task);
  if (rows.embedding) result.embeddings = rows.embedding.to(core::DType::kFloat32);
  return result;
}

void check_embeddings(const pipeline::Prediction& rows, bool asked) {
  if (asked && !rows.embedding) {
    throw Error("the model has no embeddings: its only layer reads the sparse input features");
  }
}

double metric_on(const Predictions& predictions, core::Metric metric, const core::Labels& labels,
                 const std::vector<core::VertexId>& set) {
  std::vector<core::VertexId> known = set;
  if (labels.task == Task::kClassification) {
    std::erase_if(known, [&](core::VertexId v) { return labels.classes[static_cast<std::size_t>(v)] < 0; });
  }
  core::MetricAccumulator accumulator(metric, labels.task, labels.num_outputs);
  accumulator.add(predictions.outputs, labels, known);
  return accumulator.value();
}

}  // namespace laminar::apps
