#pragma once

#include <cstdint>
#include <cstring>

#include "laminar/core/bfloat16.hpp"
#include "laminar/core/multiversion.hpp"
#include "laminar/core/types.hpp"

/// Columns of a row in registers, for kernels whose sums compilers don't keep there by themselves: an extension of GCC
/// and clang.
namespace laminar::core {

namespace detail {
template <Index kCount>
struct Vectors {
  typedef float Floats __attribute__((vector_size(4 * kCount)));
  typedef std::uint32_t Words __attribute__((vector_size(4 * kCount)));
};
}  // namespace detail

/// Adjacent columns of a row of T, as floats in registers of kLanes each: 16, 8 or 4, or 1 for what is left over. A
/// register longer than the processor's is slow.
template <class T, Index kLanes>
struct RowPiece;

template <Index kLanes>
struct RowPiece<float, kLanes> {
  static constexpr Index kCount = kLanes;
  using Floats = typename detail::Vectors<kLanes>::Floats;
  Floats all = {};

  LAMINAR_INLINE void load(const float* p) { std::memcpy(&all, p, sizeof all); }
  LAMINAR_INLINE void store(float* p) const { std::memcpy(p, &all, sizeof all); }
  LAMINAR_INLINE void add(float weight, const RowPiece& x) { all += weight * x.all; }
};

/// Of two columns side by side, one word of memory, the one is a shift away from a float and the other a mask: nothing
/// is moved between lanes.
template <Index kLanes>
struct RowPiece<Bfloat16, kLanes> {
  static constexpr Index kCount = 2 * kLanes;
  using Floats = typename detail::Vectors<kLanes>::Floats;
  using Words = typename detail::Vectors<kLanes>::Words;
  Floats even = {};
  Floats odd = {};

  LAMINAR_INLINE void load(const Bfloat16* p) {
    Words words;
    std::memcpy(&words, p, sizeof words);
    const Words lower = words << 16;
    const Words upper = words & 0xffff0000U;
    std::memcpy(&even, &lower, sizeof lower);
    std::memcpy(&odd, &upper, sizeof upper);
  }
  /// As they are stored.
  LAMINAR_INLINE void pack(Words& words) const {
    Words lower;
    Words upper;
    detail::round_words(lower, even);
    detail::round_words(upper, odd);
    words = (lower >> 16) | (upper & 0xffff0000U);
  }
  LAMINAR_INLINE void store(Bfloat16* p) const {
    Words words;
    pack(words);
    std::memcpy(static_cast<void*>(p), &words, sizeof words);
  }
  LAMINAR_INLINE void add(float weight, const RowPiece& x) {
    even += weight * x.even;
    odd += weight * x.odd;
  }
};

template <class T>
struct SingleColumn {
  static constexpr Index kCount = 1;
  float number = 0;
  LAMINAR_INLINE void load(const T* p) { number = static_cast<float>(*p); }
  LAMINAR_INLINE void store(T* p) const { *p = static_cast<T>(number); }
  LAMINAR_INLINE void add(float weight, const SingleColumn& x) { number += weight * x.number; }
};
template <>
struct RowPiece<float, 1> : SingleColumn<float> {};
template <>
struct RowPiece<Bfloat16, 1> : SingleColumn<Bfloat16> {};

}  // namespace laminar::core
