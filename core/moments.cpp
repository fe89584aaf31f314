/// Mean, minimum, maximum and deviation over in-edges, in two passes over a row's sources: the deviation is that of the
/// source rows themselves, as a row's own shift t_i moves the other three and leaves it alone. Kept: the mean of the
/// source rows and which entries won (two numbers of 4 bytes an element). The backward of a source row gathers, with
/// k_i the row's in-degree and u_i the mean of its source rows,
///
///     dz_j = sum_i dmean_i / k_i + dstd_i (z_j - u_i) / (k_i std_i) + dmin_i [j won] + dmax_i [j won]
#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::core {
namespace {

/// Columns of the output, times d.
constexpr Index kMean = 0, kMin = 1, kMax = 2, kDeviation = 3, kMoments = 4;
constexpr double kLeastVariance = 1e-5;

class MomentsNode final : public AggregationNode {
 public:
  MomentsNode(Tape& tape, Var z, Var t, Tensor sources, Tensor targets, std::shared_ptr<const Adjacency> a)
      : z_(z),
        t_(t),
        a_(std::move(a)),
        pool_(tape.context().pool),
        sources_(std::move(sources)),
        targets_(std::move(targets)),
        center_(tape.allocate(a_->num_rows, sources_.cols())),
        winners_(pool_->allocate(static_cast<std::size_t>(2 * a_->num_rows * sources_.cols()) * sizeof(std::int32_t),
                                 MemoryPurpose::kActivations)) {}

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(in_edge_work(WorkKind::kSum, "moments", *a_, begin, end, y, width(), 6));
    dispatch(y.dtype(), [&]<class T>(T) {
      parallel_for_rows(a_->offsets, begin, end, [&](Index b, Index e) {
        for (Index i = b; i < e; ++i) forward_row<T>(sources.data<T>(), y.data<T>(), i);
      });
    });
    if (!y_) y_ = y;
  }

  void backward(Tape& tape, const Tensor& dy) override {
    if (t_ && tape.needs_gradient(t_)) {
      GradientSink dt = tape.sink(t_);
      dispatch(dy.dtype(), [&]<class T>(T) { target_gradient<T>(dy, dt); });
    }
    if (!tape.needs_gradient(z_)) return;
    SourceGradients out{tape.sink(z_), {}};
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    // Two shares, two gradients and who won them.
    const WorkScope scope(out_edge_work(WorkKind::kSum, "moments, backward", *a_, begin, end, sources_, 6 * width()));
    dispatch(dy.dtype(), [&]<class T>(T) { backward_any<T>(dy, begin, end, out.rows); });
  }

 private:
  Index width() const { return sources_.cols(); }
  std::int32_t* winners(Index i) const { return reinterpret_cast<std::int32_t*>(winners_.get()) + i * 2 * width(); }
  Index in_degree(Index i) const { return a_->offsets[i + 1] - a_->offsets[i]; }

  template <class T>
  void forward_row(const T* z, T* y, Index i) {
    const Index d = width();
    const RowIndices in = row_indices(a_->offsets, a_->sources, i);
    const Index count = in.count;
    T* mean = center_.data<T>() + i * d;
    T* row = y + i * kMoments * d;
    std::int32_t* low = winners(i);
    std::int32_t* high = low + d;
    gather_row(mean, z, d, d, in, static_cast<const T*>(nullptr), false);
    const T least = std::sqrt(static_cast<T>(kLeastVariance));
    if (count == 0) {
      std::fill_n(row, kDeviation * d, T(0));
      std::fill_n(row + kDeviation * d, d, least);
      return;
    }
    const T share = T(1) / static_cast<T>(count);
    T* min = row + kMin * d;
    T* max = row + kMax * d;
    T* deviation = row + kDeviation * d;
    for (Index c = 0; c < d; ++c) {
      mean[c] *= share;
      min[c] = max[c] = z[in[0] * d + c];
      low[c] = high[c] = 0;
      deviation[c] = 0;
    }
    for (Index e = 0; e < count; ++e) {
      const T* s = z + in[e] * d;
      const auto entry = static_cast<std::int32_t>(e);
      for (Index c = 0; c < d; ++c) {
        // A NaN wins, and stays, so that it is seen.
        const bool is_nan = s[c] != s[c];
        const bool is_low = s[c] < min[c] || is_nan;
        const bool is_high = s[c] > max[c] || is_nan;
        min[c] = is_low ? s[c] : min[c];
        low[c] = is_low ? entry : low[c];
        max[c] = is_high ? s[c] : max[c];
        high[c] = is_high ? entry : high[c];
        deviation[c] += (s[c] - mean[c]) * (s[c] - mean[c]);
      }
    }
    const T* t = targets_ ? targets_.data<T>() + i * d : nullptr;
    for (Index c = 0; c < d; ++c) {
      const T variance = deviation[c] * share;
      // Written so that a NaN stays one.
      deviation[c] = variance <= static_cast<T>(kLeastVariance) ? least : std::sqrt(variance);
      const T shift = t != nullptr ? t[c] : T(0);
      row[kMean * d + c] = mean[c] + shift;
      min[c] += shift;
      max[c] += shift;
    }
  }

  template <class T>
  void target_gradient(const Tensor& dy, GradientSink& sink) const {
    const WorkScope scope(pass_work(WorkKind::kElementwise, "moments, targets", dy, 1));
    const Index d = width();
    const T* g = dy.data<T>();
    T* dt = sink.tensor.data<T>();
    parallel_for(a_->num_rows, row_grain(d), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T* gi = g + i * kMoments * d;
        const T one = in_degree(i) > 0 ? T(1) : T(0);
        for (Index c = 0; c < d; ++c) {
          const T v = one * (gi[kMean * d + c] + gi[kMin * d + c] + gi[kMax * d + c]);
          dt[i * d + c] = sink.accumulate ? dt[i * d + c] + v : v;
        }
      }
    });
  }

  /// A row's share of every source's gradient, constant + factor * z_j: [num_rows, 2 d], side by side.
  template <class T>
  Tensor shares(const Tensor& dy) const {
    const Index d = width();
    const WorkScope scope(pass_work(WorkKind::kElementwise, "moments, shares", dy.dtype(), a_->num_rows, d, 6));
    Tensor result(a_->num_rows, 2 * d, dy.dtype(), pool_.get(), MemoryPurpose::kWorkspace);
    const T* g = dy.data<T>();
    const T* y = y_.data<T>();
    const T* center = center_.data<T>();
    T* out = result.data<T>();
    const T least = std::sqrt(static_cast<T>(kLeastVariance));
    parallel_for(a_->num_rows, row_grain(d), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T* gi = g + i * kMoments * d;
        const T* deviation = y + (i * kMoments + kDeviation) * d;
        const T share = T(1) / static_cast<T>(std::max<Index>(in_degree(i), 1));
        for (Index c = 0; c < d; ++c) {
          const T factor = deviation[c] > least ? gi[kDeviation * d + c] * share / deviation[c] : T(0);
          out[i * 2 * d + c] = gi[kMean * d + c] * share - factor * center[i * d + c];
          out[(i * 2 + 1) * d + c] = factor;
        }
      }
    });
    return result;
  }

  template <class T>
  void backward_any(const Tensor& dy, Index begin, Index end, GradientSink& sink) const {
    const Index d = width();
    const Tensor all_shares = shares<T>(dy);
    const T* of_rows = all_shares.data<T>();
    const T* g = dy.data<T>();
    const T* z = sources_.data<T>();
    T* dz = sink.tensor.data<T>();
    const auto& transposed = a_->transposed;
    parallel_for_rows(transposed.offsets, begin, end, [&](Index b, Index e) {
      for (Index j = b; j < e; ++j) {
        T* out = dz + j * d;
        const T* zj = z + j * d;
        if (!sink.accumulate) std::fill_n(out, d, T(0));
        for (EdgeId p = transposed.offsets[j]; p < transposed.offsets[j + 1]; ++p) {
          const Index i = transposed.rows[p];
          const auto entry = static_cast<std::int32_t>(transposed.positions[p] - a_->offsets[i]);
          const T* share = of_rows + i * 2 * d;
          const T* min_gradient = g + (i * kMoments + kMin) * d;
          const T* max_gradient = g + (i * kMoments + kMax) * d;
          const std::int32_t* low = winners(i);
          for (Index c = 0; c < d; ++c) {
            out[c] += share[c] + share[d + c] * zj[c] + (low[c] == entry ? min_gradient[c] : T(0)) +
                      (low[d + c] == entry ? max_gradient[c] : T(0));
          }
        }
      }
    });
  }

  Var z_, t_;
  std::shared_ptr<const Adjacency> a_;
  std::shared_ptr<MemoryPool> pool_;
  Tensor sources_, targets_, center_, y_;
  std::shared_ptr<std::byte> winners_;
};

Var record_moments(Tape& tape, const Block& block, const Message& message, Var target) {
  if (message.matrix != src(message.of).matrix) {
    throw Error("[moments] the message carries edge weights; moments take none");
  }
  auto adjacency = block.adjacency(message.matrix, tape.context().dtype);
  const Var z = message.of.rows;
  const Tensor sources = tape.value(z);
  const Tensor targets = target ? tape.value(target) : Tensor();
  const bool fits = !target || (targets.rows() == adjacency->num_rows && targets.cols() == sources.cols());
  if (sources.rows() != adjacency->num_sources || !fits) {
    throw Error(fmt::format("[moments] source rows [{}, {}], target rows [{}, {}] for a block of {} rows, {} sources",
                            sources.rows(), sources.cols(), targets.rows(), targets.cols(), adjacency->num_rows,
                            adjacency->num_sources));
  }
  Tensor y = tape.allocate(adjacency->num_rows, kMoments * sources.cols());
  auto node = std::make_unique<MomentsNode>(tape, z, target, sources, targets, adjacency);
  node->forward_rows(sources, y, 0, adjacency->num_rows);
  if (!target) return tape.record_aggregation(std::move(y), std::move(node), {z});
  return tape.record_aggregation(std::move(y), std::move(node), {z, target});
}

}  // namespace

Var moments(Tape& tape, const Block& block, const Message& message) {
  return record_moments(tape, block, message, Var{});
}

Var moments(Tape& tape, const Block& block, const Pair& pair) {
  if (pair.slope != 1) throw Error("[moments] the pair goes through a leaky ReLU; moments take plain sums");
  return record_moments(tape, block, pair.source, pair.target.rows);
}

}  // namespace laminar::core
