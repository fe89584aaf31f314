#pragma once

#include <vector>

#include "laminar/core/attention_columns.hpp"
#include "laminar/core/attention_kernels.hpp"
#include "laminar/core/exponential.hpp"

/// Attention's kernels for eight heads of 8 or 16 columns; for attention_lanes.cpp alone, which compiles them for
/// several instruction sets.
namespace laminar::core::lanes {

/// Heads [first, first + 8) of row i: weights[8 e ..] gets exp(score - largest), times mask; `inverse` 1 / their sum
/// without masks.
template <class T>
LAMINAR_INLINE void forward_weights(const AttentionForward<T>& what, Index i, Index first, std::vector<float>& masks,
                                    const RowsToFetch<T>& rows, float* weights, float* inverse) {
  const AttentionEdges<T>& edges = what.edges;
  const Index heads = edges.heads;
  const float* const scores = edges.source_scores + first;
  const RowIndices in = edges.row(i);
  if (edges.masks != nullptr) edges.masks->of_row(i, in.span(), masks);
  Eight target;
  load_eight(target, what.target_scores + i * heads + first);
  // The leaky ReLU rises, so the largest score is that of the largest source.
  Eight largest = Eight{} - kInfinity;
  for (Index e = 0; e < in.count; ++e) {
    fetch_ahead(scores, kLanes, heads, in, e);
    Eight source;
    load_eight(source, scores + in[e] * heads);
    larger(largest, source);
  }
  largest += target;
  leaky(largest, largest, edges.slope);
  EightDoubles total = {};
  for (Index e = 0; e < in.count; ++e) {
    rows.fetch(in[e]);
    Eight raw;
    load_eight(raw, scores + in[e] * heads);
    raw += target;
    Eight weight;
    leaky(weight, raw, edges.slope);
    weight -= largest;
    exponentials_of<EightWords>(weight);
    add_to(total, weight);
    if (edges.masks != nullptr) {
      Eight mask;
      load_eight(mask, masks.data() + e * heads + first);
      weight *= mask;
    }
    put_eight(weights + kLanes * e, weight);
  }
  if (in.count > 0) total = 1.0 / total;
  put_eight(inverse, __builtin_convertvector(total, Eight));
  if (what.kept != nullptr) {
    float* const kept = what.kept + i * kAttentionKept * heads + first;
    put_eight(kept, largest);
    put_eight(kept + heads, __builtin_convertvector(total, Eight));
  }
}

/// Heads [first, first + 8).
template <class T, bool kWide, Index kWidth>
LAMINAR_INLINE void forward_heads(const AttentionForward<T>& what, Index begin, Index end, Index first) {
  using Shape = Heads<kWidth, kWide>;
  constexpr Index kPieces = Shape::kPieces;
  const AttentionEdges<T>& edges = what.edges;
  const Index d = edges.heads * kWidth;
  const T* const z = what.z + first * kWidth;
  std::vector<float> masks;
  std::vector<float> buffer;
  for (Index row = begin, next = 0; row < end; row = next) {
    next = group_end(edges.offsets, row, end);
    float* const inverse = room(buffer, (next - row + edges.offsets[next] - edges.offsets[row]) * kLanes);
    float* const weights = inverse + (next - row) * kLanes;
    const auto weights_of = [=, &edges](Index i) LAMINAR_INLINE_LAMBDA {
      return weights + (edges.offsets[i] - edges.offsets[row]) * kLanes;
    };
    const RowsToFetch<T> rows(z, kLanes * kWidth, d, edges.offsets[next] - edges.offsets[row]);
    for (Index i = row; i < next; ++i) {
      forward_weights(what, i, first, masks, rows, weights_of(i), inverse + (i - row) * kLanes);
    }
    for (Index i = row; i < next; ++i) {
      const RowIndices in = edges.row(i);
      const float* const w = weights_of(i);
      typename Shape::Piece sum[kPieces];
      for (Index e = 0; e < in.count; ++e) {
        rows.fetch_rest(in, e);
        const T* const source = z + in[e] * d;
#pragma GCC unroll 8
        for (Index p = 0; p < kPieces; ++p) {
          typename Shape::Piece x;
          x.load(source + p * kColumns);
          Shape::add(sum[p], p, w + e * kLanes, x);
        }
      }
#pragma GCC unroll 8
      for (Index p = 0; p < kPieces; ++p) {
        Shape::scale(sum[p], p, inverse + (i - row) * kLanes);
        const Index to = i * d + first * kWidth + p * kColumns;
        store_sum(sum[p], what.y + to, what.rest != nullptr ? what.rest + to : nullptr);
      }
    }
  }
}

/// Of heads [first, first + 8) of source j; an edge's numbers stand at buffer[24 e ..].
template <class T>
LAMINAR_INLINE void backward_weights(const AttentionBackward<T>& what, Index j, Index first, std::vector<float>& masks,
                                     const RowsToFetch<T>& rows, float* buffer) {
  const AttentionEdges<T>& edges = what.edges;
  const Index heads = edges.heads;
  const float* const numbers = what.numbers + first;
  const RowIndices out = edges.row(j);
  if (edges.masks != nullptr) edges.masks->of_source(j, out.span(), masks);
  Eight source;
  load_eight(source, edges.source_scores + j * heads + first);
  for (Index e = 0; e < out.count; ++e) {
    fetch_ahead(numbers, kAttentionTarget * kLanes, kAttentionTarget * heads, out, e);
    rows.fetch(out[e]);
    const float* const of = numbers + out[e] * kAttentionTarget * heads;
    Eight raw;
    Eight largest;
    Eight inverse;
    load_eight(raw, of);
    load_eight(largest, of + heads);
    load_eight(inverse, of + 2 * heads);
    raw += source;
    Eight weight;
    leaky(weight, raw, edges.slope);
    weight -= largest;
    exponentials_of<EightWords>(weight);
    weight *= inverse;
    float* const to = buffer + e * kBackward * kLanes;
    put_eight(to + kLanes, raw > Eight{} ? weight : edges.slope * weight);
    if (edges.masks != nullptr) {
      Eight mask;
      load_eight(mask, masks.data() + e * heads + first);
      weight *= mask;
      put_eight(to + 2 * kLanes, mask);
    }
    put_eight(to, weight);
  }
}

/// Heads [first, first + 8).
template <class T, bool kWide, Index kWidth>
LAMINAR_INLINE void backward_heads(const AttentionBackward<T>& what, Index begin, Index end, Index first) {
  using Shape = Heads<kWidth, kWide>;
  constexpr Index kPieces = Shape::kPieces;
  const AttentionEdges<T>& edges = what.edges;
  const Index heads = edges.heads;
  const Index d = heads * kWidth;
  const float* const means = what.numbers + 3 * heads + first;
  const T* const dy = what.dy + first * kWidth;
  std::vector<float> masks;
  std::vector<float> buffer;
  for (Index row = begin, next = 0; row < end; row = next) {
    next = group_end(edges.offsets, row, end);
    constexpr Index kEdge = kBackward * kLanes;
    float* const weights = room(buffer, (edges.offsets[next] - edges.offsets[row]) * kEdge);
    const RowsToFetch<T> rows(dy, kLanes * kWidth, d, edges.offsets[next] - edges.offsets[row]);
    for (Index j = row; j < next; ++j) {
      backward_weights(what, j, first, masks, rows, weights + (edges.offsets[j] - edges.offsets[row]) * kEdge);
    }
    for (Index j = row; j < next; ++j) {
      const RowIndices out = edges.row(j);
      const float* const of_edges = weights + (edges.offsets[j] - edges.offsets[row]) * kEdge;
      typename Shape::Piece own[kPieces];
      typename Shape::Piece sum[kPieces];
#pragma GCC unroll 8
      for (Index p = 0; p < kPieces; ++p) own[p].load(what.z + j * d + first * kWidth + p * kColumns);
      EightDoubles total = {};
      for (Index e = 0; e < out.count; ++e) {
        rows.fetch_rest(out, e);
        const T* const target = dy + out[e] * d;
        const float* const w = of_edges + e * kEdge;
        typename Shape::Piece x[kPieces];
#pragma GCC unroll 8
        for (Index p = 0; p < kPieces; ++p) {
          x[p].load(target + p * kColumns);
          Shape::add(sum[p], p, w, x[p]);
        }
        Eight dot;
        Shape::dots(dot, x, own);
        Eight mean;
        load_eight(mean, means + out[e] * kAttentionTarget * heads);
        Eight gradient;
        score_gradient(gradient, total, w, dot, mean, edges.masks != nullptr);
        if (what.of_edges != nullptr) put_eight(what.of_edges + (edges.offsets[j] + e) * heads + first, gradient);
      }
      if (what.dz != nullptr) {
        T* const dz = what.dz + j * d + first * kWidth;
#pragma GCC unroll 8
        for (Index p = 0; p < kPieces; ++p) {
          if (what.adds_dz) {
            typename Shape::Piece before;
            before.load(dz + p * kColumns);
            sum[p].add(before);
          }
          sum[p].store(dz + p * kColumns);
        }
      }
      if (what.ds != nullptr) {
        float* const ds = what.ds + j * heads + first;
        Eight all = __builtin_convertvector(total, Eight);
        if (what.adds_ds) {
          Eight before;
          load_eight(before, ds);
          all += before;
        }
        put_eight(ds, all);
      }
    }
  }
}

}  // namespace laminar::core::lanes
