#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/partition/multilevel_hypergraph.hpp"
#include "laminar/partition/multilevel_random.hpp"

namespace laminar::partition::multilevel {

struct Clustering {
  /// [num_vertices], values in [0, count).
  std::vector<std::int32_t> cluster;
  Index count = 0;
};

/// What a clustering has to keep.
struct ClusterLimits {
  /// Largest weight of a cluster in each of the hypergraph's weights.
  std::vector<double> weight;
  /// Only vertices of the same block may be together; empty = all may.
  std::span<const std::int32_t> block;
  /// Rating by common nets looks at about this many pins a vertex, those of its smallest nets.
  Index rated_pins = 1000;
  /// Not fewer clusters than this.
  Index at_least = 1;
};

/// Each vertex joins the cluster it shares most with, in batches: a batch's choices are made in parallel against the
/// clusters as they stood, then carried out in order, so that the result does not depend on the number of threads.
/// `cut`, if not null, makes the rating the weight of the edges to a cluster; else it is the sum over common nets of
/// weight / (pins - 1). Both are divided by the cluster's first weight, so that clusters grow evenly.
/// Vertices left alone whose favourite is full, and those without any, are paired with their like.
Clustering cluster_vertices(const Hypergraph& h, const WeightedGraph* cut, const ClusterLimits& limits,
                            RandomSequence& random);

}  // namespace laminar::partition::multilevel
