#include "laminar/pipeline/halo.hpp"

#include <utility>

#include "laminar/core/rows.hpp"

namespace laminar::pipeline {
namespace {

Tag tag_of(Tag::Kind kind, Index chunk, Index layer) {
  return {.kind = kind, .chunk = static_cast<std::int32_t>(chunk), .layer = static_cast<std::int32_t>(layer)};
}

}  // namespace

Halo::Halo(const PartMap& map, Communicator& communicator, Index first_device, std::shared_ptr<core::MemoryPool> pool)
    : map_(map), communicator_(communicator), first_device_(first_device), pool_(std::move(pool)) {}

Range Halo::received_rows(Index peer, Index chunk) const {
  if (peer == map_.part()) return {};
  if (chunk >= 0) return map_.rows_from(peer, chunk);
  return {map_.rows_from(peer, 0).begin, map_.rows_from(peer, map_.num_chunks() - 1).end};
}

std::vector<std::int32_t> Halo::sent_rows(Index peer, Index chunk, Index first_row) const {
  std::vector<std::int32_t> rows;
  if (peer == map_.part()) return rows;
  const Index begin = chunk < 0 ? 0 : chunk;
  const Index end = chunk < 0 ? map_.num_chunks() : chunk + 1;
  for (Index c = begin; c < end; ++c) {
    for (const std::int32_t row : map_.rows_for(peer, c)) rows.push_back(row - static_cast<std::int32_t>(first_row));
  }
  return rows;
}

void Halo::send(const core::Tensor& own, Index first_row, Index chunk, Index layer, Cause cause) {
  for (Index q = 0; q < map_.num_parts(); ++q) {
    const std::vector<std::int32_t> rows = sent_rows(q, chunk, first_row);
    if (rows.empty()) continue;
    core::Tensor packed(static_cast<Index>(rows.size()), own.cols(), own.dtype(), pool_.get(),
                        core::MemoryPurpose::kWorkspace);
    core::gather_rows(own, rows, packed);
    communicator_.send(first_device_ + q, tag_of(Tag::Kind::kHalo, chunk, layer), packed, cause);
  }
}

void Halo::receive_range(Index peer, core::Tensor& table, const Range& rows, Index chunk, Index layer, Cause cause) {
  core::Tensor into = table.slice_rows(rows.begin, rows.end);
  communicator_.receive(first_device_ + peer, tag_of(Tag::Kind::kHalo, chunk, layer), into, cause);
}

void Halo::send_gradients(const core::Tensor& table, Index chunk, Index layer, Cause cause) {
  const Tag tag = tag_of(Tag::Kind::kHaloGradient, chunk, layer);
  for (Index q = 0; q < map_.num_parts(); ++q) {
    const Range rows = received_rows(q, chunk);
    if (rows.size() > 0) communicator_.send(first_device_ + q, tag, table.slice_rows(rows.begin, rows.end), cause);
  }
}

void Halo::receive_gradients(core::Tensor& own, Index first_row, Index chunk, Index layer, Cause cause) {
  const Tag tag = tag_of(Tag::Kind::kHaloGradient, chunk, layer);
  for (Index q = 0; q < map_.num_parts(); ++q) {
    const std::vector<std::int32_t> rows = sent_rows(q, chunk, first_row);
    if (rows.empty()) continue;
    core::Tensor packed(static_cast<Index>(rows.size()), own.cols(), own.dtype(), pool_.get(),
                        core::MemoryPurpose::kWorkspace);
    communicator_.receive(first_device_ + q, tag, packed, cause);
    core::scatter_add_rows(packed, rows, std::vector<double>(rows.size(), 1.0), own);
  }
}

}  // namespace laminar::pipeline
