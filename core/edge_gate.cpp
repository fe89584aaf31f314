/// y_ic = sum_j a_ij g_ijc x_jc with a gate for every edge and column, g_ijc = sigma(k_jc + t_ic) (Bresson and Laurent
/// 2017, equation 11). With h = g (1 - g), the gate's derivative,
///
///     dx_jc = sum_i a_ij g_ijc dy_ic,   dk_jc = x_jc sum_i a_ij h_ijc dy_ic   over out-edges,
///     dt_ic = dy_ic sum_j a_ij h_ijc x_jc,
///
/// whose last sum the forward has made along with y: gates are computed once in each direction, and nothing of the size
/// of edges x d is ever stored.
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/exponential.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/vectorised.hpp"

namespace laminar::core {
namespace {

/// 1 / (1 + e^-z), by the side on which e^ does not overflow.
template <class T>
LAMINAR_INLINE T sigmoid(T z) {
  const T e = exponential(z > 0 ? -z : z);
  const T of_negative = e / (1 + e);
  return z > 0 ? 1 - of_negative : of_negative;
}

template <class T>
LAMINAR_INLINE T entry(const Tensor& values, EdgeId e) {
  return values ? values.data<T>()[e] : T(1);
}

class GatedColumnsNode final : public AggregationNode {
 public:
  struct Inputs {
    Var x, k, t;
  };
  GatedColumnsNode(const Tape& tape, Inputs in, std::shared_ptr<const Adjacency> a)
      : in_(in), a_(std::move(a)), x_(tape.value(in.x)), k_(tape.value(in.k)), t_(tape.value(in.t)) {
    if (tape.context().record && tape.needs_gradient(in.t)) slopes_ = tape.allocate(a_->num_rows, x_.cols());
  }

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(in_edge_work(WorkKind::kAttention, "gated columns", *a_, begin, end, y, 2 * y.cols()));
    dispatch(y.dtype(), [&]<class T>(T) {
      const Index d = y.cols();
      parallel_for_rows(a_->offsets, begin, end, [&](Index b, Index e) {
        for (Index i = b; i < e; ++i) {
          T* out = y.data<T>() + i * d;
          T* slope = slopes_ ? slopes_.data<T>() + i * d : nullptr;
          std::fill_n(out, d, T(0));
          if (slope != nullptr) std::fill_n(slope, d, T(0));
          run_vectorised(
              [this, d, x = sources.data<T>(), k = k_.data<T>(), t = t_.data<T>() + i * d, out, slope](
                  EdgeId first, EdgeId last) LAMINAR_INLINE_LAMBDA {
                for (EdgeId p = first; p < last; ++p) {
                  add_edge(d, entry<T>(a_->values, p), x + a_->sources[p] * d, k + a_->sources[p] * d, t, out, slope);
                }
              },
              a_->offsets[i], a_->offsets[i + 1]);
        }
      });
    });
  }

  void backward(Tape& tape, const Tensor& dy) override {
    if (slopes_) {
      const WorkScope scope(pass_work(WorkKind::kAttention, "gated columns, targets", dy, 3));
      GradientSink dt = tape.sink(in_.t);
      dispatch(dy.dtype(), [&]<class T>(T) {
        for_each_element(dy.size(), [g = dy.data<T>(), s = slopes_.data<T>(), out = dt.tensor.data<T>(),
                                     more = dt.accumulate](Index i)
                                        LAMINAR_INLINE_LAMBDA { out[i] = g[i] * s[i] + (more ? out[i] : T(0)); });
      });
    }
    SourceGradients out;
    if (tape.needs_gradient(in_.x)) out.rows = tape.sink(in_.x);
    if (tape.needs_gradient(in_.k)) out.scores = tape.sink(in_.k);
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    const WorkScope scope(
        out_edge_work(WorkKind::kAttention, "gated columns, backward", *a_, begin, end, dy, 2 * dy.cols()));
    dispatch(dy.dtype(), [&]<class T>(T) {
      const Index d = dy.cols();
      const auto& transposed = a_->transposed;
      parallel_for_rows(transposed.offsets, begin, end, [&](Index b, Index e) {
        std::vector<T> sums(static_cast<std::size_t>(2 * d));
        for (Index j = b; j < e; ++j) {
          std::fill(sums.begin(), sums.end(), T(0));
          run_vectorised(
              [this, d, g = dy.data<T>(), k = k_.data<T>() + j * d, t = t_.data<T>(), of_x = sums.data(),
               of_k = sums.data() + d, &transposed](EdgeId first, EdgeId last) LAMINAR_INLINE_LAMBDA {
                for (EdgeId p = first; p < last; ++p) {
                  const Index i = transposed.rows[p];
                  add_edge(d, entry<T>(a_->transposed_values, p), g + i * d, t + i * d, k, of_x, of_k);
                }
              },
              transposed.offsets[j], transposed.offsets[j + 1]);
          const T* x = x_.data<T>() + j * d;
          put(out.rows, j, d, [&](Index c) { return sums[c]; });
          put(out.scores, j, d, [&](Index c) { return x[c] * sums[d + c]; });
        }
      });
    });
  }

 private:
  /// sum += a g(k + t) x, and slope += a g' x if there is one.
  template <class T>
  LAMINAR_INLINE static void add_edge(Index d, T a, const T* x, const T* k, const T* t, T* sum, T* slope) {
    if (slope == nullptr) {
      for (Index c = 0; c < d; ++c) sum[c] += a * sigmoid(k[c] + t[c]) * x[c];
      return;
    }
    for (Index c = 0; c < d; ++c) {
      const T g = sigmoid(k[c] + t[c]);
      const T ax = a * x[c];
      sum[c] += g * ax;
      slope[c] += g * (1 - g) * ax;
    }
  }

  template <class F>
  static void put(GradientSink& sink, Index j, Index d, F&& value) {
    if (!sink.tensor) return;
    using T = decltype(value(Index{0}));
    T* out = sink.tensor.data<T>() + j * d;
    for (Index c = 0; c < d; ++c) out[c] = sink.accumulate ? out[c] + value(c) : value(c);
  }

  Inputs in_;
  std::shared_ptr<const Adjacency> a_;
  Tensor x_, k_, t_;
  /// sum_j a_ij h_ijc x_jc [num_rows, d]; none if nobody asks for dt.
  Tensor slopes_;
};

}  // namespace

Var sum(Tape& tape, const Block& block, const GatedMessage& message) {
  const Pair& pair = message.gate.pair;
  if (pair.slope != 1 || pair.source.matrix != src(pair.source.of).matrix) {
    throw Error(
        "[gated sum] a gate is sigmoid(src(k) + dst(t)), without a matrix or another function; a matrix is the "
        "message's: sigmoid(...) * src(x) * matrix");
  }
  auto adjacency = block.adjacency(message.message.matrix, tape.context().dtype);
  const GatedColumnsNode::Inputs in{message.message.of.rows, pair.source.of.rows, pair.target.rows};
  const Index d = tape.cols(in.x);
  if (tape.rows(in.x) != adjacency->num_sources || tape.rows(in.k) != adjacency->num_sources || tape.cols(in.k) != d ||
      tape.rows(in.t) != adjacency->num_rows || tape.cols(in.t) != d) {
    throw Error(fmt::format(
        "[gated sum] rows [{}, {}], the gate's source [{}, {}] and target [{}, {}] for a block of {} rows, {} sources: "
        "widths must be equal",
        tape.rows(in.x), d, tape.rows(in.k), tape.cols(in.k), tape.rows(in.t), tape.cols(in.t), adjacency->num_rows,
        adjacency->num_sources));
  }
  const Tensor x = tape.value(in.x);
  Tensor y = tape.allocate(adjacency->num_rows, d);
  auto node = std::make_unique<GatedColumnsNode>(tape, in, adjacency);
  node->forward_rows(x, y, 0, adjacency->num_rows);
  return tape.record_aggregation(std::move(y), std::move(node), {in.x, in.k, in.t});
}

}  // namespace laminar::core
