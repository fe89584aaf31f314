#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "laminar/core/graph.hpp"

namespace laminar::partition {

using core::EdgeId;
using core::Index;
using core::VertexId;

/// The undirected simple graph under a graph: what a partitioner that knows nothing of directions works on. Each pair
/// of neighbours stands in both rows; no self-loops, no duplicates; rows ascending.
struct Adjacency {
  /// [num_vertices + 1].
  std::vector<EdgeId> offsets = {0};
  std::vector<VertexId> neighbours = {};
  /// One a neighbour, or empty: 1 each.
  std::vector<double> weights = {};

  Index num_vertices() const { return static_cast<Index>(offsets.size()) - 1; }
  /// Entries, i.e. twice the number of undirected edges.
  EdgeId num_entries() const { return static_cast<EdgeId>(neighbours.size()); }
  Index degree(Index v) const { return offsets[v + 1] - offsets[v]; }
  std::span<const VertexId> of(Index v) const {
    return {neighbours.data() + offsets[v], static_cast<std::size_t>(degree(v))};
  }
  /// The weight of entry `e`.
  double weight(EdgeId e) const { return weights.empty() ? 1.0 : weights[e]; }
};

/// u and v are neighbours if the graph has an edge between them in either direction. With `use_edge_weights` on a
/// weighted graph, the weight of {u, v} is the sum of the absolute weights of all edges between them. Parallel.
Adjacency symmetric_adjacency(const core::Graph& graph, bool use_edge_weights = false);

}  // namespace laminar::partition
