#pragma once

#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/metrics.hpp"
#include "laminar/pipeline/predictor.hpp"

namespace laminar::apps {

/// What a trained model says of every vertex of a graph.
struct Predictions {
  core::Task task = core::Task::kNone;
  /// Names of the outputs; may be empty.
  std::vector<std::string> output_names;
  /// The users' own ids; may be empty.
  std::vector<std::string> vertex_names;
  /// Raw outputs [N, outputs]: logits, or for regression the values.
  core::Tensor outputs;
  /// float32 [N, outputs]: softmax(outputs) for classes, sigmoid(outputs) for multi-label, the values for regression;
  /// empty for a model of pairs, whose outputs are embeddings.
  core::Tensor probabilities;
  /// float32 [N, width]: what the output layer or head reads. Empty unless asked for.
  core::Tensor embeddings;

  /// The most probable class of a vertex, the first of equals.
  std::int32_t predicted_class(core::Index vertex) const;
  /// Whether a label of a vertex is predicted: probability above 1/2.
  bool has_label(core::Index vertex, core::Index label) const;
};

/// Throws Error, saying what differs, unless a checkpoint's model can be applied to the dataset: as many features, and,
/// unless `ignore_labels` or there are none, the same task and outputs of the same names.
void check_fits(const pipeline::DataSignature& trained_on, const core::DatasetSchema& schema, bool ignore_labels);

/// What a model's outputs for all vertices mean: `model` as in DataSignature. Takes over `rows`.
Predictions predictions_of(const pipeline::DataSignature& model, const core::Dataset& data, pipeline::Prediction rows);

/// Throws Error if embeddings are asked for but there are none, as the model's only layer reads sparse features.
void check_embeddings(const pipeline::Prediction& rows, bool asked);

/// A metric over the vertices of `set` whose class is known; NaN if there are none.
double metric_on(const Predictions& predictions, core::Metric metric, const core::Labels& labels,
                 const std::vector<core::VertexId>& set);

}  // namespace laminar::apps
