#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/graph.hpp"

namespace laminar::core {

/// What a device that computes one part of a graph must know of it: the rows of its own vertices, and a few numbers of
/// every other vertex.
struct PartGraph {
  /// Numbered as in the file. Rows of other parts' vertices are empty; row_sums() are of all vertices.
  Graph graph;
  Index part = 0;
  Index num_parts = 1;
  /// [N] 1: the vertex has a neighbour in another part, in either direction.
  std::vector<std::uint8_t> on_border;
  /// [own vertices, num_parts] Whether a row of part q, another one, has the i-th own vertex (ascending) as a source.
  std::vector<bool> readers;
  /// Vertices of other parts whose rows have own vertices as sources.
  Index num_readers = 0;
};

/// What else a layer wants of a graph.
struct PartContents {
  /// As of Graph::with_reversed_edges(), and edge features as of Graph::with_edge_features(); not both.
  bool reversed_edges = false;
  bool edge_features = false;
};

/// Reads the rows of part `part` of a dataset's graph, whose vertex v is of part part_of[v] of `num_parts`, in one pass
/// over the rows (Dataset::visit_rows): the rest of the graph is seen, not held. O(N + E) time, O(N + edges of the
/// part) memory and a bit for each own vertex and part. The rows, and what layers make of them, are those of the whole
/// graph, bit for bit. Throws Error if there is no such part, part_of is of another number of vertices or names no
/// part, both `contents` are asked for, or what visit_rows() throws.
PartGraph read_part(const Dataset& data, std::span<const std::int32_t> part_of, Index num_parts, Index part,
                    const PartContents& contents = {});

}  // namespace laminar::core
