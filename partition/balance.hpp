#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/partition/adjacency.hpp"

namespace laminar::partition {

/// Total weight of each part's vertices; an empty `weights` counts 1 each. part_of [n] in [0, parts).
std::vector<double> part_weights(std::span<const std::int32_t> part_of, std::span<const double> weights, Index parts);

/// What a part may hold at most: (1 + imbalance) x its share of `weights` by `capacity` (both empty = 1 each); with
/// weights of 1 at least the share rounded up, so that whole vertices fit.
std::vector<double> part_limits(std::span<const double> weights, std::span<const double> capacity, Index num_vertices,
                                Index parts, double imbalance);

/// Gives each empty part a vertex: of the part with the most vertices the one with the fewest neighbours in it, and
/// of these the first. Expects at least as many vertices as parts. Returns how many parts were empty.
Index fill_empty_parts(const Adjacency& adjacency, Index parts, std::vector<std::int32_t>& part_of);

/// Moves vertices out of the parts that hold more than `limits`, each time the vertex whose move keeps the most
/// neighbours together, to a part with room, until all are within their limits or no move makes the heavier of the two
/// parts lighter (a vertex can be heavier than a part's share). No part is emptied. Serial, deterministic.
void rebalance(const Adjacency& adjacency, std::span<const double> weights, std::span<const double> limits,
               std::vector<std::int32_t>& part_of);

/// Moves vertices, in up to `rounds` sweeps over all, to the part that holds the most of their neighbours while it has
/// room (`limits`) and the cut falls: label propagation with a bound on sizes. `order` says in which order vertices
/// come (empty: ascending). Stops when no vertex moves. No part is emptied. Serial, deterministic.
void refine_cut(const Adjacency& adjacency, std::span<const double> weights, std::span<const double> limits, int rounds,
                std::vector<std::int32_t>& part_of, std::span<const VertexId> order = {});

/// fill_empty_parts() without edges: the last vertex of the part with the most.
Index fill_empty_parts(Index parts, std::vector<std::int32_t>& part_of);

}  // namespace laminar::partition
