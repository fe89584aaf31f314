#include "laminar/pipeline/part_map.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

namespace {

Index there(const CutGraph& cut, Index part) {
  if (cut.held_part < 0 || cut.held_part == part) return part;
  throw Error(fmt::format("[part map] part {} is asked for, but only part {} is there", part, cut.held_part));
}

}  // namespace

PartMap::PartMap(const core::Graph& graph, const partition::Layout& layout, Index part)
    : PartMap(graph, layout, part, nullptr) {}

PartMap::PartMap(const CutGraph& cut, Index part)
    : PartMap(cut.graph, cut.layout, there(cut, part), cut.held_part < 0 ? nullptr : &cut.readers) {}

PartMap::PartMap(const core::Graph& graph, const partition::Layout& layout, Index part,
                 const std::vector<bool>* readers)
    : part_(part), num_parts_(layout.num_parts()), num_chunks_(layout.num_chunks()) {
  if (graph.num_vertices() != layout.num_vertices()) {
    throw Error(fmt::format("[part map] a graph with {} vertices, a layout of {}", graph.num_vertices(),
                            layout.num_vertices()));
  }
  if (part < 0 || part >= num_parts_) throw Error(fmt::format("[part map] part {} of {}", part, num_parts_));
  own_ = layout.part(part);
  for (Index c = 0; c < num_chunks_; ++c) {
    const Range slice = layout.slice(part, c);
    slices_.push_back({slice.begin - own_.begin, slice.end - own_.begin});
  }
  sent_.resize(static_cast<std::size_t>(num_parts_ * num_chunks_));
  received_.resize(sent_.size());
  if (num_parts_ == 1) return;
  for (core::EdgeId e = graph.in_offsets()[own_.begin]; e < graph.in_offsets()[own_.end]; ++e) {
    const core::VertexId v = graph.in_sources()[e];
    if (!own_.contains(v)) halo_.push_back(v);
  }
  std::sort(halo_.begin(), halo_.end());
  halo_.erase(std::unique(halo_.begin(), halo_.end()), halo_.end());
  const auto first_row = [&](Index v) {
    return own_.size() + (std::lower_bound(halo_.begin(), halo_.end(), static_cast<core::VertexId>(v)) - halo_.begin());
  };
  for (Index q = 0; q < num_parts_; ++q) {
    if (q == part) continue;
    for (Index c = 0; c < num_chunks_; ++c) {
      const Range slice = layout.slice(q, c);
      received_[at(q, c)] = {first_row(slice.begin), first_row(slice.end)};
    }
  }
  if (readers != nullptr) {
    take_readers(*readers, layout);
  } else {
    find_readers(graph, layout);
  }
}

void PartMap::take_readers(const std::vector<bool>& readers, const partition::Layout& layout) {
  for (Index row = 0; row < own_.size(); ++row) {
    const Index c = layout.chunk_of(static_cast<core::VertexId>(own_.begin + row));
    for (Index q = 0; q < num_parts_; ++q) {
      if (readers[static_cast<std::size_t>(row * num_parts_ + q)]) {
        sent_[at(q, c)].push_back(static_cast<std::int32_t>(row));
      }
    }
  }
}

void PartMap::find_readers(const core::Graph& graph, const partition::Layout& layout) {
  for (Index v = own_.begin; v < own_.end; ++v) {
    Index last = -1;
    std::vector<Index> readers;
    for (core::EdgeId e = graph.out_offsets()[v]; e < graph.out_offsets()[v + 1]; ++e) {
      const core::VertexId target = graph.out_targets()[e];
      if (own_.contains(target)) continue;
      const Index q = layout.part_of(target);
      if (q != last) readers.push_back(q);
      last = q;
    }
    std::sort(readers.begin(), readers.end());
    readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
    const Index c = layout.chunk_of(static_cast<core::VertexId>(v));
    for (const Index q : readers) sent_[at(q, c)].push_back(static_cast<std::int32_t>(v - own_.begin));
  }
}

std::int32_t PartMap::row_of(core::VertexId v) const {
  if (own_.contains(v)) return static_cast<std::int32_t>(v - own_.begin);
  const auto found = std::lower_bound(halo_.begin(), halo_.end(), v);
  if (found == halo_.end() || *found != v) {
    throw Error(fmt::format("[part map] vertex {} is neither of part {} nor of its halo", v, part_));
  }
  return static_cast<std::int32_t>(own_.size() + (found - halo_.begin()));
}

std::span<const std::int32_t> PartMap::rows_for(Index peer, Index chunk) const { return sent_[at(peer, chunk)]; }
Range PartMap::rows_from(Index peer, Index chunk) const { return received_[at(peer, chunk)]; }

}  // namespace laminar::pipeline
