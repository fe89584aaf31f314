/// Sampled halos are BNS-GCN's (Wan, Li, Kim, Lin, MLSys 2022): of the rows that a part needs of others a random share
/// p is sent in an epoch, the same in all layers, and counts 1 / p times, so that a sum over neighbours is met on
/// average.
#include "laminar/pipeline/halo.hpp"

#include <utility>

#include "laminar/core/rows.hpp"
#include "laminar/pipeline/halo_options.hpp"

namespace laminar::pipeline {

using core::Tensor;

Halo::Halo(const PartMap& map, Communicator& communicator, Index first_device, std::shared_ptr<core::MemoryPool> pool,
           std::uint8_t item)
    : map_(map), communicator_(communicator), first_device_(first_device), pool_(std::move(pool)), item_(item) {}

Tag Halo::tag_of(Tag::Kind kind, Index chunk, Index layer) const {
  return {.kind = kind,
          .item = item_,
          .chunk = static_cast<std::int32_t>(chunk),
          .layer = static_cast<std::int32_t>(layer)};
}

void Halo::sample(double rate, std::uint64_t seed, Index epoch, std::span<const core::VertexId> ids) {
  scale_ = 1 / rate;
  sampled_.assign(static_cast<std::size_t>(map_.num_parts() * map_.num_chunks()), {});
  std::vector<core::VertexId> of_rows;
  for (Index q = 0; q < map_.num_parts(); ++q) {
    if (q == map_.part()) continue;
    for (Index c = 0; c < map_.num_chunks(); ++c) {
      Sampled& s = sampled_[static_cast<std::size_t>(q * map_.num_chunks() + c)];
      const std::span<const std::int32_t> sent = map_.rows_for(q, c);
      of_rows.clear();
      for (const std::int32_t row : sent) of_rows.push_back(ids[static_cast<std::size_t>(row)]);
      for (const std::int32_t i : sample_halo(rate, seed, epoch, q, of_rows)) {
        s.sent.push_back(sent[static_cast<std::size_t>(i)]);
      }
      const Range received = map_.rows_from(q, c);
      const auto read =
          ids.subspan(static_cast<std::size_t>(received.begin), static_cast<std::size_t>(received.size()));
      for (const std::int32_t i : sample_halo(rate, seed, epoch, map_.part(), read)) {
        s.received.push_back(static_cast<std::int32_t>(received.begin) + i);
      }
    }
  }
}

const Halo::Sampled* Halo::sampled(Index peer, Index chunk, Cause cause) const {
  if (sampled_.empty() || cause == Cause::kEvaluation || chunk < 0) return nullptr;
  return &sampled_[static_cast<std::size_t>(peer * map_.num_chunks() + chunk)];
}

std::vector<double> Halo::factors(std::size_t rows) const { return std::vector<double>(rows, scale_); }

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

void Halo::send(const Tensor& own, Index first_row, Index chunk, Index layer, Cause cause) {
  for (Index q = 0; q < map_.num_parts(); ++q) {
    std::vector<std::int32_t> rows = sent_rows(q, chunk, first_row);
    if (const Sampled* s = sampled(q, chunk, cause)) {
      rows = s->sent;
      for (std::int32_t& row : rows) row -= static_cast<std::int32_t>(first_row);
    }
    if (rows.empty()) continue;
    Tensor packed(static_cast<Index>(rows.size()), own.cols(), own.dtype(), pool_.get(),
                  core::MemoryPurpose::kWorkspace);
    core::gather_rows(own, rows, packed);
    communicator_.send(first_device_ + q, tag_of(Tag::Kind::kHalo, chunk, layer), packed, cause);
  }
}

void Halo::receive_range(Index peer, Tensor& table, const Range& rows, Index chunk, Index layer, Cause cause) {
  Tensor into = table.slice_rows(rows.begin, rows.end);
  const Tag tag = tag_of(Tag::Kind::kHalo, chunk, layer);
  const Sampled* s = sampled(peer, chunk, cause);
  if (s == nullptr) {
    communicator_.receive(first_device_ + peer, tag, into, cause);
    return;
  }
  into.fill(0);
  if (s->received.empty()) return;
  Tensor packed(static_cast<Index>(s->received.size()), table.cols(), table.dtype(), pool_.get(),
                core::MemoryPurpose::kWorkspace);
  communicator_.receive(first_device_ + peer, tag, packed, cause);
  core::scatter_add_rows(packed, s->received, factors(s->received.size()), table);
}

void Halo::send_gradients(const Tensor& table, Index chunk, Index layer, Cause cause) {
  const Tag tag = tag_of(Tag::Kind::kHaloGradient, chunk, layer);
  for (Index q = 0; q < map_.num_parts(); ++q) {
    const Range rows = received_rows(q, chunk);
    if (rows.size() == 0) continue;
    const Sampled* s = sampled(q, chunk, cause);
    if (s == nullptr) {
      communicator_.send(first_device_ + q, tag, table.slice_rows(rows.begin, rows.end), cause);
      continue;
    }
    if (s->received.empty()) continue;
    Tensor packed(static_cast<Index>(s->received.size()), table.cols(), table.dtype(), pool_.get(),
                  core::MemoryPurpose::kWorkspace);
    core::gather_rows(table, s->received, packed);
    communicator_.send(first_device_ + q, tag, packed, cause);
  }
}

void Halo::receive_gradients(Tensor& own, Index first_row, Index chunk, Index layer, Cause cause) {
  const Tag tag = tag_of(Tag::Kind::kHaloGradient, chunk, layer);
  for (Index q = 0; q < map_.num_parts(); ++q) {
    std::vector<std::int32_t> rows = sent_rows(q, chunk, first_row);
    std::vector<double> counts(rows.size(), 1.0);
    if (const Sampled* s = sampled(q, chunk, cause)) {
      rows = s->sent;
      for (std::int32_t& row : rows) row -= static_cast<std::int32_t>(first_row);
      counts = factors(rows.size());
    }
    if (rows.empty()) continue;
    Tensor packed(static_cast<Index>(rows.size()), own.cols(), own.dtype(), pool_.get(),
                  core::MemoryPurpose::kWorkspace);
    communicator_.receive(first_device_ + q, tag, packed, cause);
    core::scatter_add_rows(packed, rows, counts, own);
  }
}

Index Halo::num_gradient_rows(Index chunk) const {
  Index rows = 0;
  for (Index q = 0; q < map_.num_parts(); ++q) rows += static_cast<Index>(sent_rows(q, chunk, 0).size());
  return rows;
}

void Halo::receive_packed(Tensor& packed, Index chunk, Index layer, Cause cause) {
  Index begin = 0;
  for (Index q = 0; q < map_.num_parts(); ++q) {
    const auto count = static_cast<Index>(sent_rows(q, chunk, 0).size());
    if (count == 0) continue;
    Tensor into = packed.slice_rows(begin, begin + count);
    communicator_.receive(first_device_ + q, tag_of(Tag::Kind::kHaloGradient, chunk, layer), into, cause);
    begin += count;
  }
}

void Halo::add_packed(const Tensor& packed, Tensor& own, Index first_row, Index chunk) const {
  Index begin = 0;
  for (Index q = 0; q < map_.num_parts(); ++q) {
    const std::vector<std::int32_t> rows = sent_rows(q, chunk, first_row);
    const auto count = static_cast<Index>(rows.size());
    if (count == 0) continue;
    core::scatter_add_rows(packed.slice_rows(begin, begin + count), rows, std::vector<double>(rows.size(), 1.0), own);
    begin += count;
  }
}

}  // namespace laminar::pipeline
