/// PipeGCN (Wan, Li, Wolfe, Kyrillidis, Kim, Lin, ICLR 2022), algorithm 1, with its smoothing of features and of
/// gradients. Where the paper begins with rows of zeros, the first epoch is exact here.
#include "laminar/pipeline/stale_halo.hpp"

#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

using core::NamedTensor;
using core::Tensor;

namespace {

// There is one chunk, whose number the messages of both ends have.
constexpr Index kChunk = 0;

void check_shape(const Tensor& kept, const char* name, Index layer, Index cols, core::DType dtype) {
  if (!kept || (kept.cols() == cols && kept.dtype() == dtype)) return;
  throw Error(fmt::format("[stale halo] '{}' of layer {} is {} with {} columns, expected {} with {}", name, layer,
                          core::name_of(kept.dtype()), kept.cols(), core::name_of(dtype), cols));
}

}  // namespace

StaleHalo::StaleHalo(const PartMap& map, const HaloOptions& options, Index layer, Halo& halo,
                     std::shared_ptr<core::MemoryPool> pool)
    : map_(map),
      options_(options),
      layer_(layer),
      halo_(halo),
      pool_(std::move(pool)),
      num_gradient_rows_(halo.num_gradient_rows(kChunk)) {}

void StaleHalo::take_rows(Index cols, core::DType dtype) {
  Tensor table(map_.num_rows(), cols, dtype, pool_.get(), core::MemoryPurpose::kWorkspace);
  halo_.receive(table, kChunk, layer_, Cause::kHaloForward);
  const Tensor came = table.slice_rows(map_.own().size(), map_.num_rows());
  rows_on_way_ = false;
  if (!rows_) {
    rows_ = came.clone(pool_.get(), core::MemoryPurpose::kTables);
    return;
  }
  staleness_ += difference(came, rows_);
  blend(rows_, came, options_.row_smoothing);
}

void StaleHalo::take_gradients(Index cols, core::DType dtype) {
  Tensor came(num_gradient_rows_, cols, dtype, pool_.get(), core::MemoryPurpose::kWorkspace);
  halo_.receive_packed(came, kChunk, layer_, Cause::kHaloBackward);
  gradients_on_way_ = false;
  if (!gradients_) {
    gradients_ = came.clone(pool_.get(), core::MemoryPurpose::kTables);
    return;
  }
  blend(gradients_, came, options_.gradient_smoothing);
}

Tensor StaleHalo::pass(const Slice& slice, const Tensor& own, Recording recording) {
  check_shape(rows_, "halo_rows", layer_, own.cols(), own.dtype());
  if (recording != Recording::kAgain) {
    halo_.send(own, slice.rows.begin, kChunk, layer_, Cause::kHaloForward);
    const bool first = !rows_;
    // Of messages under one tag the oldest comes first: here the last epoch's, in the first epoch this one's.
    if (first || rows_on_way_) take_rows(own.cols(), own.dtype());
    rows_on_way_ = !first;
  }
  Tensor rows(map_.num_rows(), own.cols(), own.dtype(), pool_.get());
  rows.slice_rows(0, own.rows()).copy_from(own);
  rows.slice_rows(own.rows(), map_.num_rows()).copy_from(rows_);
  return rows;
}

Tensor StaleHalo::pass_back(const Slice& slice, const Tensor& gradient) {
  if (!gradient) return gradient;
  check_shape(gradients_, "halo_gradients", layer_, gradient.cols(), gradient.dtype());
  halo_.send_gradients(gradient, kChunk, layer_, Cause::kHaloBackward);
  const bool first = !gradients_;
  if (first || gradients_on_way_) take_gradients(gradient.cols(), gradient.dtype());
  gradients_on_way_ = !first;
  Tensor own = gradient.slice_rows(0, slice.rows.size());
  halo_.add_packed(gradients_, own, slice.rows.begin, kChunk);
  return own;
}

std::vector<NamedTensor> StaleHalo::state() {
  if (rows_on_way_) take_rows(rows_.cols(), rows_.dtype());
  if (gradients_on_way_) take_gradients(gradients_.cols(), gradients_.dtype());
  std::vector<NamedTensor> state;
  if (rows_) state.push_back({"halo_rows", rows_});
  if (gradients_) state.push_back({"halo_gradients", gradients_});
  return state;
}

void StaleHalo::load_state(std::span<const NamedTensor> state) {
  for (const NamedTensor& t : state) {
    const bool is_rows = t.name == "halo_rows";
    if (!is_rows && t.name != "halo_gradients") {
      throw Error(fmt::format("[stale halo] '{}' is nothing of layer {}", t.name, layer_));
    }
    const Index rows = is_rows ? num_halo_rows() : num_gradient_rows_;
    if (t.value.rows() != rows) {
      throw Error(
          fmt::format("[stale halo] '{}' of layer {} has {} rows, expected {}", t.name, layer_, t.value.rows(), rows));
    }
    (is_rows ? rows_ : gradients_) = t.value.clone(pool_.get(), core::MemoryPurpose::kTables);
  }
}

}  // namespace laminar::pipeline
