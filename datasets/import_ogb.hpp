#pragma once

#include <filesystem>

#include "laminar/datasets/importer.hpp"

namespace laminar::datasets {

/// A node property prediction dataset in the layout in which the Open Graph Benchmark (Hu et al., 2020) is downloaded.
/// In the folder are, each as .csv, .csv.gz or in another compression:
///   raw/edge            "FROM,TO" a line, counted from 0
///   raw/num-node-list   one number
///   raw/node-feat       numbers, a line a vertex; optional
///   raw/node-label      a class a line (nan or empty: unknown), or several columns of 0 and 1 (multi-label); optional
///   raw/edge-feat       numbers, a line an edge; optional
///   split/NAME/train, valid, test   a vertex a line; optional
/// Undirected, both directions of each edge, as the benchmark's loaders do for most of its graphs; with
/// `options.directed` FROM -> TO. Of repeated edges the first stays. Throws Error, naming file and line, for anything
/// missing, out of range or of another length, for graphs of several kinds of vertices, and if what is read passes
/// `options.max_memory_bytes`.
ImportResult import_ogb(const std::filesystem::path& folder, const ImportOptions& options);

}  // namespace laminar::datasets
