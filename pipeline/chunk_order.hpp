#pragma once

#include <vector>

#include "laminar/pipeline/topology.hpp"

namespace laminar::pipeline {

/// In which order chunks go forward in one epoch and in the next, and in which backward. Positions are by chunk.
struct ChunkOrder {
  std::vector<Index> chunks;
  /// Forward positions.
  std::vector<Index> position;
  /// Backward positions in this epoch and the next.
  std::vector<Index> backward;
  std::vector<Index> next_backward;
};

/// The order of `epoch`: a permutation drawn from (seed, epoch) if `shuffle`, else 0, 1, ... Backward goes in reverse
/// order, or in the same order if `same_backward`. A pure function, so all devices know it.
ChunkOrder chunk_order(Index num_chunks, std::uint64_t seed, Index epoch, bool shuffle, bool same_backward = false);

}  // namespace laminar::pipeline
