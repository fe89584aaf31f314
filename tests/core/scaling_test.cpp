#include "laminar/core/scaling.hpp"

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
constexpr DType kDouble = DType::kFloat64;
}

TEST_CASE("columns and rows are scaled, by hand") {
  Tape tape(context(kDouble));
  const Var x = tape.input(Tensor::from(2, 2, std::vector<double>{1, 2, 3, 4}), true);
  Parameter s{"s", Tensor::from(1, 2, std::vector<double>{10, 100}), Tensor::zeros(1, 2, kDouble)};
  CHECK(values_of(tape.value(scale_columns(tape, x, s, 1))) == std::vector<double>{11, 202, 33, 404});
  Parameter one{"one", Tensor::from(1, 1, std::vector<double>{2}), Tensor::zeros(1, 1, kDouble)};
  CHECK(values_of(tape.value(scale_columns(tape, x, one))) == std::vector<double>{2, 4, 6, 8});
  CHECK(values_of(tape.value(scale_rows(tape, x, Tensor::from(2, 1, std::vector<double>{3, -1})))) ==
        std::vector<double>{3, 6, -3, -4});
}

TEST_CASE("gradients of scaled columns and rows, with one factor or one a column, in many panels") {
  for (const Index rows : {1, 5, 700}) {
    for (const Index factors : {1, 3}) {
      ParameterList parameters;
      parameters.push_back(random_parameter("s", 1, factors, kDouble, 3));
      check_gradients(
          "scale_columns",
          [&](Tape& tape, const std::vector<Var>& in) { return scale_columns(tape, in[0], *parameters[0], 0.5); },
          {random_tensor(rows, 3, kDouble, 1)}, parameters);
    }
  }
  const Tensor factors = random_tensor(5, 1, kDouble, 2);
  check_gradients(
      "scale_rows",
      [&](Tape& tape, const std::vector<Var>& in) { return add(tape, in[0], scale_rows(tape, in[0], factors)); },
      {random_tensor(5, 3, kDouble, 1)});
}

TEST_CASE("factors that don't fit are refused") {
  Tape tape(context(kDouble));
  const Var x = tape.input(random_tensor(4, 3, kDouble, 1), true);
  const auto s = random_parameter("s", 1, 2, kDouble, 1);
  CHECK_THROWS_WITH_AS(scale_columns(tape, x, *s), doctest::Contains("'s'"), Error);
  CHECK_THROWS_AS(scale_rows(tape, x, random_tensor(3, 1, kDouble, 1)), Error);
  CHECK_THROWS_AS(scale_rows(tape, x, random_tensor(4, 2, kDouble, 1)), Error);
  CHECK_THROWS_AS(scale_rows(tape, x, random_tensor(4, 1, DType::kFloat32, 1)), Error);
}
