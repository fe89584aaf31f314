#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/pipeline/topology.hpp"

namespace laminar::pipeline {

/// How the vertices of a part stand on its device where there is one chunk; slices of chunks have an order of their
/// own. It decides how often a sum over neighbours finds a row in a core's cache. What is read and written (files,
/// seeds, outputs) is by the ids of the file, whatever the order; results differ by rounding only.
enum class VertexOrder : std::uint8_t {
  kAuto,       ///< community where that pays, else file; see decide_vertex_order()
  kFile,       ///< as in the file
  kRcm,        ///< reverse Cuthill-McKee: for meshes and the like
  kCommunity,  ///< partition::community_order()
};

/// "auto", "file", "rcm", "community".
std::string_view name_of(VertexOrder order);
/// The inverse. Throws UsageError on any other name.
VertexOrder vertex_order_from_name(std::string_view name);

/// What is known of a training before it begins.
struct VertexOrderInput {
  /// Of a row that sums over neighbours read.
  std::size_t row_bytes = 0;
  /// Aggregations of an epoch.
  Index layers = 0;
  Index epochs = 0;
};

struct VertexOrderDecision {
  /// Never kAuto.
  VertexOrder order = VertexOrder::kFile;
  /// One line: "file, as asked".
  std::string why;
  /// The place of each vertex; empty = as in the file.
  std::vector<Index> rank;
};

/// Whether decide_vertex_order() looks at the edges of a graph of so many vertices.
bool order_reads_edges(VertexOrder asked, Index num_vertices, const VertexOrderInput& input);

/// What `asked` comes to on a graph. kAuto is kCommunity where a table of rows is far larger than a core's cache, and
/// the order lets so many more of the rows that sums read be found in a cache than the file's does
/// (partition::gather_reuse()) that it should pay within five epochs. A pure function of its arguments, on any number
/// of threads.
VertexOrderDecision decide_vertex_order(VertexOrder asked, const core::Graph& graph, const VertexOrderInput& input);

}  // namespace laminar::pipeline
