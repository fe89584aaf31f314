/// y_i = sum_j a_ij tanh(s_j + t_i) x_j. The forward writes a row's coefficients down and gathers with them; only the
/// scores are kept. With g_ij = <dy_i, x_j> and c_ij = tanh(s_j + t_i), of which both passes over edges compute what
/// they need anew,
///
///     dx_j = sum_i a_ij c_ij dy_i,   ds_j = sum_i a_ij (1 - c_ij^2) g_ij   over out-edges,
///     dt_i = sum_j a_ij (1 - c_ij^2) g_ij                                  over in-edges
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::core {
namespace {

class GatedSumNode final : public AggregationNode {
 public:
  struct Inputs {
    Var x, s, t;
  };
  GatedSumNode(const Tape& tape, Inputs in, std::shared_ptr<const Adjacency> a)
      : in_(in), a_(std::move(a)), x_(tape.value(in.x)), s_(tape.value(in.s)), t_(tape.value(in.t)) {}

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(in_edge_work(WorkKind::kAttention, "gated sum", *a_, begin, end, y, y.cols()));
    dispatch(y.dtype(), [&]<class T>(T) {
      const Index d = y.cols();
      const T* s = s_.data<T>();
      const T* t = t_.data<T>();
      parallel_for_rows(a_->offsets, begin, end, [&](Index b, Index e) {
        std::vector<T> weights;
        for (Index i = b; i < e; ++i) {
          const RowIndices in = row_indices(a_->offsets, a_->sources, i);
          weights.resize(static_cast<std::size_t>(in.count));
          for (Index k = 0; k < in.count; ++k) {
            weights[k] = value<T>(a_->values, a_->offsets[i] + k) * std::tanh(s[in[k]] + t[i]);
          }
          gather_row(y.data<T>() + i * d, sources.data<T>(), d, d, in, weights.data(), false);
        }
      });
    });
  }

  void backward(Tape& tape, const Tensor& dy) override {
    if (tape.needs_gradient(in_.t)) {
      GradientSink dt = tape.sink(in_.t);
      dispatch(dy.dtype(), [&]<class T>(T) { target_gradient<T>(dy, dt); });
    }
    SourceGradients out;
    if (tape.needs_gradient(in_.x)) out.rows = tape.sink(in_.x);
    if (tape.needs_gradient(in_.s)) out.scores = tape.sink(in_.s);
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    const WorkScope scope(
        out_edge_work(WorkKind::kAttention, "gated sum, backward", *a_, begin, end, dy, dy.cols(), 4));
    dispatch(dy.dtype(), [&]<class T>(T) { backward_any<T>(dy, begin, end, out); });
  }

 private:
  template <class T>
  static T value(const Tensor& values, EdgeId e) {
    return values ? values.data<T>()[e] : T(1);
  }

  template <class T>
  void target_gradient(const Tensor& dy, GradientSink& sink) const {
    const WorkScope scope(
        in_edge_work(WorkKind::kAttention, "gated sum, targets", *a_, 0, a_->num_rows, sink.tensor, dy.cols()));
    const Index d = dy.cols();
    const T* s = s_.data<T>();
    const T* t = t_.data<T>();
    T* dt = sink.tensor.data<T>();
    parallel_for_rows(a_->offsets, 0, a_->num_rows, [&](Index b, Index e) {
      std::vector<T> dots;
      for (Index i = b; i < e; ++i) {
        const RowIndices in = row_indices(a_->offsets, a_->sources, i);
        dots.resize(static_cast<std::size_t>(in.count));
        gather_dots(dots.data(), dy.data<T>() + i * d, x_.data<T>(), d, d, in);
        T sum = 0;
        for (Index k = 0; k < in.count; ++k) {
          const T c = std::tanh(s[in[k]] + t[i]);
          sum += value<T>(a_->values, a_->offsets[i] + k) * (1 - c * c) * dots[k];
        }
        dt[i] = sink.accumulate ? dt[i] + sum : sum;
      }
    });
  }

  template <class T>
  void backward_any(const Tensor& dy, Index begin, Index end, SourceGradients& sinks) const {
    const Index d = dy.cols();
    const T* s = s_.data<T>();
    const T* t = t_.data<T>();
    T* dx = sinks.rows.tensor ? sinks.rows.tensor.data<T>() : nullptr;
    T* ds = sinks.scores.tensor ? sinks.scores.tensor.data<T>() : nullptr;
    const auto& transposed = a_->transposed;
    parallel_for_rows(transposed.offsets, begin, end, [&](Index b, Index e) {
      std::vector<T> dots;
      std::vector<T> weights;
      for (Index j = b; j < e; ++j) {
        const RowIndices targets = row_indices(transposed.offsets, transposed.rows, j);
        dots.resize(static_cast<std::size_t>(targets.count));
        weights.resize(static_cast<std::size_t>(targets.count));
        gather_dots(dots.data(), x_.data<T>() + j * d, dy.data<T>(), d, d, targets);
        T sum = 0;
        for (Index k = 0; k < targets.count; ++k) {
          const T a = value<T>(a_->transposed_values, transposed.offsets[j] + k);
          const T c = std::tanh(s[j] + t[targets[k]]);
          weights[k] = a * c;
          sum += a * (1 - c * c) * dots[k];
        }
        if (dx != nullptr) {
          gather_row(dx + j * d, dy.data<T>(), d, d, targets, weights.data(), sinks.rows.accumulate);
        }
        if (ds != nullptr) ds[j] = sinks.scores.accumulate ? ds[j] + sum : sum;
      }
    });
  }

  Inputs in_;
  std::shared_ptr<const Adjacency> a_;
  Tensor x_, s_, t_;
};

}  // namespace

Var gated_sum(Tape& tape, const Block& block, const Message& message, Var source_scores, Var target_scores) {
  auto adjacency = block.adjacency(message.matrix, tape.context().dtype);
  const Tensor x = tape.value(message.of.rows);
  const auto fits = [&](Var scores, Index rows) { return tape.rows(scores) == rows && tape.cols(scores) == 1; };
  if (x.rows() != adjacency->num_sources || !fits(source_scores, adjacency->num_sources) ||
      !fits(target_scores, adjacency->num_rows)) {
    throw Error(fmt::format(
        "[gated_sum] source rows [{}, {}], source scores [{}, {}], target scores [{}, {}] for a block of {} rows, {} "
        "sources",
        x.rows(), x.cols(), tape.rows(source_scores), tape.cols(source_scores), tape.rows(target_scores),
        tape.cols(target_scores), adjacency->num_rows, adjacency->num_sources));
  }
  Tensor y = tape.allocate(adjacency->num_rows, x.cols());
  auto node = std::make_unique<GatedSumNode>(tape, GatedSumNode::Inputs{message.of.rows, source_scores, target_scores},
                                             adjacency);
  node->forward_rows(x, y, 0, adjacency->num_rows);
  return tape.record_aggregation(std::move(y), std::move(node), {message.of.rows, source_scores, target_scores});
}

}  // namespace laminar::core
