#pragma once

#include <span>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// What a sum over neighbours finds in a cache of `rows` rows if vertices come in `order` (position -> vertex; empty =
/// as they are numbered): the share of in-edges whose source was read among the last `rows` sources before it. Looks at
/// stretches of the order at fixed places, of some 10^5 edges in all (or everything, if there are fewer); 0 for a graph
/// without edges. Throws Error if the order is of another length, or rows <= 0.
double gather_reuse(const core::Graph& graph, std::span<const VertexId> order, Index rows);

}  // namespace laminar::partition
