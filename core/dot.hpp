#pragma once

#include "laminar/core/eight.hpp"
#include "laminar/core/multiversion.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

namespace detail {
/// lanes[0] = `join` of kCount lanes: the second half into the first, and so on. By recursion, as compilers leave a
/// loop over halves in memory.
template <Index kCount, class T, class Join>
LAMINAR_INLINE void fold_lanes(T* lanes, const Join& join) {
  if constexpr (kCount > 1) {
    constexpr Index kHalf = kCount / 2;
    for (Index i = 0; i < kHalf; ++i) join(lanes[i], lanes[i + kHalf]);
    fold_lanes<kHalf>(lanes, join);
  }
}

/// The fold of `term(c)` over c of [0, d) by sixteen running ones and then their tree. Each begins with `start`, which
/// must not change the result.
template <class T, class Term, class Join>
LAMINAR_INLINE T fold_by_lanes(T start, Index d, const Term& term, const Join& join) {
  constexpr Index kLanes = 16;
  T lanes[kLanes];
  for (Index i = 0; i < kLanes; ++i) lanes[i] = start;
  Index c = 0;
  for (; c + kLanes <= d; c += kLanes) {
    for (Index i = 0; i < kLanes; ++i) join(lanes[i], term(c + i));
  }
  for (Index i = 0; c + i < d; ++i) join(lanes[i], term(c + i));
  fold_lanes<kLanes>(lanes, join);
  return lanes[0];
}
}  // namespace detail

/// The sum of term(c) over c of [0, d): sixteen running sums, then their tree, the order a vector unit of any width up
/// to sixteen can follow. `term` is a lambda marked LAMINAR_INLINE_LAMBDA that gives a T.
template <class T, class Term>
LAMINAR_INLINE T lane_sum(Index d, const Term& term) {
  return detail::fold_by_lanes(T(0), d, term, [](T& sum, T more) LAMINAR_INLINE_LAMBDA { sum += more; });
}

/// The largest of x[0..d), d at least 1, in the same order; NaN only where x[0] is.
template <class T>
LAMINAR_INLINE T lane_max(const T* x, Index d) {
  return detail::fold_by_lanes(
      x[0], d, [=](Index c) LAMINAR_INLINE_LAMBDA { return x[c]; },
      [](T& largest, T other) LAMINAR_INLINE_LAMBDA { largest = other > largest ? other : largest; });
}

/// <a, b> over d columns, in Computed<A>.
template <class A, class B>
LAMINAR_INLINE Computed<A> dot(const A* a, const B* b, Index d) {
  using C = Computed<A>;
  return lane_sum<C>(d, [=](Index c) LAMINAR_INLINE_LAMBDA { return C(a[c]) * C(b[c]); });
}

/// f with a constant for `width`, for dots_of_heads() in a loop.
template <class F>
LAMINAR_INLINE void with_head_width(Index width, const F& f) {
  if (width == 4) return f.template operator()<4>();
  if (width == 8) return f.template operator()<8>();
  if (width % 16 == 0) return f.template operator()<16>();
  return f.template operator()<0>();
}

/// out[h] = dot() of head h's columns of a and b, `heads` of `width` columns each, eight heads at a time; bit for bit
/// what it is head by head, but for the sign of 0. kWidth: the width where it is 4 or 8; 16: it is a multiple of that;
/// 0: any.
template <Index kWidth, class A, class B>
LAMINAR_INLINE void dots_of_heads(Computed<A>* out, const A* a, const B* b, Index heads, Index width) {
  using C = Computed<A>;
  using V = EightOf<C>;
  Index h = 0;
  if constexpr (kWidth == 4) {
    for (; h + 8 <= heads; h += 8) {
      V pairs[4];
      for (Index i = 0; i < 4; ++i) multiply_eight(pairs[i], a + h * 4 + 8 * i, b + h * 4 + 8 * i);
      fold_pairs_of_heads(out + h, pairs);
    }
  } else if constexpr (kWidth > 0) {
    for (; h + 8 <= heads; h += 8) {
      V sums[8];
#pragma GCC unroll 8
      for (Index i = 0; i < 8; ++i) {
        const A* p = a + (h + i) * width;
        const B* q = b + (h + i) * width;
        multiply_eight(sums[i], p, q);
        if constexpr (kWidth == 16) {
          V high;
          V product;
          multiply_eight(high, p + 8, q + 8);
          for (Index c = 16; c < width; c += 16) {
            multiply_eight(product, p + c, q + c);
            sums[i] += product;
            multiply_eight(product, p + c + 8, q + c + 8);
            high += product;
          }
          sums[i] += high;
        }
      }
      fold_heads(out + h, sums);
    }
  }
  for (; h < heads; ++h) out[h] = dot(a + h * width, b + h * width, width);
}

}  // namespace laminar::core
