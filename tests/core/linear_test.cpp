#include "laminar/core/linear.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

ParameterList weight_and_bias(Index in, Index out, DType dtype = DType::kFloat64) {
  ParameterList p;
  p.push_back(random_parameter("weight", in, out, dtype, 1));
  p.push_back(random_parameter("bias", 1, out, dtype, 2));
  return p;
}

// [ 0 2 -1 ]
// [ 0 0  0 ]
// [ 3 0 .5 ]
// [ 0 1  0 ]
SparseMatrix sparse_rows() { return {4, 3, {0, 2, 2, 4, 5}, {1, 2, 0, 2, 1}, {2, -1, 3, .5F, 1}}; }

}  // namespace

TEST_CASE("a linear map, by hand") {
  ParameterList p = weight_and_bias(2, 2);
  p[0]->value.copy_from(Tensor::from(2, 2, std::vector<double>{1, 2, 3, 4}));
  p[1]->value.copy_from(Tensor::from(1, 2, std::vector<double>{10, 20}));
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(Tensor::from(1, 2, std::vector<double>{5, -1}), true);
  const Var y = linear(tape, x, *p[0], p[1].get());
  CHECK(values_of(tape.value(y)) == std::vector<double>{12, 26});
  CHECK(values_of(tape.value(linear(tape, x, *p[0]))) == std::vector<double>{2, 6});
  tape.add_gradient(y, Tensor::from(1, 2, std::vector<double>{1, .5}));
  tape.backward();
  CHECK(values_of(tape.take_gradient(x)) == std::vector<double>{2, 5});
  CHECK(values_of(p[0]->gradient) == std::vector<double>{5, 2.5, -1, -.5});
  CHECK(values_of(p[1]->gradient) == std::vector<double>{1, .5});
}

TEST_CASE("a map near the identity is a x + b x W") {
  ParameterList p;
  p.push_back(random_parameter("weight", 4, 4, DType::kFloat64, 1));
  const Tensor x = random_tensor(5, 4, DType::kFloat64, 2);
  Tape tape(context(DType::kFloat64));
  const Var in = tape.input(x, true);
  const Tensor y = tape.value(scaled_identity_linear(tape, in, .7, .3, *p[0]));
  const Tensor product = tape.value(linear(tape, in, *p[0]));
  for (Index i = 0; i < y.size(); ++i) {
    CHECK(y.data<double>()[i] == doctest::Approx(.7 * x.data<double>()[i] + .3 * product.data<double>()[i]));
  }
  check_gradients(
      "scaled identity",
      [&](Tape& t, const std::vector<Var>& v) { return scaled_identity_linear(t, v[0], .7, .3, *p[0]); }, {x}, p);
  ParameterList wide;
  wide.push_back(random_parameter("weight", 4, 3, DType::kFloat64, 3));
  CHECK_THROWS_AS(scaled_identity_linear(tape, in, 1, 1, *wide[0]), Error);
}

TEST_CASE("gradients of linear maps") {
  const ParameterList p = weight_and_bias(3, 5);
  const Tensor x = random_tensor(6, 3, DType::kFloat64, 3);
  check_gradients(
      "linear", [&](Tape& t, const std::vector<Var>& in) { return linear(t, in[0], *p[0], p[1].get()); }, {x}, p);
  ParameterList weight;
  weight.push_back(random_parameter("weight", 3, 4, DType::kFloat64, 4));
  check_gradients(
      "linear without bias", [&](Tape& t, const std::vector<Var>& in) { return linear(t, in[0], *weight[0]); }, {x},
      weight);
  check_gradients(
      "sparse linear",
      [&](Tape& t, const std::vector<Var>&) { return linear(t, t.input(sparse_rows()), *p[0], p[1].get()); }, {}, p);
  ParameterList bias;
  bias.push_back(random_parameter("bias", 1, 3, DType::kFloat64, 5));
  check_gradients(
      "add_bias", [&](Tape& t, const std::vector<Var>& in) { return add_bias(t, in[0], *bias[0]); }, {x}, bias);
}

TEST_CASE("a product onto a value is their sum, in its place if nothing else holds it") {
  ParameterList p = weight_and_bias(3, 5);
  p.push_back(random_parameter("other", 3, 5, DType::kFloat64, 3));
  const Tensor x = random_tensor(4, 3, DType::kFloat64, 4);
  const Tensor held = random_tensor(4, 5, DType::kFloat64, 5);
  const std::vector<double> before = values_of(held);
  Tape tape(context(DType::kFloat64));
  const Var in = tape.input(x, true);
  const Var onto = tape.input(held, true);
  const Var y = linear_onto(tape, onto, in, *p[0], p[1].get());
  const Tensor product = tape.value(linear(tape, in, *p[0], p[1].get()));
  for (Index i = 0; i < product.size(); ++i) {
    CHECK(tape.value(y).data<double>()[i] == doctest::Approx(before[i] + product.data<double>()[i]).epsilon(1e-14));
  }
  // It is held by this test too, so it stays; but the tape has given it up.
  CHECK(values_of(held) == before);
  CHECK_THROWS_AS(tape.value(onto), Error);
  const Var free = linear(tape, in, *p[0]);
  const auto* const place = tape.value(free).raw();
  CHECK(tape.value(linear_onto(tape, free, in, *p[2])).raw() == place);

  check_gradients(
      "linear_onto",
      [&](Tape& t, const std::vector<Var>& v) {
        return linear_onto(t, linear(t, v[0], *p[2]), v[0], *p[0], p[1].get());
      },
      {x}, p);
  check_gradients("linear_onto a value that is held, of sparse rows",
                  [&](Tape& t, const std::vector<Var>& v) {
                    return linear_onto(t, v[0], t.input(sparse_rows()), *p[0], p[1].get());
                  },
                  {held}, {});
  const Var narrow = tape.input(random_tensor(4, 2, DType::kFloat64, 1), true);
  const Var low = tape.input(random_tensor(3, 5, DType::kFloat64, 1), true);
  CHECK_THROWS_AS(linear_onto(tape, narrow, in, *p[0]), Error);
  CHECK_THROWS_AS(linear_onto(tape, low, in, *p[0]), Error);
  ParameterList square;
  square.push_back(random_parameter("square", 3, 3, DType::kFloat64, 1));
  CHECK_THROWS_AS(linear_onto(tape, in, in, *square[0]), Error);
}

TEST_CASE("a bias in place is that of another place, where nothing else holds the value") {
  ParameterList p;
  p.push_back(random_parameter("bias", 1, 5, DType::kFloat64, 5));
  const Tensor held = random_tensor(4, 5, DType::kFloat64, 4);
  const Tensor before = held.clone();
  Tape tape(context(DType::kFloat64));
  const Var in = tape.input(held, true);
  const Tensor expected = tape.value(add_bias(tape, in, *p[0])).clone();
  const Var free = add(tape, in, tape.input(Tensor::zeros(4, 5, DType::kFloat64), false));
  const auto* const place = tape.value(free).raw();
  const Var y = add_bias_in_place(tape, free, *p[0]);
  CHECK(same_bits(tape.value(y), expected));
  CHECK(tape.value(y).raw() == place);
  CHECK_THROWS_AS(tape.value(free), Error);
  // It is held by this test too, so it stays.
  CHECK(same_bits(tape.value(add_bias_in_place(tape, in, *p[0])), expected));
  CHECK(same_bits(held, before));
  check_gradients(
      "add_bias in place",
      [&](Tape& t, const std::vector<Var>& v) { return add_bias_in_place(t, add(t, v[0], v[0]), *p[0]); }, {held}, p);
  ParameterList wrong;
  wrong.push_back(random_parameter("wrong", 1, 3, DType::kFloat64, 1));
  CHECK_THROWS_AS(add_bias_in_place(tape, y, *wrong[0]), Error);
  CHECK(same_bits(tape.value(y), expected));
}

TEST_CASE("a weight used twice gathers both gradients") {
  ParameterList p;
  p.push_back(random_parameter("weight", 3, 3, DType::kFloat64, 1));
  p.push_back(random_parameter("bias", 1, 3, DType::kFloat64, 2));
  const Tensor x = random_tensor(4, 3, DType::kFloat64, 3);
  check_gradients(
      "linear twice",
      [&](Tape& t, const std::vector<Var>& in) {
        return add_bias(t, linear(t, linear(t, in[0], *p[0], p[1].get()), *p[0], p[1].get()), *p[1]);
      },
      {x}, p);
}

TEST_CASE("sparse and dense rows give the same") {
  const ParameterList p = weight_and_bias(3, 7, DType::kFloat32);
  const std::vector<double> dense = {0, 2, -1, 0, 0, 0, 3, 0, .5, 0, 1, 0};
  const Pass a = run_pass(
      context(DType::kFloat32),
      [&](Tape& t, const std::vector<Var>&) { return linear(t, t.input(sparse_rows()), *p[0], p[1].get()); }, {}, p);
  const Pass b = run_pass(
      context(DType::kFloat32),
      [&](Tape& t, const std::vector<Var>& in) { return linear(t, in[0], *p[0], p[1].get()); },
      {Tensor::from(4, 3, dense, DType::kFloat32)}, p);
  CHECK(relative_difference(a.output, b.output) <= 1e-6);
  for (std::size_t i = 0; i < p.size(); ++i) {
    CHECK(relative_difference(a.parameter_gradients[i], b.parameter_gradients[i]) <= 1e-6);
  }
}

TEST_CASE("constants get no gradient, parameters do") {
  const ParameterList p = weight_and_bias(3, 2);
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(random_tensor(4, 3, DType::kFloat64, 1), false);
  const Var y = linear(tape, x, *p[0]);
  CHECK_FALSE(tape.needs_gradient(x));
  CHECK(tape.needs_gradient(y));
  tape.add_gradient(y, output_gradient(4, 2, DType::kFloat64));
  tape.backward();
  CHECK_FALSE(static_cast<bool>(tape.take_gradient(x)));
  CHECK(norm(p[0]->gradient) > 0);
}

TEST_CASE("no rows give no gradient") {
  const ParameterList p = weight_and_bias(3, 2);
  const Pass pass = run_pass(
      context(DType::kFloat64),
      [&](Tape& t, const std::vector<Var>& in) { return linear(t, in[0], *p[0], p[1].get()); },
      {Tensor::zeros(0, 3, DType::kFloat64)}, p);
  CHECK(pass.output.rows() == 0);
  CHECK(norm(pass.parameter_gradients[0]) == 0);
}

TEST_CASE("linear refuses shapes that don't fit") {
  const ParameterList p = weight_and_bias(3, 2);
  Tape tape(context(DType::kFloat64));
  const Var narrow = tape.input(random_tensor(4, 2, DType::kFloat64, 1), true);
  const Var fitting = tape.input(random_tensor(4, 3, DType::kFloat64, 1), true);
  CHECK_THROWS_AS(linear(tape, narrow, *p[0]), Error);
  const auto wrong = random_parameter("wrong", 1, 3, DType::kFloat64, 1);
  const auto tall = random_parameter("tall", 2, 2, DType::kFloat64, 1);
  CHECK_THROWS_AS(linear(tape, fitting, *p[0], wrong.get()), Error);
  CHECK_THROWS_AS(linear(tape, fitting, *p[0], tall.get()), Error);
  CHECK_THROWS_AS(add_bias(tape, narrow, *wrong), Error);
  CHECK_THROWS_AS(add_bias(tape, narrow, *tall), Error);
}
