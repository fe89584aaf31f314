#include "laminar/core/linear.hpp"

#include <utility>

#include <fmt/format.h>

#include "laminar/core/dense.hpp"
#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/in_place.hpp"
#include "laminar/core/panel_sums.hpp"
#include "laminar/core/sparse_product.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

/// y = x + bias in every row; y may be x.
void add_bias_to(const Tensor& x, const Tensor& bias, Tensor& y) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, "bias", y, 2));
  dispatch_kept(y.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const T* in = x.data<T>();
    T* out = y.data<T>();
    const C* b = bias.data<C>();
    const Index d = y.cols();
    parallel_for_vectorised(y.rows(), row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
      for (Index r = begin; r < end; ++r) {
        LAMINAR_LANES
        for (Index c = 0; c < d; ++c) out[r * d + c] = static_cast<T>(C(in[r * d + c]) + b[c]);
      }
    });
  });
}

/// bias.gradient += the sum of the rows of dy.
void add_column_sums(Tape& tape, const Tensor& dy, Tensor sums) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, "bias, backward", dy, 1));
  dispatch_kept(dy.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const T* g = dy.data<T>();
    const Index d = dy.cols();
    add_panels(tape.context().pool.get(), dy.rows(), d, d, sums.data<C>(),
               [=](Index begin, Index end, C* sum) LAMINAR_INLINE_LAMBDA {
                 for (Index r = begin; r < end; ++r) {
                   for (Index c = 0; c < d; ++c) sum[c] += C(g[r * d + c]);
                 }
               });
  });
}

/// A gradient in the dtype that the other operand of its products has.
Tensor as(const Tensor& dy, DType dtype, const Tape& tape) {
  return dy.dtype() == dtype ? dy : dy.to(dtype, tape.context().pool.get(), MemoryPurpose::kGradients);
}

class LinearNode final : public Node {
 public:
  LinearNode(Var onto, Var x, Var weight, Var bias, Tensor input, SparseMatrix sparse_input, Tensor weight_value)
      : onto_(onto),
        x_(x),
        weight_(weight),
        bias_(bias),
        input_(std::move(input)),
        sparse_input_(std::move(sparse_input)),
        weight_value_(std::move(weight_value)) {}

  void backward(Tape& tape, const Tensor& gradient) override {
    if (onto_) tape.add_gradient(onto_, gradient);
    Tensor weight_gradient = tape.sink(weight_).tensor;
    const Tensor dy = sparse_input_ ? gradient : as(gradient, input_.dtype(), tape);
    if (sparse_input_) {
      add_outer_product(sparse_input_, dy, weight_gradient, *tape.context().pool);
      if (bias_) add_column_sums(tape, dy, tape.sink(bias_).tensor);
    } else if (bias_) {
      Tensor bias_gradient = tape.sink(bias_).tensor;
      add_outer_product(input_, dy, weight_gradient, bias_gradient, *tape.context().pool);
    } else {
      add_outer_product(input_, dy, weight_gradient, *tape.context().pool);
    }
    if (tape.needs_gradient(x_)) {
      GradientSink dx = tape.sink(x_, tape.kept_dtype(x_));
      multiply_transposed(dy, weight_value_, dx.tensor, dx.accumulate);
    }
  }

 private:
  Var onto_, x_, weight_, bias_;
  Tensor input_;
  SparseMatrix sparse_input_;
  Tensor weight_value_;
};

class ScaledIdentityNode final : public Node {
 public:
  ScaledIdentityNode(Var x, Var weight, Tensor input, Tensor matrix, double b)
      : x_(x), weight_(weight), input_(std::move(input)), matrix_(std::move(matrix)), b_(b) {}

  // dW = b x^T dy, dx = dy (a I + b W)^T.
  void backward(Tape& tape, const Tensor& gradient) override {
    MemoryPool& pool = *tape.context().pool;
    const Tensor dy = as(gradient, input_.dtype(), tape);
    Tensor product = Tensor::zeros(matrix_.rows(), matrix_.cols(), matrix_.dtype(), &pool, MemoryPurpose::kWorkspace);
    add_outer_product(input_, dy, product, pool);
    Tensor weight_gradient = tape.sink(weight_).tensor;
    dispatch(product.dtype(), [&]<class T>(T) {
      const T* p = product.data<T>();
      T* out = weight_gradient.data<T>();
      const T factor = static_cast<T>(b_);
      for_each_element(product.size(), [=](Index i) LAMINAR_INLINE_LAMBDA { out[i] += factor * p[i]; });
    });
    if (!tape.needs_gradient(x_)) return;
    GradientSink dx = tape.sink(x_, tape.kept_dtype(x_));
    multiply_transposed(dy, matrix_, dx.tensor, dx.accumulate);
  }

 private:
  Var x_, weight_;
  Tensor input_, matrix_;
  double b_;
};

class AddBiasNode final : public Node {
 public:
  AddBiasNode(Var x, Var bias) : x_(x), bias_(bias) {}
  void backward(Tape& tape, const Tensor& dy) override {
    add_column_sums(tape, dy, tape.sink(bias_).tensor);
    tape.add_gradient(x_, dy);
  }

 private:
  Var x_, bias_;
};

/// y = in + bias, recorded as x + b; y may be `in`.
Var biased(Tape& tape, Var x, const Tensor& in, Tensor y, Parameter& bias) {
  add_bias_to(in, bias.value, y);
  const Var b = tape.parameter(bias);
  return tape.record(std::move(y), std::make_unique<AddBiasNode>(x, b), {x, b});
}

void check_bias(const Parameter& bias, Index width) {
  if (bias.value.rows() != 1 || bias.value.cols() != width) {
    throw Error(fmt::format("[linear] bias '{}' is [{}, {}], expected [1, {}]", bias.name, bias.value.rows(),
                            bias.value.cols(), width));
  }
}

/// x W + b, onto what is there if `onto` says so.
Var product(Tape& tape, Var onto, Var x, Parameter& weight, Parameter* bias) {
  if (tape.cols(x) != weight.value.rows()) {
    throw Error(fmt::format("[linear] rows of width {} meet weight '{}' [{}, {}]", tape.cols(x), weight.name,
                            weight.value.rows(), weight.value.cols()));
  }
  if (bias != nullptr) check_bias(*bias, weight.value.cols());
  if (const auto deferred = tape.deferred(x)) {
    Var y = deferred->product(tape, weight);
    if (onto) y = add_onto(tape, onto, y);
    return bias != nullptr ? add_bias_in_place(tape, y, *bias) : y;
  }
  // Onto rows that are kept in another way than this product's, it is added afterwards.
  const DType dtype = tape.result_dtype();
  if (onto && tape.kept_dtype(onto) != dtype) return add(tape, onto, product(tape, Var{}, x, weight, bias));
  Tensor y = onto ? as(tape.take(onto), dtype, tape) : tape.allocate_as(dtype, tape.rows(x), weight.value.cols());
  if (onto && !y.is_unique()) y = y.clone(tape.context().pool.get());
  const bool adds = static_cast<bool>(onto);
  const Var w = tape.parameter(weight);
  const Var b = bias != nullptr ? tape.parameter(*bias) : Var{};
  Tensor input;
  SparseMatrix sparse_input;
  if (tape.is_sparse(x)) {
    sparse_input = tape.sparse(x);
    multiply(sparse_input, weight.value, bias != nullptr ? &bias->value : nullptr, y, adds);
  } else {
    input = tape.narrowed(x);
    if (bias != nullptr) {
      multiply_add(input, weight.value, bias->value, y, adds);
    } else {
      multiply(input, weight.value, y, adds);
    }
  }
  auto node = std::make_unique<LinearNode>(onto, x, w, b, std::move(input), std::move(sparse_input), weight.value);
  return onto ? tape.record(std::move(y), std::move(node), {onto, x, w})
              : tape.record(std::move(y), std::move(node), {x, w});
}

}  // namespace

Var linear(Tape& tape, Var x, Parameter& weight, Parameter* bias) { return product(tape, Var{}, x, weight, bias); }

Var linear_onto(Tape& tape, Var onto, Var x, Parameter& weight, Parameter* bias) {
  if (tape.rows(onto) != tape.rows(x) || tape.cols(onto) != weight.value.cols() || onto.id == x.id) {
    throw Error(fmt::format("[linear_onto] the product of rows [{}, {}] with weight '{}' [{}, {}] onto rows [{}, {}]{}",
                            tape.rows(x), tape.cols(x), weight.name, weight.value.rows(), weight.value.cols(),
                            tape.rows(onto), tape.cols(onto), onto.id == x.id ? ", which are the same" : ""));
  }
  return product(tape, onto, x, weight, bias);
}

Var scaled_identity_linear(Tape& tape, Var x, double a, double b, Parameter& weight) {
  const Tensor& w = weight.value;
  if (tape.cols(x) != w.rows() || w.rows() != w.cols()) {
    throw Error(
        fmt::format("[scaled_identity_linear] rows of width {} meet weight '{}' [{}, {}], expected a square one",
                    tape.cols(x), weight.name, w.rows(), w.cols()));
  }
  const Tensor input = tape.narrowed(x);
  Tensor matrix = tape.allocate(w.rows(), w.cols(), MemoryPurpose::kWorkspace);
  dispatch(w.dtype(), [&]<class T>(T) {
    const T* p = w.data<T>();
    T* out = matrix.data<T>();
    for (Index r = 0; r < w.rows(); ++r) {
      for (Index c = 0; c < w.cols(); ++c) {
        out[r * w.cols() + c] = static_cast<T>((r == c ? a : 0) + b * static_cast<double>(p[r * w.cols() + c]));
      }
    }
  });
  Tensor y = tape.allocate_as(tape.result_dtype(), input.rows(), w.cols());
  multiply(input, matrix, y);
  const Var v = tape.parameter(weight);
  return tape.record(std::move(y), std::make_unique<ScaledIdentityNode>(x, v, input, std::move(matrix), b), {x, v});
}

Var add_bias(Tape& tape, Var x, Parameter& bias) {
  check_bias(bias, tape.cols(x));
  const Tensor in = tape.kept(x);
  return biased(tape, x, in, tape.allocate_as(in.dtype(), in.rows(), in.cols()), bias);
}

Var add_bias_in_place(Tape& tape, Var x, Parameter& bias) {
  check_bias(bias, tape.cols(x));
  const Tensor in = tape.take(x);
  return biased(tape, x, in, room_in_place(tape, in), bias);
}

}  // namespace laminar::core
