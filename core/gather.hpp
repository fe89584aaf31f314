#pragma once

#include <cstdint>
#include <span>

#include "laminar/core/multiversion.hpp"
#include "laminar/core/types.hpp"

/// The kernels that every aggregation over a sum rests on, for one row; serial, vectorised over columns.
namespace laminar::core {

/// Which rows of a matrix a kernel reads: `count` of them, and `following` more behind these that are read next, so
/// that they are fetched ahead (they may be wrong, but must be rows).
struct RowIndices {
  const std::int32_t* first = nullptr;
  Index count = 0;
  Index following = 0;
  std::int32_t operator[](Index e) const { return first[e]; }
  std::span<const std::int32_t> span() const { return {first, static_cast<std::size_t>(count)}; }
};

/// Row r of a matrix in CSR order, of a walk that goes on to row r + 1.
inline RowIndices row_indices(std::span<const EdgeId> offsets, std::span<const std::int32_t> indices, Index r) {
  return {indices.data() + offsets[r], offsets[r + 1] - offsets[r],
          static_cast<Index>(indices.size()) - offsets[r + 1]};
}

/// While a kernel reads the row that entry e names, fetches `width` numbers of the one that it reads 16 entries later,
/// into the next row of a walk if need be. Most rows are shorter, so without that most reads would wait for memory: a
/// sum over a block model of 14 edges a vertex took 1.3 times as long when it fetched 8 ahead within its row, and 5
/// times as long without.
template <class T>
LAMINAR_INLINE void fetch_ahead(const T* x, Index width, Index stride, const RowIndices& indices, Index e) {
  constexpr Index kAhead = 16;
  constexpr auto kLine = static_cast<Index>(64 / sizeof(T));
  if (e + kAhead >= indices.count + indices.following) return;
  const T* const row = x + indices.first[e + kAhead] * stride;
  for (Index c = 0; c < width; c += kLine) __builtin_prefetch(row + c);
}

namespace detail {
// Indices come as three numbers: read back from a RowIndices just written, they would stall each call.
void gather_dots(float* out, const float* y, const float* x, Index d, Index stride, const std::int32_t* first,
                 Index count, Index following);
void gather_dots(double* out, const double* y, const double* x, Index d, Index stride, const std::int32_t* first,
                 Index count, Index following);
}  // namespace detail

/// y[0..d) (+)= sum over e of weights[e] * x[indices[e] * stride ..]; weights null = all 1. Entries are added in order,
/// all columns alike, so the result does not depend on the instruction set. T is float, double, or Bfloat16, which is
/// added up in float and rounded once.
template <class T>
void gather_row(T* y, const T* x, Index d, Index stride, const RowIndices& indices, const Computed<T>* weights,
                bool accumulate);

/// Rows of y = A x, A in CSR order: `y` and `x` of d columns, `weights` of all entries (null = all 1).
template <class T>
struct GatheredRows {
  T* y = nullptr;
  const T* x = nullptr;
  Index d = 0;
  std::span<const EdgeId> offsets;
  std::span<const std::int32_t> indices;
  const Computed<T>* weights = nullptr;
  /// y += A x.
  bool accumulate = false;
};

/// gather_row() for each of rows [begin, end): faster than one after the other, above all short ones.
template <class T>
void gather_rows(const GatheredRows<T>& what, Index begin, Index end);

/// out[e] = sum over c in [0, d) of y[c] * x[indices[e] * stride + c], in a fixed order of addition. T is float
/// or double.
template <class T>
void gather_dots(T* out, const T* y, const T* x, Index d, Index stride, const RowIndices& indices) {
  detail::gather_dots(out, y, x, d, stride, indices.first, indices.count, indices.following);
}

}  // namespace laminar::core
