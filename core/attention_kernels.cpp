#include "laminar/core/attention_kernels.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "laminar/core/attention_lanes.hpp"
#include "laminar/core/dot.hpp"
#include "laminar/core/exponential.hpp"
#include "laminar/core/multiversion.hpp"

namespace laminar::core {
namespace {

/// What is needed for a row's edges, numbers of an edge and head at e * heads + h; reused from row to row, so that
/// arrays may be longer than a row needs.
template <class T>
struct AttentionScratch {
  /// By edge and head: alpha times mask.
  std::vector<T> weights;
  /// By edge and head: the dropout masks; empty = no dropout.
  std::vector<T> masks;
  std::vector<T> exponents, means, slopes, dots;
  /// By head.
  std::vector<T> largest;
  std::vector<double> totals;
};

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

/// Makes room for `size` numbers at least.
template <class... Vectors>
LAMINAR_INLINE void grow(Index size, Vectors&... vectors) {
  const auto wanted = static_cast<std::size_t>(size);
  ((vectors.size() < wanted ? vectors.resize(wanted) : void()), ...);
}

/// weights -> exp(weights).
template <class T>
LAMINAR_INLINE void exponentials(T* values, Index count) {
  LAMINAR_LANES
  for (Index i = 0; i < count; ++i) values[i] = exponential(values[i]);
}

/// How many of the count * heads numbers of a row's edges are taken through all steps at once: of a constant number of
/// heads an edge's, which then stay in registers (read back from memory as longer vectors than they were written, they
/// would stall each row); else all.
template <Index kHeads>
constexpr Index lanes_together(Index count, Index heads) {
  return kHeads > 1 ? kHeads : count * heads;
}

template <class T, Index kHeads>
LAMINAR_INLINE void weights_of_heads(const T* source_scores, const T* target_scores, Index any_heads, T slope,
                                     const RowIndices& sources, AttentionScratch<T>& scratch, T* kept) {
  const Index heads = kHeads > 0 ? kHeads : any_heads;
  const Index count = sources.count;
  T* scores = scratch.exponents.data();
  T* weights = scratch.weights.data();
  T* largest = scratch.largest.data();
  double* totals = scratch.totals.data();
  std::fill_n(largest, heads, -std::numeric_limits<T>::infinity());
  std::fill_n(totals, heads, 0.0);
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
  const Index piece = lanes_together<kHeads>(count, heads);
  for (Index begin = 0; begin < count * heads; begin += piece) {
    T* w = weights + begin;
    const T* score = scores + begin;
    for (Index e = 0; e < piece / heads; ++e) {
      LAMINAR_LANES
      for (Index h = 0; h < heads; ++h) w[e * heads + h] = score[e * heads + h] - largest[h];
    }
    exponentials(w, piece);
    for (Index e = 0; e < piece / heads; ++e) {
      LAMINAR_LANES
      for (Index h = 0; h < heads; ++h) totals[h] += static_cast<double>(w[e * heads + h]);
    }
  }
  T* inverse = kept + heads;
  for (Index h = 0; h < heads; ++h) {
    kept[h] = largest[h];
    inverse[h] = count > 0 ? static_cast<T>(1 / totals[h]) : T(0);
  }
  const T* masks = scratch.masks.empty() ? nullptr : scratch.masks.data();
  for (Index e = 0; e < count; ++e) {
    LAMINAR_LANES
    for (Index h = 0; h < heads; ++h) {
      const Index i = e * heads + h;
      weights[i] = masks != nullptr ? weights[i] * inverse[h] * masks[i] : weights[i] * inverse[h];
    }
  }
}

/// score_eh = leaky(source_scores[sources[e], h] + target_scores[h]), alpha = softmax of it over the edges, into
/// scratch.weights (times masks), and kept [2, heads].
template <class T>
LAMINAR_INLINE void weights_any(const T* source_scores, const T* target_scores, Index heads, T slope,
                                const RowIndices& sources, AttentionScratch<T>& scratch, T* kept) {
  const Index size = sources.count * heads;
  grow(size, scratch.weights, scratch.exponents);
  grow(heads, scratch.largest, scratch.totals);
  with_heads(heads, [&]<Index kHeads>() LAMINAR_INLINE_LAMBDA {
    weights_of_heads<T, kHeads>(source_scores, target_scores, heads, slope, sources, scratch, kept);
  });
}

/// dots[e, h] = <z, x[indices[e]]>_h.
template <class T>
LAMINAR_INLINE void head_dots(Computed<T>* dots, const Computed<T>* z, const T* x, Index heads, Index width,
                              const RowIndices& indices) {
  const Index d = heads * width;
  with_head_width(width, [=, &indices]<Index kWidth>() LAMINAR_INLINE_LAMBDA {
    for (Index e = 0; e < indices.count; ++e) {
      fetch_ahead(x, d, d, indices, e);
      dots_of_heads<kWidth>(dots + e * heads, z, x + indices[e] * d, heads, width);
    }
  });
}

/// By target: its numbers [4, heads] and dy_i [heads, width], kept as T.
template <class T>
struct AttentionTargets {
  const Computed<T>* numbers = nullptr;
  const T* gradients = nullptr;
};

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
  const C* masks = scratch.masks.empty() ? nullptr : scratch.masks.data();
  const Index piece = lanes_together<kHeads>(count, heads);
  for (Index begin = 0; begin < count * heads; begin += piece) {
    const Index first = kHeads > 1 ? begin / kHeads : 0;
    for (Index e = first; e < first + piece / heads; ++e) {
      fetch_ahead(of.numbers, heads * kAttentionTarget, heads * kAttentionTarget, targets, e);
      const C* score = of.numbers + targets[e] * heads * kAttentionTarget;
      const C* largest = score + heads;
      const C* inverse = largest + heads;
      const C* mean = inverse + heads;
      LAMINAR_LANES
      for (Index h = 0; h < heads; ++h) {
        const Index i = e * heads + h;
        const C raw = source_scores[h] + score[h];
        const C scaled = slope * raw;
        exponents[i] = (raw > 0 ? raw : scaled) - largest[h];
        slopes[i] = raw > 0 ? C(1) : slope;
        weights[i] = inverse[h];
        means[i] = mean[h];
      }
    }
    exponentials(exponents + begin, piece);
    LAMINAR_LANES
    for (Index i = begin; i < begin + piece; ++i) {
      const C alpha = weights[i] * exponents[i];
      const C dot = masks != nullptr ? dots[i] * masks[i] : dots[i];
      dots[i] = slopes[i] * alpha * (dot - means[i]);
      weights[i] = masks != nullptr ? alpha * masks[i] : alpha;
    }
    for (Index e = first; e < first + piece / heads; ++e) {
      LAMINAR_LANES
      for (Index h = 0; h < heads; ++h) totals[h] += static_cast<double>(dots[e * heads + h]);
    }
  }
}

/// The same weights for the out-edges of a source with scores [heads] and row z [heads, width], widened; also
/// scratch.dots, what each edge's scores get, and scratch.totals[h], the sum of it that ds is.
template <class T>
LAMINAR_INLINE void source_weights_any(const Computed<T>* source_scores, const Computed<T>* z,
                                       const AttentionTargets<T>& of, Index heads, Index width, Computed<T> slope,
                                       const RowIndices& targets, AttentionScratch<Computed<T>>& scratch) {
  grow(targets.count * heads, scratch.weights, scratch.exponents, scratch.means, scratch.slopes, scratch.dots);
  grow(heads, scratch.totals);
  head_dots(scratch.dots.data(), z, of.gradients, heads, width, targets);
  with_heads(heads, [&]<Index kHeads>() LAMINAR_INLINE_LAMBDA {
    source_weights_of_heads<T, kHeads>(source_scores, of, heads, slope, targets, scratch);
  });
}

/// Columns [0, kTile) of `x` and `y`, which hold the heads from `weights` on, kWidth columns each; sums stay in
/// registers over all edges. `rest`: what rounding takes from y; may be null.
template <class Y, class T, Index kTile, Index kWidth>
LAMINAR_INLINE void gather_heads_tile(Y* y, Y* rest, const T* x, Index stride, const RowIndices& indices,
                                      const Computed<T>* weights, Index heads) {
  using C = Computed<T>;
  C sum[kTile] = {};
  for (Index e = 0; e < indices.count; ++e) {
    fetch_ahead(x, kTile, stride, indices, e);
    const T* row = x + indices[e] * stride;
    for (Index h = 0; h < kTile / kWidth; ++h) {
      const C w = weights[e * heads + h];
      for (Index c = h * kWidth; c < (h + 1) * kWidth; ++c) sum[c] += w * C(row[c]);
    }
  }
  for (Index c = 0; c < kTile; ++c) y[c] = Y(sum[c]);
  for (Index c = 0; rest != nullptr && c < kTile; ++c) rest[c] = Y(sum[c] - C(y[c]));
}

/// y[h, c] = sum over e of scratch.weights[e, h] x[indices[e], h, c]; h of `heads`, c of `width`, rows of x one after
/// the other.
template <class Y, class T>
LAMINAR_INLINE void gather_heads_any(Y* y, Y* rest, const T* x, Index heads, Index width, const RowIndices& indices,
                                     const AttentionScratch<Computed<T>>& scratch) {
  constexpr Index kTile = 32;
  const Index d = heads * width;
  const Computed<T>* weights = scratch.weights.data();
  Index c = 0;
  const auto tiles = [&]<Index kSize, Index kWidth>(Index end) LAMINAR_INLINE_LAMBDA {
    for (; c + kSize <= end; c += kSize) {
      gather_heads_tile<Y, T, kSize, kWidth>(y + c, rest != nullptr ? rest + c : nullptr, x + c, d, indices,
                                             weights + c / width, heads);
    }
  };
  // Tiles hold whole heads, where these are of a width that is usual, or lie within one.
  if (width == 16) tiles.template operator()<kTile, 16>(d);
  if (width == 8) tiles.template operator()<kTile, 8>(d);
  if (width == 4) tiles.template operator()<kTile, 4>(d);
  while (c < d) {
    const Index end = c + width;
    tiles.template operator()<kTile, kTile>(end);
    tiles.template operator()<16, 16>(end);
    tiles.template operator()<8, 8>(end);
    tiles.template operator()<4, 4>(end);
    tiles.template operator()<1, 1>(end);
  }
}

template <class T>
LAMINAR_INLINE void forward_any(const AttentionForward<T>& what, Index begin, Index end) {
  using C = Computed<T>;
  const AttentionEdges<T>& edges = what.edges;
  const Index d = edges.heads * edges.width;
  AttentionScratch<C> scratch;
  std::vector<C> kept_row(static_cast<std::size_t>(edges.heads * kAttentionKept));
  for (Index i = begin; i < end; ++i) {
    const RowIndices in = edges.row(i);
    if (edges.masks != nullptr) edges.masks->of_row(i, in.span(), scratch.masks);
    C* kept = what.kept != nullptr ? what.kept + i * edges.heads * kAttentionKept : kept_row.data();
    weights_any(edges.source_scores, what.target_scores + i * edges.heads, edges.heads, edges.slope, in, scratch, kept);
    gather_heads_any(what.y + i * d, what.rest != nullptr ? what.rest + i * d : nullptr, what.z, edges.heads,
                     edges.width, in, scratch);
  }
}

template <class T>
LAMINAR_INLINE void backward_any(const AttentionBackward<T>& what, Index begin, Index end) {
  using C = Computed<T>;
  const AttentionEdges<T>& edges = what.edges;
  const Index d = edges.heads * edges.width;
  const AttentionTargets<T> of{what.numbers, what.dy};
  AttentionScratch<C> scratch;
  std::vector<C> sum(static_cast<std::size_t>(d));
  // A source's own row, widened if need be.
  std::vector<C> own(static_cast<std::size_t>(d));
  for (Index j = begin; j < end; ++j) {
    const RowIndices targets = edges.row(j);
    if (edges.masks != nullptr) edges.masks->of_source(j, targets.span(), scratch.masks);
    std::copy_n(what.z + j * d, d, own.begin());
    source_weights_any(edges.source_scores + j * edges.heads, own.data(), of, edges.heads, edges.width, edges.slope,
                       targets, scratch);
    if (what.dz != nullptr) {
      gather_heads_any(sum.data(), static_cast<C*>(nullptr), what.dy, edges.heads, edges.width, targets, scratch);
      T* const dz = what.dz + j * d;
      for (Index c = 0; c < d; ++c) dz[c] = static_cast<T>((what.adds_dz ? C(dz[c]) : C(0)) + sum[c]);
    }
    if (what.of_edges != nullptr) {
      std::copy_n(scratch.dots.data(), targets.count * edges.heads, what.of_edges + edges.offsets[j] * edges.heads);
    }
    if (what.ds == nullptr) continue;
    for (Index h = 0; h < edges.heads; ++h) {
      C& out = what.ds[j * edges.heads + h];
      out = (what.adds_ds ? out : C(0)) + static_cast<C>(scratch.totals[h]);
    }
  }
}

LAMINAR_MULTIVERSION
void forward(const AttentionForward<float>& what, Index begin, Index end) { forward_any(what, begin, end); }
LAMINAR_MULTIVERSION
void forward(const AttentionForward<double>& what, Index begin, Index end) { forward_any(what, begin, end); }
LAMINAR_MULTIVERSION
void forward(const AttentionForward<Bfloat16>& what, Index begin, Index end) { forward_any(what, begin, end); }
LAMINAR_MULTIVERSION
void backward(const AttentionBackward<float>& what, Index begin, Index end) { backward_any(what, begin, end); }
LAMINAR_MULTIVERSION
void backward(const AttentionBackward<double>& what, Index begin, Index end) { backward_any(what, begin, end); }
LAMINAR_MULTIVERSION
void backward(const AttentionBackward<Bfloat16>& what, Index begin, Index end) { backward_any(what, begin, end); }

}  // namespace

template <class T>
void attention_forward(const AttentionForward<T>& what, Index begin, Index end) {
  if constexpr (!std::is_same_v<T, double>) {
    if (attention_forward_lanes(what, begin, end)) return;
  }
  forward(what, begin, end);
}

template <class T>
void attention_backward(const AttentionBackward<T>& what, Index begin, Index end) {
  if constexpr (!std::is_same_v<T, double>) {
    if (attention_backward_lanes(what, begin, end)) return;
  }
  backward(what, begin, end);
}

template void attention_forward(const AttentionForward<float>&, Index, Index);
template void attention_forward(const AttentionForward<double>&, Index, Index);
template void attention_forward(const AttentionForward<Bfloat16>&, Index, Index);
template void attention_backward(const AttentionBackward<float>&, Index, Index);
template void attention_backward(const AttentionBackward<double>&, Index, Index);
template void attention_backward(const AttentionBackward<Bfloat16>&, Index, Index);

}  // namespace laminar::core
