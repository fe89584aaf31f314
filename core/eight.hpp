#pragma once

#include <cstdint>
#include <cstring>

#include "laminar/core/bfloat16.hpp"
#include "laminar/core/multiversion.hpp"
#include "laminar/core/types.hpp"

/// Eight numbers as one value, for kernels whose sums compilers don't turn into vector instructions by themselves: an
/// extension of GCC and clang, which every instruction set carries out.
namespace laminar::core {

template <class T>
struct EightNumbers {
  typedef T Type __attribute__((vector_size(8 * sizeof(T))));
};
/// None: so that load_eight() of floats is not asked whether it is for these.
template <>
struct EightNumbers<Bfloat16> {
  struct Type {};
};
template <class T>
using EightOf = typename EightNumbers<T>::Type;

/// v = p[0..8), in Computed<T>. By reference, as vectors by value have no one calling convention.
template <class T>
LAMINAR_INLINE void load_eight(EightOf<T>& v, const T* p) {
  std::memcpy(&v, p, sizeof v);
}
LAMINAR_INLINE void load_eight(EightOf<float>& v, const Bfloat16* p) {
  EightOf<std::uint16_t> halves;
  std::memcpy(&halves, p, sizeof halves);
  const EightOf<std::uint32_t> wide = __builtin_convertvector(halves, EightOf<std::uint32_t>) << 16;
  std::memcpy(&v, &wide, sizeof v);
}

/// p[0..8) = v, rounded as Bfloat16's constructor does.
LAMINAR_INLINE void store_eight(Bfloat16* p, const EightOf<float>& v) {
  EightOf<std::uint32_t> words;
  detail::round_words(words, v);
  const auto halves = __builtin_convertvector(words >> 16, EightOf<std::uint16_t>);
  std::memcpy(static_cast<void*>(p), &halves, sizeof halves);
}

/// v = a[0..8) * b[0..8), number by number.
template <class V, class A, class B>
LAMINAR_INLINE void multiply_eight(V& v, const A* a, const B* b) {
  V factor;
  load_eight(v, a);
  load_eight(factor, b);
  v *= factor;
}

/// out[h] = the sum of v[h], eight of them; its second half is added to the first, and so on.
template <class T, class V>
LAMINAR_INLINE void fold_heads(T* out, const V (&v)[8]) {
  V four[4];
  V two[2];
  for (int h = 0; h < 4; ++h) {
    four[h] = __builtin_shufflevector(v[h], v[h + 4], 0, 1, 2, 3, 8, 9, 10, 11) +
              __builtin_shufflevector(v[h], v[h + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (int h = 0; h < 2; ++h) {
    two[h] = __builtin_shufflevector(four[2 * h], four[2 * h + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
             __builtin_shufflevector(four[2 * h], four[2 * h + 1], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  const V one = __builtin_shufflevector(two[0], two[1], 0, 2, 8, 10, 4, 6, 12, 14) +
                __builtin_shufflevector(two[0], two[1], 1, 3, 9, 11, 5, 7, 13, 15);
  std::memcpy(out, &one, sizeof one);
}

/// The same for sums of four: v[i] holds those of heads 2i and 2i + 1.
template <class T, class V>
LAMINAR_INLINE void fold_pairs_of_heads(T* out, const V (&v)[4]) {
  V two[2];
  for (int i = 0; i < 2; ++i) {
    two[i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
             __builtin_shufflevector(v[2 * i], v[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  // Heads 0, 2, 4, 6, 1, 3, 5, 7.
  const V one = __builtin_shufflevector(two[0], two[1], 0, 2, 8, 10, 4, 6, 12, 14) +
                __builtin_shufflevector(two[0], two[1], 1, 3, 9, 11, 5, 7, 13, 15);
  const V ordered = __builtin_shufflevector(one, one, 0, 4, 1, 5, 2, 6, 3, 7);
  std::memcpy(out, &ordered, sizeof ordered);
}

}  // namespace laminar::core
