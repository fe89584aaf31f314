#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "laminar/datasets/graph_data.hpp"
#include "laminar/datasets/name_index.hpp"
#include "laminar/datasets/table_reader.hpp"
#include "laminar/datasets/vertex_tables.hpp"

// Internal to datasets/: which vertex a row of a table is about.
namespace laminar::datasets {

class VertexKeys {
 public:
  /// `data` stay referenced.
  explicit VertexKeys(const GraphData& data);

  /// Whether the first column of `table`, which stands on its first row, holds vertices and not data: as `key` says, or
  /// if its name is one of id, name, node, vertex, ..., if `more_columns_than` are there, or if its first cell is no
  /// number.
  static bool first_column(const TableReader& table, RowKey key, bool more_columns);
  /// The vertex of the present row by its id; may be one that the graph doesn't have, yet is not named twice. Errors
  /// name the line.
  core::VertexId by_id(const TableReader& table, std::string_view id);
  /// The vertex of the n-th row.
  core::VertexId by_row(const TableReader& table, core::Index row);
  /// One more than the largest vertex that was met, at least the graph's.
  core::Index num_vertices() const { return num_vertices_; }
  /// Adds to `data` the vertices that it doesn't have, without edges, and says so in `notes`. Throws Error if they
  /// can't be added because features or labels are there already, or if they are numbers far beyond those there are.
  void extend(GraphData& data, const std::filesystem::path& path, std::vector<std::string>& notes) const;

 private:
  const GraphData& data_;
  NameIndex names_;
  core::Index num_vertices_;
  std::vector<bool> met_;
  std::unordered_set<core::Index> others_met_;
  core::Index met_count_ = 0;
};

}  // namespace laminar::datasets
