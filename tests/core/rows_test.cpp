#include "laminar/core/rows.hpp"

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

TEST_CASE("a slice of rows is a view") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(random_tensor(5, 3, DType::kFloat64, 1), true);
  const Var y = slice_rows(tape, x, 1, 4);
  CHECK(tape.value(y).raw() == tape.value(x).slice_rows(1, 4).raw());
  CHECK(tape.rows(y) == 3);
  CHECK(tape.cols(y) == 3);
}

TEST_CASE("gradients of slices") {
  const Tensor x = random_tensor(6, 3, DType::kFloat64, 1);
  check_gradients("slice", [](Tape& t, const std::vector<Var>& in) { return slice_rows(t, in[0], 2, 5); }, {x});
  check_gradients("an empty slice", [](Tape& t, const std::vector<Var>& in) { return slice_rows(t, in[0], 2, 2); },
                  {x});
  check_gradients("overlapping slices beside the whole",
                  [](Tape& t, const std::vector<Var>& in) {
                    const Var a = slice_rows(t, in[0], 0, 4);
                    const Var b = slice_rows(t, in[0], 2, 6);
                    const Var whole = slice_rows(t, scale(t, 2, in[0]), 1, 5);
                    return add(t, add(t, a, b), whole);
                  },
                  {x});
}

TEST_CASE("sparse rows are sliced and densified") {
  Tape tape(context(DType::kFloat64));
  // Two entries at (2, 1) add up.
  const Var x = tape.input(SparseMatrix(3, 3, {0, 1, 1, 4}, {2, 0, 1, 1}, {5, 1, 2, 4}));
  const Var part = slice_rows(tape, x, 1, 3);
  CHECK(tape.is_sparse(part));
  CHECK(values_of(tape.value(densify(tape, part))) == std::vector<double>{0, 0, 0, 1, 6, 0});
  CHECK(values_of(tape.value(densify(tape, x))) == std::vector<double>{0, 0, 5, 0, 0, 0, 1, 6, 0});
  const Var dense = tape.input(random_tensor(2, 2, DType::kFloat64, 1), true);
  CHECK(densify(tape, dense).id == dense.id);
}

TEST_CASE("slices out of range are refused") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(random_tensor(3, 2, DType::kFloat64, 1), true);
  const Var s = tape.input(SparseMatrix(3, 3, {0, 1, 1, 1}, {2}, {5}));
  for (const Var v : {x, s}) {
    CHECK_THROWS_AS(slice_rows(tape, v, -1, 2), Error);
    CHECK_THROWS_AS(slice_rows(tape, v, 2, 1), Error);
    CHECK_THROWS_AS(slice_rows(tape, v, 0, 4), Error);
  }
}

TEST_CASE("rows are gathered and scattered, by hand") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor from = Tensor::from(3, 2, std::vector<double>{1, 2, 3, 4, 5, 6}, dtype);
    Tensor to(4, 2, dtype);
    const std::vector<std::int32_t> wanted{2, 0, 2, 1};
    gather_rows(from, wanted, to);
    CHECK(values_of(to) == std::vector<double>{5, 6, 1, 2, 5, 6, 3, 4});
    Tensor sum = Tensor::from(4, 2, std::vector<double>{1, 1, 1, 1, 1, 1, 1, 1}, dtype);
    const std::vector<std::int32_t> places{3, 0, 2};
    scatter_add_rows(from, places, std::vector<double>{1, 0, -2}, sum);
    CHECK(values_of(sum) == std::vector<double>{1, 1, 1, 1, -9, -11, 2, 3});
  }
}

TEST_CASE("a row with factor 0 is not read, so that nothing undefined spreads") {
  Tensor from(2, 1, DType::kFloat64);
  from.fill(std::numeric_limits<double>::quiet_NaN());
  from.set(1, 0, 3);
  Tensor to = Tensor::zeros(2, 1, DType::kFloat64);
  const std::vector<std::int32_t> places{0, 1};
  scatter_add_rows(from, places, std::vector<double>{0, 1}, to);
  CHECK(values_of(to) == std::vector<double>{0, 3});
}

TEST_CASE("gathers and scatters of nothing, and of shapes that don't fit") {
  const Tensor from = random_tensor(3, 2, DType::kFloat64, 1);
  Tensor none(0, 2, DType::kFloat64);
  gather_rows(from, {}, none);
  Tensor to = Tensor::zeros(3, 2, DType::kFloat64);
  scatter_add_rows(none, {}, {}, to);
  CHECK(norm(to) == 0);
  const std::vector<std::int32_t> rows{0, 1};
  const std::vector<double> ones(2, 1);
  Tensor wide(2, 3, DType::kFloat64), three(3, 2, DType::kFloat64), single(2, 2, DType::kFloat32);
  for (Tensor* bad : {&wide, &three, &single}) CHECK_THROWS_AS(gather_rows(from, rows, *bad), Error);
  const Tensor two = random_tensor(2, 2, DType::kFloat64, 1);
  CHECK_THROWS_AS(scatter_add_rows(two, rows, ones, wide), Error);
  CHECK_THROWS_AS(scatter_add_rows(two, rows, ones, single), Error);
  CHECK_THROWS_AS(scatter_add_rows(from, rows, ones, to), Error);
  CHECK_THROWS_AS(scatter_add_rows(two, rows, std::vector<double>{1}, to), Error);
}
