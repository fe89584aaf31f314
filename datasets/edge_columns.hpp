#pragma once

#include <vector>

#include "laminar/datasets/importer.hpp"
#include "laminar/datasets/table_reader.hpp"

// Internal to datasets/.
namespace laminar::datasets {

/// Places of what an edge is made of in a table.
struct EdgeColumns {
  core::Index from = 0;
  core::Index to = 1;
  /// -1 = none.
  core::Index weight = -1;
  std::vector<core::Index> features;
};

/// Chooses them by the user's words, the names of columns and the number of columns; see read_edge_list(). Throws
/// UsageError for a column that isn't there or has two roles, Error if it can't be told what columns mean.
EdgeColumns choose_edge_columns(const TableReader& table, const EdgeListOptions& options);

}  // namespace laminar::datasets
