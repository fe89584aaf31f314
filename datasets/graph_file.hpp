#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/datasets/graph_data.hpp"

// The HDF5 graph file (docs/file_format.md). Throws Error "FILE: OBJECT: what is wrong" throughout.
namespace laminar::datasets {

/// Opens a graph file: types, shapes and sizes of everything in it are checked now, values when they are read. Feature
/// rows are read on demand, never all at once. Throws Error if the file isn't there, isn't a graph file, is damaged or
/// contradicts itself; the same errors come from the Dataset's members for what they read.
/// An AnnData file (.h5ad) is opened too, and held in memory: see import_anndata(); if it brings no split, one of
/// 60/20/20 percent is drawn with seed 1. The same goes for read() and details().
std::unique_ptr<core::Dataset> open(const std::filesystem::path& path);

/// The whole file in memory, checked.
GraphData read(const std::filesystem::path& path);

/// What a file holds that core::Dataset has no name for, without reading its arrays.
struct FileDetails {
  std::string provenance;
  std::uint64_t file_bytes = 0;
  /// Columns of the edge features; 0 = none.
  core::Index num_edge_features = 0;
  std::vector<std::string> partition_names;
};

FileDetails details(const std::filesystem::path& path);

/// A partition kept in the file. Throws UsageError, naming those there are, if there is none of that name.
SavedPartition read_partition(const std::filesystem::path& path, const std::string& name);

struct WriteOptions {
  /// Deflate level of all arrays, 0 (off) to 9.
  int compression = 1;
};

/// Writes `data` as a graph file, beside `path` and then renamed: after an Error (data that check() refuses, a full
/// disk, no permission) an older file is still there, untouched.
void write(const std::filesystem::path& path, const GraphData& data, const WriteOptions& options = {});

/// Something that validate() found.
struct Finding {
  enum class Severity : std::uint8_t { kWarning, kError };
  Severity severity = Severity::kError;
  /// The full sentence, with file and object.
  std::string text;
};

/// Reads and checks everything in the file, and goes on after an error as far as it can. Errors are what read() would
/// throw; warnings are oddities: self-loops, parallel edges, unlabelled vertices in a split, a partition of another
/// graph. Throws Error only if the file can't be opened as a graph file at all.
std::vector<Finding> validate(const std::filesystem::path& path);

}  // namespace laminar::datasets
