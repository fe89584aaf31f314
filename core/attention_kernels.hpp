#pragma once

#include <cstdint>
#include <vector>

#include "laminar/core/gather.hpp"

/// The kernels of attention (attention.cpp), for one row; serial, vectorised over heads and columns. Numbers of an edge
/// and head stand at e * heads + h. The order of every sum is fixed, so results don't depend on the instruction set.
namespace laminar::core {

/// What is needed for a row's edges; reused from row to row, so that arrays may be longer than a row needs.
template <class T>
struct AttentionScratch {
  /// By edge and head: alpha times mask, and the same where the score is positive, else 0.
  std::vector<T> weights, positive;
  /// By edge and head: the dropout masks; empty = no dropout.
  std::vector<T> masks;
  std::vector<T> exponents, means, slopes, dots;
  /// By head.
  std::vector<T> largest;
  std::vector<double> totals, positive_totals;
};

/// What is kept of a row, head after head of each: the largest score m, 1 / sum of exp(score - m) (0 for a row without
/// edges), and p, the sum of alpha over edges of positive score.
inline constexpr Index kAttentionKept = 3;

/// score_eh = leaky(source_scores[sources[e], h] + target_scores[h]), alpha = softmax of it over the edges, into
/// scratch.weights (times masks), scratch.positive, and kept [3, heads].
void attention_weights(const float* source_scores, const float* target_scores, Index heads, float slope,
                       const RowIndices& sources, AttentionScratch<float>& scratch, float* kept);
void attention_weights(const double* source_scores, const double* target_scores, Index heads, double slope,
                       const RowIndices& sources, AttentionScratch<double>& scratch, double* kept);

/// What a source's side of the backward needs of a target i, head after head of each: its score, m and 1 / sum as kept,
/// c_i = <dy_i, y_i>; side by side, as they are gathered.
inline constexpr Index kAttentionTarget = 4;

/// By target: these numbers [4, heads], and dy_i [heads, width], kept as T.
template <class T>
struct AttentionTargets {
  const Computed<T>* numbers = nullptr;
  const T* gradients = nullptr;
};

/// The same weights for the out-edges of a source with scores [heads] and row z [heads, width], widened; also
/// scratch.totals[h] = sum over e of leaky'(score_eh) alpha_eh (mask_eh <dy_i, z>_h - c_ih). The difference is taken
/// edge by edge: in a sum of each term it would cancel digits away.
void attention_source_weights(const float* source_scores, const float* z, const AttentionTargets<float>& of,
                              Index heads, Index width, float slope, const RowIndices& targets,
                              AttentionScratch<float>& scratch);
void attention_source_weights(const double* source_scores, const double* z, const AttentionTargets<double>& of,
                              Index heads, Index width, double slope, const RowIndices& targets,
                              AttentionScratch<double>& scratch);
void attention_source_weights(const float* source_scores, const float* z, const AttentionTargets<Bfloat16>& of,
                              Index heads, Index width, float slope, const RowIndices& targets,
                              AttentionScratch<float>& scratch);

/// y[h, c] = sum over e of scratch.weights[e, h] x[indices[e], h, c], and y_positive likewise from scratch.positive; h
/// of `heads`, c of `width`, rows of x one after the other. Null y_positive: left out.
void gather_heads(float* y, float* y_positive, const float* x, Index heads, Index width, const RowIndices& indices,
                  const AttentionScratch<float>& scratch);
void gather_heads(double* y, double* y_positive, const double* x, Index heads, Index width, const RowIndices& indices,
                  const AttentionScratch<double>& scratch);
void gather_heads(Bfloat16* y, Bfloat16* y_positive, const Bfloat16* x, Index heads, Index width,
                  const RowIndices& indices, const AttentionScratch<float>& scratch);
void gather_heads(float* y, float* y_positive, const Bfloat16* x, Index heads, Index width, const RowIndices& indices,
                  const AttentionScratch<float>& scratch);

}  // namespace laminar::core
