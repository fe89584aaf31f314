#include "laminar/core/attention_kernels.hpp"

#include <algorithm>
#include <limits>

#include "laminar/core/dot.hpp"
#include "laminar/core/exponential.hpp"
#include "laminar/core/multiversion.hpp"

namespace laminar::core {
namespace {

/// f with a constant for the numbers of heads that are usual, which makes its loops over heads vector instructions; 0
/// stands for any other.
template <class F>
LAMINAR_INLINE void with_heads(Index heads, const F& f) {
  switch (heads) {
    case 1:
      return f.template operator()<1>();
    case 4:
      return f.template operator()<4>();
    case 8:
      return f.template operator()<8>();
    default:
      return f.template operator()<0>();
  }
}

/// weights -> exp(weights).
template <class T>
LAMINAR_INLINE void exponentials(T* values, Index count) {
  LAMINAR_LANES
  for (Index i = 0; i < count; ++i) values[i] = exponential(values[i]);
}

template <class T, Index kHeads>
LAMINAR_INLINE void weights_of_heads(const T* source_scores, const T* target_scores, Index any_heads, T slope,
                                     const RowIndices& sources, AttentionScratch<T>& scratch, T* kept) {
  const Index heads = kHeads > 0 ? kHeads : any_heads;
  const Index count = sources.count;
  T* scores = scratch.exponents.data();
  T* weights = scratch.weights.data();
  T* positive = scratch.positive.data();
  T* largest = scratch.largest.data();
  double* totals = scratch.totals.data();
  double* positive_totals = scratch.positive_totals.data();
  std::fill_n(largest, heads, -std::numeric_limits<T>::infinity());
  std::fill_n(totals, heads, 0.0);
  std::fill_n(positive_totals, heads, 0.0);
  for (Index e = 0; e < count; ++e) {
    fetch_ahead(source_scores, heads, heads, sources, e);
    const T* source = source_scores + sources[e] * heads;
    LAMINAR_LANES
    for (Index h = 0; h < heads; ++h) {
      const T raw = source[h] + target_scores[h];
      const T scaled = slope * raw;
      const T score = raw > 0 ? raw : scaled;
      scores[e * heads + h] = score;
      largest[h] = score > largest[h] ? score : largest[h];
    }
  }
  for (Index e = 0; e < count; ++e) {
    LAMINAR_LANES
    for (Index h = 0; h < heads; ++h) weights[e * heads + h] = scores[e * heads + h] - largest[h];
  }
  exponentials(weights, count * heads);
  for (Index e = 0; e < count; ++e) {
    LAMINAR_LANES
    for (Index h = 0; h < heads; ++h) {
      const auto value = static_cast<double>(weights[e * heads + h]);
      totals[h] += value;
      positive_totals[h] += scores[e * heads + h] > 0 ? value : 0.0;
    }
  }
  T* inverse = kept + heads;
  for (Index h = 0; h < heads; ++h) {
    kept[h] = largest[h];
    inverse[h] = count > 0 ? static_cast<T>(1 / totals[h]) : T(0);
    kept[2 * heads + h] = count > 0 ? static_cast<T>(positive_totals[h] / totals[h]) : T(0);
  }
  const T* masks = scratch.masks.empty() ? nullptr : scratch.masks.data();
  for (Index e = 0; e < count; ++e) {
    LAMINAR_LANES
    for (Index h = 0; h < heads; ++h) weights[e * heads + h] *= inverse[h];
  }
  if (masks != nullptr) {
    LAMINAR_LANES
    for (Index i = 0; i < count * heads; ++i) weights[i] *= masks[i];
  }
  LAMINAR_LANES
  for (Index i = 0; i < count * heads; ++i) positive[i] = scores[i] > 0 ? weights[i] : T(0);
}

template <class T>
LAMINAR_INLINE void weights_any(const T* source_scores, const T* target_scores, Index heads, T slope,
                                const RowIndices& sources, AttentionScratch<T>& scratch, T* kept) {
  const auto size = static_cast<std::size_t>(sources.count * heads);
  scratch.weights.resize(size);
  scratch.positive.resize(size);
  scratch.exponents.resize(size);
  scratch.largest.resize(static_cast<std::size_t>(heads));
  scratch.totals.resize(static_cast<std::size_t>(heads));
  scratch.positive_totals.resize(static_cast<std::size_t>(heads));
  with_heads(heads, [&]<Index kHeads>() LAMINAR_INLINE_LAMBDA {
    weights_of_heads<T, kHeads>(source_scores, target_scores, heads, slope, sources, scratch, kept);
  });
}

/// dots[e, h] = <z, x[indices[e]]>_h, by a tree of sums over kWidth columns.
template <class T, Index kWidth>
LAMINAR_INLINE void head_dots_of_width(Computed<T>* dots, const Computed<T>* z, const T* x, Index heads,
                                       const RowIndices& indices) {
  for (Index e = 0; e < indices.count; ++e) {
    fetch_ahead(x, heads * kWidth, heads * kWidth, indices, e);
    const T* row = x + indices[e] * heads * kWidth;
    for (Index h = 0; h < heads; ++h) {
      Computed<T> lanes[kWidth];
      for (Index c = 0; c < kWidth; ++c) lanes[c] = z[h * kWidth + c] * Computed<T>(row[h * kWidth + c]);
      for (Index half = kWidth / 2; half > 0; half /= 2) {
        for (Index c = 0; c < half; ++c) lanes[c] += lanes[c + half];
      }
      dots[e * heads + h] = lanes[0];
    }
  }
}

template <class T>
LAMINAR_INLINE void head_dots(Computed<T>* dots, const Computed<T>* z, const T* x, Index heads, Index width,
                              const RowIndices& indices) {
  if (width == 4) return head_dots_of_width<T, 4>(dots, z, x, heads, indices);
  if (width == 8) return head_dots_of_width<T, 8>(dots, z, x, heads, indices);
  if (width == 16) return head_dots_of_width<T, 16>(dots, z, x, heads, indices);
  for (Index e = 0; e < indices.count; ++e) {
    fetch_ahead(x, heads * width, heads * width, indices, e);
    for (Index h = 0; h < heads; ++h) {
      dots[e * heads + h] = dot(z + h * width, x + (indices[e] * heads + h) * width, width);
    }
  }
}

template <class T, Index kHeads>
LAMINAR_INLINE void source_weights_of_heads(const Computed<T>* source_scores, const AttentionTargets<T>& of,
                                            Index any_heads, Computed<T> slope, const RowIndices& targets,
                                            AttentionScratch<Computed<T>>& scratch) {
  using C = Computed<T>;
  const Index heads = kHeads > 0 ? kHeads : any_heads;
  const Index count = targets.count;
  C* exponents = scratch.exponents.data();
  C* weights = scratch.weights.data();
  C* means = scratch.means.data();
  C* slopes = scratch.slopes.data();
  C* dots = scratch.dots.data();
  double* totals = scratch.totals.data();
  std::fill_n(totals, heads, 0.0);
  for (Index e = 0; e < count; ++e) {
    fetch_ahead(of.scores, heads, heads, targets, e);
    fetch_ahead(of.kept, heads * kAttentionKept, heads * kAttentionKept, targets, e);
    fetch_ahead(of.means, heads, heads, targets, e);
    const C* target = of.scores + targets[e] * heads;
    const C* kept = of.kept + targets[e] * heads * kAttentionKept;
    const C* mean = of.means + targets[e] * heads;
    LAMINAR_LANES
    for (Index h = 0; h < heads; ++h) {
      const Index i = e * heads + h;
      const C raw = source_scores[h] + target[h];
      const C scaled = slope * raw;
      exponents[i] = (raw > 0 ? raw : scaled) - kept[h];
      slopes[i] = raw > 0 ? C(1) : slope;
      weights[i] = kept[heads + h];
      means[i] = mean[h];
    }
  }
  exponentials(exponents, count * heads);
  if (!scratch.masks.empty()) {
    const C* masks = scratch.masks.data();
    LAMINAR_LANES
    for (Index i = 0; i < count * heads; ++i) dots[i] *= masks[i];
  }
  LAMINAR_LANES
  for (Index i = 0; i < count * heads; ++i) {
    weights[i] *= exponents[i];
    dots[i] = slopes[i] * weights[i] * (dots[i] - means[i]);
  }
  for (Index e = 0; e < count; ++e) {
    LAMINAR_LANES
    for (Index h = 0; h < heads; ++h) totals[h] += static_cast<double>(dots[e * heads + h]);
  }
  if (!scratch.masks.empty()) {
    const C* masks = scratch.masks.data();
    LAMINAR_LANES
    for (Index i = 0; i < count * heads; ++i) weights[i] *= masks[i];
  }
}

template <class T>
LAMINAR_INLINE void source_weights_any(const Computed<T>* source_scores, const Computed<T>* z,
                                       const AttentionTargets<T>& of, Index heads, Index width, Computed<T> slope,
                                       const RowIndices& targets, AttentionScratch<Computed<T>>& scratch) {
  const auto size = static_cast<std::size_t>(targets.count * heads);
  scratch.weights.resize(size);
  scratch.exponents.resize(size);
  scratch.means.resize(size);
  scratch.slopes.resize(size);
  scratch.dots.resize(size);
  scratch.totals.resize(static_cast<std::size_t>(heads));
  head_dots(scratch.dots.data(), z, of.gradients, heads, width, targets);
  with_heads(heads, [&]<Index kHeads>() LAMINAR_INLINE_LAMBDA {
    source_weights_of_heads<T, kHeads>(source_scores, of, heads, slope, targets, scratch);
  });
}

/// Columns [0, kTile) of `x` and `y`, which hold the heads from `weights` on, kWidth columns each; sums stay in
/// registers over all edges.
template <class Y, class T, Index kTile, Index kWidth, bool kBoth>
LAMINAR_INLINE void gather_heads_tile(Y* y, Y* y_positive, const T* x, Index stride, const RowIndices& indices,
                                      const Computed<T>* weights, const Computed<T>* positive, Index heads) {
  using C = Computed<T>;
  C sum[kTile] = {};
  C sum_positive[kTile] = {};
  for (Index e = 0; e < indices.count; ++e) {
    fetch_ahead(x, kTile, stride, indices, e);
    const T* row = x + indices[e] * stride;
    for (Index h = 0; h < kTile / kWidth; ++h) {
      const C w = weights[e * heads + h];
      for (Index c = h * kWidth; c < (h + 1) * kWidth; ++c) sum[c] += w * C(row[c]);
      if constexpr (kBoth) {
        const C p = positive[e * heads + h];
        for (Index c = h * kWidth; c < (h + 1) * kWidth; ++c) sum_positive[c] += p * C(row[c]);
      }
    }
  }
  for (Index c = 0; c < kTile; ++c) y[c] = Y(sum[c]);
  if constexpr (kBoth) {
    for (Index c = 0; c < kTile; ++c) y_positive[c] = Y(sum_positive[c]);
  }
}

template <class Y, class T, bool kBoth>
LAMINAR_INLINE void gather_heads_any(Y* y, Y* y_positive, const T* x, Index heads, Index width,
                                     const RowIndices& indices, const AttentionScratch<Computed<T>>& scratch) {
  // Eight vectors of 32 bytes for both sums, which every x86-64 with AVX has room for.
  constexpr Index kTile = 32;
  const Index d = heads * width;
  const Computed<T>* weights = scratch.weights.data();
  const Computed<T>* positive = kBoth ? scratch.positive.data() : weights;
  Index c = 0;
  const auto tiles = [&]<Index kSize, Index kWidth>() LAMINAR_INLINE_LAMBDA {
    for (; c + kSize <= d; c += kSize) {
      const Index head = c / width;
      gather_heads_tile<Y, T, kSize, kWidth, kBoth>(y + c, kBoth ? y_positive + c : nullptr, x + c, d, indices,
                                                    weights + head, positive + head, heads);
    }
  };
  // Tiles hold whole heads, or one head whole tiles; the rest goes column by column.
  if (width % kTile == 0) {
    tiles.template operator()<kTile, kTile>();
  } else if (width == 16) {
    tiles.template operator()<kTile, 16>();
    tiles.template operator()<16, 16>();
  } else if (width == 8) {
    tiles.template operator()<kTile, 8>();
    tiles.template operator()<8, 8>();
  } else if (width == 4) {
    tiles.template operator()<kTile, 4>();
    tiles.template operator()<4, 4>();
  }
  tiles.template operator()<1, 1>();
}

template <class Y, class T>
LAMINAR_INLINE void gather_heads_either(Y* y, Y* y_positive, const T* x, Index heads, Index width,
                                        const RowIndices& indices, const AttentionScratch<Computed<T>>& scratch) {
  if (y_positive != nullptr) {
    gather_heads_any<Y, T, true>(y, y_positive, x, heads, width, indices, scratch);
  } else {
    gather_heads_any<Y, T, false>(y, y_positive, x, heads, width, indices, scratch);
  }
}

}  // namespace

LAMINAR_MULTIVERSION
void attention_weights(const float* source_scores, const float* target_scores, Index heads, float slope,
                       const RowIndices& sources, AttentionScratch<float>& scratch, float* kept) {
  weights_any(source_scores, target_scores, heads, slope, sources, scratch, kept);
}

LAMINAR_MULTIVERSION
void attention_weights(const double* source_scores, const double* target_scores, Index heads, double slope,
                       const RowIndices& sources, AttentionScratch<double>& scratch, double* kept) {
  weights_any(source_scores, target_scores, heads, slope, sources, scratch, kept);
}

LAMINAR_MULTIVERSION
void attention_source_weights(const float* source_scores, const float* z, const AttentionTargets<float>& of,
                              Index heads, Index width, float slope, const RowIndices& targets,
                              AttentionScratch<float>& scratch) {
  source_weights_any(source_scores, z, of, heads, width, slope, targets, scratch);
}

LAMINAR_MULTIVERSION
void attention_source_weights(const double* source_scores, const double* z, const AttentionTargets<double>& of,
                              Index heads, Index width, double slope, const RowIndices& targets,
                              AttentionScratch<double>& scratch) {
  source_weights_any(source_scores, z, of, heads, width, slope, targets, scratch);
}

LAMINAR_MULTIVERSION
void attention_source_weights(const float* source_scores, const float* z, const AttentionTargets<Bfloat16>& of,
                              Index heads, Index width, float slope, const RowIndices& targets,
                              AttentionScratch<float>& scratch) {
  source_weights_any(source_scores, z, of, heads, width, slope, targets, scratch);
}

LAMINAR_MULTIVERSION
void gather_heads(float* y, float* y_positive, const float* x, Index heads, Index width, const RowIndices& indices,
                  const AttentionScratch<float>& scratch) {
  gather_heads_either(y, y_positive, x, heads, width, indices, scratch);
}

LAMINAR_MULTIVERSION
void gather_heads(double* y, double* y_positive, const double* x, Index heads, Index width, const RowIndices& indices,
                  const AttentionScratch<double>& scratch) {
  gather_heads_either(y, y_positive, x, heads, width, indices, scratch);
}

LAMINAR_MULTIVERSION
void gather_heads(Bfloat16* y, Bfloat16* y_positive, const Bfloat16* x, Index heads, Index width,
                  const RowIndices& indices, const AttentionScratch<float>& scratch) {
  gather_heads_either(y, y_positive, x, heads, width, indices, scratch);
}

LAMINAR_MULTIVERSION
void gather_heads(float* y, float* y_positive, const Bfloat16* x, Index heads, Index width, const RowIndices& indices,
                  const AttentionScratch<float>& scratch) {
  gather_heads_either(y, y_positive, x, heads, width, indices, scratch);
}

}  // namespace laminar::core
