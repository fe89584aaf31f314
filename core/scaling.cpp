#include "laminar/core/scaling.hpp"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/panel_sums.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

class ScaleColumnsNode final : public Node {
 public:
  ScaleColumnsNode(Var x, Var s, Tensor input, Tensor factors, double offset)
      : x_(x), s_(s), input_(std::move(input)), factors_(std::move(factors)), offset_(offset) {}

  void backward(Tape& tape, const Tensor& dy) override {
    const WorkScope scope(
        pass_work(WorkKind::kElementwise, "scaled columns, backward", dy, tape.needs_gradient(x_) ? 3 : 2));
    dispatch(dy.dtype(), [&]<class T>(T) { run<T>(tape, dy); });
  }

 private:
  // dx = (offset + s) dy; ds = sum over rows (and columns, if there is one factor) of x dy.
  template <class T>
  void run(Tape& tape, const Tensor& dy) {
    const Index n = dy.rows();
    const Index d = dy.cols();
    const bool one = factors_.cols() == 1;
    GradientSink dx = tape.needs_gradient(x_) ? tape.sink(x_) : GradientSink{};
    const T* x = input_.data<T>();
    const T* s = factors_.data<T>();
    const T* g = dy.data<T>();
    T* out = dx.tensor ? dx.tensor.data<T>() : nullptr;
    const bool adds = dx.accumulate;
    const T offset = static_cast<T>(offset_);
    T* ds = tape.sink(s_).tensor.data<T>();
    sum_panels<T>(
        tape.context().pool.get(), n, d, d,
        [=](Index begin, Index end, T* sum) LAMINAR_INLINE_LAMBDA {
          for (Index i = begin; i < end; ++i) {
            for (Index c = 0; c < d; ++c) sum[c] += x[i * d + c] * g[i * d + c];
            if (out == nullptr) continue;
            for (Index c = 0; c < d; ++c) {
              const T v = (offset + s[one ? 0 : c]) * g[i * d + c];
              out[i * d + c] = adds ? out[i * d + c] + v : v;
            }
          }
        },
        [=](const T* sum) {
          for (Index c = 0; c < d; ++c) ds[one ? 0 : c] += sum[c];
        });
  }

  Var x_, s_;
  Tensor input_, factors_;
  double offset_;
};

/// out (+)= f_i in_i, row by row.
template <class T>
void multiply_rows(const Tensor& in, const Tensor& factors, Tensor& out, bool accumulate) {
  const Index d = in.cols();
  const T* x = in.data<T>();
  const T* f = factors.data<T>();
  T* y = out.data<T>();
  parallel_for_vectorised(in.rows(), row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
    for (Index i = begin; i < end; ++i) {
      for (Index c = 0; c < d; ++c) {
        const T v = f[i] * x[i * d + c];
        y[i * d + c] = accumulate ? y[i * d + c] + v : v;
      }
    }
  });
}

class ScaleRowsNode final : public Node {
 public:
  ScaleRowsNode(Var x, Tensor factors) : x_(x), factors_(std::move(factors)) {}
  void backward(Tape& tape, const Tensor& dy) override {
    const WorkScope scope(pass_work(WorkKind::kElementwise, "scaled rows, backward", dy, 2));
    GradientSink sink = tape.sink(x_);
    dispatch(dy.dtype(), [&]<class T>(T) { multiply_rows<T>(dy, factors_, sink.tensor, sink.accumulate); });
  }

 private:
  Var x_;
  Tensor factors_;
};

}  // namespace

Var scale_columns(Tape& tape, Var x, Parameter& s, double offset) {
  const Tensor in = tape.value(x);
  const Index d = in.cols();
  const bool one = s.value.cols() == 1;
  if (s.value.rows() != 1 || (!one && s.value.cols() != d)) {
    throw Error(fmt::format("[scale_columns] '{}' is [{}, {}], expected [1, {}] or [1, 1]", s.name, s.value.rows(),
                            s.value.cols(), d));
  }
  const WorkScope scope(pass_work(WorkKind::kElementwise, "scaled columns", in, 2));
  Tensor y = tape.allocate(in.rows(), d);
  dispatch(in.dtype(), [&]<class T>(T) {
    const T* p = in.data<T>();
    const T* f = s.value.data<T>();
    T* out = y.data<T>();
    const T o = static_cast<T>(offset);
    parallel_for_vectorised(in.rows(), row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
      for (Index i = begin; i < end; ++i) {
        for (Index c = 0; c < d; ++c) out[i * d + c] = (o + f[one ? 0 : c]) * p[i * d + c];
      }
    });
  });
  const Var v = tape.parameter(s);
  return tape.record(std::move(y), std::make_unique<ScaleColumnsNode>(x, v, in, s.value, offset), {x, v});
}

Var scale_rows(Tape& tape, Var x, Tensor factors) {
  const Tensor in = tape.value(x);
  if (factors.rows() != in.rows() || factors.cols() != 1 || factors.dtype() != in.dtype()) {
    throw Error(fmt::format("[scale_rows] factors {} [{}, {}] for rows {} [{}, {}], expected one a row",
                            name_of(factors.dtype()), factors.rows(), factors.cols(), name_of(in.dtype()), in.rows(),
                            in.cols()));
  }
  const WorkScope scope(pass_work(WorkKind::kElementwise, "scaled rows", in, 2));
  Tensor y = tape.allocate(in.rows(), in.cols());
  dispatch(in.dtype(), [&]<class T>(T) { multiply_rows<T>(in, factors, y, false); });
  return tape.record(std::move(y), std::make_unique<ScaleRowsNode>(x, std::move(factors)), {x});
}

}  // namespace laminar::core
