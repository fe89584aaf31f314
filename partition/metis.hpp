#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laminar/partition/adjacency.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// "5.1.0", or empty in a build without METIS (LAMINAR_WITH_METIS=OFF, or METIS was not found).
std::string metis_version();

/// What METIS is asked to make small.
enum class MetisObjective : std::uint8_t {
  kCut,     ///< weight of the edges between parts
  kVolume,  ///< vertices x other parts that hold a neighbour of them
};

/// One thing to keep balanced over the parts.
struct MetisConstraint {
  /// Weight of each vertex, not negative; empty = 1 each.
  std::vector<double> weights = {};
  /// A part may hold up to (1 + imbalance) x its share. METIS takes less than 0.001 as 0.001.
  double imbalance = 0.03;
};

struct MetisOptions {
  Index parts = 2;
  std::uint64_t seed = 1;
  MetisObjective objective = MetisObjective::kCut;
  /// At least one.
  std::vector<MetisConstraint> constraints = {MetisConstraint{}};
  /// Relative sizes of the parts; empty = equal.
  std::vector<double> capacity = {};
};

/// METIS_PartGraphKway (Karypis and Kumar 1998): a part for each vertex. Balance is METIS's best effort, not a promise;
/// no part is empty (METIS leaves some empty at times: they are then given one vertex each, see fill_empty_parts).
/// Graphs with fewer than eight vertices a part, on which METIS fails or writes to the standard output, are cut in
/// breadth-first order instead, balanced by the first constraint. Edge weights of `adjacency` count in the cut.
/// METIS draws from the C library's rand(), so calls wait for each other; the same seed gives the same partition as
/// long as nothing else in the process calls rand() meanwhile.
/// While METIS works it catches SIGTERM and gives up, which ends in an Error here.
/// Throws Error in a build without METIS, for graphs with more entries than METIS's 32-bit numbers hold, and when METIS
/// fails (it needs some 100 bytes an entry). Expects 1 <= parts <= number of vertices.
Partition metis_partition(const Adjacency& adjacency, const MetisOptions& options);

}  // namespace laminar::partition
