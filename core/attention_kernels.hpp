#pragma once

#include <cstdint>
#include <span>

#include "laminar/core/edge_masks.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/types.hpp"

/// The kernels of attention (attention.cpp) over a range of rows; serial, vectorised over heads and columns. The order
/// of every sum is fixed by shapes alone, so results don't depend on the instruction set, nor on where ranges are cut.
namespace laminar::core {

/// What is kept of a row, head after head of each: the largest score m, and 1 / sum of exp(score - m) (0 for a row
/// without edges).
inline constexpr Index kAttentionKept = 2;

/// What a source's side of the backward needs of a target i, head after head of each: its score, m and 1 / sum as kept,
/// c_i = <dy_i, y_i>; side by side, as they are gathered.
inline constexpr Index kAttentionTarget = 4;

/// Rows in CSR order and what all edges share. Rows of x are `heads` of `width` columns each, one after the other.
template <class T>
struct AttentionEdges {
  std::span<const EdgeId> offsets;
  std::span<const std::int32_t> indices;
  Index heads = 1;
  Index width = 1;
  /// Of the leaky ReLU.
  Computed<T> slope{};
  /// [sources, heads].
  const Computed<T>* source_scores = nullptr;
  /// Null without dropout.
  const EdgeMasks* masks = nullptr;

  RowIndices row(Index r) const { return row_indices(offsets, indices, r); }
};

/// y_i = sum over the row's edges of alpha_ij mask_ij z_j, alpha the softmax of leaky(source score_j + target score_i).
template <class T>
struct AttentionForward {
  /// Row i's indices are the sources of its in-edges.
  AttentionEdges<T> edges;
  /// [sources, heads * width].
  const T* z = nullptr;
  /// [rows, heads].
  const Computed<T>* target_scores = nullptr;
  T* y = nullptr;
  /// Like y: what rounding takes away from it; null: not wanted.
  T* rest = nullptr;
  /// [rows, 2 * heads]; null: not wanted.
  Computed<T>* kept = nullptr;
};

/// dz_j (+)= sum over the source's out-edges of alpha_ij mask_ij dy_i, and ds_j (+)= sum of what the edges' scores get,
/// leaky'(score_ij) alpha_ij (mask_ij <dy_i, z_j> - c_i), head by head. The difference is taken edge by edge: in a sum
/// of each term it would cancel digits away.
template <class T>
struct AttentionBackward {
  /// Row j's indices are the targets of its out-edges.
  AttentionEdges<T> edges;
  /// [sources, heads * width].
  const T* z = nullptr;
  /// [targets, 4 * heads] and [targets, heads * width].
  const Computed<T>* numbers = nullptr;
  const T* dy = nullptr;
  /// Like z, and [sources, heads]; null: not wanted.
  T* dz = nullptr;
  Computed<T>* ds = nullptr;
  /// What each edge's scores get, [entries, heads] in the order of the indices; null: not wanted.
  Computed<T>* of_edges = nullptr;
  /// Whether to add to what is there.
  bool adds_dz = false;
  bool adds_ds = false;
};

/// Rows [begin, end). T is float, double or Bfloat16, whose numbers are added up in float and rounded once.
template <class T>
void attention_forward(const AttentionForward<T>& what, Index begin, Index end);
template <class T>
void attention_backward(const AttentionBackward<T>& what, Index begin, Index end);

}  // namespace laminar::core
