#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/pipeline/loss_options.hpp"

namespace laminar::pipeline {

/// Labels and sets of some rows of a model's output.
struct Targets {
  core::Labels labels;
  /// Rows whose target is known, ascending.
  std::vector<core::VertexId> train;
  std::vector<core::VertexId> val;
  std::vector<core::VertexId> test;
  /// How classes or labels count in the loss; see core::LossShape.
  std::vector<double> class_weights;
  double label_smoothing = 0;
  /// What the loss of the whole training and validation set is divided by: the sum of its rows' class weights for
  /// classes, its number of rows otherwise. select() keeps them.
  double train_count = 0;
  double val_count = 0;
};

/// Those of all vertices, in the file's order, for a split of the dataset.
Targets targets_of(const core::Dataset& data, const std::string& split);

/// Those of the vertices `ids`, row i being ids[i].
Targets select(const Targets& all, std::span<const core::VertexId> ids);

/// Sets how classes count, from the targets of all vertices. "Balanced" weighs a class by n / (C n_c), with n training
/// vertices of which n_c are of the class (1 if there are none), and a label's positives by its negatives / positives
/// (1 if one is 0). Throws UsageError for weights of another number than outputs, or options that don't go with the
/// task.
void set_loss(const LossOptions& options, Targets& all);

/// A set of targets that has a loss.
enum class LossSet : std::uint8_t { kTrain, kValidation };

/// The task's share of the loss of a set, over the count of the whole set; see core/loss.hpp. Throws Error without
/// labels.
double task_loss(const Targets& targets, LossSet set, const core::Tensor& outputs, core::Tensor* gradient);

}  // namespace laminar::pipeline
