#include "laminar/core/loss.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "laminar/core/dot.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/exponential.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

void check(std::string_view op, const Tensor& x, std::size_t num_targets, Index targets_per_row,
           std::span<const VertexId> rows, double global_count, const Tensor* gradient) {
  if (x.cols() < 1) throw Error(fmt::format("[{}] the predictions have no columns", op));
  if (static_cast<Index>(num_targets) != x.rows() * targets_per_row) {
    throw Error(fmt::format("[{}] {} targets for predictions [{}, {}]; expected {}", op, num_targets, x.rows(),
                            x.cols(), x.rows() * targets_per_row));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0 || rows[i] >= x.rows()) {
      throw Error(fmt::format("[{}] row {} of predictions with {} rows", op, rows[i], x.rows()));
    }
    if (i > 0 && rows[i] <= rows[i - 1]) {
      throw Error(fmt::format("[{}] row {} stands after row {}; rows must ascend", op, rows[i], rows[i - 1]));
    }
  }
  if (!(global_count > 0 && std::isfinite(global_count))) {
    throw Error(fmt::format("[{}] a global count of {} rows; expected more than 0", op, global_count));
  }
  if (gradient != nullptr &&
      (gradient->rows() != x.rows() || gradient->cols() != x.cols() || gradient->dtype() != x.dtype())) {
    throw Error(fmt::format("[{}] the gradient is {} [{}, {}], but the predictions are {} [{}, {}]", op,
                            name_of(gradient->dtype()), gradient->rows(), gradient->cols(), name_of(x.dtype()),
                            x.rows(), x.cols()));
  }
}

/// The sum of `f(r, x_r, g_r)` over `rows`; g_r is null if no gradient is wanted, and zeroed in all other rows.
template <class T, class F>
double sum_rows(const Tensor& predictions, std::span<const VertexId> rows, Tensor* gradient, const F& f) {
  const Index d = predictions.cols();
  const T* x = predictions.data<T>();
  T* g = gradient != nullptr ? gradient->data<T>() : nullptr;
  return parallel_sum(predictions.rows(), row_grain(d), [&](Index begin, Index end) {
    double sum = 0;
    auto next = std::lower_bound(rows.begin(), rows.end(), begin);
    for (Index r = begin; r < end; ++r) {
      T* row_gradient = g != nullptr ? g + r * d : nullptr;
      if (next != rows.end() && *next == r) {
        sum += f(r, x + r * d, row_gradient);
        ++next;
      } else if (row_gradient != nullptr) {
        std::fill_n(row_gradient, d, T(0));
      }
    }
    return sum;
  });
}

void check_shape(std::string_view op, const LossShape& shape, Index d) {
  if (!shape.weights.empty() && static_cast<Index>(shape.weights.size()) != d) {
    throw Error(fmt::format("[{}] {} weights for {} outputs", op, shape.weights.size(), d));
  }
  if (!(shape.smoothing >= 0 && shape.smoothing < 1)) {
    throw Error(fmt::format("[{}] smoothing by {}, expected 0 <= smoothing < 1", op, shape.smoothing));
  }
  for (const double w : shape.weights) {
    if (!(w > 0 && std::isfinite(w))) throw Error(fmt::format("[{}] a weight is {}, expected above 0", op, w));
  }
}

/// -log softmax(x)[c], and its gradient times `scale`.
template <class T>
double cross_entropy_row(const T* x, Index d, Index c, double scale, T* g) {
  T top = x[0];
  double sum = 0;
  run_vectorised([=, out_top = &top, out_sum = &sum]() LAMINAR_INLINE_LAMBDA {
    const T largest = lane_max(x, d);
    // Tile by tile through an array that nothing else can be, so that compilers take the loops in vectors.
    constexpr Index kTile = 64;
    double total = 0;
    for (Index first = 0; first < d; first += kTile) {
      const Index count = d - first < kTile ? d - first : kTile;
      T tile[kTile];
      for (Index i = 0; i < count; ++i) tile[i] = exponential(x[first + i] - largest);
      total += lane_sum<double>(count, [&](Index i) LAMINAR_INLINE_LAMBDA { return static_cast<double>(tile[i]); });
      for (Index i = 0; g != nullptr && i < count; ++i) g[first + i] = tile[i];
    }
    *out_top = largest;
    *out_sum = total;
    if (g == nullptr) return;
    const double factor = scale / total;
    // In float64 up to the end: the probability of the right class is often close to 1.
    const double right = static_cast<double>(g[c]) * factor - scale;
    for (Index j = 0; j < d; ++j) g[j] = static_cast<T>(static_cast<double>(g[j]) * factor);
    g[c] = static_cast<T>(right);
  });
  // The difference first: a large top would swallow the logarithm.
  return std::log(sum) + (static_cast<double>(top) - static_cast<double>(x[c]));
}

/// (1 - e) w_c l_c + e / d sum_j w_j l_j with l = -log softmax(x), and its gradient times `scale`.
template <class T>
double shaped_cross_entropy_row(const T* x, Index d, Index c, const LossShape& shape, double scale, T* g) {
  const auto weight = [&](Index j) { return shape.weights.empty() ? 1.0 : shape.weights[static_cast<std::size_t>(j)]; };
  const auto top = static_cast<double>(*std::max_element(x, x + d));
  double sum = 0;
  for (Index j = 0; j < d; ++j) sum += std::exp(static_cast<double>(x[j]) - top);
  const double log_sum = std::log(sum);
  double loss = 0;
  double all_shares = 0;
  for (Index j = 0; j < d; ++j) {
    const double share = weight(j) * (shape.smoothing / static_cast<double>(d) + (j == c ? 1 - shape.smoothing : 0));
    all_shares += share;
    loss += share * (log_sum + (top - static_cast<double>(x[j])));
  }
  for (Index j = 0; g != nullptr && j < d; ++j) {
    const double share = weight(j) * (shape.smoothing / static_cast<double>(d) + (j == c ? 1 - shape.smoothing : 0));
    const double p = std::exp(static_cast<double>(x[j]) - top) / sum;
    g[j] = static_cast<T>(scale * (all_shares * p - share));
  }
  return loss;
}

}  // namespace

double cross_entropy(const Tensor& logits, std::span<const std::int32_t> classes, std::span<const VertexId> rows,
                     double global_count, Tensor* gradient, const LossShape& shape) {
  const WorkScope scope(pass_work(WorkKind::kLoss, "cross entropy", logits, gradient != nullptr ? 2 : 1));
  check("cross_entropy", logits, classes.size(), 1, rows, global_count, gradient);
  const Index d = logits.cols();
  check_shape("cross_entropy", shape, d);
  const bool plain = shape.weights.empty() && shape.smoothing == 0;
  for (const VertexId r : rows) {
    if (classes[r] < 0 || classes[r] >= d) {
      throw Error(fmt::format("[cross_entropy] row {} has class {}; expected 0 to {}", r, classes[r], d - 1));
    }
  }
  return dispatch(logits.dtype(),
                  [&]<class T>(T) {
                    return sum_rows<T>(logits, rows, gradient, [&](Index r, const T* x, T* g) {
                      return plain ? cross_entropy_row(x, d, classes[r], 1 / global_count, g)
                                   : shaped_cross_entropy_row(x, d, classes[r], shape, 1 / global_count, g);
                    });
                  }) /
         global_count;
}

double binary_cross_entropy(const Tensor& logits, std::span<const std::uint8_t> labels, std::span<const VertexId> rows,
                            double global_count, Tensor* gradient, const LossShape& shape) {
  const WorkScope scope(pass_work(WorkKind::kLoss, "binary cross entropy", logits, gradient != nullptr ? 2 : 1));
  check("binary_cross_entropy", logits, labels.size(), logits.cols(), rows, global_count, gradient);
  const Index d = logits.cols();
  check_shape("binary_cross_entropy", shape, d);
  const bool plain = shape.weights.empty() && shape.smoothing == 0;
  const double count = global_count * static_cast<double>(d);
  return dispatch(logits.dtype(),
                  [&]<class T>(T) {
                    return sum_rows<T>(logits, rows, gradient, [&](Index r, const T* x, T* g) {
                      double sum = 0;
                      for (Index j = 0; j < d; ++j) {
                        const std::uint8_t label = labels[r * d + j];
                        if (label > 1) {
                          throw Error(fmt::format("[binary_cross_entropy] row {} has {} for label {}; expected 0 or 1",
                                                  r, label, j));
                        }
                        const auto v = static_cast<double>(x[j]);
                        // exp of what is never positive: nothing overflows, and log1p keeps small values.
                        const double e = std::exp(-std::abs(v));
                        const double probability = (v >= 0 ? 1 : e) / (1 + e);
                        if (plain) {
                          sum += std::max(v, 0.0) - label * v + std::log1p(e);
                          if (g != nullptr) g[j] = static_cast<T>((probability - label) / count);
                          continue;
                        }
                        const double y = label * (1 - shape.smoothing) + shape.smoothing / 2;
                        const double w = shape.weights.empty() ? 1 : shape.weights[static_cast<std::size_t>(j)];
                        sum +=
                            w * y * (std::max(-v, 0.0) + std::log1p(e)) + (1 - y) * (std::max(v, 0.0) + std::log1p(e));
                        if (g != nullptr) {
                          g[j] = static_cast<T>((w * y * (probability - 1) + (1 - y) * probability) / count);
                        }
                      }
                      return sum;
                    });
                  }) /
         count;
}

double mean_squared_error(const Tensor& predictions, std::span<const float> targets, std::span<const VertexId> rows,
                          double global_count, Tensor* gradient) {
  const WorkScope scope(pass_work(WorkKind::kLoss, "squared error", predictions, gradient != nullptr ? 2 : 1));
  check("mean_squared_error", predictions, targets.size(), predictions.cols(), rows, global_count, gradient);
  const Index d = predictions.cols();
  const double count = global_count * static_cast<double>(d);
  return dispatch(predictions.dtype(),
                  [&]<class T>(T) {
                    return sum_rows<T>(predictions, rows, gradient, [&](Index r, const T* x, T* g) {
                      double sum = 0;
                      for (Index j = 0; j < d; ++j) {
                        const float target = targets[r * d + j];
                        if (!std::isfinite(target)) {
                          throw Error(fmt::format("[mean_squared_error] row {} has {} for target {}; expected a number",
                                                  r, target, j));
                        }
                        const double difference = static_cast<double>(x[j]) - static_cast<double>(target);
                        sum += difference * difference;
                        if (g != nullptr) g[j] = static_cast<T>(2 * difference / count);
                      }
                      return sum;
                    });
                  }) /
         count;
}

}  // namespace laminar::core
