#pragma once

#include <cstdint>
#include <span>

#include "laminar/core/tensor.hpp"

/// Losses as plain functions of a model's output [n, C], and their gradients.
///
/// `rows` are the rows that count, strictly ascending; targets are indexed by row, like the predictions. `global_count`
/// is the number of rows that count on all devices, so that the devices' results add up to the whole loss. `gradient`,
/// if not null, is [n, C] in the predictions' precision and is written completely, with zeros in all other rows.
/// The loss is summed in float64 in a fixed order. A prediction that is NaN makes the loss NaN.
///
/// All throw Error: a row out of range or not ascending, targets of another number, a bad target in one of `rows`, a
/// gradient that doesn't fit, no columns, global_count not above 0, weights of another number than C. Thread-safe on
/// different gradients.
namespace laminar::core {

/// What counts how much in a loss of classes or labels.
struct LossShape {
  /// [C], above 0, or empty: all 1. Of a class, what its rows count; of a label, what its positives count.
  std::span<const double> weights = {};
  /// 0 <= e < 1: targets are moved this far towards no opinion, 1/C for classes and 1/2 for labels.
  double smoothing = 0;
};

/// sum over r in rows of ((1 - e) w_c l_rc + e / C sum_j w_j l_rj) / global_count, with c = classes[r] and
/// l_rj = log sum_k exp(x_rk) - x_rj: softmax and negative log likelihood, with `shape` as torch's CrossEntropyLoss has
/// weights and label smoothing. classes: [n]; those of `rows` must be in [0, C). To divide by the sum of the rows'
/// weights w_c, as torch does, give that as global_count.
double cross_entropy(const Tensor& logits, std::span<const std::int32_t> classes, std::span<const VertexId> rows,
                     double global_count, Tensor* gradient, const LossShape& shape = {});

/// sum over r in rows and all j of (w_j y_rj log(1 + exp(-x_rj)) + (1 - y_rj) log(1 + exp(x_rj))) / (global_count C),
/// with y moved by the smoothing: the mean over rows *and* labels; weights are those of positives. labels: [n, C], 0 or
/// 1.
double binary_cross_entropy(const Tensor& logits, std::span<const std::uint8_t> labels, std::span<const VertexId> rows,
                            double global_count, Tensor* gradient, const LossShape& shape = {});

/// sum over r in rows and all j of (x_rj - y_rj)^2 / (global_count C): the mean over rows and targets.
/// targets: [n, C], finite.
double mean_squared_error(const Tensor& predictions, std::span<const float> targets, std::span<const VertexId> rows,
                          double global_count, Tensor* gradient);

}  // namespace laminar::core
