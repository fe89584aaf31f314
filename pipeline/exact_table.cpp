#include "laminar/pipeline/exact_table.hpp"

#include <algorithm>
#include <utility>

#include "laminar/core/rows.hpp"

namespace laminar::pipeline {

using core::Tensor;

ExactTable::ExactTable(const PartMap& map, const std::vector<Slice>& slices, Index layer, Halo* halo,
                       std::shared_ptr<core::MemoryPool> pool)
    : map_(map), layer_(layer), halo_(halo), pool_(std::move(pool)) {
  const auto num_chunks = static_cast<std::size_t>(map.num_chunks());
  halo_readers_.assign(num_chunks, 0);
  halo_chunks_.resize(num_chunks);
  if (halo_ == nullptr) return;
  for (const Slice& slice : slices) {
    std::vector<bool> reads(num_chunks, false);
    for (std::size_t i = 0; i < slice.source_rows.size(); ++i) {
      if (slice.source_rows[i] >= map.own().size()) reads[static_cast<std::size_t>(slice.source_chunks[i])] = true;
    }
    for (std::size_t c = 0; c < num_chunks; ++c) {
      if (!reads[c]) continue;
      halo_chunks_[static_cast<std::size_t>(slice.chunk)].push_back(static_cast<std::int32_t>(c));
      ++halo_readers_[c];
    }
  }
}

Tensor ExactTable::pass(const Slice& slice, const Tensor& own, Cause cause) {
  if (halo_ == nullptr) return own;
  halo_->send(own, 0, slice.chunk, layer_, cause);
  Tensor rows(map_.num_rows(), own.cols(), own.dtype(), pool_.get());
  rows.slice_rows(0, own.rows()).copy_from(own);
  halo_->receive(rows, slice.chunk, layer_, cause);
  return rows;
}

Tensor ExactTable::pass_back(const Slice& slice, const Tensor& gradient, Cause cause) {
  if (halo_ == nullptr || !gradient) return gradient;
  Tensor own = gradient.slice_rows(0, slice.rows.size());
  halo_->send_gradients(gradient, slice.chunk, layer_, cause);
  halo_->receive_gradients(own, 0, slice.chunk, layer_, cause);
  return own;
}

void ExactTable::publish(const Slice& slice, const Tensor& own) {
  if (halo_ != nullptr) halo_->send(own, slice.rows.begin, slice.chunk, layer_, Cause::kHaloForward);
  if (!rows_) {
    cols_ = own.cols();
    dtype_ = own.dtype();
    rows_ = Tensor(map_.num_rows(), cols_, dtype_, pool_.get(), core::MemoryPurpose::kTables);
    has_halo_.assign(halo_chunks_.size(), false);
    reads_ = 0;
  }
  rows_.slice_rows(slice.rows.begin, slice.rows.end).copy_from(own);
}

Tensor ExactTable::read(const Slice& slice) {
  for (const std::int32_t c : halo_chunks_[static_cast<std::size_t>(slice.chunk)]) {
    if (has_halo_[static_cast<std::size_t>(c)]) continue;
    halo_->receive(rows_, c, layer_, Cause::kHaloForward);
    has_halo_[static_cast<std::size_t>(c)] = true;
  }
  Tensor sources(static_cast<Index>(slice.source_rows.size()), rows_.cols(), rows_.dtype(), pool_.get());
  core::gather_rows(rows_, slice.source_rows, sources);
  if (++reads_ == map_.num_chunks()) rows_ = Tensor();
  return sources;
}

void ExactTable::add_gradient(const Slice& slice, const Tensor& gradient) {
  if (!gradient_) {
    gradient_ = Tensor::zeros(map_.num_rows(), cols_, dtype_, pool_.get(), core::MemoryPurpose::kTables);
    readers_left_ = halo_readers_;
    takes_ = 0;
  }
  if (gradient) {
    core::scatter_add_rows(gradient, slice.source_rows, std::vector<double>(slice.source_rows.size(), 1.0), gradient_);
  }
  for (const std::int32_t c : halo_chunks_[static_cast<std::size_t>(slice.chunk)]) {
    if (--readers_left_[static_cast<std::size_t>(c)] == 0) {
      halo_->send_gradients(gradient_, c, layer_, Cause::kHaloBackward);
    }
  }
}

Tensor ExactTable::take_gradient(const Slice& slice) {
  Tensor own = gradient_.slice_rows(slice.rows.begin, slice.rows.end);
  if (halo_ != nullptr) halo_->receive_gradients(own, slice.rows.begin, slice.chunk, layer_, Cause::kHaloBackward);
  if (++takes_ == map_.num_chunks()) gradient_ = Tensor();
  return own;
}

}  // namespace laminar::pipeline
