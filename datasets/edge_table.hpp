#pragma once

#include <memory>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/core/tensor.hpp"

namespace laminar::datasets {

/// Edges source[e] -> target[e] with what is known of them, as an importer finds them.
struct EdgeTable {
  std::vector<core::VertexId> source;
  std::vector<core::VertexId> target;
  /// [E] or empty.
  std::vector<double> weight;
  /// [E, feature_cols], row by row.
  std::vector<float> features;
  core::Index feature_cols = 0;

  core::EdgeId size() const { return static_cast<core::EdgeId>(source.size()); }
};

struct BuiltGraph {
  std::shared_ptr<const core::Graph> graph;
  /// [E, feature_cols] in the order of graph->in_sources(), or empty.
  core::Tensor edge_features;
  /// Edges that repeated another one of the same direction.
  core::EdgeId dropped = 0;
};

/// The graph of the vertices 0..num_vertices-1. Directed: an edge source -> target for each row; undirected: both
/// directions, a self-loop once. Of rows that stand for the same edge one stays, that of the largest weight, among
/// equal ones the first; its features stay too. `edges` are used up. Ends must be in range. O(N + E log(degree)).
/// Throws Error if a weight is not finite.
BuiltGraph build_graph(core::Index num_vertices, EdgeTable edges, bool directed);

/// The rows `from` of a float32 matrix, in that order.
core::Tensor gather_rows(const core::Tensor& rows, const std::vector<core::EdgeId>& from);

}  // namespace laminar::datasets
