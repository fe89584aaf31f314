#pragma once

#include <cstdint>
#include <vector>

#include "laminar/core/block.hpp"
#include "laminar/core/sparse_matrix.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/pipeline/part_map.hpp"

namespace laminar::pipeline {

/// What a device holds of one chunk: its part's rows of it.
struct Slice {
  core::Block block;
  Index chunk = 0;
  /// Its own rows in the device's table.
  Range rows;
  /// For each source row of the block, its row in the table and its chunk.
  std::vector<std::int32_t> source_rows;
  std::vector<std::int32_t> source_chunks;
  /// Whether its sources are all rows of the table, in their order.
  bool reads_whole_table = false;
};

/// The same slice of the one part of a graph, with a block whose sources are all rows of the table.
Slice make_table_slice(const core::Graph& graph, const partition::Layout& layout, const Slice& slice);

/// Slice (map.part(), chunk) with a block in compact source space, or, if `chunk` is -1, the whole part as one slice.
/// `graph` is renumbered by `layout`.
Slice make_slice(const core::Graph& graph, const partition::Layout& layout, const PartMap& map, Index chunk);

}  // namespace laminar::pipeline
