#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/layout.hpp"
#include "laminar/pipeline/cut_graph.hpp"
#include "laminar/pipeline/topology.hpp"

namespace laminar::pipeline {

using partition::Range;

/// What a device that holds one part of the graph knows of its table: rows of its own vertices, in the layout's order,
/// then its halo (the sources of its in-edges that other parts hold), ascending. Immutable.
class PartMap {
 public:
  /// `graph` is renumbered by `layout`. Throws Error if they are of different sizes or there is no such part.
  PartMap(const core::Graph& graph, const partition::Layout& layout, Index part);
  /// Also throws Error if the part's rows are not there.
  PartMap(const CutGraph& cut, Index part);

  Index part() const { return part_; }
  Index num_parts() const { return num_parts_; }
  Index num_chunks() const { return num_chunks_; }
  /// This part's vertices in the layout.
  Range own() const { return own_; }
  /// Rows [begin, end) of the table that are slice (part, chunk).
  Range slice_rows(Index chunk) const { return slices_[static_cast<std::size_t>(chunk)]; }
  std::span<const core::VertexId> halo() const { return halo_; }
  Index num_rows() const { return own_.size() + static_cast<Index>(halo_.size()); }

  /// The table's row of an own or halo vertex. Throws Error for any other.
  std::int32_t row_of(core::VertexId v) const;
  /// The graph vertex of a table row.
  core::VertexId vertex_of(Index row) const {
    return row < own_.size() ? static_cast<core::VertexId>(own_.begin + row)
                             : halo_[static_cast<std::size_t>(row - own_.size())];
  }

  /// Own rows of `chunk` that part `peer` reads, ascending: as many, in the same order, as `peer` receives.
  std::span<const std::int32_t> rows_for(Index peer, Index chunk) const;
  /// Table rows [begin, end) that part `peer` sends for `chunk`.
  Range rows_from(Index peer, Index chunk) const;

 private:
  PartMap(const core::Graph& graph, const partition::Layout& layout, Index part, const std::vector<bool>* readers);
  void find_readers(const core::Graph& graph, const partition::Layout& layout);
  void take_readers(const std::vector<bool>& readers, const partition::Layout& layout);
  std::size_t at(Index peer, Index chunk) const { return static_cast<std::size_t>(peer * num_chunks_ + chunk); }
  Index part_;
  Index num_parts_;
  Index num_chunks_;
  Range own_;
  std::vector<Range> slices_;
  std::vector<core::VertexId> halo_;
  std::vector<std::vector<std::int32_t>> sent_;
  std::vector<Range> received_;
};

}  // namespace laminar::pipeline
