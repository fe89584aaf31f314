#include "laminar/layers/gradient_check.hpp"

#include <algorithm>
#include <cmath>

#include "laminar/core/parallel.hpp"
#include "laminar/layers/check_data.hpp"

namespace laminar::layers::checks {

using namespace core;

namespace {

std::vector<Var> record_inputs(Tape& tape, const std::vector<Tensor>& inputs) {
  std::vector<Var> vars;
  for (const Tensor& x : inputs) vars.push_back(tape.input(x, true));
  return vars;
}

/// sum(y * R), without a recording.
double objective(const TapeContext& base, const Builder& build, const std::vector<Tensor>& inputs) {
  TapeContext silent = base;
  silent.record = false;
  Tape tape(silent);
  const Tensor y = tape.value(build(tape, record_inputs(tape, inputs)));
  const Tensor r = output_gradient(y.rows(), y.cols(), y.dtype());
  const double* p = y.data<double>();
  const double* q = r.data<double>();
  double sum = 0;
  for (Index i = 0; i < y.size(); ++i) sum += p[i] * q[i];
  return sum;
}

/// Central differences by every element of `x`, which is changed in place and restored.
template <class F>
Tensor differences(Tensor x, double step, F&& f) {
  Tensor d = Tensor::zeros(x.rows(), x.cols(), DType::kFloat64);
  double* values = x.data<double>();
  for (Index i = 0; i < x.size(); ++i) {
    const double old = values[i];
    const double h = step * std::max(1.0, std::abs(old));
    values[i] = old + h;
    const double after = values[i];
    const double above = f();
    values[i] = old - h;
    const double before = values[i];
    const double below = f();
    values[i] = old;
    d.data<double>()[i] = (above - below) / (after - before);
  }
  return d;
}

double error_of(const Tensor& gradient, const Tensor& expected, double floor) {
  const Tensor g = gradient ? gradient : Tensor::zeros(expected.rows(), expected.cols(), DType::kFloat64);
  const std::vector<double> a = values_of(g);
  const std::vector<double> b = values_of(expected);
  double squares = 0;
  for (std::size_t i = 0; i < b.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares) / std::max({norm(g), norm(expected), floor});
}

}  // namespace

Tensor output_gradient(Index rows, Index cols, DType dtype) { return random_tensor(rows, cols, dtype, 4711); }

Pass run_pass(const TapeContext& context, const Builder& build, const std::vector<Tensor>& inputs,
              const ParameterList& parameters) {
  zero_gradients(parameters);
  Tape tape(context);
  const std::vector<Var> vars = record_inputs(tape, inputs);
  const Var y = build(tape, vars);
  Pass pass;
  pass.output = tape.value(y).clone();
  const std::vector<Var> outputs = {y};
  tape.finish_forward(outputs);
  tape.add_gradient(y, output_gradient(pass.output.rows(), pass.output.cols(), pass.output.dtype()));
  tape.backward();
  for (const Var v : vars) {
    const Tensor g = tape.take_gradient(v);
    pass.input_gradients.push_back(g ? g.clone() : Tensor());
  }
  for (const auto& p : parameters) pass.parameter_gradients.push_back(p->gradient.clone());
  return pass;
}

GradientError gradient_error(const Builder& build, const std::vector<Tensor>& inputs, const ParameterList& parameters,
                             const GradientCheckOptions& options) {
  GradientError error;
  const auto note = [&](double e, const std::string& where) {
    // A NaN counts as the worst there is.
    if (!(e <= error.worst)) error = {e, where};
  };
  Arena arena(options.threads);
  arena.execute([&] {
    const TapeContext base = context(DType::kFloat64, options.training, options.exchange);
    std::vector<Tensor> points;
    for (const Tensor& x : inputs) points.push_back(x.clone());
    const Pass pass = run_pass(base, build, points, parameters);
    const auto f = [&] { return objective(base, build, points); };
    for (std::size_t i = 0; i < points.size(); ++i) {
      note(error_of(pass.input_gradients[i], differences(points[i], options.step, f), options.floor),
           "input " + std::to_string(i));
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      note(error_of(pass.parameter_gradients[i], differences(parameters[i]->value, options.step, f), options.floor),
           parameters[i]->name);
    }
  });
  return error;
}

}  // namespace laminar::layers::checks
