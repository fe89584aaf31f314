#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::partition {

using core::EdgeId;
using core::Index;
using core::VertexId;

/// Which part each vertex belongs to.
struct Partition {
  Index num_parts = 1;
  /// [num_vertices], values in [0, num_parts).
  std::vector<std::int32_t> part_of;
  /// Something the user should know, e.g. that a time limit struck or that a part is empty; empty = nothing.
  std::vector<std::string> remarks = {};
};

/// Throws Error, saying what is wrong, unless there are `num_vertices` values in [0, num_parts) and num_parts >= 1.
void validate(const Partition& partition, Index num_vertices);

/// Number of vertices of each part.
std::vector<Index> part_sizes(const Partition& partition);

}  // namespace laminar::partition
