#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "laminar/core/random.hpp"

namespace laminar::partition::multilevel {

/// A sequence of random numbers for one sequential search: the blocks of a counter-based stream, one after another.
/// Not thread-safe; each task has its own.
class RandomSequence {
 public:
  explicit RandomSequence(core::RandomKey key) : key_(key) {}
  /// The sequence of step (a, b) of the run with this seed.
  RandomSequence(std::uint64_t seed, std::uint64_t a, std::uint64_t b)
      : key_(core::random_key(seed, a, b, 0, 0x6d6c7064U)) {}

  std::uint32_t next() {
    if (used_ == 4) {
      block_ =
          core::random_block(key_, static_cast<std::uint32_t>(counter_), static_cast<std::uint32_t>(counter_ >> 32), 7);
      ++counter_;
      used_ = 0;
    }
    return block_[used_++];
  }
  /// Uniform in [0, bound) to bound * 2^-32; bound >= 1.
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(next()) * bound) >> 32);
  }
  /// Uniform in [0, 1).
  double uniform() { return next() * 0x1.0p-32; }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i)
      std::swap(values[i - 1], values[below(static_cast<std::uint32_t>(i))]);
  }
  /// 0 ... n - 1 in random order.
  std::vector<std::int32_t> permutation(core::Index n) {
    std::vector<std::int32_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    shuffle(order);
    return order;
  }

 private:
  core::RandomKey key_;
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

}  // namespace laminar::partition::multilevel
