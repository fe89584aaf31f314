#include "laminar/core/gather.hpp"

#include "laminar/core/dot.hpp"
#include "laminar/core/row_piece.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/wide_registers.hpp"

namespace laminar::core {
namespace {

/// The entries of one row. By value, so that they stay in registers.
template <class T>
struct Entries {
  const T* x;
  Index stride;
  RowIndices indices;
  const Computed<T>* weights;
};

/// Columns [0, width) of a row, in kPieces of RowPiece<T, kLanes>, whose sums stay in registers over all entries. The
/// last piece ends with the last column, so it may overlap the one before: these columns come to the same numbers
/// twice.
template <class T, Index kLanes, Index kPieces>
LAMINAR_INLINE void gather_tile(T* y, Entries<T> of, Index width, bool accumulate) {
  using Piece = RowPiece<T, kLanes>;
  constexpr Index kCount = Piece::kCount;
  const Index last = width - kCount;
  Piece sum[kPieces];
#pragma GCC unroll 8
  for (Index p = 0; accumulate && p < kPieces; ++p) sum[p].load(y + (p + 1 < kPieces ? p * kCount : last));
  for (Index e = 0; e < of.indices.count; ++e) {
    fetch_ahead(of.x, kPieces * kCount, of.stride, of.indices, e);
    const T* const row = of.x + of.indices[e] * of.stride;
    const float weight = of.weights != nullptr ? of.weights[e] : 1.0F;
#pragma GCC unroll 8
    for (Index p = 0; p < kPieces; ++p) {
      Piece piece;
      piece.load(row + (p + 1 < kPieces ? p * kCount : last));
      sum[p].add(weight, piece);
    }
  }
#pragma GCC unroll 8
  for (Index p = 0; p < kPieces; ++p) sum[p].store(y + (p + 1 < kPieces ? p * kCount : last));
}

/// f<kLanes, kPieces>() with at most kMost pieces that hold `width` columns; shorter ones if not one such fits.
template <class T, Index kLanes, Index kMost, class F>
LAMINAR_INLINE void with_pieces(Index width, const F& f) {
  constexpr Index kCount = RowPiece<T, kLanes>::kCount;
  if constexpr (kLanes > 4) {
    if (width < kCount) return with_pieces<T, kLanes / 2, 2>(width, f);
  } else if constexpr (kLanes > 1) {
    if (width < kCount) return with_pieces<T, 1, kCount - 1>(width, f);
  }
  const Index pieces = (width + kCount - 1) / kCount;
  const auto last = [&]<Index kPieces>() LAMINAR_INLINE_LAMBDA { f.template operator()<kLanes, kPieces>(); };
  if (pieces == 1) return last.template operator()<1>();
  if constexpr (kMost > 2) {
    if (pieces == 2) return last.template operator()<2>();
  }
  if constexpr (kMost > 3) {
    if (pieces == 3) return last.template operator()<3>();
  }
  if constexpr (kMost > 4) {
    if (pieces == 4) return last.template operator()<4>();
    if (pieces == 5) return last.template operator()<5>();
    if (pieces == 6) return last.template operator()<6>();
  }
  if constexpr (kMost > 7) {
    if (pieces == 7) return last.template operator()<7>();
  }
  last.template operator()<kMost>();
}

/// f<kLanes, kPieces>(first column, columns) for each tile of d columns of T: of eight registers at most, as narrow
/// ones are no more than sixteen.
template <class T, bool kWide, class F>
LAMINAR_INLINE void with_tiles(Index d, const F& f) {
  constexpr Index kLanes = kWide ? 16 : 8;
  constexpr Index kCount = RowPiece<T, kLanes>::kCount;
  constexpr Index kTile = 8 * kLanes;
  for (Index c = 0, width = 0; c < d; c += width) {
    width = d - c;
    // So that a whole piece is left.
    if (width > kTile) width = width < kTile + kCount ? kTile / 2 : kTile;
    with_pieces<T, kLanes, kTile / kCount>(width, [&f, c, width]<Index kOf, Index kPieces>() LAMINAR_INLINE_LAMBDA {
      f.template operator()<kOf, kPieces>(c, width);
    });
  }
}

template <bool kWide, class T>
LAMINAR_INLINE void gather_row_any(T* y, const T* x, Index d, Index stride, RowIndices indices,
                                   const Computed<T>* weights, bool accumulate) {
  with_tiles<T, kWide>(d, [=]<Index kLanes, Index kPieces>(Index c, Index width) LAMINAR_INLINE_LAMBDA {
    gather_tile<T, kLanes, kPieces>(y + c, {x + c, stride, indices, weights}, width, accumulate);
  });
}

template <bool kWide, class T>
LAMINAR_INLINE void gather_rows_any(const GatheredRows<T>& what, Index begin, Index end) {
  const EdgeId* const offsets = what.offsets.data();
  const std::int32_t* const indices = what.indices.data();
  const auto entries = static_cast<Index>(what.indices.size());
  with_tiles<T, kWide>(what.d, [=]<Index kLanes, Index kPieces>(Index c, Index width) LAMINAR_INLINE_LAMBDA {
    const GatheredRows<T> own = what;
    for (Index r = begin; r < end; ++r) {
      const EdgeId first = offsets[r];
      const EdgeId next = offsets[r + 1];
      gather_tile<T, kLanes, kPieces>(own.y + r * own.d + c,
                                      {own.x + c,
                                       own.d,
                                       {indices + first, next - first, entries - next},
                                       own.weights != nullptr ? own.weights + first : nullptr},
                                      width, own.accumulate);
    }
  });
}

/// In double, which is for checks: no more than what the compiler makes of it.
LAMINAR_INLINE void gather_doubles(double* y, const double* x, Index d, Index stride, RowIndices indices,
                                   const double* weights, bool accumulate) {
  for (Index c = 0; !accumulate && c < d; ++c) y[c] = 0;
  for (Index e = 0; e < indices.count; ++e) {
    const double* const row = x + indices[e] * stride;
    const double weight = weights != nullptr ? weights[e] : 1.0;
    LAMINAR_LANES
    for (Index c = 0; c < d; ++c) y[c] += weight * row[c];
  }
}

template <class T>
LAMINAR_INLINE void gather_dots_any(T* out, const T* y, const T* x, Index d, Index stride, const RowIndices& indices) {
  for (Index e = 0; e < indices.count; ++e) {
    fetch_ahead(x, d, stride, indices, e);
    out[e] = dot(y, x + indices[e] * stride, d);
  }
}

}  // namespace

template <class T>
void gather_row(T* y, const T* x, Index d, Index stride, const RowIndices& indices, const Computed<T>* weights,
                bool accumulate) {
  if constexpr (std::is_same_v<T, double>) {
    run_vectorised([=]() LAMINAR_INLINE_LAMBDA { gather_doubles(y, x, d, stride, indices, weights, accumulate); });
  } else {
    // Not captured, as numbers read back from where they were just written would stall each call.
    run_by_registers([]<bool kWide>(T* to, const T* from, Index columns, Index apart, RowIndices row,
                                    const float* factors, bool adds)
                         LAMINAR_INLINE_LAMBDA { gather_row_any<kWide>(to, from, columns, apart, row, factors, adds); },
                     y, x, d, stride, indices, weights, accumulate);
  }
}

template void gather_row(float*, const float*, Index, Index, const RowIndices&, const float*, bool);
template void gather_row(double*, const double*, Index, Index, const RowIndices&, const double*, bool);
template void gather_row(Bfloat16*, const Bfloat16*, Index, Index, const RowIndices&, const float*, bool);

namespace detail {

LAMINAR_MULTIVERSION
void gather_dots(float* out, const float* y, const float* x, Index d, Index stride, const std::int32_t* first,
                 Index count, Index following) {
  gather_dots_any(out, y, x, d, stride, {first, count, following});
}

LAMINAR_MULTIVERSION
void gather_dots(double* out, const double* y, const double* x, Index d, Index stride, const std::int32_t* first,
                 Index count, Index following) {
  gather_dots_any(out, y, x, d, stride, {first, count, following});
}

}  // namespace detail

template <class T>
void gather_rows(const GatheredRows<T>& what, Index begin, Index end) {
  if constexpr (std::is_same_v<T, double>) {
    for (Index r = begin; r < end; ++r) {
      const double* const weights = what.weights != nullptr ? what.weights + what.offsets[r] : nullptr;
      gather_row(what.y + r * what.d, what.x, what.d, what.d, row_indices(what.offsets, what.indices, r), weights,
                 what.accumulate);
    }
  } else {
    run_by_registers([&what, begin, end]<bool kWide>()
                         LAMINAR_INLINE_LAMBDA { gather_rows_any<kWide>(what, begin, end); });
  }
}

template void gather_rows(const GatheredRows<float>&, Index, Index);
template void gather_rows(const GatheredRows<double>&, Index, Index);
template void gather_rows(const GatheredRows<Bfloat16>&, Index, Index);

}  // namespace laminar::core
