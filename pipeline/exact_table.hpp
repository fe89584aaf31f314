#pragma once

#include <memory>
#include <vector>

#include "laminar/pipeline/halo.hpp"
#include "laminar/pipeline/recording.hpp"
#include "laminar/pipeline/slice.hpp"

namespace laminar::pipeline {

/// The rows of one aggregation on one device where nothing is stale, and their gradients. With one slice they pass
/// through. With several, a slice publishes its rows before any reads them, and takes its gradient when all that read
/// it have added theirs; the schedule sees to the order on this device, messages to that between parts.
class ExactTable {
 public:
  /// `slices`: those of the device, which must outlive it, as `map` and `halo` (null with one part) must.
  ExactTable(const PartMap& map, const std::vector<Slice>& slices, Index layer, Halo* halo,
             std::shared_ptr<core::MemoryPool> pool);

  /// All source rows [num_sources, d] of a slice that is the whole part. Kept for a second time are the halo's rows,
  /// until pass_back().
  core::Tensor pass(const Slice& slice, const core::Tensor& own, Cause cause, Recording recording = Recording::kOnce);
  /// The other way: the gradient of its own rows.
  core::Tensor pass_back(const Slice& slice, const core::Tensor& gradient, Cause cause = Cause::kHaloBackward);

  /// Keeps a slice's rows and sends what other parts read of them.
  void publish(const Slice& slice, const core::Tensor& own);
  /// The same for a second time in an epoch, when other parts' rows are kept here and nothing is sent: all slices
  /// publish again before one is read again.
  void publish_again(const Slice& slice, const core::Tensor& own);
  /// Whether slices can be read: all have published, or none need do so again.
  bool is_published() const { return static_cast<bool>(rows_); }
  /// All source rows of a slice. Waits for those of other parts. Kept for a second time are those, until the last
  /// take_gradient() or forget().
  core::Tensor read(const Slice& slice, Recording recording = Recording::kOnce);
  /// Adds what a slice wants of its sources (may be empty), and sends what is complete for other parts.
  void add_gradient(const Slice& slice, const core::Tensor& gradient);
  /// The gradient of a slice's own rows. Waits for what other parts want of them.
  core::Tensor take_gradient(const Slice& slice);

  /// Drops what was kept for a second time.
  void forget() { halo_rows_ = core::Tensor(); }
  /// Bytes of the table that fall to a slice with these own rows.
  std::size_t share_bytes(const core::Tensor& own) const;

 private:
  core::Tensor halo_part() const;

  const PartMap& map_;
  Index layer_;
  Halo* halo_;
  std::shared_ptr<core::MemoryPool> pool_;
  /// For each chunk: how many slices of this device read halo rows of it.
  std::vector<Index> halo_readers_;
  /// For each slice (by chunk) the chunks whose halo it reads.
  std::vector<std::vector<std::int32_t>> halo_chunks_;

  core::Tensor rows_;
  /// Kept for a second time: what the halo brought.
  core::Tensor halo_rows_;
  core::Tensor gradient_;
  Index cols_ = 0;
  core::DType dtype_ = core::DType::kFloat32;
  std::vector<bool> has_halo_;
  std::vector<Index> readers_left_;
  Index reads_ = 0;
  bool read_again_ = false;
  Index takes_ = 0;
};

}  // namespace laminar::pipeline
