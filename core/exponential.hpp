#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "laminar/core/multiversion.hpp"

namespace laminar::core {

namespace detail {
/// exponential() of one T, or of a vector of them; Bits are unsigned numbers of the same shape. In place, as vectors by
/// value have no one calling convention.
template <class T, class Bits, class Numbers>
LAMINAR_INLINE void exponentiate(Numbers& x) {
  constexpr bool kSingle = std::is_same_v<T, float>;
  using Word = std::conditional_t<kSingle, std::uint32_t, std::uint64_t>;
  constexpr int kMantissa = kSingle ? 23 : 52;
  constexpr int kDegree = kSingle ? 7 : 13;
  constexpr T kLowest = kSingle ? T(-87) : T(-708);
  constexpr long double kLn2 = 0.693147180559945309417232121458176568L;
  // With as many zeros at the end as n has digits.
  constexpr T kLn2High = kSingle ? T(0x1.63p-1) : T(0x1.62e42fefap-1);
  constexpr T kLn2Low = static_cast<T>(kLn2 - static_cast<long double>(kLn2High));
  // 1 / k!
  constexpr auto kSeries = [] {
    std::array<T, kDegree + 1> series{};
    long double factorial = 1;
    for (int k = 0; k <= kDegree; ++k) {
      if (k > 0) factorial *= k;
      series[static_cast<std::size_t>(k)] = static_cast<T>(1 / factorial);
    }
    return series;
  }();
  // Adding it leaves the nearest whole number in the last digits.
  constexpr T kRound = static_cast<T>(Word{3} << (kMantissa - 1));

  const Numbers lowest = Numbers{} + kLowest;
  x = x < lowest ? lowest : x;
  const Numbers shifted = x * static_cast<T>(1 / kLn2) + kRound;
  const Numbers n = shifted - kRound;
  const Numbers r = (x - n * kLn2High) - n * kLn2Low;
  Numbers sum = Numbers{} + kSeries[kDegree];
#pragma GCC unroll 16
  for (int k = kDegree - 1; k >= 0; --k) sum = sum * r + kSeries[k];
  Bits exponent;
  Bits bits;
  std::memcpy(&exponent, &shifted, sizeof exponent);
  std::memcpy(&bits, &sum, sizeof bits);
  bits += exponent << kMantissa;
  std::memcpy(&x, &bits, sizeof x);
}
}  // namespace detail

/// e^x for x <= 0, to 2 units in the last place; below -87 (float) or -708 (double) what e^ that is, NaN for NaN.
/// Unlike the library's, compilers turn a loop of it into vector instructions, and every instruction set gives the same
/// bits.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two pieces so that n times the first is exact; e^r by its Taylor
/// series.
template <class T>
LAMINAR_INLINE T exponential(T x) {
  using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;
  detail::exponentiate<T, Bits>(x);
  return x;
}

/// v -> exponential(v), number by number, of a vector of floats; Bits is one of as many std::uint32_t.
template <class Bits, class Vector>
LAMINAR_INLINE void exponentials_of(Vector& v) {
  detail::exponentiate<float, Bits>(v);
}

}  // namespace laminar::core
