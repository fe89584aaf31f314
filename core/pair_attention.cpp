/// GATv2's attention. The forward scores a row's in-edges, one pass over their source rows, and gathers with the
/// softmax, another; it keeps alpha, a number an edge and head (before dropout). In the backward, with g_ij = <dy_i,
/// z_j>, k_ij the scaled dropout mask, c_i = sum_j alpha_ij k_ij g_ij = <dy_i, y_i> and f' the slope of the leaky ReLU,
///
///     de_ij = alpha_ij (k_ij g_ij - c_i)
///     dt_i  = sum_j de_ij a f'(z_j + t_i)                     a gather over in-edges, with da beside it
///     dz_j  = sum_i alpha_ij k_ij dy_i + de_ij a f'(z_j + t_i)  a gather over out-edges
#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/dot.hpp"
#include "laminar/core/edge_masks.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/exponential.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/heads.hpp"
#include "laminar/core/panel_sums.hpp"

namespace laminar::core {
namespace {

/// out[e] = sum over c of a_c leaky_relu(z_jc + t_c), j = indices[e]; then alpha, the softmax over e, in its place.
template <class T>
void pair_weights(T* out, const T* a, const T* t, const T* z, Index d, Index stride, const RowIndices& all, T slope) {
  run_vectorised([=, indices = all]() LAMINAR_INLINE_LAMBDA {
    const Index count = indices.count;
    T largest = -std::numeric_limits<T>::infinity();
    for (Index e = 0; e < count; ++e) {
      fetch_ahead(z, d, stride, indices, e);
      const T* row = z + indices[e] * stride;
      out[e] = lane_sum<T>(d, [=](Index c) LAMINAR_INLINE_LAMBDA {
        const T v = row[c] + t[c];
        return a[c] * (v > 0 ? v : slope * v);
      });
      largest = std::max(largest, out[e]);
    }
    for (Index e = 0; e < count; ++e) out[e] = exponential(out[e] - largest);
    const auto total =
        lane_sum<double>(count, [=](Index e) LAMINAR_INLINE_LAMBDA { return static_cast<double>(out[e]); });
    const T inverse = count > 0 ? static_cast<T>(1 / total) : T(0);
    for (Index e = 0; e < count; ++e) out[e] *= inverse;
  });
}

/// dt_c += g a_c f'(v_c), da_c += g leaky_relu(v_c), v = z + t.
template <class T>
void add_target(T* dt, T* da, const T* a, const T* t, const T* z, Index d, T g, T slope) {
  run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index c = 0; c < d; ++c) {
      const T v = z[c] + t[c];
      dt[c] += g * a[c] * (v > 0 ? T(1) : slope);
      da[c] += g * (v > 0 ? v : slope * v);
    }
  });
}

/// dz_c += weight dy_c + g a_c f'(v_c).
template <class T>
void add_source(T* dz, const T* dy, const T* a, const T* t, const T* z, Index d, T weight, T g, T slope) {
  run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index c = 0; c < d; ++c) {
      const T v = z[c] + t[c];
      dz[c] += weight * dy[c] + g * a[c] * (v > 0 ? T(1) : slope);
    }
  });
}

class PairAttentionNode final : public AggregationNode {
 public:
  struct Inputs {
    Var z;
    Var t;
    Var vector;
  };

  PairAttentionNode(Tape& tape, const Block& block, Inputs in, std::shared_ptr<const Adjacency> a, Tensor vector,
                    double slope, const AttentionOptions& options)
      : in_(in),
        a_(std::move(a)),
        block_(block),
        pool_(tape.context().pool),
        heads_(options.heads),
        slope_(slope),
        masks_(tape.next_random_key(), DropoutRate(tape.context().training ? options.dropout : 0), block_.source_ids(),
               block_.own_ids(), options.heads),
        z_(tape.value(in.z)),
        t_(tape.value(in.t)),
        vector_(std::move(vector)),
        alpha_(tape.allocate(a_->num_entries(), heads_)) {}

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(in_edge_work(WorkKind::kAttention, "pair attention", *a_, begin, end, y, y.cols(), 5));
    dispatch(y.dtype(), [&]<class T>(T) { forward_any<T>(sources, y, begin, end); });
    if (!y_) y_ = y;
  }

  void backward(Tape& tape, const Tensor& dy) override {
    {
      const WorkScope scope(
          in_edge_work(WorkKind::kAttention, "pair attention, targets", *a_, 0, a_->num_rows, dy, dy.cols(), 6));
      dispatch(dy.dtype(), [&]<class T>(T) { target_gradients<T>(tape, dy); });
    }
    if (!tape.needs_gradient(in_.z)) return;
    SourceGradients out{tape.sink(in_.z), {}};
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    const WorkScope scope(
        out_edge_work(WorkKind::kAttention, "pair attention, backward", *a_, begin, end, dy, 2 * dy.cols(), 4));
    dispatch(dy.dtype(), [&]<class T>(T) { backward_any<T>(dy, begin, end, out.rows); });
  }

 private:
  /// A row's numbers stand head by head, so that those of a head are side by side.
  template <class T>
  T* row_alpha(const Tensor& alpha, Index i, Index head) const {
    const Index count = a_->offsets[i + 1] - a_->offsets[i];
    return const_cast<T*>(alpha.data<T>()) + a_->offsets[i] * heads_ + head * count;
  }

  template <class T>
  void forward_any(const Tensor& sources, Tensor& y, Index begin, Index end) {
    const Index d = y.cols();
    const Index width = d / heads_;
    const T* z = sources.data<T>();
    const T* t = t_.data<T>();
    const T* a = vector_.data<T>();
    T* out = y.data<T>();
    parallel_for_rows(a_->offsets, begin, end, [&](Index row_begin, Index row_end) {
      std::vector<T> weights;
      std::vector<T> masks;
      for (Index i = row_begin; i < row_end; ++i) {
        const RowIndices in = row_indices(a_->offsets, a_->sources, i);
        const Index count = in.count;
        weights.resize(static_cast<std::size_t>(count));
        if (masks_.active()) masks_.of_row(i, in.span(), masks);
        for (Index h = 0; h < heads_; ++h) {
          const Index at = h * width;
          T* alpha = row_alpha<T>(alpha_, i, h);
          pair_weights(alpha, a + at, t + i * d + at, z + at, width, d, in, static_cast<T>(slope_));
          for (Index e = 0; e < count; ++e) weights[e] = masks_.active() ? alpha[e] * masks[e * heads_ + h] : alpha[e];
          gather_row(out + i * d + at, z + at, width, d, in, weights.data(), false);
        }
      }
    });
  }

  template <class T>
  void target_gradients(Tape& tape, const Tensor& dy) const {
    const Index n = a_->num_rows;
    const Index d = dy.cols();
    const Index width = d / heads_;
    const bool wants_target = tape.needs_gradient(in_.t);
    GradientSink dt = wants_target ? tape.sink(in_.t) : GradientSink{};
    const Tensor all_means = head_dots(dy, y_, heads_, pool_.get());
    const T* z = z_.data<T>();
    const T* t = t_.data<T>();
    const T* a = vector_.data<T>();
    const T* g = dy.data<T>();
    const T* means = all_means.data<T>();
    const T slope = static_cast<T>(slope_);
    T* vector_gradient = tape.sink(in_.vector).tensor.data<T>();
    add_panels(pool_.get(), n, d, d, vector_gradient, [&](Index begin, Index end, T* da) {
      std::vector<T> row(static_cast<std::size_t>(d));
      std::vector<T> dots;
      std::vector<T> masks;
      for (Index i = begin; i < end; ++i) {
        const RowIndices in = row_indices(a_->offsets, a_->sources, i);
        const Index count = in.count;
        dots.resize(static_cast<std::size_t>(count));
        std::fill(row.begin(), row.end(), T(0));
        if (masks_.active()) masks_.of_row(i, in.span(), masks);
        for (Index h = 0; h < heads_; ++h) {
          const Index at = h * width;
          const T* alpha = row_alpha<T>(alpha_, i, h);
          gather_dots(dots.data(), g + i * d + at, z + at, width, d, in);
          for (Index e = 0; e < count; ++e) {
            const T mask = masks_.active() ? masks[e * heads_ + h] : T(1);
            const T de = alpha[e] * (mask * dots[e] - means[i * heads_ + h]);
            add_target(row.data() + at, da + at, a + at, t + i * d + at, z + in[e] * d + at, width, de, slope);
          }
        }
        if (!wants_target) continue;
        T* out = dt.tensor.data<T>() + i * d;
        for (Index c = 0; c < d; ++c) out[c] = dt.accumulate ? out[c] + row[c] : row[c];
      }
    });
  }

  template <class T>
  void backward_any(const Tensor& dy, Index begin, Index end, GradientSink& sink) const {
    const Index d = dy.cols();
    const Index width = d / heads_;
    const Tensor all_means = head_dots(dy, y_, heads_, pool_.get());
    const T* z = z_.data<T>();
    const T* t = t_.data<T>();
    const T* a = vector_.data<T>();
    const T* g = dy.data<T>();
    const T* means = all_means.data<T>();
    T* dz = sink.tensor.data<T>();
    const T slope = static_cast<T>(slope_);
    const auto& transposed = a_->transposed;
    parallel_for_rows(transposed.offsets, begin, end, [&](Index source_begin, Index source_end) {
      std::vector<T> dots;
      std::vector<T> masks;
      for (Index j = source_begin; j < source_end; ++j) {
        const EdgeId first = transposed.offsets[j];
        const RowIndices targets = row_indices(transposed.offsets, transposed.rows, j);
        const Index count = targets.count;
        T* out = dz + j * d;
        if (!sink.accumulate) std::fill_n(out, d, T(0));
        if (masks_.active()) masks_.of_source(j, targets.span(), masks);
        dots.resize(static_cast<std::size_t>(count * heads_));
        for (Index h = 0; h < heads_; ++h) {
          gather_dots(dots.data() + h * count, z + j * d + h * width, g + h * width, width, d, targets);
        }
        for (Index e = 0; e < count; ++e) {
          const Index i = targets[e];
          for (Index h = 0; h < heads_; ++h) {
            const Index at = h * width;
            const T alpha = row_alpha<T>(alpha_, i, h)[transposed.positions[first + e] - a_->offsets[i]];
            const T mask = masks_.active() ? masks[e * heads_ + h] : T(1);
            const T de = alpha * (mask * dots[h * count + e] - means[i * heads_ + h]);
            add_source(out + at, g + i * d + at, a + at, t + i * d + at, z + j * d + at, width, alpha * mask, de,
                       slope);
          }
        }
      }
    });
  }

  Inputs in_;
  std::shared_ptr<const Adjacency> a_;
  // Keeps the ids alive.
  Block block_;
  std::shared_ptr<MemoryPool> pool_;
  Index heads_;
  double slope_;
  EdgeMasks masks_;
  Tensor z_, t_, vector_;
  Tensor alpha_, y_;
};

}  // namespace

Var softmax_sum(Tape& tape, const Block& block, const PairScore& score, const Message& message,
                const AttentionOptions& options) {
  const Message& source = score.pair.source;
  if (message.matrix != src(message.of).matrix || source.matrix != src(source.of).matrix) {
    throw Error("[attention] the message carries edge weights; it takes none");
  }
  if (message.of.rows.id != source.of.rows.id) {
    throw Error("[attention] the rows that are summed must be the source rows that are scored");
  }
  auto adjacency = block.adjacency({Normalization::kNone, options.self_loops, false}, tape.context().dtype);
  const Tensor z = tape.value(message.of.rows);
  const Tensor t = tape.value(score.pair.target.rows);
  Parameter& vector = *score.vector;
  const Index d = z.cols();
  if (options.heads < 1 || d % options.heads != 0 || vector.value.rows() != 1 || vector.value.cols() != d ||
      t.cols() != d || z.rows() != adjacency->num_sources || t.rows() != adjacency->num_rows) {
    throw Error(
        fmt::format("[attention] source rows [{}, {}], target rows [{}, {}], vector '{}' [{}, {}] and {} heads do not "
                    "fit a block of {} rows, {} sources",
                    z.rows(), d, t.rows(), t.cols(), vector.name, vector.value.rows(), vector.value.cols(),
                    options.heads, adjacency->num_rows, adjacency->num_sources));
  }
  const PairAttentionNode::Inputs in{message.of.rows, score.pair.target.rows, tape.parameter(vector)};
  Tensor y = tape.allocate(adjacency->num_rows, d);
  auto node = std::make_unique<PairAttentionNode>(tape, block, in, adjacency, vector.value, score.pair.slope, options);
  node->forward_rows(z, y, 0, adjacency->num_rows);
  return tape.record_aggregation(std::move(y), std::move(node), {in.z, in.t, in.vector});
}

}  // namespace laminar::core
