#pragma once

#include <memory>
#include <span>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/tensor.hpp"

namespace laminar::pipeline {

/// Labels and sets of some rows of a model's output.
struct Targets {
  core::Labels labels;
  /// Rows whose target is known, ascending.
  std::vector<core::VertexId> train;
  std::vector<core::VertexId> val;
  std::vector<core::VertexId> test;
};

/// Those of all vertices, in the file's order, for a split of the dataset.
Targets targets_of(const core::Dataset& data, const std::string& split);

/// Those of the vertices `ids`, row i being ids[i].
Targets select(const Targets& all, std::span<const core::VertexId> ids);

/// The task's loss of `rows` over `count`, the rows of all devices; see core/loss.hpp. Throws Error without labels.
double task_loss(const core::Labels& labels, const core::Tensor& outputs, std::span<const core::VertexId> rows,
                 double count, core::Tensor* gradient);

}  // namespace laminar::pipeline
