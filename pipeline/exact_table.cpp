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

Tensor ExactTable::pass(const Slice& slice, const Tensor& own, Cause cause, Recording recording) {
  if (halo_ == nullptr) return own;
  const bool again = recording == Recording::kAgain;
  if (!again) halo_->send(own, 0, slice.chunk, layer_, cause);
  Tensor rows(map_.num_rows(), own.cols(), own.dtype(), pool_.get());
  rows.slice_rows(0, own.rows()).copy_from(own);
  Tensor others = rows.slice_rows(own.rows(), map_.num_rows());
  if (again) {
    others.copy_from(halo_rows_);
    return rows;
  }
  halo_->receive(rows, slice.chunk, layer_, cause);
  if (recording == Recording::kFirst) halo_rows_ = others.clone(pool_.get(), core::MemoryPurpose::kTables);
  return rows;
}

std::size_t ExactTable::share_bytes(const Tensor& own) const {
  const double rows = static_cast<double>(map_.num_rows()) / static_cast<double>(std::max<Index>(map_.own().size(), 1));
  return static_cast<std::size_t>(rows * static_cast<double>(own.bytes()));
}

Tensor ExactTable::pass_back(const Slice& slice, const Tensor& gradient, Cause cause) {
  forget();
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
    read_again_ = false;
  }
  rows_.slice_rows(slice.rows.begin, slice.rows.end).copy_from(own);
}

void ExactTable::publish_again(const Slice& slice, const Tensor& own) {
  if (!rows_) {
    rows_ = Tensor(map_.num_rows(), cols_, dtype_, pool_.get(), core::MemoryPurpose::kTables);
    if (halo_ != nullptr) halo_part().copy_from(halo_rows_);
    forget();
  }
  rows_.slice_rows(slice.rows.begin, slice.rows.end).copy_from(own);
}

Tensor ExactTable::read(const Slice& slice, Recording recording) {
  for (const std::int32_t c : halo_chunks_[static_cast<std::size_t>(slice.chunk)]) {
    if (has_halo_[static_cast<std::size_t>(c)]) continue;
    halo_->receive(rows_, c, layer_, Cause::kHaloForward);
    has_halo_[static_cast<std::size_t>(c)] = true;
  }
  Tensor sources(static_cast<Index>(slice.source_rows.size()), rows_.cols(), rows_.dtype(), pool_.get());
  core::gather_rows(rows_, slice.source_rows, sources);
  read_again_ = read_again_ || recording == Recording::kAgain;
  if (recording == Recording::kAgain || ++reads_ < map_.num_chunks()) return sources;
  // Own rows are made again from the slices' states, which are kept anyway; unless a slice is through with its own.
  if (recording == Recording::kFirst && read_again_) return sources;
  if (recording == Recording::kFirst && halo_ != nullptr) {
    halo_rows_ = halo_part().clone(pool_.get(), core::MemoryPurpose::kTables);
  }
  rows_ = Tensor();
  return sources;
}

Tensor ExactTable::halo_part() const { return rows_.slice_rows(map_.own().size(), map_.num_rows()); }

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
  if (++takes_ == map_.num_chunks()) {
    gradient_ = rows_ = Tensor();
    forget();
  }
  return own;
}

}  // namespace laminar::pipeline
