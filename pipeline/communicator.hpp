#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/memory.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/pipeline/codec.hpp"
#include "laminar/pipeline/ledger.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// How each kind of traffic is packed.
struct CompressionOptions {
  Codec stage = Codec::kNative;
  Codec halo = Codec::kNative;
  Codec weights = Codec::kNative;
  /// Seed of stochastic rounding.
  std::uint64_t seed = 1;
};

/// Tensors between devices: packs them, counts every byte by cause, and measures the time spent waiting. One thread.
///
/// What is counted: a message's numbers under its cause; its kFramingBytes and the scales of kInt8 under kFraming, but
/// for evaluation and other, which have all of theirs under their own name.
/// Tags of kind kReduce and kReduced, and kControl with items from 250 on, are the communicator's own.
class Communicator {
 public:
  /// `transport` must outlive it.
  Communicator(Transport& transport, const CompressionOptions& compression, std::shared_ptr<core::MemoryPool> pool);
  ~Communicator();

  Index rank() const;
  Index size() const;
  Transport& transport();

  /// Starts the counts of messages anew, on which stochastic rounding depends, so that an epoch's bits don't depend on
  /// what was sent before it; a resumed training then rounds as the whole one.
  void begin_epoch(Index epoch);

  /// Sends `rows`; the codec is that of the cause (stage, halo, weights; evaluation and other travel natively).
  void send(Index to, const Tag& tag, const core::Tensor& rows, Cause cause);
  /// Receives rows into `into`, whose shape and dtype both sides know. Throws Error if the message does not fit.
  void receive(Index from, const Tag& tag, core::Tensor& into, Cause cause);

  /// Starts the sum of `tensors` over the devices of `group` (ascending, this one among them), in place, added in the
  /// order of `group`; all devices call it with the same `bucket`, shapes and dtype. Sends (P - 1) / P of the bytes at
  /// once. The tensors must be left alone until finish_all_reduces().
  /// The W numbers are cut into P segments; device i of the group adds up segment i and sends the sum to the others: in
  /// all 2 (P - 1) W numbers travel. With Codec::kInt8, rows of 256 numbers have a scale, and what rounding loses is
  /// kept and added to what the same bucket sends the next time (error feedback). All devices get the same bits.
  /// Throws Error if the group or the dtypes are not as said, or an all-reduce of this bucket is still going on.
  void begin_all_reduce(std::span<const Index> group, std::int32_t bucket, std::vector<core::Tensor> tensors,
                        Cause cause);
  /// Does what can be done without waiting for all-reduces that have begun.
  void progress();
  /// Waits until all that have begun are done.
  void finish_all_reduces();

  /// What rounding has kept back, by bucket, [1, numbers]: part of a checkpoint if Codec::kInt8 packs the weights.
  std::map<std::int32_t, core::Tensor> feedback() const;
  void restore_feedback(std::map<std::int32_t, core::Tensor> feedback);

  /// Bytes as they are, under a tag of the caller's.
  void send_bytes(Index to, const Tag& tag, Bytes message, Cause cause);
  Bytes receive_bytes(Index from, const Tag& tag);

  /// Small things, natively, under Cause::kOther unless said otherwise: the sum in rank order of a few numbers; all
  /// devices' text, at every device, or at device 0 only (the others get none); rank 0's text, at every device.
  std::vector<double> sum(std::span<const double> values, Cause cause = Cause::kOther);
  std::vector<std::string> gather_text(const std::string& text, Cause cause = Cause::kOther);
  std::vector<std::string> gather_text_at_first(const std::string& text, Cause cause = Cause::kOther);
  std::string broadcast_text(const std::string& text, Cause cause = Cause::kOther);

  /// What this device has sent so far.
  const Ledger& ledger() const;
  /// Milliseconds spent in receive() and finish_all_reduces() without a message at hand, and in send().
  double wait_ms() const;
  double send_ms() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Compares `value` on all devices, which all call this. Throws Error, the same on all of them, if it is not the same
/// everywhere: "`what` is not the same on all devices: device 0 has 'a', device 2 has 'b'", with the first that
/// differs.
void verify_same(Communicator& communicator, std::string_view what, const std::string& value);

}  // namespace laminar::pipeline
