#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "laminar/core/multiversion.hpp"

namespace laminar::core {

/// The upper half of a float: its 8 bits of exponent, and 8 bits of precision. A format to keep numbers in; arithmetic
/// is that of the float it converts to.
struct Bfloat16 {
  std::uint16_t bits = 0;

  Bfloat16() = default;
  /// Rounds to nearest, ties to even. A NaN stays one.
  LAMINAR_INLINE explicit Bfloat16(float x) {
    const auto wide = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t rounded = (wide + 0x7fffU + ((wide >> 16) & 1U)) >> 16;
    // Rounding could carry a NaN into an infinity; a set quiet bit keeps it one.
    const std::uint32_t nan = (wide >> 16) | 0x40U;
    bits = static_cast<std::uint16_t>((wide & 0x7fffffffU) > 0x7f800000U ? nan : rounded);
  }
  LAMINAR_INLINE explicit Bfloat16(double x) : Bfloat16(static_cast<float>(x)) {}
  /// Exact.
  LAMINAR_INLINE operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};
static_assert(sizeof(Bfloat16) == 2 && std::is_trivially_copyable_v<Bfloat16>);

namespace detail {
/// Of vectors of as many words as floats: the upper halves of the words are the numbers rounded as Bfloat16's
/// constructor does; the lower ones are arbitrary.
template <class Words, class Floats>
LAMINAR_INLINE void round_words(Words& words, const Floats& numbers) {
  Words wide;
  std::memcpy(&wide, &numbers, sizeof wide);
  const Words rounded = wide + (((wide >> 16) & 1U) + 0x7fffU);
  words = (wide & 0x7fffffffU) > 0x7f800000U ? wide | 0x400000U : rounded;
}
}  // namespace detail

/// What numbers that are kept as T are computed in: float for bfloat16, else T.
template <class T>
using Computed = std::conditional_t<std::is_same_v<T, Bfloat16>, float, T>;

}  // namespace laminar::core
