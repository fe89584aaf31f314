#pragma once

#include "laminar/core/multiversion.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// <a, b> over d columns: sixteen running sums, then their tree, the order a vector unit of any width up to sixteen can
/// follow.
template <class T>
LAMINAR_INLINE T dot(const T* a, const T* b, Index d) {
  constexpr Index kLanes = 16;
  T lanes[kLanes] = {};
  Index c = 0;
  for (; c + kLanes <= d; c += kLanes) {
    for (Index i = 0; i < kLanes; ++i) lanes[i] += a[c + i] * b[c + i];
  }
  for (Index i = 0; c + i < d; ++i) lanes[i] += a[c + i] * b[c + i];
  for (Index half = kLanes / 2; half > 0; half /= 2) {
    for (Index i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

}  // namespace laminar::core
