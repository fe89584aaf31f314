#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/partition/multilevel_refine.hpp"

namespace laminar::partition::multilevel {

/// What is partitioned, shared by all runs.
struct Problem {
  Hypergraph hypergraph;
  /// For coarsening by cut; empty if never asked for.
  WeightedGraph graph;
  Balance balance;
};

/// How one run goes.
struct RunOptions {
  /// Coarsen by the weight of edges instead of by common nets.
  bool cut = false;
  /// Coarsen down to this many vertices a part.
  Index coarsest_a_part = 160;
  /// Partitions tried on the coarsest level of each bisection.
  int tries = 16;
  /// See ClusterLimits.
  Index rated_pins = 1000;
  SearchOptions search;
  std::uint64_t seed = 1;
};

/// Coarsens, partitions the coarsest hypergraph by recursive bisection, each a multilevel run of its own, and refines
/// on the way back (Hendrickson and Leland 1995; Schlag et al. 2016). The bisections make the total volume small,
/// whatever the goal.
std::vector<std::int32_t> partition_run(const Problem& problem, const RunOptions& options, Deadline& deadline);

/// Coarsens without ever merging vertices that one of `starts` puts in different parts, so that each of them stands on
/// all levels, and refines the first of them on the way back: with one start a V-cycle (Walshaw 2004), with two a
/// recombination (Sanders and Schulz 2012). The result's goal is never worse than the first start's.
std::vector<std::int32_t> improve_run(const Problem& problem, std::span<const std::vector<std::int32_t>* const> starts,
                                      const RunOptions& options, Deadline& deadline);

}  // namespace laminar::partition::multilevel
