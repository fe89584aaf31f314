#include "laminar/core/layer_norm.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/dot.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/panel_sums.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

class LayerNormNode final : public Node {
 public:
  LayerNormNode(Var x, Var gain, Var shift, Tensor input, Tensor statistics, Tensor gain_value)
      : x_(x),
        gain_(gain),
        shift_(shift),
        input_(std::move(input)),
        statistics_(std::move(statistics)),
        gain_value_(std::move(gain_value)) {}

  void backward(Tape& tape, const Tensor& dy) override {
    const WorkScope scope(
        pass_work(WorkKind::kElementwise, "layer norm, backward", dy, tape.needs_gradient(x_) ? 3 : 2));
    dispatch_kept(dy.dtype(), [&]<class T>(T) { run<T>(tape, dy); });
  }

 private:
  // With u = (x - mean) r and q = gain dy: dx = r (q - mean(q) - u mean(q u)), dgain = sum dy u, dshift = sum dy.
  template <class T>
  void run(Tape& tape, const Tensor& dy) {
    using C = Computed<T>;
    const Index n = dy.rows();
    const Index d = dy.cols();
    GradientSink dx = tape.needs_gradient(x_) ? tape.sink(x_, dy.dtype()) : GradientSink{};
    const T* x = input_.data<T>();
    const C* stats = statistics_.data<C>();
    const C* gain = gain_value_.data<C>();
    const T* g = dy.data<T>();
    T* out = dx.tensor ? dx.tensor.data<T>() : nullptr;
    const bool adds = dx.accumulate;
    C* gain_gradient = tape.sink(gain_).tensor.data<C>();
    C* shift_gradient = tape.sink(shift_).tensor.data<C>();
    sum_panels<C>(
        tape.context().pool.get(), n, d, 2 * d,
        [=](Index begin, Index end, C* dgain) LAMINAR_INLINE_LAMBDA {
          C* dshift = dgain + d;
          for (Index i = begin; i < end; ++i) {
            const C mean = stats[2 * i];
            const C r = stats[2 * i + 1];
            const T* xi = x + i * d;
            const T* gi = g + i * d;
            for (Index c = 0; c < d; ++c) {
              dgain[c] += C(gi[c]) * ((C(xi[c]) - mean) * r);
              dshift[c] += C(gi[c]);
            }
            if (out == nullptr) continue;
            const auto q_sum = lane_sum<double>(
                d, [=](Index c) LAMINAR_INLINE_LAMBDA { return static_cast<double>(gain[c] * C(gi[c])); });
            const auto qu_sum = lane_sum<double>(d, [=](Index c) LAMINAR_INLINE_LAMBDA {
              return static_cast<double>(gain[c] * C(gi[c]) * ((C(xi[c]) - mean) * r));
            });
            const C q_mean = static_cast<C>(q_sum / static_cast<double>(d));
            const C qu_mean = static_cast<C>(qu_sum / static_cast<double>(d));
            T* row = out + i * d;
            for (Index c = 0; c < d; ++c) {
              const C v = r * (gain[c] * C(gi[c]) - q_mean - (C(xi[c]) - mean) * r * qu_mean);
              row[c] = static_cast<T>(adds ? C(row[c]) + v : v);
            }
          }
        },
        [=](const C* sum) {
          for (Index c = 0; c < d; ++c) {
            gain_gradient[c] += sum[c];
            shift_gradient[c] += sum[d + c];
          }
        });
  }

  Var x_, gain_, shift_;
  Tensor input_, statistics_, gain_value_;
};

}  // namespace

Var layer_norm(Tape& tape, Var x, Parameter& gain, Parameter& shift, double epsilon) {
  const Tensor input = tape.kept(x);
  const Index n = input.rows();
  const Index d = input.cols();
  for (const Parameter* p : {&gain, &shift}) {
    if (p->value.rows() != 1 || p->value.cols() != d) {
      throw Error(
          fmt::format("[layer_norm] '{}' is [{}, {}], expected [1, {}]", p->name, p->value.rows(), p->value.cols(), d));
    }
  }
  const WorkScope scope(pass_work(WorkKind::kElementwise, "layer norm", input, 2));
  Tensor y = tape.allocate_as(input.dtype(), n, d);
  Tensor statistics = tape.allocate(n, 2);
  dispatch_kept(input.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const T* in = input.data<T>();
    const C* a = gain.value.data<C>();
    const C* b = shift.value.data<C>();
    T* out = y.data<T>();
    C* stats = statistics.data<C>();
    parallel_for_vectorised(n, row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
      for (Index i = begin; i < end; ++i) {
        const T* xi = in + i * d;
        const double sum =
            lane_sum<double>(d, [=](Index c) LAMINAR_INLINE_LAMBDA { return static_cast<double>(C(xi[c])); });
        const double mean = sum / static_cast<double>(d);
        const double squares = lane_sum<double>(d, [=](Index c) LAMINAR_INLINE_LAMBDA {
          const double distance = static_cast<double>(C(xi[c])) - mean;
          return distance * distance;
        });
        const C m = static_cast<C>(mean);
        const C r = static_cast<C>(1 / std::sqrt(squares / static_cast<double>(d) + epsilon));
        for (Index c = 0; c < d; ++c) out[i * d + c] = static_cast<T>(a[c] * ((C(xi[c]) - m) * r) + b[c]);
        stats[2 * i] = m;
        stats[2 * i + 1] = r;
      }
    });
  });
  const Var g = tape.parameter(gain);
  const Var s = tape.parameter(shift);
  return tape.record(std::move(y), std::make_unique<LayerNormNode>(x, g, s, input, std::move(statistics), gain.value),
                     {x, g, s});
}

}  // namespace laminar::core
