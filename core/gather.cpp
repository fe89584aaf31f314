#include "laminar/core/gather.hpp"

#include "laminar/core/dot.hpp"

namespace laminar::core {
namespace {

/// A tile of columns, whose sums stay in registers over all entries of the row.
template <class T, Index kTile>
LAMINAR_INLINE void gather_tile(T* y, const T* x, Index stride, const RowIndices& indices, const Computed<T>* weights,
                                bool accumulate) {
  using C = Computed<T>;
  C sum[kTile];
  for (Index c = 0; c < kTile; ++c) sum[c] = accumulate ? C(y[c]) : C(0);
  for (Index e = 0; e < indices.count; ++e) {
    fetch_ahead(x, kTile, stride, indices, e);
    const T* row = x + indices[e] * stride;
    if (weights != nullptr) {
      const C w = weights[e];
      for (Index c = 0; c < kTile; ++c) sum[c] += w * C(row[c]);
    } else {
      for (Index c = 0; c < kTile; ++c) sum[c] += C(row[c]);
    }
  }
  for (Index c = 0; c < kTile; ++c) y[c] = T(sum[c]);
}

template <class T>
LAMINAR_INLINE void gather_row_any(T* y, const T* x, Index d, Index stride, const RowIndices& indices,
                                   const Computed<T>* weights, bool accumulate) {
  Index c = 0;
  for (; c + 64 <= d; c += 64) gather_tile<T, 64>(y + c, x + c, stride, indices, weights, accumulate);
  for (; c + 16 <= d; c += 16) gather_tile<T, 16>(y + c, x + c, stride, indices, weights, accumulate);
  for (; c + 4 <= d; c += 4) gather_tile<T, 4>(y + c, x + c, stride, indices, weights, accumulate);
  for (; c < d; ++c) gather_tile<T, 1>(y + c, x + c, stride, indices, weights, accumulate);
}

template <class T>
LAMINAR_INLINE void gather_dots_any(T* out, const T* y, const T* x, Index d, Index stride, const RowIndices& indices) {
  for (Index e = 0; e < indices.count; ++e) {
    fetch_ahead(x, d, stride, indices, e);
    out[e] = dot(y, x + indices[e] * stride, d);
  }
}

}  // namespace

namespace detail {

LAMINAR_MULTIVERSION
void gather_row(float* y, const float* x, Index d, Index stride, const std::int32_t* first, Index count,
                Index following, const float* weights, bool accumulate) {
  gather_row_any(y, x, d, stride, {first, count, following}, weights, accumulate);
}

LAMINAR_MULTIVERSION
void gather_row(double* y, const double* x, Index d, Index stride, const std::int32_t* first, Index count,
                Index following, const double* weights, bool accumulate) {
  gather_row_any(y, x, d, stride, {first, count, following}, weights, accumulate);
}

LAMINAR_MULTIVERSION
void gather_row(Bfloat16* y, const Bfloat16* x, Index d, Index stride, const std::int32_t* first, Index count,
                Index following, const float* weights, bool accumulate) {
  gather_row_any(y, x, d, stride, {first, count, following}, weights, accumulate);
}

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

}  // namespace laminar::core
