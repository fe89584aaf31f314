#include "laminar/core/elementwise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu,
                                       Activation::kElu,  Activation::kTanh, Activation::kGelu};

double formula(Activation f, double x) {
  switch (f) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kLeakyRelu:
      return x > 0 ? x : .01 * x;
    case Activation::kElu:
      return x > 0 ? x : std::exp(x) - 1;
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kGelu:
      return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2));
  }
  return 0;
}

}  // namespace

TEST_CASE("activations follow their formulas") {
  const std::vector<double> points = {-30, -3, -1, -.25, 0, .25, 1, 3, 30};
  for (const Activation f : kActivations) {
    CAPTURE(std::string(core::name_of(f)));
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      Tape tape(context(dtype));
      const Var x = tape.input(Tensor::from(3, 3, points, dtype), true);
      const std::vector<double> y = values_of(tape.value(activate(tape, x, f)));
      for (std::size_t i = 0; i < points.size(); ++i) {
        const double tolerance = dtype == DType::kFloat32 ? 2e-6 : 2e-15;
        CHECK(std::abs(y[i] - formula(f, points[i])) <= tolerance * std::max(1.0, std::abs(points[i])));
      }
    }
  }
}

TEST_CASE("a sum in the place of a value") {
  const Tensor x = Tensor::from(2, 2, std::vector<double>{1, 2, 3, 4});
  const Tensor held = Tensor::from(2, 2, std::vector<double>{10, 20, 30, 40});
  Tape tape(context(DType::kFloat64));
  const Var small = tape.input(x, true);
  const Var large = tape.input(held, true);
  const Var twice = scale(tape, 2, large);
  const auto* const place = tape.value(twice).raw();
  const Var y = add_onto(tape, twice, small);
  CHECK(values_of(tape.value(y)) == std::vector<double>{21, 42, 63, 84});
  CHECK(tape.value(y).raw() == place);
  CHECK_THROWS_AS(tape.value(twice), Error);
  // What the test holds as well stays as it is.
  CHECK(values_of(tape.value(add_onto(tape, large, small))) == std::vector<double>{11, 22, 33, 44});
  CHECK(values_of(held) == std::vector<double>{10, 20, 30, 40});
  CHECK(values_of(tape.value(add_onto(tape, small, small))) == std::vector<double>{2, 4, 6, 8});
  CHECK_THROWS_AS(add_onto(tape, y, tape.input(Tensor::zeros(2, 3, DType::kFloat64), true)), Error);
  check_gradients(
      "add_onto",
      [](Tape& t, const std::vector<Var>& v) { return add_onto(t, activate(t, v[0], Activation::kTanh), v[1]); },
      {random_tensor(3, 4, DType::kFloat64, 1), random_tensor(3, 4, DType::kFloat64, 2)});
}

TEST_CASE("a combination in the place of a value") {
  const Tensor x = Tensor::from(1, 3, std::vector<double>{1, 2, 3});
  Tape tape(context(DType::kFloat64));
  const Var left = scale(tape, 2, tape.input(x, true));
  const auto* const place = tape.value(left).raw();
  const Var y = combine_onto(tape, .5, left, 3, tape.input(x, true));
  CHECK(values_of(tape.value(y)) == std::vector<double>{4, 8, 12});
  CHECK(tape.value(y).raw() == place);
  CHECK_THROWS_AS(tape.value(left), Error);
  check_gradients("combine_onto",
                  [](Tape& t, const std::vector<Var>& v) {
                    return combine_onto(t, .3, activate(t, v[0], Activation::kTanh), -2,
                                        activate(t, v[1], Activation::kElu));
                  },
                  {random_tensor(3, 4, DType::kFloat64, 1), random_tensor(3, 4, DType::kFloat64, 2)});
  check_gradients("combine_onto with itself",
                  [](Tape& t, const std::vector<Var>& v) {
                    const Var z = activate(t, v[0], Activation::kTanh);
                    return combine_onto(t, .3, z, -2, z);
                  },
                  {random_tensor(3, 4, DType::kFloat64, 1)});
}

TEST_CASE("an activation in the place of a value") {
  for (const Activation f : {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu, Activation::kElu,
                             Activation::kTanh, Activation::kGelu}) {
    CAPTURE(name_of(f));
    const Tensor x = random_tensor(3, 4, DType::kFloat64, 1);
    Tape tape(context(DType::kFloat64));
    const Var in = tape.input(x, true);
    const Var twice = scale(tape, 2, in);
    const auto* const place = tape.value(twice).raw();
    const Tensor expected = tape.value(activate(tape, scale(tape, 2, in), f));
    const Var y = activate_in_place(tape, twice, f);
    CHECK(same_bits(tape.value(y), expected));
    // gelu's backward reads what went in.
    CHECK((tape.value(y).raw() == place) == (f != Activation::kGelu));
    // What the test holds as well stays as it is.
    const Tensor held = x.clone();
    CHECK(values_of(tape.value(activate_in_place(tape, tape.input(held, true), f))) ==
          values_of(tape.value(activate(tape, in, f))));
    CHECK(same_bits(held, x));
    check_gradients("activate_in_place",
                    [&](Tape& t, const std::vector<Var>& v) { return activate_in_place(t, scale(t, 2, v[0]), f); },
                    {x});
    // Nor does it take the place of what another operation's backward reads.
    check_gradients("activate_in_place after one that keeps its result",
                    [&](Tape& t, const std::vector<Var>& v) {
                      return activate_in_place(t, activate(t, v[0], Activation::kTanh), f);
                    },
                    {x});
  }
}

TEST_CASE("gelu, by hand") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(Tensor::from(1, 2, std::vector<double>{1, -2}), true);
  const Tensor y = tape.value(activate(tape, x, Activation::kGelu));
  CHECK(y.at(0, 0) == doctest::Approx(0.8413447460685429).epsilon(1e-14));
  CHECK(y.at(0, 1) == doctest::Approx(-0.04550026389635842).epsilon(1e-14));
}

TEST_CASE("gradients of activations") {
  // Away from the kinks at 0.
  Tensor x = random_tensor(7, 5, DType::kFloat64, 1);
  for (Index i = 0; i < x.size(); ++i) {
    double& v = x.data<double>()[i];
    v += v > 0 ? 0.01 : -0.01;
  }
  for (const Activation f : kActivations) {
    check_gradients(std::string(core::name_of(f)),
                    [&](Tape& t, const std::vector<Var>& in) { return activate(t, in[0], f); }, {x});
    check_gradients(
        std::string(core::name_of(f)) + " twice",
        [&](Tape& t, const std::vector<Var>& in) { return add(t, activate(t, in[0], f), activate(t, in[0], f)); }, {x});
  }
}

TEST_CASE("the sides that activations keep, at the edges of numbers, at every size") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  // Nothing denormal, which is 0 on a training's threads.
  const std::vector<double> edges = {0, -0.0, 1e-30, -1e-30, kInfinity, -kInfinity, std::nan(""), 2, -2, 3e38, -3e38};
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kBfloat16}) {
    for (const Index size : {1, 31, 32, 33, 64, 111, 40000}) {
      Tensor x(1, size, DType::kFloat64);
      for (Index i = 0; i < size; ++i) x.set(0, i, edges[static_cast<std::size_t>(i * 7 % 11)]);
      x = x.to(dtype);
      const Tensor dy = random_tensor(1, size, DType::kFloat32, 3).to(dtype);
      for (const Activation f : {Activation::kRelu, Activation::kLeakyRelu}) {
        TapeContext c = context(dtype == DType::kFloat64 ? dtype : DType::kFloat32);
        c.bfloat16 = dtype == DType::kBfloat16;
        Tape tape(c);
        const Var in = tape.input(x, true);
        const Var out = activate(tape, in, f);
        const Tensor y = tape.kept(out).clone();
        tape.add_gradient(out, dy.clone());
        tape.backward();
        const Tensor dx = tape.take_gradient(in);
        REQUIRE(y.dtype() == dtype);
        REQUIRE(dx.dtype() == dtype);
        const auto rounded = [&](double v) { return Tensor::from(1, 1, std::vector<double>{v}).to(dtype).at(0, 0); };
        const double slope = f == Activation::kRelu ? 0 : .01;
        Index wrong = 0;
        for (Index i = 0; i < size; ++i) {
          const double v = x.at(0, i);
          const double lower = f == Activation::kRelu && !std::isnan(v) ? 0 : rounded(slope * v);
          const double expected = v > 0 ? v : lower;
          const double is = y.at(0, i);
          const bool same = std::isnan(v) ? std::isnan(is) : is == expected || is == doctest::Approx(expected);
          const double gradient = rounded((v > 0 ? 1 : slope) * dy.at(0, i));
          if (!same || dx.at(0, i) != doctest::Approx(gradient).epsilon(1e-2)) ++wrong;
        }
        CAPTURE(size);
        CAPTURE(std::string(core::name_of(f)));
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("gradients of several activations of one value add up") {
  for (const DType dtype : {DType::kFloat32, DType::kBfloat16}) {
    const Tensor x = random_tensor(3, 37, DType::kFloat32, 1).to(dtype);
    for (const Activation f : {Activation::kRelu, Activation::kLeakyRelu}) {
      TapeContext c = context(DType::kFloat32);
      c.bfloat16 = dtype == DType::kBfloat16;
      Tape tape(c);
      const Var in = tape.input(x, true);
      const Var first = activate(tape, in, f);
      const Var second = activate(tape, in, f);
      Tensor ones(3, 37, dtype);
      ones.fill(1);
      tape.add_gradient(first, ones.clone());
      tape.add_gradient(second, ones.clone());
      tape.backward();
      const Tensor dx = tape.take_gradient(in);
      const double slope = f == Activation::kRelu ? 0 : .01;
      double largest = 0;
      for (Index i = 0; i < x.size(); ++i) {
        const double expected = 2 * (x.at(i / 37, i % 37) > 0 ? 1 : slope);
        largest = std::max(largest, std::abs(dx.at(i / 37, i % 37) - expected));
      }
      CHECK(largest < 2e-4);
    }
  }
}

TEST_CASE("a relu that passes nothing gives 0, whatever comes back") {
  for (const DType dtype : {DType::kFloat32, DType::kBfloat16}) {
    TapeContext c = context(DType::kFloat32);
    c.bfloat16 = dtype == DType::kBfloat16;
    Tape tape(c);
    Tensor x(1, 70, dtype);
    x.fill(-1);
    Tensor dy(1, 70, dtype);
    dy.fill(std::numeric_limits<double>::infinity());
    const Var in = tape.input(x, true);
    tape.add_gradient(activate(tape, in, Activation::kRelu), dy);
    tape.backward();
    for (const double v : values_of(tape.take_gradient(in))) CHECK(v == 0);
  }
}

TEST_CASE("gradients of linear combinations") {
  const Tensor x = random_tensor(4, 3, DType::kFloat64, 1);
  const Tensor z = random_tensor(4, 3, DType::kFloat64, 2);
  const auto check = [&](const std::string& what, const Builder& build) { check_gradients(what, build, {x, z}); };
  using In = std::vector<Var>;
  check("a x + b z", [](Tape& t, const In& in) { return combine(t, 0.3, in[0], -2, in[1]); });
  check("x + z", [](Tape& t, const In& in) { return add(t, in[0], in[1]); });
  check("x + x", [](Tape& t, const In& in) { return add(t, in[0], in[0]); });
  check("0 x + z", [](Tape& t, const In& in) { return combine(t, 0, in[0], 1, in[1]); });
  check("scale", [](Tape& t, const In& in) { return scale(t, -1.5, in[0]); });
  check("scale by 1", [](Tape& t, const In& in) { return scale(t, 1, in[0]); });
  check("a diamond", [](Tape& t, const In& in) {
    const Var s = add(t, in[0], in[1]);
    return combine(t, 1, add(t, s, in[0]), 2, add(t, s, s));
  });
}

TEST_CASE("combinations, by hand") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(Tensor::from(1, 3, std::vector<double>{1, 2, 3}), true);
  const Var z = tape.input(Tensor::from(1, 3, std::vector<double>{-1, 0, 5}), true);
  CHECK(values_of(tape.value(combine(tape, 2, x, -1, z))) == std::vector<double>{3, 4, 1});
  CHECK(values_of(tape.value(add(tape, x, z))) == std::vector<double>{0, 2, 8});
  CHECK(values_of(tape.value(scale(tape, .5, x))) == std::vector<double>{.5, 1, 1.5});
}

TEST_CASE("shapes must agree") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(random_tensor(2, 3, DType::kFloat64, 1), true);
  const Var wide = tape.input(random_tensor(2, 4, DType::kFloat64, 1), true);
  const Var tall = tape.input(random_tensor(3, 3, DType::kFloat64, 1), true);
  CHECK_THROWS_AS(add(tape, x, wide), Error);
  CHECK_THROWS_AS(combine(tape, 1, x, 2, tall), Error);
}

TEST_CASE("activations have names") {
  for (const Activation f : kActivations) CHECK(activation_from_name(core::name_of(f)) == f);
  CHECK_THROWS_AS(activation_from_name("swish"), UsageError);
  std::string text;
  try {
    activation_from_name("swish");
  } catch (const UsageError& e) {
    text = e.what();
  }
  CHECK(text.find("leaky-relu") != std::string::npos);
}

TEST_CASE("the larger of two, by hand; a tie's gradient goes to the first") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(Tensor::from(1, 3, std::vector<double>{1, 5, 2}), true);
  const Var z = tape.input(Tensor::from(1, 3, std::vector<double>{3, 4, 2}), true);
  const Var y = maximum(tape, x, z);
  CHECK(values_of(tape.value(y)) == std::vector<double>{3, 5, 2});
  tape.add_gradient(y, Tensor::from(1, 3, std::vector<double>{10, 20, 30}));
  tape.backward();
  CHECK(values_of(tape.take_gradient(x)) == std::vector<double>{0, 20, 30});
  CHECK(values_of(tape.take_gradient(z)) == std::vector<double>{10, 0, 0});
  CHECK_THROWS_AS(maximum(tape, x, tape.input(random_tensor(1, 2, DType::kFloat64, 1), true)), Error);
  check_gradients("maximum", [](Tape& t, const std::vector<Var>& in) { return maximum(t, in[0], in[1]); },
                  {random_tensor(9, 4, DType::kFloat64, 1), random_tensor(9, 4, DType::kFloat64, 2)});
}
