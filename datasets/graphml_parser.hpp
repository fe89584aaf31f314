#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "laminar/core/types.hpp"

// Internal to datasets/.
namespace laminar::datasets {

/// What a GraphML file says, before it is made a graph of.
struct GraphMl {
  struct Attribute {
    std::string id;
    std::string name;
    bool of_edges = false;
    /// Of numbers, booleans included; else text.
    bool number = false;
    bool has_default = false;
    std::string fallback;
  };
  /// An attribute of the n-th vertex or edge, as it stands.
  struct Value {
    std::size_t attribute;
    core::Index element;
    std::string text;
  };
  bool directed = false;
  std::vector<Attribute> attributes;
  std::vector<std::string> node_ids;
  /// Sources and targets, places in `node_ids`.
  std::vector<std::pair<core::VertexId, core::VertexId>> edges;
  std::vector<Value> values;
};

/// Reads the one graph of a GraphML file (graphml.graphdrawing.org), plain or compressed, as a stream: memory is that
/// of what is kept. Throws Error "FILE:LINE: ..." for XML that is damaged, several or nested graphs, hyperedges, edges
/// of another direction than the graph's, ids that stand twice or are missing, unknown keys, and if what is kept passes
/// `max_memory_bytes`. Entities and files that the document names are not read.
GraphMl parse_graphml(const std::filesystem::path& path, std::uint64_t max_memory_bytes);

}  // namespace laminar::datasets
