/// Philox4x32-10 as in Salmon et al., SC 2011, section 3.1. A lane is 64 bits wide, of which the lower half counts: the
/// product of two halves is one instruction, its lower half is the next word as it stands, and its upper half one shift
/// away. Compilers don't find that by themselves, hence the intrinsics; the tests hold every version that the processor
/// has against random_block().
#include "laminar/core/philox_lanes.hpp"

#include "laminar/core/philox_rounds.hpp"

namespace laminar::core {
namespace {

void portable(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c, PhiloxWords& words) {
  for (int i = 0; i < kPhiloxLanes; ++i) {
    const auto block = random_block(key, a, b + static_cast<std::uint32_t>(i), c);
    for (std::size_t w = 0; w < 4; ++w) words[w][static_cast<std::size_t>(i)] = block[w];
  }
}

#ifdef LAMINAR_PHILOX_ROUNDS
[[gnu::target("avx512f")]] void avx512(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                       PhiloxWords& words) {
  __m512i block[4];
  philox_rounds(PhiloxKeys(key), a, b, c, block);
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
#ifdef LAMINAR_PHILOX_ROUNDS
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
