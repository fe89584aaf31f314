#include "laminar/core/gather.hpp"

#include "laminar/core/dot.hpp"
#include "laminar/core/multiversion.hpp"

namespace laminar::core {
namespace {

// Columns are taken in tiles whose sums stay in registers over all entries of the row; while one source row is added,
// the tile of a later one is on its way.
constexpr Index kPrefetchAhead = 8;

template <class T, Index kTile>
LAMINAR_INLINE void gather_tile(T* y, const T* x, Index stride, const std::int32_t* indices, const T* weights,
                                Index count, bool accumulate) {
  T sum[kTile];
  for (Index c = 0; c < kTile; ++c) sum[c] = accumulate ? y[c] : T(0);
  for (Index e = 0; e < count; ++e) {
    if (e + kPrefetchAhead < count) {
      const T* ahead = x + indices[e + kPrefetchAhead] * stride;
      for (Index c = 0; c < kTile; c += static_cast<Index>(64 / sizeof(T))) __builtin_prefetch(ahead + c);
    }
    const T* row = x + indices[e] * stride;
    if (weights != nullptr) {
      const T w = weights[e];
      for (Index c = 0; c < kTile; ++c) sum[c] += w * row[c];
    } else {
      for (Index c = 0; c < kTile; ++c) sum[c] += row[c];
    }
  }
  for (Index c = 0; c < kTile; ++c) y[c] = sum[c];
}

template <class T>
LAMINAR_INLINE void gather_row_any(T* y, const T* x, Index d, Index stride, const std::int32_t* indices,
                                   const T* weights, Index count, bool accumulate) {
  Index c = 0;
  for (; c + 64 <= d; c += 64) gather_tile<T, 64>(y + c, x + c, stride, indices, weights, count, accumulate);
  for (; c + 16 <= d; c += 16) gather_tile<T, 16>(y + c, x + c, stride, indices, weights, count, accumulate);
  for (; c + 4 <= d; c += 4) gather_tile<T, 4>(y + c, x + c, stride, indices, weights, count, accumulate);
  for (; c < d; ++c) gather_tile<T, 1>(y + c, x + c, stride, indices, weights, count, accumulate);
}

template <class T>
LAMINAR_INLINE void gather_dots_any(T* out, const T* y, const T* x, Index d, Index stride, const std::int32_t* indices,
                                    Index count) {
  for (Index e = 0; e < count; ++e) {
    if (e + kPrefetchAhead < count) __builtin_prefetch(x + indices[e + kPrefetchAhead] * stride);
    out[e] = dot(y, x + indices[e] * stride, d);
  }
}

}  // namespace

LAMINAR_MULTIVERSION
void gather_row(float* y, const float* x, Index d, Index stride, const std::int32_t* indices, const float* weights,
                Index count, bool accumulate) {
  gather_row_any(y, x, d, stride, indices, weights, count, accumulate);
}

LAMINAR_MULTIVERSION
void gather_row(double* y, const double* x, Index d, Index stride, const std::int32_t* indices, const double* weights,
                Index count, bool accumulate) {
  gather_row_any(y, x, d, stride, indices, weights, count, accumulate);
}

LAMINAR_MULTIVERSION
void gather_dots(float* out, const float* y, const float* x, Index d, Index stride, const std::int32_t* indices,
                 Index count) {
  gather_dots_any(out, y, x, d, stride, indices, count);
}

LAMINAR_MULTIVERSION
void gather_dots(double* out, const double* y, const double* x, Index d, Index stride, const std::int32_t* indices,
                 Index count) {
  gather_dots_any(out, y, x, d, stride, indices, count);
}

}  // namespace laminar::core
