#pragma once

#include <cstdint>
#include <vector>

#include "laminar/partition/multilevel_refine.hpp"

namespace laminar::partition::multilevel {

/// A partition grown from one random vertex a part: the part with the smallest share filled takes, among free
/// vertices, the one most tied to it. For small hypergraphs: O(vertices^2 + parts x pins). No part is left empty;
/// limits may be broken.
std::vector<std::int32_t> grow(const Hypergraph& h, const Balance& balance, RandomSequence& random);

/// For two parts: all vertices in part 1, then from a random one on always the vertex that costs fewest rows goes to
/// part 0, until that holds its share. Neither part is left empty.
std::vector<std::int32_t> grow_one(const Hypergraph& h, const Balance& balance, RandomSequence& random);

/// The best of `tries` grown partitions, each balanced and refined. Parallel, the same on any number of threads.
std::vector<std::int32_t> initial_partition(const Hypergraph& h, const Balance& balance, const SearchOptions& options,
                                            int tries, std::uint64_t seed, Deadline& deadline);

}  // namespace laminar::partition::multilevel
