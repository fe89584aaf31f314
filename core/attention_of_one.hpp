#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "laminar/core/attention_columns.hpp"
#include "laminar/core/attention_kernels.hpp"
#include "laminar/core/exponential.hpp"

/// Attention's kernels for one head of 16 to 128 columns; for attention_lanes.cpp alone, which compiles them for
/// several instruction sets. Numbers of eight edges fill a register.
namespace laminar::core::lanes {

/// Where piece p of a row of d columns begins: the last ones end with the row and may overlap those before.
LAMINAR_INLINE Index piece_begin(Index p, Index d) { return std::min(p * kColumns, d - kColumns); }

/// Eight edges' room for each eight that a row has, the last of which may not be full.
LAMINAR_INLINE Index padded(EdgeId count) { return (count + kLanes - 1) / kLanes * kLanes; }

/// forward_weights() of one head: weights[e], zeros behind the last edge.
template <class T>
LAMINAR_INLINE float forward_weights_of_one(const AttentionForward<T>& what, Index i, std::vector<float>& masks,
                                            float* weights) {
  const AttentionEdges<T>& edges = what.edges;
  const RowIndices in = edges.row(i);
  if (edges.masks != nullptr) edges.masks->of_row(i, in.span(), masks);
  const float target = what.target_scores[i];
  float largest = -kInfinity;
  for (Index e = 0; e < in.count; ++e) {
    fetch_ahead(edges.source_scores, 1, 1, in, e);
    const float score = edges.source_scores[in[e]];
    weights[e] = score;
    largest = score > largest ? score : largest;
  }
  largest += target;
  largest = largest > 0 ? largest : edges.slope * largest;
  EightDoubles total = {};
  for (Index chunk = 0; chunk < in.count; chunk += kLanes) {
    Eight raw;
    load_eight(raw, weights + chunk);
    raw += target;
    Eight weight;
    leaky(weight, raw, edges.slope);
    weight -= largest;
    exponentials_of<EightWords>(weight);
    constexpr EightOf<std::int32_t> kNumbers = {0, 1, 2, 3, 4, 5, 6, 7};
    weight = kNumbers < static_cast<std::int32_t>(std::min(kLanes, in.count - chunk)) ? weight : Eight{};
    add_to(total, weight);
    put_eight(weights + chunk, weight);
  }
  if (edges.masks != nullptr) {
    for (Index e = 0; e < in.count; ++e) weights[e] *= masks[e];
  }
  const double all = folded(total);
  const float inverse = in.count > 0 ? static_cast<float>(1 / all) : 0.0F;
  if (what.kept != nullptr) {
    float* const kept = what.kept + i * kAttentionKept;
    kept[0] = largest;
    kept[1] = inverse;
  }
  return inverse;
}

/// One head of `width` columns, 16 to 16 kPieces.
template <class T, bool kWide, Index kPieces>
LAMINAR_INLINE void forward_one(const AttentionForward<T>& what, Index begin, Index end) {
  const AttentionEdges<T>& edges = what.edges;
  const Index d = edges.width;
  std::vector<float> masks;
  std::vector<float> buffer;
  for (Index row = begin, next = 0; row < end; row = next) {
    next = group_end(edges.offsets, row, end);
    const Index count = edges.offsets[next] - edges.offsets[row] + (next - row) * kLanes;
    float* const inverse = room(buffer, count + next - row);
    float* const weights = inverse + (next - row);
    for (Index i = row, at = 0; i < next; at += padded(edges.row(i).count), ++i) {
      inverse[i - row] = forward_weights_of_one(what, i, masks, weights + at);
    }
    for (Index i = row, at = 0; i < next; at += padded(edges.row(i).count), ++i) {
      const RowIndices in = edges.row(i);
      const float* const w = weights + at;
      Columns<kWide> sum[kPieces];
      for (Index e = 0; e < in.count; ++e) {
        fetch_ahead(what.z, d, d, in, e);
        const T* const source = what.z + in[e] * d;
#pragma GCC unroll 8
        for (Index p = 0; p < kPieces; ++p) {
          Columns<kWide> x;
          x.load(source + piece_begin(p, d));
          sum[p].add(w[e], x);
        }
      }
#pragma GCC unroll 8
      for (Index p = 0; p < kPieces; ++p) {
        const Index to = i * d + piece_begin(p, d);
        sum[p].scale(inverse[i - row]);
        store_sum(sum[p], what.y + to, what.rest != nullptr ? what.rest + to : nullptr);
      }
    }
  }
}

/// out[k] = the rows' numbers k, side by side.
LAMINAR_INLINE void transpose_numbers(Eight (&out)[kAttentionTarget], const float* const (&rows)[kLanes]) {
  typedef float Four __attribute__((vector_size(16)));
  Eight two[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    Four a;
    Four b;
    std::memcpy(&a, rows[r], sizeof a);
    std::memcpy(&b, rows[r + 4], sizeof b);
    two[r] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
  }
  const Eight low = __builtin_shufflevector(two[0], two[1], 0, 8, 1, 9, 4, 12, 5, 13);
  const Eight high = __builtin_shufflevector(two[0], two[1], 2, 10, 3, 11, 6, 14, 7, 15);
  const Eight low2 = __builtin_shufflevector(two[2], two[3], 0, 8, 1, 9, 4, 12, 5, 13);
  const Eight high2 = __builtin_shufflevector(two[2], two[3], 2, 10, 3, 11, 6, 14, 7, 15);
  out[0] = __builtin_shufflevector(low, low2, 0, 1, 8, 9, 4, 5, 12, 13);
  out[1] = __builtin_shufflevector(low, low2, 2, 3, 10, 11, 6, 7, 14, 15);
  out[2] = __builtin_shufflevector(high, high2, 0, 1, 8, 9, 4, 5, 12, 13);
  out[3] = __builtin_shufflevector(high, high2, 2, 3, 10, 11, 6, 7, 14, 15);
}

/// Numbers an edge in the backward's buffer of one head, eight edges' side by side: those of kBackward, and the mean.
constexpr Index kBackwardOfOne = kBackward + 1;

/// backward_weights() of one head: eight edges' numbers at buffer[32 (e / 8) ..].
template <class T>
LAMINAR_INLINE void backward_weights_of_one(const AttentionBackward<T>& what, Index j, std::vector<float>& masks,
                                            float* buffer) {
  const AttentionEdges<T>& edges = what.edges;
  // Of an edge that is none: alpha is 0.
  constexpr float kNone[kAttentionTarget] = {0, kInfinity, 0, 0};
  const RowIndices out = edges.row(j);
  if (edges.masks != nullptr) edges.masks->of_source(j, out.span(), masks);
  const float source = edges.source_scores[j];
  for (Index chunk = 0; chunk < out.count; chunk += kLanes) {
    const float* of[kLanes];
    for (Index e = 0; e < kLanes; ++e) {
      if (chunk + e < out.count) {
        fetch_ahead(what.numbers, kAttentionTarget, kAttentionTarget, out, chunk + e);
        of[e] = what.numbers + out[chunk + e] * kAttentionTarget;
      } else {
        of[e] = kNone;
      }
    }
    Eight numbers[kAttentionTarget];
    transpose_numbers(numbers, of);
    const Eight raw = source + numbers[0];
    Eight weight;
    leaky(weight, raw, edges.slope);
    weight -= numbers[1];
    exponentials_of<EightWords>(weight);
    weight *= numbers[2];
    float* const to = buffer + chunk * kBackwardOfOne;
    put_eight(to + kLanes, raw > Eight{} ? weight : edges.slope * weight);
    if (edges.masks != nullptr) {
      float* const mask = to + 2 * kLanes;
      std::fill_n(mask, kLanes, 0.0F);
      std::copy_n(masks.data() + chunk, std::min(kLanes, out.count - chunk), mask);
      Eight all;
      load_eight(all, mask);
      weight *= all;
    }
    put_eight(to, weight);
    put_eight(to + 3 * kLanes, numbers[3]);
  }
}

template <class T, bool kWide, Index kPieces>
LAMINAR_INLINE void backward_one(const AttentionBackward<T>& what, Index begin, Index end) {
  const AttentionEdges<T>& edges = what.edges;
  const Index d = edges.width;
  const T* const dy = what.dy;
  std::vector<float> masks;
  std::vector<float> buffer;
  for (Index row = begin, next = 0; row < end; row = next) {
    next = group_end(edges.offsets, row, end);
    float* const weights =
        room(buffer, (edges.offsets[next] - edges.offsets[row] + (next - row) * kLanes) * kBackwardOfOne);
    for (Index j = row, at = 0; j < next; at += padded(edges.row(j).count), ++j) {
      backward_weights_of_one(what, j, masks, weights + at * kBackwardOfOne);
    }
    for (Index j = row, at = 0; j < next; at += padded(edges.row(j).count), ++j) {
      const RowIndices out = edges.row(j);
      Columns<kWide> own[kPieces];
      Columns<kWide> sum[kPieces];
      const T* const z = what.z + j * d;
#pragma GCC unroll 8
      for (Index p = 0; p < kPieces; ++p) {
        if (const Index twice = p * kColumns - piece_begin(p, d); twice > 0) {
          // Columns that stand in the piece before too count once.
          T rest[kColumns] = {};
          if (twice < kColumns) std::copy_n(z + p * kColumns, kColumns - twice, rest + twice);
          own[p].load(rest);
        } else {
          own[p].load(z + p * kColumns);
        }
      }
      EightDoubles total = {};
      for (Index chunk = 0; chunk < out.count; chunk += kLanes) {
        const float* const w = weights + (at + chunk) * kBackwardOfOne;
        const Index count = std::min(kLanes, out.count - chunk);
        Eight products[kLanes] = {};
        for (Index e = 0; e < count; ++e) {
          fetch_ahead(dy, d, d, out, chunk + e);
          const T* const target = dy + out[chunk + e] * d;
          Columns<kWide> product;
#pragma GCC unroll 8
          for (Index p = 0; p < kPieces; ++p) {
            Columns<kWide> x;
            x.load(target + piece_begin(p, d));
            product.add_product(x, own[p]);
            sum[p].add(w[e], x);
          }
          product.halve(products[e]);
        }
        Eight dot;
        fold_heads(&dot, products);
        Eight mean;
        load_eight(mean, w + 3 * kLanes);
        Eight gradient;
        score_gradient(gradient, total, w, dot, mean, edges.masks != nullptr);
        if (what.of_edges != nullptr) {
          float* const to = what.of_edges + edges.offsets[j] + chunk;
          if (count == kLanes) {
            put_eight(to, gradient);
          } else {
            for (Index e = 0; e < count; ++e) to[e] = gradient[e];
          }
        }
      }
      if (what.dz != nullptr) {
        T* const dz = what.dz + j * d;
        Columns<kWide> before[kPieces];
        if (what.adds_dz) {
#pragma GCC unroll 8
          for (Index p = 0; p < kPieces; ++p) before[p].load(dz + piece_begin(p, d));
        }
#pragma GCC unroll 8
        for (Index p = 0; p < kPieces; ++p) {
          if (what.adds_dz) sum[p].add(before[p]);
          sum[p].store(dz + piece_begin(p, d));
        }
      }
      if (what.ds != nullptr) what.ds[j] = (what.adds_ds ? what.ds[j] : 0.0F) + static_cast<float>(folded(total));
    }
  }
}

}  // namespace laminar::core::lanes
