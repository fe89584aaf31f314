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
  /// [N] the number of each vertex in the file, ascending; empty if that is the vertex itself.
  std::vector<std::int64_t> ids;
  /// One sentence each.
  std::vector<std::string> notes;
};

/// Reads a text file of edges, plain or gzip-compressed: a line is "FROM TO" or "FROM TO WEIGHT", whole numbers from 0
/// and a finite number, divided by blanks, tabs or commas; all lines have as many columns. Lines that begin with # or %
/// are comments; a first line of names ("source,target") is passed over. Vertices are 0 to the largest number in the
/// file; but if fewer than half of these occur, vertices are those that occur, in ascending order, and `ids` tells
/// their numbers. Undirected: both directions of each edge, each once. Directed: FROM -> TO, each once. Of repeated
/// edges the largest weight stays; self-loops stay. Throws Error, as "FILE:LINE: ...", for anything else. O(E log E).
EdgeListGraph read_edge_list(const std::filesystem::path& path, bool directed);

/// The same as a dataset without features, labels or splits; `ids` become vertex names.
ImportResult import_edge_list(const std::filesystem::path& path, const ImportOptions& options);

}  // namespace laminar::datasets
