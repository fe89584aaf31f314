#include "laminar/core/tensor.hpp"

#include <cstdint>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

TEST_CASE("a tensor holds rows of its dtype") {
  const std::vector<double> values = {1, 2, 3, 4, 5, 6.1};
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor t = Tensor::from(2, 3, values, dtype);
    CHECK(t.rows() == 2);
    CHECK(t.cols() == 3);
    CHECK(t.size() == 6);
    CHECK(t.bytes() == 6 * size_of(dtype));
    CHECK(t.dtype() == dtype);
    CHECK(static_cast<bool>(t));
    CHECK(t.at(0, 0) == 1);
    CHECK(t.at(1, 0) == 4);
    CHECK(t.at(1, 2) == (dtype == DType::kFloat32 ? static_cast<double>(6.1F) : 6.1));
    CHECK(reinterpret_cast<std::uintptr_t>(t.raw()) % 64 == 0);
  }
  CHECK_FALSE(static_cast<bool>(Tensor()));
  CHECK(Tensor().size() == 0);
}

TEST_CASE("shapes without elements are tensors") {
  for (const auto& [rows, cols] : {std::pair<Index, Index>{0, 0}, {0, 5}, {5, 0}}) {
    const Tensor t = Tensor::zeros(rows, cols, DType::kFloat32);
    CHECK(static_cast<bool>(t));
    CHECK(t.size() == 0);
    CHECK(t.clone().rows() == rows);
    CHECK(t.to(DType::kFloat64).cols() == cols);
    CHECK(t.slice_rows(0, rows).rows() == rows);
  }
}

TEST_CASE("copies share, clones don't") {
  Tensor a = Tensor::zeros(2, 2, DType::kFloat64);
  Tensor shared = a;
  const Tensor cloned = a.clone();
  a.set(1, 1, 7);
  CHECK(shared.at(1, 1) == 7);
  CHECK(cloned.at(1, 1) == 0);
  a.fill(2.5);
  CHECK(shared.at(0, 0) == 2.5);
  shared.copy_from(cloned);
  CHECK(a.at(1, 1) == 0);
}

TEST_CASE("a slice shares its rows") {
  Tensor a = random_tensor(5, 3, DType::kFloat32, 1);
  Tensor middle = a.slice_rows(1, 4).slice_rows(1, 3);
  CHECK(middle.rows() == 2);
  CHECK(middle.at(0, 2) == a.at(2, 2));
  middle.set(1, 0, 42);
  CHECK(a.at(3, 0) == 42);
  CHECK(a.slice_rows(5, 5).rows() == 0);
}

TEST_CASE("conversion rounds to nearest") {
  const Tensor exact = random_tensor(4, 4, DType::kFloat64, 2);
  const Tensor rounded = exact.to(DType::kFloat32);
  CHECK(same_bits(rounded, random_tensor(4, 4, DType::kFloat32, 2)));
  CHECK(same_bits(rounded.to(DType::kFloat64).to(DType::kFloat32), rounded));
  CHECK(relative_difference(exact, rounded) <= 1e-7);
}

TEST_CASE("large tensors are copied and filled whole") {
  // More elements than one piece of the parallel loops holds.
  Tensor a(700, 300, DType::kFloat32);
  a.fill(3);
  for (const double v : values_of(a.clone())) REQUIRE(v == 3);
}

TEST_CASE("a tensor refuses what can't be") {
  CHECK_THROWS_AS(Tensor(-1, 2, DType::kFloat32), Error);
  CHECK_THROWS_AS(Tensor(2, -1, DType::kFloat32), Error);
  CHECK_THROWS_AS(Tensor(std::numeric_limits<Index>::max() / 4, 8, DType::kFloat32), Error);
  CHECK_THROWS_AS(Tensor(Index{1} << 58, 1, DType::kFloat32), Error);
  CHECK_THROWS_AS(Tensor::from(2, 2, std::vector<double>{1, 2, 3}), Error);
  Tensor t = Tensor::zeros(2, 3, DType::kFloat64);
  CHECK_THROWS_AS(t.data<float>(), Error);
  CHECK_NOTHROW(t.data<double>());
  CHECK_THROWS_AS(t.slice_rows(-1, 1), Error);
  CHECK_THROWS_AS(t.slice_rows(1, 3), Error);
  CHECK_THROWS_AS(t.slice_rows(2, 1), Error);
  CHECK_THROWS_AS(t.copy_from(Tensor::zeros(3, 2, DType::kFloat64)), Error);
  CHECK_THROWS_AS(t.copy_from(Tensor::zeros(2, 3, DType::kFloat32)), Error);
  CHECK_THROWS_AS(t.at(2, 0), Error);
  CHECK_THROWS_AS(t.at(0, 3), Error);
  CHECK_THROWS_AS(t.at(-1, 0), Error);
  CHECK_THROWS_AS(t.set(0, -1, 1), Error);
}

TEST_CASE("dtypes have names") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) CHECK(dtype_from_name(core::name_of(dtype)) == dtype);
  CHECK_THROWS_AS(dtype_from_name("bf17"), UsageError);
  CHECK_THROWS_AS(dtype_from_name(""), UsageError);
}
