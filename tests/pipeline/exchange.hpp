#pragma once

#include <vector>

#include "laminar/core/hash.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/tests/support/tensors.hpp"

namespace laminar::testing {

/// A bit of everything that devices say to each other, compressed weights and states too; its result is a hash of all
/// that this device got and of what its ledger counts for training, so that transports can be compared.
inline std::uint64_t exchange(pipeline::Transport& transport) {
  using core::DType;
  using core::Index;
  using core::Tensor;
  using pipeline::Cause;
  using pipeline::Tag;
  pipeline::CompressionOptions compression;
  compression.stage = pipeline::Codec::kInt8;
  compression.halo = pipeline::Codec::kBfloat16;
  compression.weights = pipeline::Codec::kInt8;
  pipeline::Communicator c(transport, compression, core::MemoryPool::create());
  core::Fnv1a hash;
  const auto take = [&](const Tensor& t) { hash.add(std::span(t.raw(), t.bytes())); };
  const Index next = (c.rank() + 1) % c.size();
  const Index last = (c.rank() + c.size() - 1) % c.size();
  std::vector<Index> all;
  for (Index r = 0; r < c.size(); ++r) all.push_back(r);
  for (Index epoch = 0; epoch < 3; ++epoch) {
    c.begin_epoch(epoch);
    const auto seed = static_cast<std::uint64_t>(10 * epoch + c.rank());
    const Tensor weights = random_tensor(37, 53, DType::kFloat32, seed);
    c.begin_all_reduce(all, 0, {weights}, Cause::kWeights);
    // Empty, short, longer than what goes along with its header, longer than a piece.
    for (const Index rows : {0, 1, 200, 3000}) {
      const auto chunk = static_cast<std::int32_t>(rows);
      const Tensor sent = random_tensor(rows, 64, DType::kFloat64, seed);
      for (const Cause cause : {Cause::kStageForward, Cause::kHaloForward, Cause::kEvaluation}) {
        c.send(next, {.item = static_cast<std::uint8_t>(cause), .chunk = chunk}, sent, cause);
      }
    }
    // Out of order.
    for (const Index rows : {3000, 1, 0, 200}) {
      const auto chunk = static_cast<std::int32_t>(rows);
      Tensor got(rows, 64, DType::kFloat64);
      for (const Cause cause : {Cause::kEvaluation, Cause::kStageForward, Cause::kHaloForward}) {
        c.receive(last, {.item = static_cast<std::uint8_t>(cause), .chunk = chunk}, got, cause);
        take(got);
      }
    }
    c.finish_all_reduces();
    take(weights);
    for (const double v : c.sum(std::vector<double>{0.1 * static_cast<double>(seed)})) {
      hash.add(std::as_bytes(std::span(&v, 1)));
    }
    for (const std::string& text : c.gather_text("epoch of " + std::to_string(c.rank()))) {
      hash.add(std::as_bytes(std::span(text)));
    }
  }
  const pipeline::Ledger& ledger = c.ledger();
  for (std::size_t cause = 0; cause < pipeline::kNumCauses; ++cause) {
    if (static_cast<Cause>(cause) != Cause::kOther) hash.add(ledger.bytes[cause]);
  }
  return hash.value();
}

}  // namespace laminar::testing
