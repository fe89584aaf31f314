#pragma once

#include <filesystem>

#include "laminar/datasets/importer.hpp"

namespace laminar::datasets {

/// A graph in GraphML (graphml.graphdrawing.org), as NetworkX, igraph, Gephi and yEd write it, plain or compressed;
/// read as a stream. Vertices are the nodes in the order in which they are met, their ids become names unless those are
/// 0, 1, 2, ... (with or without an `n` before them). Attributes of numbers:
///   - of nodes: `class` or `label`, if whole numbers, are labels; the others become features, in the order of their
///   keys;
///   - of edges: `weight` is the weight, the others become edge features.
/// Attributes of text: `class` of nodes, or else `label`, names classes if there are at most half as many values as
/// nodes; others are left out, with a note. A missing number is the key's default, or 0 with a note; a missing class is
/// unknown. Of repeated edges the one of largest weight stays. Throws Error as parse_graphml(), and for values that are
/// no finite numbers.
ImportResult import_graphml(const std::filesystem::path& path, const ImportOptions& options);

}  // namespace laminar::datasets
