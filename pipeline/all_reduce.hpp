#pragma once

#include <span>
#include <vector>

#include "laminar/core/memory.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/pipeline/codec.hpp"
#include "laminar/pipeline/ledger.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// Packed tensors to and from other devices, accounted for.
class Port {
 public:
  virtual ~Port() = default;
  /// A message of `values`; `to` is whom it is for, or -1 if the same message goes to several.
  virtual Bytes pack(Index to, const Tag& tag, const Packing& packing, const core::Tensor& values) = 0;
  virtual void send(Index to, const Tag& tag, const Packing& packing, Bytes message, Cause cause) = 0;
  /// Unpacks a message into `into` if it has come; returns whether.
  virtual bool try_receive(Index from, const Tag& tag, const Packing& packing, core::Tensor& into) = 0;
};

/// One all-reduce on its way: direct reduce-scatter, then all-gather (see Communicator::begin_all_reduce). It does what
/// can be done with the messages at hand and never waits.
///
/// Contributions to a segment are added in the order of the group, each as soon as it and those before it are there: so
/// the bits don't depend on timing.
class AllReduce {
 public:
  /// Sends this device's contributions. `group` is ascending and holds `rank`; `port` must outlive this. `feedback`
  /// [1, numbers] is what earlier rounding kept back; it is updated. Empty: none is kept.
  AllReduce(Port& port, std::span<const Index> group, Index rank, std::int32_t bucket,
            std::vector<core::Tensor> tensors, Cause cause, Codec codec, core::Tensor feedback, core::MemoryPool* pool);

  std::int32_t bucket() const { return bucket_; }
  /// Goes on as far as messages are at hand; true when the tensors hold the sums.
  bool advance();
  /// Adds the addresses of the messages that it needs next.
  void add_wanted(std::vector<Address>& wanted) const;

 private:
  Index begin_of(std::size_t segment) const;
  Packing packing_of(std::size_t segment) const;
  core::Tensor scratch(std::size_t segment) const;
  /// Copies numbers of a segment out of the tensors, or into them.
  core::Tensor read(std::size_t segment) const;
  void write(std::size_t segment, const core::Tensor& from);
  /// A message of `values` plus what was kept back; keeps back what its rounding loses. `values` becomes what receivers
  /// will see.
  Bytes pack(std::size_t segment, Index to, const Tag& tag, core::Tensor& values);
  Tag contribution() const { return {.kind = Tag::Kind::kReduce, .chunk = bucket_}; }
  Tag total() const { return {.kind = Tag::Kind::kReduced, .chunk = bucket_}; }

  Port& port_;
  std::vector<Index> group_;
  std::size_t me_ = 0;
  std::int32_t bucket_;
  std::vector<core::Tensor> tensors_;
  Cause cause_;
  Codec codec_;
  core::DType dtype_;
  core::Tensor feedback_;
  core::MemoryPool* pool_;
  Index numbers_ = 0;
  /// My segment's sum of the contributions before that of group_[next_]; next_ = size of the group: done and sent.
  core::Tensor sum_;
  std::size_t next_ = 0;
  /// Others' segments whose sums have not come.
  std::vector<std::size_t> missing_;
};

}  // namespace laminar::pipeline
