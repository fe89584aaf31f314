#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// Strategies that give *edges* to parts and copy vertices to wherever they have edges. Laminar does not train on such
/// cuts; the benchmark shows them beside edge cuts.
enum class VertexCutStrategy : std::uint8_t {
  kDbh,   ///< degree-based hashing: an edge goes where its end of lower degree hashes to. Xie et al., NIPS 2014
  kHdrf,  ///< high degree replicated first, one pass over the edges. Petroni et al., CIKM 2015
};

/// "dbh", "hdrf".
std::string_view name_of(VertexCutStrategy strategy);

struct VertexCut {
  Index num_parts = 1;
  /// Pairs of vertices with an edge that each part holds, and vertices it has a copy of. All edges between two
  /// vertices, in either direction, stay together and count once; self-loops don't count.
  std::vector<EdgeId> edges = {};
  std::vector<Index> vertices = {};
  /// Copies a vertex has on average, among vertices with an edge (Petroni et al., equation 1); 1 if there is none.
  double replication_factor = 1;
  /// The largest part's edges over the mean; 1 without edges.
  double edge_balance = 1;
};

/// Cuts a graph between `parts` parts. With lambda = 1, as its authors take it, HDRF would give all edges of a mesh
/// that come row after row to one part; so a part here never takes more than (1 + imbalance) x its share of the edges,
/// rounded up. DBH heeds no bound. Holds parts / 4 bytes a vertex. Serial, deterministic. Throws UsageError unless
/// parts >= 1 and imbalance >= 0.
VertexCut cut_vertices(const core::Graph& graph, VertexCutStrategy strategy, Index parts, std::uint64_t seed,
                       double imbalance = 0.03);

}  // namespace laminar::partition
