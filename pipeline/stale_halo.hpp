#pragma once

#include <memory>
#include <span>
#include <vector>

#include "laminar/core/optimizer.hpp"
#include "laminar/pipeline/halo.hpp"
#include "laminar/pipeline/halo_options.hpp"
#include "laminar/pipeline/history_rows.hpp"
#include "laminar/pipeline/recording.hpp"
#include "laminar/pipeline/slice.hpp"

namespace laminar::pipeline {

/// The halo of one aggregation on one device where it may be an epoch old: what this epoch sends is read in the next
/// one, so that it travels while devices compute and nobody waits. Rows that a part reads of others, and gradients that
/// others want of its own, are those of the last epoch; a training's first epoch, which has none, waits and is exact.
class StaleHalo {
 public:
  /// All must outlive it. `halo` is its own: messages stay in it from epoch to epoch.
  StaleHalo(const PartMap& map, const HaloOptions& options, Index layer, Halo& halo,
            std::shared_ptr<core::MemoryPool> pool);

  void begin_epoch() { staleness_ = {}; }
  /// Sends the slice's own rows; all source rows [map.num_rows(), d], the halo's as they were. `slice` is the part. A
  /// second time in an epoch the halo's are still there, and nothing is sent.
  core::Tensor pass(const Slice& slice, const core::Tensor& own, Recording recording = Recording::kOnce);
  /// The other way: from the gradient of all source rows to that of the own rows, written into `gradient`.
  core::Tensor pass_back(const Slice& slice, const core::Tensor& gradient);

  /// How far the halo rows of the *last* epoch were from the truth, which came in this one: since begin_epoch().
  const StalenessError& staleness() const { return staleness_; }

  /// What the next epoch will read, for a checkpoint: "halo_rows" and "halo_gradients", if there is any. Waits for what
  /// is on its way, so all parts of a stage must have come to the same epoch.
  std::vector<core::NamedTensor> state();
  /// Takes over a copy of state(). Throws Error if shapes or names are not this halo's.
  void load_state(std::span<const core::NamedTensor> state);

 private:
  /// Waits for rows or gradients that the others have sent and takes them in.
  void take_rows(Index cols, core::DType dtype);
  void take_gradients(Index cols, core::DType dtype);
  Index num_halo_rows() const { return static_cast<Index>(map_.halo().size()); }

  const PartMap& map_;
  HaloOptions options_;
  Index layer_;
  Halo& halo_;
  std::shared_ptr<core::MemoryPool> pool_;
  Index num_gradient_rows_;
  StalenessError staleness_;

  /// [halo rows, d], and [num_gradient_rows, d'], part after part; empty before anything came.
  core::Tensor rows_;
  core::Tensor gradients_;
  /// Whether what the last epoch sent has not been received yet.
  bool rows_on_way_ = false;
  bool gradients_on_way_ = false;
};

}  // namespace laminar::pipeline
