#pragma once

#include "laminar/core/multiversion.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// The sum of term(c) over c of [0, d): sixteen running sums, then their tree, the order a vector unit of any width up
/// to sixteen can follow. `term` is a lambda marked LAMINAR_INLINE_LAMBDA that gives a T.
template <class T, class Term>
LAMINAR_INLINE T lane_sum(Index d, const Term& term) {
  constexpr Index kLanes = 16;
  T lanes[kLanes] = {};
  Index c = 0;
  for (; c + kLanes <= d; c += kLanes) {
    for (Index i = 0; i < kLanes; ++i) lanes[i] += term(c + i);
  }
  for (Index i = 0; c + i < d; ++i) lanes[i] += term(c + i);
  for (Index half = kLanes / 2; half > 0; half /= 2) {
    for (Index i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

/// <a, b> over d columns, in Computed<A>.
template <class A, class B>
LAMINAR_INLINE Computed<A> dot(const A* a, const B* b, Index d) {
  using C = Computed<A>;
  return lane_sum<C>(d, [=](Index c) LAMINAR_INLINE_LAMBDA { return C(a[c]) * C(b[c]); });
}

}  // namespace laminar::core
