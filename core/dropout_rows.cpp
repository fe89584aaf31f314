/// Sixteen bits decide on an element. Columns are taken in groups of 64, a group drawing on 8 random blocks of 8 halves
/// each: column 8 h + i of a group uses half h of block i, so that 8 columns side by side are 8 lanes of one vector.
///
/// With registers of 64 bytes a group's masks go from the generator (philox_lanes.cpp tells how its lanes work) into
/// the products without a stop in memory: that was seen to be twice as fast in float32 and four times in bfloat16.
#include "laminar/core/dropout_rows.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "laminar/core/eight.hpp"
#include "laminar/core/philox_lanes.hpp"
#include "laminar/core/row_piece.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/wide_registers.hpp"

#ifdef LAMINAR_WIDE_VERSION
// The header's own "undefined" registers are no mistake; later compilers know.
#if !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#endif

namespace laminar::core {
namespace {

constexpr int kBlocks = kPhiloxLanes;
constexpr Index kGroup = 64;

/// y (+)= mask x for `count` <= 8 columns that one half of word w decides on. No branch, which would be mispredicted
/// half of the time; and masks go through no memory, as what is written in vectors of 8 and read in longer ones stalls.
template <class T>
LAMINAR_INLINE void mask_eight(const std::array<std::uint32_t, kBlocks>& words, int shift, std::uint32_t threshold,
                               Computed<T> factor, const T* x, T* y, Index count, bool accumulate) {
  using C = Computed<T>;
  if (count == kBlocks && !accumulate) {
    if constexpr (std::is_same_v<T, Bfloat16>) {
      // Compilers take neither the halves nor their rounding in vectors by themselves.
      EightOf<std::uint32_t> bits;
      std::memcpy(&bits, words.data(), sizeof bits);
      EightOf<float> v;
      load_eight(v, x);
      v = ((bits >> shift) & 0xffffU) >= threshold ? v * factor : EightOf<float>{};
      store_eight(y, v);
    } else {
      LAMINAR_LANES
      for (std::size_t i = 0; i < kBlocks; ++i) {
        const C scaled = factor * C(x[i]);
        y[i] = static_cast<T>(((words[i] >> shift) & 0xffffU) >= threshold ? scaled : C(0));
      }
    }
    return;
  }
  LAMINAR_LANES
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const C scaled = factor * C(x[i]);
    y[i] =
        static_cast<T>((accumulate ? C(y[i]) : C(0)) + (((words[i] >> shift) & 0xffffU) >= threshold ? scaled : C(0)));
  }
}

template <class T>
void mask_narrow(const MaskedRows<T>& what, Index begin, Index end) {
  run_vectorised([=, &what]() LAMINAR_INLINE_LAMBDA {
    PhiloxWords words;
    for (Index r = begin; r < end; ++r) {
      const T* const x = what.x + r * what.d;
      T* const y = what.y + r * what.d;
      const auto id = static_cast<std::uint32_t>(what.ids[r]);
      for (Index group = 0; group < what.d; group += kGroup) {
        philox_lanes(what.key, id, static_cast<std::uint32_t>(group / kGroup * kBlocks), words);
#pragma GCC unroll 8
        for (int half = 0; half < kGroup / kBlocks; ++half) {
          const Index c = group + half * kBlocks;
          const Index count = std::min<Index>(kBlocks, what.d - c);
          if (count <= 0) break;
          mask_eight(words[static_cast<std::size_t>(half / 2)], 16 * (half % 2), what.threshold, what.factor, x + c,
                     y + c, count, what.accumulate);
        }
      }
    }
  });
}

#ifdef LAMINAR_WIDE_VERSION
/// The keys of the generator's rounds, which are the same for all rows.
struct RoundKeys {
  explicit RoundKeys(RandomKey key) {
    for (std::size_t round = 0; round < kPhiloxRounds; ++round) {
      k0[round] = key.k0;
      k1[round] = key.k1;
      key = {key.k0 + kPhiloxWeyl0, key.k1 + kPhiloxWeyl1};
    }
  }
  std::array<std::uint32_t, kPhiloxRounds> k0{};
  std::array<std::uint32_t, kPhiloxRounds> k1{};
};

/// Which of a group's columns are kept, 32 and 32.
LAMINAR_WIDE_VERSION LAMINAR_INLINE void draw(const RoundKeys& keys, std::uint32_t id, std::uint32_t first_block,
                                              std::uint32_t threshold, __mmask32 (&kept)[2]) {
  const __m512i m0 = _mm512_set1_epi64(kPhiloxMultiplier0);
  const __m512i m1 = _mm512_set1_epi64(kPhiloxMultiplier1);
  __m512i c0 = _mm512_set1_epi64(id);
  __m512i c1 = _mm512_add_epi64(_mm512_set1_epi64(first_block), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
  __m512i c2 = _mm512_setzero_si512();
  __m512i c3 = _mm512_setzero_si512();
#pragma GCC unroll 10
  for (std::size_t round = 0; round < kPhiloxRounds; ++round) {
    const __m512i p0 = _mm512_mul_epu32(m0, c0);
    const __m512i p1 = _mm512_mul_epu32(m1, c2);
    // Keys are repeated in both halves of a lane, of which the upper counts nothing.
    const __m512i k0 = _mm512_set1_epi32(static_cast<int>(keys.k0[round]));
    const __m512i k1 = _mm512_set1_epi32(static_cast<int>(keys.k1[round]));
    c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c1, k0, 0x96);
    c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c3, k1, 0x96);
    c1 = p1;
    c3 = p0;
  }
  const __m512i words[4] = {c0, c1, c2, c3};
  const __m512i lower = _mm512_set1_epi64(0xffff);
  const __m512i upper = _mm512_set1_epi64(0xffff0000);
  const __m512i least = _mm512_set1_epi64(threshold);
  const __m512i upper_least = _mm512_slli_epi64(least, 16);
  __mmask16 sixteen[4];
#pragma GCC unroll 4
  for (int w = 0; w < 4; ++w) {
    const __mmask8 a = _mm512_cmpge_epu64_mask(_mm512_and_si512(words[w], lower), least);
    const __mmask8 b = _mm512_cmpge_epu64_mask(_mm512_and_si512(words[w], upper), upper_least);
    sixteen[w] = _mm512_kunpackb(b, a);
  }
  kept[0] = _mm512_kunpackw(sixteen[1], sixteen[0]);
  kept[1] = _mm512_kunpackw(sixteen[3], sixteen[2]);
}

/// y (+)= mask x for 32 columns of x times `factor`, y (+)= 0 where `kept` has no bit.
LAMINAR_WIDE_VERSION LAMINAR_INLINE void mask_columns(__mmask32 kept, float factor, const float* x, float* y,
                                                      bool accumulate) {
  for (int half = 0; half < 2; ++half, kept >>= 16, x += 16, y += 16) {
    const __m512 v = _mm512_maskz_mul_ps(static_cast<__mmask16>(kept), _mm512_loadu_ps(x), _mm512_set1_ps(factor));
    _mm512_storeu_ps(y, accumulate ? _mm512_add_ps(_mm512_loadu_ps(y), v) : v);
  }
}
LAMINAR_WIDE_VERSION LAMINAR_INLINE void mask_columns(__mmask32 kept, float factor, const Bfloat16* x, Bfloat16* y,
                                                      bool accumulate) {
  RowPiece<Bfloat16, 16> v;
  if (!accumulate) {
    v.load(x);
    v.even *= factor;
    v.odd *= factor;
    RowPiece<Bfloat16, 16>::Words words;
    v.pack(words);
    _mm512_storeu_si512(y, _mm512_maskz_mov_epi16(kept, reinterpret_cast<__m512i>(words)));
    return;
  }
  // What is not kept is added as 0.
  alignas(64) Bfloat16 thinned[32];
  _mm512_store_si512(thinned, _mm512_maskz_loadu_epi16(kept, x));
  v.load(y);
  RowPiece<Bfloat16, 16> scaled;
  scaled.load(thinned);
  v.add(factor, scaled);
  v.store(y);
}

template <class T>
LAMINAR_WIDE_VERSION void mask_wide(const MaskedRows<T>& what, Index begin, Index end) {
  const RoundKeys keys(what.key);
  const float factor = what.factor;
  const Index d = what.d;
  const bool accumulate = what.accumulate;
  const std::uint32_t threshold = what.threshold;
  const VertexId* const ids = what.ids.data();
  for (Index r = begin; r < end; ++r) {
    const T* const x = what.x + r * d;
    T* const y = what.y + r * d;
    for (Index group = 0; group < d; group += kGroup) {
      __mmask32 kept[2];
      draw(keys, static_cast<std::uint32_t>(ids[r]), static_cast<std::uint32_t>(group / kGroup * kBlocks), threshold,
           kept);
      for (Index c = group, half = 0; half < 2 && c < d; c += 32, ++half) {
        if (d - c >= 32) {
          mask_columns(kept[half], factor, x + c, y + c, accumulate);
          continue;
        }
        const auto count = static_cast<std::size_t>(d - c);
        T in[32] = {};
        T out[32] = {};
        std::copy_n(x + c, count, in);
        if (accumulate) std::copy_n(y + c, count, out);
        mask_columns(kept[half], factor, in, out, accumulate);
        std::copy_n(out, count, y + c);
      }
    }
  }
}
#endif

}  // namespace

std::uint32_t mask_bits(RandomKey key, VertexId id, Index c) {
  const auto block = random_block(key, static_cast<std::uint32_t>(id),
                                  static_cast<std::uint32_t>(c / kGroup * kBlocks + c % kBlocks), 0);
  const Index half = c % kGroup / kBlocks;
  return (block[static_cast<std::size_t>(half / 2)] >> (16 * (half % 2))) & 0xffffU;
}

template <class T>
void mask_rows(const MaskedRows<T>& what, Index begin, Index end) {
#ifdef LAMINAR_WIDE_VERSION
  if constexpr (!std::is_same_v<T, double>) {
    if (has_wide_registers()) return mask_wide(what, begin, end);
  }
#endif
  mask_narrow(what, begin, end);
}

template void mask_rows(const MaskedRows<float>&, Index, Index);
template void mask_rows(const MaskedRows<double>&, Index, Index);
template void mask_rows(const MaskedRows<Bfloat16>&, Index, Index);

}  // namespace laminar::core
