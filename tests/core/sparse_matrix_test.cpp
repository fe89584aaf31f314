#include "laminar/core/sparse_matrix.hpp"

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"

using namespace laminar;
using namespace laminar::core;

namespace {

template <class T>
std::vector<T> list(std::span<const T> s) {
  return {s.begin(), s.end()};
}

// [ 0 2 1 ]
// [ 0 0 0 ]
// [ 3 0 4 ]
SparseMatrix small() { return {3, 3, {0, 2, 2, 4}, {1, 2, 0, 2}, {2, 1, 3, 4}}; }

}  // namespace

TEST_CASE("a sparse matrix knows its transpose") {
  const SparseMatrix m = small();
  CHECK(m.rows() == 3);
  CHECK(m.cols() == 3);
  CHECK(m.entries() == 4);
  CHECK(static_cast<bool>(m));
  CHECK(list(m.offsets()) == std::vector<EdgeId>{0, 2, 2, 4});
  CHECK(list(m.columns()) == std::vector<std::int32_t>{1, 2, 0, 2});
  CHECK(list(m.values()) == std::vector<float>{2, 1, 3, 4});
  CHECK(list(m.transposed_offsets()) == std::vector<EdgeId>{0, 1, 2, 4});
  CHECK(list(m.transposed_rows()) == std::vector<std::int32_t>{2, 0, 0, 2});
  CHECK(list(m.transposed_positions()) == std::vector<EdgeId>{2, 0, 1, 3});
  CHECK_FALSE(static_cast<bool>(SparseMatrix()));
  CHECK(SparseMatrix().rows() == 0);
}

TEST_CASE("other values share the pattern") {
  const SparseMatrix m = small();
  const std::vector<double> values = {5, 6, 7, 8};
  const SparseMatrix other = m.with_values(Tensor::from(4, 1, values, DType::kFloat32));
  CHECK(other.columns().data() == m.columns().data());
  CHECK(list(other.values()) == std::vector<float>{5, 6, 7, 8});
  CHECK(list(m.values()) == std::vector<float>{2, 1, 3, 4});
}

TEST_CASE("rows can be sliced") {
  const SparseMatrix part = small().slice_rows(1, 3);
  CHECK(part.rows() == 2);
  CHECK(part.cols() == 3);
  CHECK(list(part.offsets()) == std::vector<EdgeId>{0, 0, 2});
  CHECK(list(part.columns()) == std::vector<std::int32_t>{0, 2});
  CHECK(list(part.values()) == std::vector<float>{3, 4});
  CHECK(small().slice_rows(2, 2).rows() == 0);
}

TEST_CASE("a sparse matrix refuses what can't be") {
  CHECK_THROWS_AS(SparseMatrix(-1, 3, {}, {}, {}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, -3, {0, 0}, {}, {}), Error);
  CHECK_THROWS_AS(SparseMatrix(2, 3, {0, 1}, {0}, {1}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, 3, {1, 1}, {0}, {1}), Error);
  CHECK_THROWS_AS(SparseMatrix(2, 3, {0, 2, 1}, {0}, {1}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, 3, {0, 2}, {0}, {1}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, 3, {0, 1}, {3}, {1}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, 3, {0, 1}, {-1}, {1}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, 3, {0, 1}, {0}, {1, 2}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, 3, {0, 1}, {0}, {std::numeric_limits<float>::quiet_NaN()}), Error);
  CHECK_THROWS_AS(SparseMatrix(1, 3, {0, 1}, {0}, {std::numeric_limits<float>::infinity()}), Error);
  const SparseMatrix m = small();
  CHECK_THROWS_AS(m.with_values(Tensor::zeros(3, 1, DType::kFloat32)), Error);
  CHECK_THROWS_AS(m.with_values(Tensor::zeros(4, 2, DType::kFloat32)), Error);
  CHECK_THROWS_AS(m.with_values(Tensor::zeros(4, 1, DType::kFloat64)), Error);
  CHECK_THROWS_AS(m.slice_rows(-1, 1), Error);
  CHECK_THROWS_AS(m.slice_rows(2, 1), Error);
  CHECK_THROWS_AS(m.slice_rows(0, 4), Error);
}

TEST_CASE("rows can be gathered, in any order and more than once") {
  const SparseMatrix m(3, 4, {0, 2, 2, 3}, {3, 0, 1}, {1, 2, 3});
  const std::vector<std::int32_t> wanted{2, 0, 1, 0};
  const SparseMatrix g = m.gather_rows(wanted);
  CHECK(g.rows() == 4);
  CHECK(g.cols() == 4);
  CHECK(std::vector<EdgeId>(g.offsets().begin(), g.offsets().end()) == std::vector<EdgeId>{0, 1, 3, 3, 5});
  CHECK(std::vector<std::int32_t>(g.columns().begin(), g.columns().end()) == std::vector<std::int32_t>{1, 3, 0, 3, 0});
  CHECK(std::vector<float>(g.values().begin(), g.values().end()) == std::vector<float>{3, 1, 2, 1, 2});
  // The transpose is that of the new rows: column 0 is in rows 1 and 3.
  CHECK(g.transposed_rows()[0] == 1);
  CHECK(g.transposed_rows()[1] == 3);
  CHECK(m.gather_rows({}).rows() == 0);
  for (const std::int32_t bad : {-1, 3}) {
    CHECK_THROWS_AS(m.gather_rows(std::vector<std::int32_t>{0, bad}), Error);
  }
}
