#pragma once

#include "laminar/partition/partitioner.hpp"
#include "laminar/partition/streaming.hpp"

namespace laminar::partition {

/// What the strategies that stream a graph share: the options of both worlds. The result refers to `options`.
inline StreamingOptions streaming_options(const PartitionOptions& options, StreamingScore score, int passes) {
  return {.parts = options.parts,
          .seed = options.seed,
          .imbalance = options.imbalance,
          .capacity = options.capacity,
          .vertex_weights = options.vertex_weights,
          .score = score,
          .passes = passes};
}

}  // namespace laminar::partition
