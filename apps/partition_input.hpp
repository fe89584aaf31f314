#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/graph.hpp"

namespace laminar::apps {

/// What a graph is read from.
enum class GraphFormat : std::uint8_t {
  kAuto,     ///< by the file's name, or else by its first bytes
  kLaminar,  ///< a graph file
  kMetis,    ///< METIS's text format
  kEdges,    ///< a text file of edges
};

/// "auto", "laminar", "metis", "edges".
std::string_view name_of(GraphFormat format);
/// The inverse. Throws UsageError on any other name.
GraphFormat graph_format_from_name(std::string_view name);

/// A graph to partition.
struct PartitionInput {
  std::string name;
  GraphFormat format = GraphFormat::kAuto;
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

/// Reads a graph. `directed` says how to take an edge list; `split` names the split whose training vertices count,
/// empty for the file's first. By its name a file is a graph file (.h5, .hdf5), a METIS graph (.graph, .metis) or an
/// edge list
/// (.txt, .edges, .el, .csv, .tsv), each text with or without .gz; HDF5 is also known by its first bytes. Throws
/// UsageError if the format can't be told, for `directed` or `split` where they mean nothing, or if there is no such
/// split; Error if the file can't be read or is wrong.
PartitionInput read_partition_input(const std::filesystem::path& path, GraphFormat format, bool directed,
                                    const std::string& split);

}  // namespace laminar::apps
