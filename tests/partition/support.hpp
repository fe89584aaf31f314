#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"
#include "laminar/tests/support/graphs.hpp"

/// Graphs big enough to be partitioned, and helpers of the partition tests.
namespace laminar::testing {

/// An undirected graph of the pairs {a, b}.
core::Graph undirected(core::Index vertices, const std::vector<std::pair<int, int>>& pairs);

/// A directed graph of edges a -> b.
core::Graph directed(core::Index vertices, const std::vector<std::pair<int, int>>& edges);

/// `count` cliques of `size` vertices in a ring, neighbours joined by one edge.
core::Graph clique_ring(core::Index count, core::Index size);

/// Random, grid, star, ring, disconnected, bipartite, block model, directed, acyclic, a hub linked to all, no edges:
/// 48 to 300 vertices each.
const std::vector<NamedGraph>& partition_graphs();

/// Parts drawn at random.
partition::Partition random_labels(core::Index vertices, core::Index parts, std::uint64_t seed);

}  // namespace laminar::testing
