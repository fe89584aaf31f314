#pragma once

#include <span>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"

namespace laminar::pipeline {

using core::Index;

/// Rows of input features as a device holds them: one of the two.
struct Features {
  core::Tensor dense;
  core::SparseMatrix sparse;
  explicit operator bool() const { return static_cast<bool>(dense) || static_cast<bool>(sparse); }
};

/// Reads the features of vertices `ids` (ids in the file), in that order, for a model: in its precision, normalised if
/// it wants that, sparse if they are. Reads panels of the file and keeps only the rows asked for. Throws Error for a
/// number that is not finite.
Features load_features(const core::RowSource& source, const layers::ModelOptions& model,
                       std::span<const core::VertexId> ids, core::MemoryPool* pool);

}  // namespace laminar::pipeline
