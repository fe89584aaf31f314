#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "laminar/datasets/importer.hpp"

namespace laminar::datasets {

/// A graph in METIS's text format, with what graph files have no place for.
struct MetisGraph {
  /// Undirected; both directions of every edge.
  std::shared_ptr<const core::Graph> graph;
  /// [N] the first weight of each vertex, or empty.
  std::vector<double> vertex_weights;
  /// One sentence each: what of the file is not used.
  std::vector<std::string> notes;
};

/// Reads METIS's graph format (manual of METIS 5, section 4.1.1), plain or gzip-compressed. First line "N M [FMT
/// [NCON]]": vertices, undirected edges, three digits that say whether there are vertex sizes, vertex weights and edge
/// weights, and the number of weights a vertex. Then a line for each vertex: its size, weights, and its neighbours,
/// counted from 1, each followed by the edge's weight. Lines that begin with % are comments. Throws Error, as
/// "FILE:LINE: ...", for anything missing, out of range or too much, a self-loop, a neighbour listed twice, an edge
/// that the other end doesn't list with the same weight, or another number of edges than M. Nothing is allocated by
/// what the first line claims. O(N + M).
MetisGraph read_metis(const std::filesystem::path& path);

/// The same as a dataset without features, labels or splits.
ImportResult import_metis(const std::filesystem::path& path, const ImportOptions& options);

}  // namespace laminar::datasets
