#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/datasets/graph_data.hpp"

// Changes of a whole dataset: features, labels, names and splits follow their vertices, weights and features their
// edges. Saved partitions are dropped, being of the graph before; the provenance says what was done. `data` must hold
// what check(GraphData) asks. Each returns what a user should know, one sentence each; `data` stay as they are after a
// throw.
namespace laminar::datasets {

/// The graph of the vertices `kept`, all different, and the edges among them: new vertex i is old vertex kept[i].
/// Vertices without names get their old numbers as names, so that predictions can be told apart. A split of which a
/// part becomes empty is dropped, with a note. If these are all vertices in their order, nothing changes. Throws Error
/// if there is none, or one is out of range or twice there. O(N + E log(degree)).
std::vector<std::string> keep_vertices(GraphData& data, const std::vector<core::VertexId>& kept);

/// Both directions of every edge, each once: of u -> v and v -> u the one of larger weight stays, with its features; a
/// self-loop stays one. Parallel edges become one. An undirected graph stays as it is.
std::vector<std::string> make_undirected(GraphData& data);

enum class SelfLoops : std::uint8_t { kAdd, kRemove };
/// "add", "remove". Throws UsageError for another word.
SelfLoops parse_self_loops(std::string_view word);
/// kRemove: without edges v -> v. kAdd: with one for each vertex that has none, of weight 1 and features 0.
std::vector<std::string> change_self_loops(GraphData& data, SelfLoops how);

/// The vertices of the largest weakly connected component, ascending; of equally large ones that of the smallest
/// vertex.
std::vector<core::VertexId> largest_component(const core::Graph& graph);

enum class Relabel : std::uint8_t {
  /// Breadth-first, from the vertex of smallest degree of each component, neighbours by number.
  kBfs,
  /// Reverse Cuthill-McKee (Cuthill and McKee, "Reducing the bandwidth of sparse symmetric matrices", 1969; George,
  /// 1971):
  /// breadth-first from a vertex of smallest degree, moved to the far end of its component as long as that gets farther
  /// (George and Liu, 1979), neighbours by ascending degree, and all in reverse.
  kRcm,
};
/// "bfs", "rcm". Throws UsageError for another word.
Relabel parse_relabel(std::string_view word);
/// An order of all vertices in which neighbours are near each other; directions don't count. For keep_vertices().
std::vector<core::VertexId> locality_order(const core::Graph& graph, Relabel how);

/// The vertices that a user names: a file with a vertex a line (its name, or its number where vertices have no names;
/// see TableReader for comments and compression), in the order of the file; or, if `words` is a whole number N and no
/// file, the first N. Throws Error, with file and line, for what is no vertex or stands twice.
std::vector<core::VertexId> read_vertices(const GraphData& data, const std::string& words);

}  // namespace laminar::datasets
