#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "laminar/core/dataset.hpp"
#include "laminar/core/graph.hpp"
#include "laminar/datasets/graph_data.hpp"

// Partitions in graph files, and in files of their own (docs/file_format.md). Errors name file and object or line.
namespace laminar::datasets {

/// What a partition is held against.
struct GraphIdentity {
  core::Index num_vertices = 0;
  /// core::Graph::fingerprint().
  std::uint64_t fingerprint = 0;

  GraphIdentity(core::Index vertices, std::uint64_t of_graph) : num_vertices(vertices), fingerprint(of_graph) {}
  GraphIdentity(const core::Graph& graph)  // NOLINT(google-explicit-constructor): a graph is one
      : GraphIdentity(graph.num_vertices(), graph.fingerprint()) {}
  /// Of a dataset's graph, which need not be held for it.
  explicit GraphIdentity(const core::Dataset& data)
      : GraphIdentity(data.schema().num_vertices, data.graph_fingerprint()) {}
};

/// Adds a partition to a graph file, as /partitions/NAME; all else in the file, known or not, stays as it is. The new
/// file is made in memory, written beside the old one and renamed, so that a crash or a full disk leaves the old one;
/// whoever has it open goes on reading that. Throws UsageError if the name is taken and `overwrite` not set; Error if
/// the name can't be one, the parts don't fit the file's graph (length, range, fingerprint), or the file is damaged or
/// can't be written.
void save_partition(const std::filesystem::path& path, const SavedPartition& partition, bool overwrite);

/// The partition /partitions/NAME of a graph file that was made for `graph`. Throws UsageError, naming those there are,
/// if there is none of that name; Error if it is damaged, or was made for another graph (the fingerprints differ).
SavedPartition load_partition(const std::filesystem::path& path, const std::string& name, const GraphIdentity& graph);

/// Writes a partition to a file of its own: HDF5 if the name ends in .h5 or .hdf5, else text, one part number a line,
/// as METIS's programs write it. Throws Error; an older file stays then.
void write_partition_file(const std::filesystem::path& path, const SavedPartition& partition);

/// Reads either kind, told apart by its content; text may be gzip-compressed, and lines that begin with # or % are
/// comments. Text has no fingerprint, so only the count of its lines can be held against `graph`; its parts are as many
/// as the largest number tells, its strategy is "file", its name that of the file. Throws Error as load_partition().
SavedPartition read_partition_file(const std::filesystem::path& path, const GraphIdentity& graph);

}  // namespace laminar::datasets
