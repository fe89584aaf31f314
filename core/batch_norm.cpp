/// Two rounds of sums forward (rows and their sum, then squared distances from the mean), one backward. With u the
/// normalised x, r = 1 / sqrt(var + epsilon), q = gain dy and means over all rows,
///
///     dx = r (q - mean(q) - u mean(q u)),  dgain = sum dy u,  dshift = sum dy
///
/// Columns are added up by fixed panels of rows, panels in order; then over devices, in theirs.
#include "laminar/core/batch_norm.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/panel_sums.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

/// sums [1, count * d (+ 1)], float64: element k * d + c grows by the sum over rows i of term(k, i, c).
template <class Term>
void add_columns(const Tape& tape, Index rows, Index d, Index count, Tensor& sums, const Term& term) {
  add_panels(tape.context().pool.get(), rows, d, count * d, sums.data<double>(),
             [=](Index begin, Index end, double* sum) LAMINAR_INLINE_LAMBDA {
               for (Index i = begin; i < end; ++i) {
                 for (Index k = 0; k < count; ++k) {
                   for (Index c = 0; c < d; ++c) sum[k * d + c] += term(k, i, c);
                 }
               }
             });
}

/// Adds what the other devices have.
void complete(const Tape& tape, Tensor& sums) {
  if (tape.context().statistics != nullptr) tape.context().statistics->add_up(sums);
}

class BatchNormNode final : public Node {
 public:
  BatchNormNode(Var x, Var gain, Var shift, Tensor input, Tensor statistics, Tensor gain_value, double rows)
      : x_(x),
        gain_(gain),
        shift_(shift),
        input_(std::move(input)),
        statistics_(std::move(statistics)),
        gain_value_(std::move(gain_value)),
        rows_(rows) {}

  void backward(Tape& tape, const Tensor& dy) override {
    // Once for the sums, and once for what they give.
    const WorkScope scope(
        pass_work(WorkKind::kElementwise, "batch norm, backward", dy, tape.needs_gradient(x_) ? 5 : 2));
    dispatch_kept(dy.dtype(), [&]<class T>(T) { run<T>(tape, dy); });
  }

 private:
  template <class T>
  void run(Tape& tape, const Tensor& dy) {
    using C = Computed<T>;
    const Index n = dy.rows();
    const Index d = dy.cols();
    const T* x = input_.data<T>();
    const T* g = dy.data<T>();
    const auto* mean = statistics_.data<double>();
    const double* r = mean + d;
    Tensor sums = Tensor::zeros(1, 2 * d, DType::kFloat64, tape.context().pool.get(), MemoryPurpose::kWorkspace);
    add_columns(tape, n, d, 2, sums, [=](Index k, Index i, Index c) LAMINAR_INLINE_LAMBDA {
      const auto dyc = static_cast<double>(g[i * d + c]);
      return k == 0 ? dyc : dyc * (static_cast<double>(x[i * d + c]) - mean[c]) * r[c];
    });
    // Parameters get what the own rows say; devices add those gradients up by themselves.
    auto* sum = sums.data<double>();
    C* shift_gradient = tape.sink(shift_).tensor.template data<C>();
    C* gain_gradient = tape.sink(gain_).tensor.template data<C>();
    for (Index c = 0; c < d; ++c) {
      shift_gradient[c] += static_cast<C>(sum[c]);
      gain_gradient[c] += static_cast<C>(sum[d + c]);
    }
    complete(tape, sums);
    if (!tape.needs_gradient(x_)) return;
    GradientSink dx = tape.sink(x_, dy.dtype());
    const C* gain = gain_value_.data<C>();
    T* out = dx.tensor.template data<T>();
    const bool adds = dx.accumulate;
    const double all = rows_;
    parallel_for_vectorised(n, row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
      for (Index i = begin; i < end; ++i) {
        for (Index c = 0; c < d; ++c) {
          const double u = (static_cast<double>(x[i * d + c]) - mean[c]) * r[c];
          const double v = r[c] * static_cast<double>(gain[c]) *
                           (static_cast<double>(g[i * d + c]) - sum[c] / all - u * sum[d + c] / all);
          out[i * d + c] = static_cast<T>((adds ? C(out[i * d + c]) : C(0)) + static_cast<C>(v));
        }
      }
    });
  }

  Var x_, gain_, shift_;
  Tensor input_, statistics_, gain_value_;
  /// Of all devices.
  double rows_;
};

}  // namespace

Var batch_norm(Tape& tape, Var x, Parameter& gain, Parameter& shift, double epsilon) {
  const Tensor input = tape.kept(x);
  const Index n = input.rows();
  const Index d = input.cols();
  if (tape.context().history) {
    throw Error("[batch_norm] under history the rows of all vertices are never there at once; use a LayerNorm");
  }
  for (const Parameter* p : {&gain, &shift}) {
    if (p->value.rows() != 1 || p->value.cols() != d) {
      throw Error(
          fmt::format("[batch_norm] '{}' is [{}, {}], expected [1, {}]", p->name, p->value.rows(), p->value.cols(), d));
    }
  }
  const WorkScope scope(pass_work(WorkKind::kElementwise, "batch norm", input, 3));
  Tensor y = tape.allocate_as(input.dtype(), n, d);
  Tensor statistics = Tensor::zeros(2, d, DType::kFloat64, tape.context().pool.get());
  double rows = 0;
  dispatch_kept(input.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const T* in = input.data<T>();
    auto* mean = statistics.data<double>();
    double* r = mean + d;
    Tensor sums = Tensor::zeros(1, d + 1, DType::kFloat64, tape.context().pool.get(), MemoryPurpose::kWorkspace);
    add_columns(tape, n, d, 1, sums,
                [=](Index, Index i, Index c) LAMINAR_INLINE_LAMBDA { return static_cast<double>(in[i * d + c]); });
    auto* sum = sums.data<double>();
    sum[d] = static_cast<double>(n);
    complete(tape, sums);
    rows = std::max(sum[d], 1.0);
    for (Index c = 0; c < d; ++c) mean[c] = sum[c] / rows;
    Tensor squares = Tensor::zeros(1, d, DType::kFloat64, tape.context().pool.get(), MemoryPurpose::kWorkspace);
    add_columns(tape, n, d, 1, squares, [=](Index, Index i, Index c) LAMINAR_INLINE_LAMBDA {
      const double distance = static_cast<double>(in[i * d + c]) - mean[c];
      return distance * distance;
    });
    complete(tape, squares);
    for (Index c = 0; c < d; ++c) r[c] = 1 / std::sqrt(squares.data<double>()[c] / rows + epsilon);
    const C* a = gain.value.data<C>();
    const C* b = shift.value.data<C>();
    T* out = y.data<T>();
    parallel_for_vectorised(n, row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
      for (Index i = begin; i < end; ++i) {
        for (Index c = 0; c < d; ++c) {
          const double u = (static_cast<double>(in[i * d + c]) - mean[c]) * r[c];
          out[i * d + c] = static_cast<T>(static_cast<double>(a[c]) * u + static_cast<double>(b[c]));
        }
      }
    });
  });
  const Var g = tape.parameter(gain);
  const Var s = tape.parameter(shift);
  return tape.record(std::move(y),
                     std::make_unique<BatchNormNode>(x, g, s, input, std::move(statistics), gain.value, rows),
                     {x, g, s});
}

}  // namespace laminar::core
