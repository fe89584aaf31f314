#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "laminar/datasets/importer.hpp"

namespace laminar::datasets {

/// A graph from a list of edges.
struct EdgeListGraph {
  std::shared_ptr<const core::Graph> graph;
  /// [E, columns] in the order of graph->in_sources(), or empty.
  core::Tensor edge_features;
  /// [N] the id of each vertex in the file; empty if that is the vertex itself.
  std::vector<std::string> names;
  /// One sentence each.
  std::vector<std::string> notes;
};

/// Reads a text file of edges, a line each, plain or compressed (gzip, xz, zstd): comma-, tab- or semicolon-separated
/// or in columns divided by blanks; empty lines and those that begin with # or % are passed over (see TableFormat for
/// the first line). Columns are FROM, TO and of three the third is the weight, unless `options.edges` says otherwise.
/// Ends are whole numbers from 0 if those of the first edge are, else names.
///   - Numbers: vertices are 0 to the largest in the file (or `options.vertices` of them); but if fewer than half of
///     these occur, vertices are those that occur, in ascending order, and `names` tells their numbers.
///   - Names: vertices are numbered in the order in which their names come first.
/// Undirected: both directions of each edge, each once. Directed: FROM -> TO, each once. Of repeated edges the one of
/// largest weight stays, the first of equal ones; self-loops stay. Throws Error, as "FILE:LINE: ...", for anything
/// else, and if what is read passes `options.max_memory_bytes`; UsageError if a column is named that isn't there. O(E
/// log E).
EdgeListGraph read_edge_list(const std::filesystem::path& path, const ImportOptions& options);
EdgeListGraph read_edge_list(const std::filesystem::path& path, bool directed);

/// The same as a dataset without features, labels or splits.
ImportResult import_edge_list(const std::filesystem::path& path, const ImportOptions& options);

}  // namespace laminar::datasets
