#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "laminar/core/tensor.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// Attributes of the edges of a graph as it stands in its file: row e of `values` [E, Fe], float32, is that of in-edge
/// e, and in-edges of file vertex v stand at [offsets[v], offsets[v + 1]).
struct EdgeFeatures {
  std::vector<EdgeId> offsets;
  Tensor values;
};

/// Of every vertex, what must be known of its in-edges where the row itself may not be there (see read_part()), or
/// stands in another order than in the file.
struct RowSums {
  /// [N] In-edges, and the sum of their weights in the file's order; the latter empty if the graph is unweighted.
  std::vector<EdgeId> edges;
  std::vector<double> weights;
  /// [N] 1: an in-edge from the vertex itself.
  std::vector<std::uint8_t> self_loops;
  /// [N] The same of edges that with_reversed_edges() made; empty without.
  std::vector<EdgeId> reversed_edges;
  std::vector<double> reversed_weights;

  std::size_t bytes() const;
};

/// An immutable directed graph in compressed sparse rows over *in*-edges (row = destination) with its transpose.
/// Undirected graphs hold both directions of every edge. Within a row, edges stand in ascending order of the neighbour.
/// The transpose is made when it is first asked for. Copying shares the arrays. Thread-safe.
class Graph {
 public:
  /// From in-edges in CSR form: `offsets` [num_vertices + 1], `sources` [E], `weights` [E] or empty (all 1).
  /// Rows are sorted by source if they are not (stable, so that parallel edges keep their order).
  /// `reversed` [E] or empty: see in_reversed().
  /// Throws Error: offsets not of the right length, not starting at 0, not monotone or not ending at E; a source out
  /// of range; as many weights or marks as neither 0 nor E; a weight that is not finite.
  static Graph from_in_csr(Index num_vertices, std::vector<EdgeId> offsets, std::vector<VertexId> sources,
                           std::vector<double> weights, bool directed, std::vector<std::uint8_t> reversed = {});

  /// From a list of edges source[e] -> target[e]. Same errors.
  static Graph from_edges(Index num_vertices, std::span<const VertexId> sources, std::span<const VertexId> targets,
                          std::span<const double> weights, bool directed);

  Index num_vertices() const;
  EdgeId num_edges() const;
  bool directed() const;
  bool weighted() const;

  /// In-edges of v stand at positions [in_offsets[v], in_offsets[v + 1]) of in_sources and in_weights.
  std::span<const EdgeId> in_offsets() const;
  std::span<const VertexId> in_sources() const;
  /// Empty if unweighted.
  std::span<const double> in_weights() const;
  /// Out-edges of v: targets at [out_offsets[v], out_offsets[v + 1]); out_edges gives each one's position among the
  /// in-edges.
  std::span<const EdgeId> out_offsets() const;
  std::span<const VertexId> out_targets() const;
  std::span<const EdgeId> out_edges() const;

  /// For each in-edge 1 if with_reversed_edges() made it; empty where none was made.
  std::span<const std::uint8_t> in_reversed() const;
  /// The graph with every edge beside its reverse (same weight, marked), for layers that hear both ends of an edge. A
  /// marked edge stands behind an unmarked one from the same vertex. Throws Error if it has been done already.
  Graph with_reversed_edges() const;

  /// The same graph with attributes of its edges: [E, Fe] float32 in the order of in_sources(). Throws Error if there
  /// are not as many rows as edges.
  Graph with_edge_features(Tensor values) const;
  /// The same graph with those of the graph that it was renumbered from; null = none.
  Graph with_edge_features(std::shared_ptr<const EdgeFeatures> features) const;
  /// Null if it has none.
  const std::shared_ptr<const EdgeFeatures>& edge_features() const { return edge_features_; }

  /// The same graph with what is known of all its rows, those that are not there too. Null: all rows are there, and
  /// what they tell stands in them.
  Graph with_row_sums(std::shared_ptr<const RowSums> sums) const;
  const std::shared_ptr<const RowSums>& row_sums() const { return row_sums_; }

  Index in_degree(VertexId v) const { return in_offsets()[v + 1] - in_offsets()[v]; }
  Index out_degree(VertexId v) const { return out_offsets()[v + 1] - out_offsets()[v]; }

  /// A 64-bit hash of the vertex count, the edges and the weights: equal graphs have equal fingerprints.
  std::uint64_t fingerprint() const;

  /// What the arrays take now, with the transpose if it has been made, without edge features.
  std::size_t bytes() const;

 private:
  struct Arrays;
  explicit Graph(std::shared_ptr<const Arrays> arrays);
  std::shared_ptr<const Arrays> arrays_;
  std::shared_ptr<const EdgeFeatures> edge_features_;
  std::shared_ptr<const RowSums> row_sums_;
};

/// The sums of a graph all of whose rows are there. O(N + E).
RowSums row_sums_of(const Graph& graph);

}  // namespace laminar::core
