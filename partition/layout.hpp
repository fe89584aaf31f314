#pragma once

#include <span>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// A range [begin, end) of vertices.
struct Range {
  Index begin = 0;
  Index end = 0;
  Index size() const { return end - begin; }
  bool contains(Index v) const { return v >= begin && v < end; }
  bool operator==(const Range&) const = default;
};

/// Where every vertex stands when a graph is cut into P parts x K chunks: vertices are renumbered so that each slice
/// (part p, chunk c) is one contiguous range, part by part and within a part chunk by chunk. A chunk is graph-wide, the
/// union of its slices.
class Layout {
 public:
  /// One part, one chunk, nothing renumbered.
  explicit Layout(Index num_vertices);
  /// Within a slice vertices stand in ascending `rank` (empty: in their old order). Throws Error if the partitions or
  /// ranks are not of the same number of vertices.
  Layout(const Partition& parts, const Partition& chunks, std::span<const Index> rank = {});

  Index num_vertices() const { return static_cast<Index>(new_of_.size()); }
  Index num_parts() const { return num_parts_; }
  Index num_chunks() const { return num_chunks_; }
  /// One part, one chunk, nothing renumbered.
  bool is_identity() const { return is_identity_; }

  Range slice(Index part, Index chunk) const {
    const Index i = part * num_chunks_ + chunk;
    return {offsets_[i], offsets_[i + 1]};
  }
  Range part(Index part) const { return {offsets_[part * num_chunks_], offsets_[(part + 1) * num_chunks_]}; }
  /// Of a renumbered vertex.
  Index part_of(VertexId v) const { return slice_of(v) / num_chunks_; }
  Index chunk_of(VertexId v) const { return slice_of(v) % num_chunks_; }

  /// The id in the file of each renumbered vertex, and the inverse.
  const std::vector<VertexId>& file_ids() const { return old_of_; }
  const std::vector<VertexId>& new_ids() const { return new_of_; }

  /// `graph` with its vertices renumbered; weights and parallel edges stay. Throws Error if it is of another size.
  core::Graph renumber(const core::Graph& graph) const;
  /// The inverse: a renumbered graph as it stood in the file.
  core::Graph restore(const core::Graph& graph) const;

 private:
  Index slice_of(VertexId v) const;
  void check_size(const core::Graph& graph) const;
  Index num_parts_ = 1;
  Index num_chunks_ = 1;
  bool is_identity_ = true;
  std::vector<Index> offsets_;
  std::vector<VertexId> old_of_;
  std::vector<VertexId> new_of_;
};

}  // namespace laminar::partition
