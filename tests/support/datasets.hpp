#pragma once

#include <memory>

#include "laminar/core/dataset.hpp"
#include "laminar/datasets/graph_data.hpp"

/// Small datasets that a model can learn, the same on every run.
namespace laminar::testing {

struct BlockModelOptions {
  core::Index vertices = 240;
  core::Index classes = 3;
  core::Task task = core::Task::kClassification;
  bool sparse_features = false;
  bool directed = false;
  /// Random numbers; 0 = none.
  core::Index edge_features = 0;
};

/// `classes` communities with noisy features, edges mostly inside a community, one split "random" of 60/20/20.
datasets::GraphData block_model(const BlockModelOptions& options = {});

/// The same as a Dataset.
std::unique_ptr<core::Dataset> block_model_dataset(const BlockModelOptions& options = {});

}  // namespace laminar::testing
