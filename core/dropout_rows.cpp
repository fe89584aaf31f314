/// Sixteen bits decide on an element, and of 256 elements the upper eight alone on all but one or so: the lower ones
/// are drawn for a group that has the threshold's upper ones among its own (with short registers, for every group), and
/// for a threshold whose lower ones are 0 (a rate of .5) never. A group of 128 columns draws on 8 random blocks of 16
/// bytes: column 64 h + 8 i + j on byte 8 h + j of block i, so that the blocks' words side by side are 64 columns.
///
/// With registers of 64 bytes a group's masks go from the generator (philox_lanes.cpp tells how its lanes work) into
/// the products without a stop in memory.
#include "laminar/core/dropout_rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

#include "laminar/core/eight.hpp"
#include "laminar/core/philox_lanes.hpp"
#include "laminar/core/philox_rounds.hpp"
#include "laminar/core/row_piece.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/wide_registers.hpp"

namespace laminar::core {
namespace {

constexpr Index kBlocks = kPhiloxLanes;
/// Columns of one half of a group.
constexpr Index kHalf = 8 * kBlocks;
constexpr Index kGroup = 2 * kHalf;
/// Upper and lower bytes have positions of their own in the stream.
constexpr std::uint32_t kUpper = 0;
constexpr std::uint32_t kLower = 1;

/// The first of the 8 blocks of a group that begins with column `group`.
LAMINAR_INLINE std::uint32_t first_block(Index group) { return static_cast<std::uint32_t>(group / kGroup * kBlocks); }

/// Where the byte of a column stands among a group's blocks.
struct BytePosition {
  explicit BytePosition(Index c)
      : block(static_cast<std::size_t>(c % kHalf / 8)),
        word(static_cast<std::size_t>(2 * (c % kGroup / kHalf) + c % 8 / 4)),
        shift(static_cast<std::uint32_t>(8 * (c % 4))) {}
  std::size_t block, word;
  std::uint32_t shift;
};

/// Whether an element is kept, `drawn(part)` giving its upper or its lower byte.
template <class Drawn>
LAMINAR_INLINE bool is_kept(std::uint32_t threshold, const Drawn& drawn) {
  const std::uint32_t upper = drawn(kUpper);
  return upper == threshold >> 8 ? drawn(kLower) >= (threshold & 0xffU) : upper > threshold >> 8;
}

using EightWords = EightOf<std::uint32_t>;

/// The eight bytes of block kBlock, of which words a and b are its lanes.
template <int kBlock>
LAMINAR_INLINE void bytes_of(EightWords& bytes, const EightWords& a, const EightWords& b) {
  const EightWords shifts = {0, 8, 16, 24, 0, 8, 16, 24};
  bytes =
      __builtin_shufflevector(a, b, kBlock, kBlock, kBlock, kBlock, 8 + kBlock, 8 + kBlock, 8 + kBlock, 8 + kBlock) >>
          shifts &
      0xffU;
}

/// y (+)= mask x for `count` <= 8 columns with 16 random bits each. No branch, which would be mispredicted half of the
/// time.
template <class T>
LAMINAR_INLINE void mask_eight(const EightWords& bits, std::uint32_t threshold, Computed<T> factor, const T* x, T* y,
                               Index count, bool accumulate) {
  using C = Computed<T>;
  if constexpr (std::is_same_v<C, float>) {
    if (count == 8 && !accumulate) {
      EightOf<float> v;
      load_eight(v, x);
      v = bits >= threshold ? v * factor : EightOf<float>{};
      if constexpr (std::is_same_v<T, float>) {
        std::memcpy(y, &v, sizeof v);
      } else {
        store_eight(y, v);
      }
      return;
    }
  }
  std::uint32_t of_column[8];
  std::memcpy(of_column, &bits, sizeof of_column);
  for (Index j = 0; j < count; ++j) {
    const C scaled = of_column[j] >= threshold ? factor * C(x[j]) : C(0);
    y[j] = static_cast<T>(accumulate ? C(y[j]) + scaled : scaled);
  }
}

/// A group's blocks; those of the lower bytes only if they are asked for.
LAMINAR_INLINE void draw_words(RandomKey key, std::uint32_t id, Index group, bool has_lower, PhiloxWords& upper,
                               PhiloxWords& lower) {
  philox_lanes(key, id, first_block(group), kUpper, upper);
  if (has_lower) philox_lanes(key, id, first_block(group), kLower, lower);
}

template <class T>
void mask_narrow(const MaskedRows<T>& what, Index begin, Index end) {
  run_vectorised([=, &what]() LAMINAR_INLINE_LAMBDA {
    const MaskedRows<T> own = what;
    PhiloxWords upper;
    PhiloxWords lower{};
    const bool has_lower = (own.threshold & 0xffU) != 0;
    for (Index r = begin; r < end; ++r) {
      const auto id = static_cast<std::uint32_t>(own.ids[static_cast<std::size_t>(r)]);
      for (Index group = 0; group < own.d; group += kGroup) {
        draw_words(own.key, id, group, has_lower, upper, lower);
        for (Index first = group; first < std::min(group + kGroup, own.d); first += kHalf) {
          const auto w = static_cast<std::size_t>(2 * ((first - group) / kHalf));
          EightWords words[4];
          std::memcpy(&words[0], upper[w].data(), sizeof words[0]);
          std::memcpy(&words[1], upper[w + 1].data(), sizeof words[1]);
          std::memcpy(&words[2], lower[w].data(), sizeof words[2]);
          std::memcpy(&words[3], lower[w + 1].data(), sizeof words[3]);
          const auto mask_block = [&]<int kBlock>() LAMINAR_INLINE_LAMBDA {
            const Index c = first + Index{8} * kBlock;
            const Index count = std::min<Index>(8, own.d - c);
            if (count <= 0) return;
            EightWords bits;
            bytes_of<kBlock>(bits, words[0], words[1]);
            bits <<= 8;
            if (has_lower) {
              EightWords lower_bits;
              bytes_of<kBlock>(lower_bits, words[2], words[3]);
              bits |= lower_bits;
            }
            mask_eight(bits, own.threshold, own.factor, own.x + r * own.d + c, own.y + r * own.d + c, count,
                       own.accumulate);
          };
          mask_block.template operator()<0>();
          mask_block.template operator()<1>();
          mask_block.template operator()<2>();
          mask_block.template operator()<3>();
          mask_block.template operator()<4>();
          mask_block.template operator()<5>();
          mask_block.template operator()<6>();
          mask_block.template operator()<7>();
        }
      }
    }
  });
}

/// `draw(id, first column)` where a row's entries come to another group of columns, then keeps(c) of each. The columns
/// of a row mostly ascend, so that a group is drawn once.
template <class Draw, class Keeps>
LAMINAR_INLINE void mask_each_entry(const MaskedEntries& what, Index begin, Index end, const Draw& draw,
                                    const Keeps& keeps) {
  const EdgeId* const offsets = what.offsets.data();
  const std::int32_t* const columns = what.columns.data();
  const float* const x = what.x;
  float* const y = what.y;
  const double factor = what.factor;
  for (Index r = begin; r < end; ++r) {
    Index drawn = -1;
    for (EdgeId e = offsets[r]; e < offsets[r + 1]; ++e) {
      const Index c = columns[e];
      if (c / kGroup != drawn) {
        drawn = c / kGroup;
        draw(static_cast<std::uint32_t>(what.ids[static_cast<std::size_t>(r)]), drawn * kGroup);
      }
      // No branch, which would be mispredicted half of the time.
      const auto scaled = static_cast<float>(factor * static_cast<double>(x[e]));
      y[e] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) & (0U - static_cast<std::uint32_t>(keeps(c))));
    }
  }
}

void mask_entries_narrow(const MaskedEntries& what, Index begin, Index end) {
  const bool has_lower = (what.threshold & 0xffU) != 0;
  PhiloxWords upper;
  PhiloxWords lower{};
  mask_each_entry(
      what, begin, end,
      [&](std::uint32_t id, Index group) { draw_words(what.key, id, group, has_lower, upper, lower); },
      [&](Index c) {
        const BytePosition at(c);
        return is_kept(what.threshold, [&](std::uint32_t part) {
          return (part == kUpper ? upper : lower)[at.word][at.block] >> at.shift & 0xffU;
        });
      });
}

#ifdef LAMINAR_WIDE_VERSION
/// A byte each of a group's 128 columns.
LAMINAR_WIDE_VERSION LAMINAR_INLINE void draw(const PhiloxKeys& keys, std::uint32_t id, std::uint32_t block,
                                              std::uint32_t part, __m512i (&bytes)[2]) {
  __m512i words[4];
  philox_rounds(keys, id, block, part, words);
  constexpr __mmask16 kOdd = 0xaaaa;
  bytes[0] = _mm512_mask_mov_epi32(words[0], kOdd, _mm512_slli_epi64(words[1], 32));
  bytes[1] = _mm512_mask_mov_epi32(words[2], kOdd, _mm512_slli_epi64(words[3], 32));
}

/// Which of a group's 128 columns are kept, a bit each.
LAMINAR_WIDE_VERSION LAMINAR_INLINE void choose(const PhiloxKeys& keys, std::uint32_t id, std::uint32_t block,
                                                std::uint32_t threshold, std::uint64_t (&kept)[2]) {
  __m512i upper[2];
  draw(keys, id, block, kUpper, upper);
  const __m512i least = _mm512_set1_epi8(static_cast<char>(threshold >> 8));
  if ((threshold & 0xffU) == 0) {
    for (int half = 0; half < 2; ++half) kept[half] = _mm512_cmpge_epu8_mask(upper[half], least);
    return;
  }
  std::uint64_t open[2];
  for (int half = 0; half < 2; ++half) {
    kept[half] = _mm512_cmpgt_epu8_mask(upper[half], least);
    open[half] = _mm512_cmpeq_epi8_mask(upper[half], least);
  }
  if ((open[0] | open[1]) == 0) return;
  __m512i lower[2];
  draw(keys, id, block, kLower, lower);
  const __m512i least_lower = _mm512_set1_epi8(static_cast<char>(threshold & 0xffU));
  for (int half = 0; half < 2; ++half) kept[half] |= open[half] & _mm512_cmpge_epu8_mask(lower[half], least_lower);
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

/// choose() for what is not compiled for these registers itself.
LAMINAR_WIDE_VERSION void choose_apart(const PhiloxKeys& keys, std::uint32_t id, std::uint32_t block,
                                       std::uint32_t threshold, std::uint64_t (&kept)[2]) {
  choose(keys, id, block, threshold, kept);
}

void mask_entries_wide(const MaskedEntries& what, Index begin, Index end) {
  const PhiloxKeys keys(what.key);
  std::uint64_t kept[2];
  mask_each_entry(
      what, begin, end,
      [&](std::uint32_t id, Index group) { choose_apart(keys, id, first_block(group), what.threshold, kept); },
      [&](Index c) { return (kept[c % kGroup / kHalf] >> c % kHalf & 1U) != 0; });
}

template <class T>
LAMINAR_WIDE_VERSION void mask_wide(const MaskedRows<T>& what, Index begin, Index end) {
  const PhiloxKeys keys(what.key);
  const float factor = what.factor;
  const Index d = what.d;
  const bool accumulate = what.accumulate;
  const std::uint32_t threshold = what.threshold;
  const VertexId* const ids = what.ids.data();
  for (Index r = begin; r < end; ++r) {
    const T* const x = what.x + r * d;
    T* const y = what.y + r * d;
    for (Index group = 0; group < d; group += kGroup) {
      std::uint64_t kept[2];
      choose(keys, static_cast<std::uint32_t>(ids[r]), first_block(group), threshold, kept);
      for (Index c = group; c < std::min(group + kGroup, d); c += 32) {
        const auto kept_here = static_cast<__mmask32>(kept[(c - group) / kHalf] >> (c - group) % kHalf);
        if (d - c >= 32) {
          mask_columns(kept_here, factor, x + c, y + c, accumulate);
          continue;
        }
        const auto count = static_cast<std::size_t>(d - c);
        T in[32] = {};
        T out[32] = {};
        std::copy_n(x + c, count, in);
        if (accumulate) std::copy_n(y + c, count, out);
        mask_columns(kept_here, factor, in, out, accumulate);
        std::copy_n(out, count, y + c);
      }
    }
  }
}
#endif

}  // namespace

bool mask_keeps(RandomKey key, VertexId id, Index c, std::uint32_t threshold) {
  const BytePosition at(c);
  return is_kept(threshold, [=](std::uint32_t part) {
    const std::uint32_t block = first_block(c) + static_cast<std::uint32_t>(at.block);
    return random_block(key, static_cast<std::uint32_t>(id), block, part)[at.word] >> at.shift & 0xffU;
  });
}

void mask_entries(const MaskedEntries& what, Index begin, Index end) {
#ifdef LAMINAR_WIDE_VERSION
  if (has_wide_registers()) return mask_entries_wide(what, begin, end);
#endif
  mask_entries_narrow(what, begin, end);
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
