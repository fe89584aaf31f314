/// Philox4x32-10 as in Salmon et al., SC 2011, section 3.1. A lane is 64 bits wide, of which the lower half counts: the
/// product of two halves is one instruction, its lower half is the next word as it stands, and its upper half one shift
/// away. Compilers don't find that by themselves, hence the intrinsics; the tests hold every version that the processor
/// has against random_block().
#include "laminar/core/philox_lanes.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
// The header's own "undefined" registers are no mistake; later compilers know.
#if !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define LAMINAR_X86
#endif

namespace laminar::core {
namespace {

void portable(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c, PhiloxWords& words) {
  for (int i = 0; i < kPhiloxLanes; ++i) {
    const auto block = random_block(key, a, b + static_cast<std::uint32_t>(i), c);
    for (std::size_t w = 0; w < 4; ++w) words[w][static_cast<std::size_t>(i)] = block[w];
  }
}

#ifdef LAMINAR_X86
[[gnu::target("avx512f")]] void avx512(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                       PhiloxWords& words) {
  const __m512i m0 = _mm512_set1_epi64(kPhiloxMultiplier0);
  const __m512i m1 = _mm512_set1_epi64(kPhiloxMultiplier1);
  __m512i c0 = _mm512_set1_epi64(a);
  __m512i c1 = _mm512_add_epi64(_mm512_set1_epi64(b), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
  __m512i c2 = _mm512_set1_epi64(c);
  __m512i c3 = _mm512_setzero_si512();
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const __m512i p0 = _mm512_mul_epu32(m0, c0);
    const __m512i p1 = _mm512_mul_epu32(m1, c2);
    c0 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p1, 32), c1), _mm512_set1_epi64(key.k0));
    c2 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p0, 32), c3), _mm512_set1_epi64(key.k1));
    c1 = p1;
    c3 = p0;
    key = {key.k0 + kPhiloxWeyl0, key.k1 + kPhiloxWeyl1};
  }
  const __m512i block[] = {c0, c1, c2, c3};
  for (std::size_t w = 0; w < 4; ++w) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words[w].data()), _mm512_cvtepi64_epi32(block[w]));
  }
}

/// Lanes [first, first + 4).
[[gnu::target("avx2")]] void avx2_half(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c, int first,
                                       PhiloxWords& words) {
  const __m256i m0 = _mm256_set1_epi64x(kPhiloxMultiplier0);
  const __m256i m1 = _mm256_set1_epi64x(kPhiloxMultiplier1);
  __m256i c0 = _mm256_set1_epi64x(a);
  __m256i c1 =
      _mm256_add_epi64(_mm256_set1_epi64x(static_cast<std::int64_t>(b) + first), _mm256_set_epi64x(3, 2, 1, 0));
  __m256i c2 = _mm256_set1_epi64x(c);
  __m256i c3 = _mm256_setzero_si256();
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const __m256i p0 = _mm256_mul_epu32(m0, c0);
    const __m256i p1 = _mm256_mul_epu32(m1, c2);
    c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c1), _mm256_set1_epi64x(key.k0));
    c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c3), _mm256_set1_epi64x(key.k1));
    c1 = p1;
    c3 = p0;
    key = {key.k0 + kPhiloxWeyl0, key.k1 + kPhiloxWeyl1};
  }
  const __m256i lower_halves = _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0);
  const __m256i block[] = {c0, c1, c2, c3};
  for (std::size_t w = 0; w < 4; ++w) {
    const __m256i packed = _mm256_permutevar8x32_epi32(block[w], lower_halves);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words[w].data() + first), _mm256_castsi256_si128(packed));
  }
}

[[gnu::target("avx2")]] void avx2(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                  PhiloxWords& words) {
  avx2_half(key, a, b, c, 0, words);
  avx2_half(key, a, b, c, 4, words);
}
#endif

}  // namespace

std::vector<PhiloxVersion> philox_versions() {
  std::vector<PhiloxVersion> versions;
#ifdef LAMINAR_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) versions.push_back(avx512);
  if (__builtin_cpu_supports("avx2")) versions.push_back(avx2);
#endif
  versions.push_back(portable);
  return versions;
}

void philox_lanes(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c, PhiloxWords& words) {
  static const PhiloxVersion best = philox_versions().front();
  best(key, a, b, c, words);
}

}  // namespace laminar::core
