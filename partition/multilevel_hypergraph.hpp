#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition::multilevel {

/// The volume of a partition as a hypergraph: each vertex v has a net that holds v and its out-neighbours, and on a
/// directed graph another that holds v and its in-neighbours (on undirected graphs both are the same, counted once). A
/// net in l parts costs l - 1 rows, so that the total volume is sum over nets of weight x (parts touched - 1); the rows
/// part p receives are the nets that touch p less the nets of its own vertices (Catalyurek and Aykanat 1999).
/// Nets with the same pins are one net with the sum of their weights; a net with one pin never costs anything and is
/// folded into `own_rows` of that pin.
struct Hypergraph {
  Index num_vertices = 0;
  /// Pins of net e: pins[net_offsets[e] .. net_offsets[e + 1]), ascending, at least two.
  std::vector<EdgeId> net_offsets = {0};
  std::vector<VertexId> pins;
  std::vector<std::int32_t> net_weight;
  /// Nets of vertex v: nets[vertex_offsets[v] .. vertex_offsets[v + 1]), ascending.
  std::vector<EdgeId> vertex_offsets = {0};
  std::vector<std::int32_t> nets;
  /// What is balanced: [num_vertices * dims].
  int dims = 1;
  std::vector<double> weight;
  /// Weight of the nets with v as the only pin less the nets that belong to v: what v adds to its part's received rows
  /// beside the nets that touch the part.
  std::vector<std::int32_t> own_rows;

  Index num_nets() const { return static_cast<Index>(net_weight.size()); }
  std::span<const VertexId> pins_of(Index e) const {
    return {pins.data() + net_offsets[e], static_cast<std::size_t>(net_offsets[e + 1] - net_offsets[e])};
  }
  std::span<const std::int32_t> nets_of(Index v) const {
    return {nets.data() + vertex_offsets[v], static_cast<std::size_t>(vertex_offsets[v + 1] - vertex_offsets[v])};
  }
  const double* weight_of(Index v) const { return weight.data() + v * dims; }
};

/// The closed neighbourhoods of `graph`. weights: [num_vertices * dims]. Parallel.
Hypergraph volume_hypergraph(const core::Graph& graph, int dims, std::vector<double> weights);

/// `h` with all vertices of a cluster as one. cluster: [h.num_vertices], values in [0, clusters). Parallel.
Hypergraph contract(const Hypergraph& h, std::span<const std::int32_t> cluster, Index clusters);

/// The vertices with keep[v] != 0 in their order, and what their nets hold of them. own_rows are theirs in `h`.
Hypergraph extract(const Hypergraph& h, std::span<const char> keep);

/// An undirected graph with edge weights, for coarsening that keeps the cut small.
struct WeightedGraph {
  std::vector<EdgeId> offsets = {0};
  std::vector<VertexId> targets;
  std::vector<std::int32_t> weights;
};

/// Neighbours in either direction; an edge that stands in both directions weighs 2; without self-loops.
WeightedGraph cut_graph(const core::Graph& graph);
WeightedGraph contract(const WeightedGraph& g, std::span<const std::int32_t> cluster, Index clusters);

}  // namespace laminar::partition::multilevel
