#pragma once

#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// Vertices in an order in which those that share many neighbours stand near each other: position -> vertex. Clusters
/// of at most `cluster_vertices` vertices (rows of a table that a core's cache holds) stand together, within one in the
/// order of the file; clusters that are much connected stand side by side, and so on. For graphs with communities,
/// whose breadth-first levels are too wide for an order such as reverse Cuthill-McKee.
/// O(E) a round, of which there are a few. Parallel, same result on any number of threads. Throws Error unless
/// cluster_vertices > 0.
std::vector<VertexId> community_order(const core::Graph& graph, Index cluster_vertices);

}  // namespace laminar::partition
