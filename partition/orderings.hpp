#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/partition/adjacency.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// A permutation of [0, num_vertices) drawn from the seed.
std::vector<VertexId> random_order(Index num_vertices, std::uint64_t seed);

/// Vertices in breadth-first order: position -> vertex. Each connected component is a block of its own, started at a
/// vertex far from others (George and Liu's pseudo-peripheral vertex); components come in the order of their first
/// vertex, isolated vertices among them. Serial, deterministic.
std::vector<VertexId> breadth_first_order(const Adjacency& adjacency);

/// Reverse Cuthill-McKee (Cuthill and McKee 1969, George 1971): breadth-first with the neighbours of a vertex in
/// ascending order of degree, reversed within each component; neighbours come to stand near each other.
std::vector<VertexId> reverse_cuthill_mckee_order(const Adjacency& adjacency);

/// Vertices grouped by part in ascending order, each part's in reverse Cuthill-McKee order of the edges inside it:
/// position -> vertex. Parallel over parts, same result on any number of threads.
std::vector<VertexId> reverse_cuthill_mckee_order(const Adjacency& adjacency, const Partition& partition);

/// Cuts `order` (position -> vertex) into ranges of equal weight in the proportions of `capacity` (both empty = 1
/// each): part p holds the p-th range, as near to its share as whole vertices allow and never empty.
Partition cut_order(std::span<const VertexId> order, Index parts, std::span<const double> weights,
                    std::span<const double> capacity);

}  // namespace laminar::partition
