#pragma once

#include <array>

#include "laminar/core/multiversion.hpp"
#include "laminar/core/philox_lanes.hpp"

/// Eight random blocks side by side in registers of 64 bytes, for kernels that exist for these; philox_lanes.cpp tells
/// how its lanes work. Where the macro LAMINAR_PHILOX_ROUNDS is not defined there is no such thing.
#if defined(__x86_64__) && defined(__GNUC__)
// The header's own "undefined" registers are no mistake; later compilers know.
#if !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define LAMINAR_PHILOX_ROUNDS

namespace laminar::core {

/// The keys of the generator's rounds, the same for all blocks of a stream.
struct PhiloxKeys {
  explicit PhiloxKeys(RandomKey key) {
    for (std::size_t round = 0; round < kPhiloxRounds; ++round) {
      k0[round] = static_cast<int>(key.k0);
      k1[round] = static_cast<int>(key.k1);
      key = {key.k0 + kPhiloxWeyl0, key.k1 + kPhiloxWeyl1};
    }
  }
  std::array<int, kPhiloxRounds> k0{};
  std::array<int, kPhiloxRounds> k1{};
};

/// random_block(key, a, b + i, c) for i of [0, 8): word w of block i is the lower half of lane i of words[w].
[[gnu::target("avx512f")]] LAMINAR_INLINE void philox_rounds(const PhiloxKeys& keys, std::uint32_t a, std::uint32_t b,
                                                             std::uint32_t c, __m512i (&words)[4]) {
  const __m512i m0 = _mm512_set1_epi64(kPhiloxMultiplier0);
  const __m512i m1 = _mm512_set1_epi64(kPhiloxMultiplier1);
  __m512i c0 = _mm512_set1_epi64(a);
  __m512i c1 = _mm512_add_epi64(_mm512_set1_epi64(b), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
  __m512i c2 = _mm512_set1_epi64(c);
  __m512i c3 = _mm512_setzero_si512();
#pragma GCC unroll 10
  for (std::size_t round = 0; round < kPhiloxRounds; ++round) {
    const __m512i p0 = _mm512_mul_epu32(m0, c0);
    const __m512i p1 = _mm512_mul_epu32(m1, c2);
    // The exclusive or of three. Keys are repeated in both halves of a lane, of which the upper counts nothing.
    c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c1, _mm512_set1_epi32(keys.k0[round]), 0x96);
    c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c3, _mm512_set1_epi32(keys.k1[round]), 0x96);
    c1 = p1;
    c3 = p0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

}  // namespace laminar::core
#endif
