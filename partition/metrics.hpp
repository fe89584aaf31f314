#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// What measure() may be told beside graph and partition.
struct MeasureOptions {
  /// Training vertices; empty = none.
  std::vector<VertexId> train = {};
  /// Weight of each vertex in vertex_balance; empty = 1 each.
  std::vector<double> vertex_weights = {};
  /// Relative sizes of the parts; empty = equal.
  std::vector<double> capacity = {};
  /// Values of a row, and bytes of a value, for memory_bytes.
  Index width = 128;
  std::size_t value_bytes = 4;
};

/// One part p. Rows are counted once however many edges want them: that is what a halo exchange sends.
struct PartMetrics {
  Index vertices = 0;
  /// In-edges of its vertices: what it aggregates.
  EdgeId in_edges = 0;
  Index train = 0;
  /// Remote sources of its in-edges: rows it receives in a forward pass.
  Index receive_in = 0;
  /// Remote targets of its out-edges: rows it receives in a backward pass.
  Index receive_out = 0;
  /// Rows it sends in a forward pass: its vertices, each once for each other part that has an in-edge from it.
  Index send_in = 0;
  /// Rows it sends in a backward pass: its vertices, each once for each other part that has an out-edge to it.
  Index send_out = 0;
  /// Remote vertices that are a source or a target of its edges (on undirected graphs receive_in = receive_out = halo).
  Index halo = 0;
  /// Other parts with an edge to or from it; 0 with more than PartitionMetrics::kMostTrafficParts parts.
  Index neighbour_parts = 0;
  /// Connected components of what lies inside the part, directions ignored.
  Index components = 0;
  /// (vertices + halo) rows of `width` values, and 8 bytes (id and weight) an in-edge.
  double memory_bytes = 0;
};

/// What a partition costs. "Volume" is in rows. On an undirected graph forward and backward move the same rows, and a
/// volume counts them once, which is what METIS calls the total communication volume: each vertex once for each other
/// part that holds a neighbour. On a directed graph a volume adds both directions.
struct PartitionMetrics {
  Index num_parts = 1;
  Index num_vertices = 0;
  bool directed = false;
  std::vector<PartMetrics> parts = {};

  /// Edges between different parts; an undirected edge counts once. Parallel edges count each.
  EdgeId edge_cut = 0;
  /// Sums of receive_in and of receive_out over the parts (rows; h_in and h_out of the formulas, times N).
  Index h_in = 0;
  Index h_out = 0;
  /// h_in on an undirected graph, h_in + h_out on a directed one.
  Index total_volume = 0;
  /// The largest receive_in (undirected) or receive_in + receive_out (directed) of a part, and the same of what is
  /// sent.
  Index max_receive_volume = 0;
  Index max_send_volume = 0;
  /// Copies of a vertex there are on average: (sum of vertices + halo) / N.
  double replication_factor = 1;
  Index max_neighbour_parts = 0;
  Index max_components = 0;

  /// The largest part over its share (by `capacity`; of equal parts, over the mean); 1 if there is nothing to balance.
  double vertex_balance = 1;
  double edge_balance = 1;
  double train_balance = 1;
  double memory_balance = 1;

  /// Rows part q sends to part p, at [q * num_parts + p]: in a forward pass, and in a backward pass. Empty with more
  /// than kMostTrafficParts parts.
  std::vector<Index> traffic_in = {};
  std::vector<Index> traffic_out = {};
  static constexpr Index kMostTrafficParts = 4096;
};

/// Measures a partition. Parallel, the same on any number of threads. O(edges + parts^2). Throws Error if the labels
/// are not valid for the graph, UsageError for training vertices out of range or capacities or weights of a wrong
/// count.
PartitionMetrics measure(const core::Graph& graph, const Partition& partition, const MeasureOptions& options = {});

/// Bytes of `rows` rows of `width` values.
constexpr double volume_bytes(Index rows, Index width, std::size_t value_bytes = 4) {
  return static_cast<double>(rows) * static_cast<double>(width) * static_cast<double>(value_bytes);
}

}  // namespace laminar::partition
