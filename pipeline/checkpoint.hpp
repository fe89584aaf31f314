#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/optimizer.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/train_options.hpp"
#include "laminar/pipeline/train_result.hpp"

namespace laminar::pipeline {

/// What a model was trained on, so that a checkpoint is not applied to something else.
struct DataSignature {
  std::string name;
  Index num_vertices = 0;
  Index num_features = 0;
  core::Task task = core::Task::kNone;
  Index num_outputs = 0;
  std::vector<std::string> output_names;
  /// core::Graph::fingerprint().
  std::uint64_t graph_fingerprint = 0;
  /// A hash of features, labels and the split: what else a training depends on.
  std::uint64_t content_fingerprint = 0;
  /// -1 in checkpoints that do not tell.
  Index num_edge_features = 0;
};

/// All that a training needs to go on, and a prediction to be made.
struct Checkpoint {
  layers::ModelOptions model;
  TrainOptions options;
  DataSignature data;
  /// Epochs done.
  Index epoch = 0;
  /// Weights after the last epoch, and of the best one (empty before the first evaluation).
  std::vector<core::NamedTensor> weights;
  std::vector<core::NamedTensor> best_weights;
  std::vector<core::NamedTensor> optimizer;
  Index best_epoch = 0;
  Evaluation best = {};
  std::vector<EpochRecord> epochs;
  /// Historical rows and gradients, "LAYER.PART/TABLE" with TABLE one of rows, next, z; empty without history.
  std::vector<core::NamedTensor> tables;
  /// How the graph was cut when they were made: part and chunk of each vertex of the file, and its place in the layout.
  std::vector<std::int32_t> part_of;
  std::vector<std::int32_t> chunk_of;
  std::vector<std::int32_t> place_of;
};

/// Writes an HDF5 file, beside and renamed into place. Throws Error if it can't be written; what was there stays.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws Error if the file can't be read, is no checkpoint, is of another version, or is damaged.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Copies `weights` into the parameters of the same names. Throws Error if names, shapes or precisions differ.
void load_weights(const std::vector<core::NamedTensor>& weights, const core::ParameterList& parameters);

/// A model with the checkpoint's best weights (its last ones if there are no best, or with `last`). Throws Error if the
/// weights are not those of the model.
layers::Model make_model(const Checkpoint& checkpoint, bool last = false, core::MemoryPool* pool = nullptr);

}  // namespace laminar::pipeline
