#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "laminar/datasets/graph_data.hpp"

namespace laminar::datasets {

/// Whether the name ends in .csv, .tsv, .mtx, .graph or .graphml: a format that export_graph() writes.
bool is_export(const std::filesystem::path& path);

/// Writes the graph as text, in the format that the name tells, so that the importer of that format reads it again. Of
/// an undirected graph each edge stands once. Numbers are written so that they read back as the same bits. Each format
/// holds what it can; what it can't is returned, one sentence each:
///   - .csv, .tsv: edges between names or numbers, weights, edge features; no vertices without edges;
///   - .mtx: edges and weights;
///   - .graph (METIS): undirected edges and weights above 0; Error for a directed graph, self-loops, parallel edges;
///   - .graphml: all but splits, and labels that are no classes.
/// The text is made in memory, written beside `path` and renamed. Throws Error if it can't be written, or a name holds
/// a line end
/// (.csv, .tsv) or a character that XML can't hold (.graphml).
std::vector<std::string> export_graph(const GraphData& data, const std::filesystem::path& path);

}  // namespace laminar::datasets
