#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "laminar/core/eight.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/types.hpp"

/// What the kernels of attention_lanes.cpp, which see, keep in registers: columns of rows, and of eight heads; and the
/// groups of rows that they work on.
namespace laminar::core::lanes {

using Eight = EightOf<float>;
using EightWords = EightOf<std::uint32_t>;
using EightDoubles = EightOf<double>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Index kLanes = 8;
/// Columns of two registers.
constexpr Index kColumns = 16;

LAMINAR_INLINE void larger(Eight& a, const Eight& b) { a = b > a ? b : a; }

/// score = leaky(raw).
LAMINAR_INLINE void leaky(Eight& score, const Eight& raw, float slope) {
  const Eight scaled = slope * raw;
  score = raw > Eight{} ? raw : scaled;
}

LAMINAR_INLINE void add_to(EightDoubles& totals, const Eight& v) { totals += __builtin_convertvector(v, EightDoubles); }

LAMINAR_INLINE double folded(const EightDoubles& v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/// Sixteen columns, in one register of 64 bytes or in two of 32; the order of sums is the same.
template <bool kWide>
struct Columns {
  Eight a = {};
  Eight b = {};

  template <class T>
  LAMINAR_INLINE void load(const T* p) {
    load_eight(a, p);
    load_eight(b, p + kLanes);
  }
  template <class T>
  LAMINAR_INLINE void store(T* p) const {
    for (Index i = 0; i < kLanes; ++i) {
      p[i] = T(a[i]);
      p[kLanes + i] = T(b[i]);
    }
  }
  LAMINAR_INLINE void add(float weight, const Columns& x) {
    a += weight * x.a;
    b += weight * x.b;
  }
  LAMINAR_INLINE void add_product(const Columns& x, const Columns& y) {
    a += x.a * y.a;
    b += x.b * y.b;
  }
  LAMINAR_INLINE void add(const Columns& x) {
    a += x.a;
    b += x.b;
  }
  LAMINAR_INLINE void scale(float factor) {
    a *= factor;
    b *= factor;
  }
  LAMINAR_INLINE void multiply(const Columns& x, const Columns& y) {
    a = x.a * y.a;
    b = x.b * y.b;
  }
  /// The second half on the first.
  LAMINAR_INLINE void halve(Eight& sum) const { sum = a + b; }
};

template <>
struct Columns<true> {
  typedef float Sixteen __attribute__((vector_size(64)));
  typedef std::uint32_t Words __attribute__((vector_size(64)));
  typedef std::uint16_t Halves __attribute__((vector_size(32)));
  Sixteen all = {};

  LAMINAR_INLINE void load(const float* p) { std::memcpy(&all, p, sizeof all); }
  LAMINAR_INLINE void load(const Bfloat16* p) {
    Halves halves;
    std::memcpy(&halves, p, sizeof halves);
    const Words words = __builtin_convertvector(halves, Words) << 16;
    std::memcpy(&all, &words, sizeof all);
  }
  LAMINAR_INLINE void store(float* p) const { std::memcpy(p, &all, sizeof all); }
  /// As Bfloat16 rounds.
  LAMINAR_INLINE void store(Bfloat16* p) const {
    Words words;
    detail::round_words(words, all);
    const Halves halves = __builtin_convertvector(words >> 16, Halves);
    std::memcpy(static_cast<void*>(p), &halves, sizeof halves);
  }
  LAMINAR_INLINE void add(float weight, const Columns& x) { all += weight * x.all; }
  LAMINAR_INLINE void add_product(const Columns& x, const Columns& y) { all += x.all * y.all; }
  LAMINAR_INLINE void add(const Columns& x) { all += x.all; }
  LAMINAR_INLINE void scale(float factor) { all *= factor; }
  LAMINAR_INLINE void multiply(const Columns& x, const Columns& y) { all = x.all * y.all; }
  LAMINAR_INLINE void halve(Eight& sum) const {
    sum = __builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7) +
          __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15);
  }
};

/// out[h] = the sum of products[h].
LAMINAR_INLINE void fold(Eight& out, const Columns<false> (&products)[8]) {
  Eight halves[8];
#pragma GCC unroll 8
  for (Index h = 0; h < 8; ++h) products[h].halve(halves[h]);
  fold_heads(&out, halves);
}
/// In the same order.
LAMINAR_INLINE void fold(Eight& out, const Columns<true> (&v)[8]) {
  using Sixteen = Columns<true>::Sixteen;
  Sixteen four[4];
  Sixteen two[2];
#pragma GCC unroll 4
  for (int h = 0; h < 4; ++h) {
    const Sixteen& x = v[h].all;
    const Sixteen& y = v[h + 4].all;
    four[h] = __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
              __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const Sixteen& x = four[h];
    const Sixteen& y = four[h + 2];
    two[h] = __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +
             __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  }
  const Sixteen one =
      __builtin_shufflevector(two[0], two[1], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
      __builtin_shufflevector(two[0], two[1], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  out = __builtin_shufflevector(one, one, 0, 2, 4, 6, 8, 10, 12, 14) +
        __builtin_shufflevector(one, one, 1, 3, 5, 7, 9, 11, 13, 15);
}

/// y = sum, and what rounding takes from it into `rest`, unless that is null.
template <class Piece, class T>
LAMINAR_INLINE void store_sum(const Piece& sum, T* y, T* rest) {
  sum.store(y);
  if (rest == nullptr) return;
  Piece rounded;
  rounded.load(y);
  Piece difference = sum;
  difference.add(-1.0F, rounded);
  difference.store(rest);
}

/// Two heads of eight columns each, one in each register.
using TwoHeads = Columns<false>;

/// Eight heads of kWidth columns each, the rows of which may hold more heads.
template <Index kWidth, bool kWide>
struct Heads;

template <bool kWide>
struct Heads<16, kWide> {
  static constexpr Index kPieces = 8;
  using Piece = Columns<kWide>;
  LAMINAR_INLINE static void add(Piece& sum, Index piece, const float* weights, const Piece& x) {
    sum.add(weights[piece], x);
  }
  LAMINAR_INLINE static void scale(Piece& x, Index piece, const float* factors) { x.scale(factors[piece]); }
  LAMINAR_INLINE static void dots(Eight& out, const Piece (&x)[8], const Piece (&y)[8]) {
    Piece products[8];
#pragma GCC unroll 8
    for (Index h = 0; h < 8; ++h) products[h].multiply(x[h], y[h]);
    fold(out, products);
  }
};

template <bool kWide>
struct Heads<8, kWide> {
  static constexpr Index kPieces = 4;
  using Piece = TwoHeads;
  LAMINAR_INLINE static void add(TwoHeads& sum, Index piece, const float* weights, const TwoHeads& x) {
    sum.a += weights[2 * piece] * x.a;
    sum.b += weights[2 * piece + 1] * x.b;
  }
  LAMINAR_INLINE static void scale(TwoHeads& x, Index piece, const float* factors) {
    x.a *= factors[2 * piece];
    x.b *= factors[2 * piece + 1];
  }
  LAMINAR_INLINE static void dots(Eight& out, const TwoHeads (&x)[4], const TwoHeads (&y)[4]) {
    Eight products[8];
#pragma GCC unroll 4
    for (Index p = 0; p < 4; ++p) {
      products[2 * p] = x[p].a * y[p].a;
      products[2 * p + 1] = x[p].b * y[p].b;
    }
    fold_heads(&out, products);
  }
};

/// Edges that are worked on together, unless one row has more.
constexpr EdgeId kGroupEdges = 96;

/// Where the rows end that are worked on together from `begin` on.
LAMINAR_INLINE Index group_end(std::span<const EdgeId> offsets, Index begin, Index end) {
  constexpr Index kRows = 16;
  Index last = begin + 1;
  while (last < end && last < begin + kRows && offsets[last + 1] - offsets[begin] <= kGroupEdges) ++last;
  return last;
}

/// The rows that a group's sums read, fetched all the time: half of one while its edge's weights are computed, the
/// other half while sums are computed of an edge so many before. But what a long row reads is too much to stay in the
/// cache; then a row is fetched as for other sums.
template <class T>
class RowsToFetch {
 public:
  LAMINAR_INLINE RowsToFetch(const T* first, Index width, Index stride, EdgeId edges)
      : first_(first), width_(width), stride_(stride), early_(edges <= 4 * kGroupEdges) {}
  /// With the weights.
  LAMINAR_INLINE void fetch(Index row) const {
    if (early_) fetch_columns(row, 0, width_ / 2);
  }
  /// With the sums.
  LAMINAR_INLINE void fetch_rest(const RowIndices& indices, Index e) const {
    if (!early_) {
      fetch_ahead(first_, width_, stride_, indices, e);
      return;
    }
    if (e + kGroupEdges < indices.count + indices.following) {
      fetch_columns(indices.first[e + kGroupEdges], width_ / 2, width_);
    }
  }

 private:
  LAMINAR_INLINE void fetch_columns(Index row, Index begin, Index end) const {
    constexpr auto kLine = static_cast<Index>(64 / sizeof(T));
    for (Index c = begin; c < end; c += kLine) __builtin_prefetch(first_ + row * stride_ + c);
  }

  const T* first_;
  Index width_;
  Index stride_;
  bool early_;
};

/// A buffer of `count` numbers at least.
LAMINAR_INLINE float* room(std::vector<float>& buffer, Index count) {
  constexpr Index kAhead = 1 << 16;
  if (static_cast<Index>(buffer.size()) < count)
    buffer.resize(static_cast<std::size_t>(std::max(count, std::min(2 * count, kAhead))));
  return buffer.data();
}

LAMINAR_INLINE void put_eight(float* p, const Eight& v) { std::memcpy(p, &v, sizeof v); }

/// Numbers an edge and head in the backward's buffer: alpha times mask, alpha times the leaky ReLU's slope, and the
/// mask.
constexpr Index kBackward = 3;

/// What an edge's scores get, of its numbers w and its target's mean: alpha slope (mask dot - mean). Also adds it to
/// `total`.
LAMINAR_INLINE void score_gradient(Eight& gradient, EightDoubles& total, const float* w, const Eight& dot,
                                   const Eight& mean, bool masked) {
  Eight steep;
  load_eight(steep, w + kLanes);
  Eight of_edge = dot;
  if (masked) {
    Eight mask;
    load_eight(mask, w + 2 * kLanes);
    of_edge *= mask;
  }
  gradient = steep * (of_edge - mean);
  add_to(total, gradient);
}

}  // namespace laminar::core::lanes
