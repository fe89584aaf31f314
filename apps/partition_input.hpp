#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/datasets/importer.hpp"

namespace laminar::apps {

/// A graph to partition.
struct PartitionInput {
  std::string name;
  /// The name of the importer that read it: "laminar" for a graph file.
  std::string format;
  std::shared_ptr<const core::Graph> graph;
  /// [N], or empty: 1 each.
  std::vector<double> vertex_weights;
  /// Training vertices of the split asked for; empty if the file has no splits.
  std::vector<core::VertexId> train;
  std::string split;
  /// Partitions that the file holds.
  std::vector<std::string> partition_names;
  /// What the user should know, one sentence each.
  std::vector<std::string> notes;
};

/// Reads a graph by the importer `format`, or by the one for the file's name if that is "auto" (see
/// datasets::importer_for(); HDF5 is also known by its first bytes). `split` names the split whose training vertices
/// count, empty for the first there is. Throws UsageError if there is no such importer or it can't be told, for
/// `options.directed` or `split` where they mean nothing, or if there is no such split; Error if the file can't be read
/// or is wrong.
PartitionInput read_partition_input(const std::filesystem::path& path, const std::string& format,
                                    const datasets::ImportOptions& options, const std::string& split);

}  // namespace laminar::apps
