#include "laminar/core/dense.hpp"

#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/gemm.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"
#include "laminar/core/sparse_product.hpp"
#include "laminar/tests/support/kernels.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

Tensor transposed(const Tensor& a) {
  Tensor t(a.cols(), a.rows(), a.dtype());
  for (Index r = 0; r < a.rows(); ++r) {
    for (Index c = 0; c < a.cols(); ++c) t.set(c, r, a.at(r, c));
  }
  return t;
}

/// base + a b in float64.
Tensor product(const Tensor& a, const Tensor& b, const Tensor& base) {
  Tensor y = base.to(DType::kFloat64);
  for (Index r = 0; r < a.rows(); ++r) {
    for (Index c = 0; c < b.cols(); ++c) {
      double sum = y.at(r, c);
      for (Index k = 0; k < a.cols(); ++k) sum += a.at(r, k) * b.at(k, c);
      y.set(r, c, sum);
    }
  }
  return y;
}

/// About a third of the entries of a random matrix; the last column has none.
SparseMatrix random_sparse(Index rows, Index cols, std::uint64_t seed, Tensor* dense) {
  *dense = random_tensor(rows, cols, DType::kFloat32, seed);
  const RandomKey key = random_key(seed, "pattern");
  std::vector<EdgeId> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < cols; ++c) {
      if (c + 1 < cols && random_below(key, static_cast<std::uint64_t>(r * cols + c), 3) == 0) {
        columns.push_back(static_cast<std::int32_t>(c));
        values.push_back(static_cast<float>(dense->at(r, c)));
      } else {
        dense->set(r, c, 0);
      }
    }
    offsets.push_back(static_cast<EdgeId>(columns.size()));
  }
  return {rows, cols, offsets, columns, values};
}

struct Shape {
  Index n, k, m;
};
// Without rows or columns, single ones, odd ones, and more rows than one panel has.
constexpr Shape kShapes[] = {{0, 3, 4}, {3, 0, 2},   {3, 2, 0},     {1, 1, 1},
                             {5, 3, 7}, {17, 33, 9}, {130, 64, 40}, {5000, 20, 13}};

}  // namespace

TEST_CASE("dense products agree with the triple loop") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const double tolerance = dtype == DType::kFloat32 ? 2e-6 : 1e-14;
    for (const auto [n, k, m] : kShapes) {
      CAPTURE(n);
      CAPTURE(k);
      CAPTURE(m);
      const Tensor x = random_tensor(n, k, dtype, 1);
      const Tensor w = random_tensor(k, m, dtype, 2);
      const Tensor g = random_tensor(n, m, dtype, 3);
      for (const bool accumulate : {false, true}) {
        Tensor y = random_tensor(n, m, dtype, 4);
        const Tensor y0 = accumulate ? y.clone() : Tensor::zeros(n, m, dtype);
        multiply(x, w, y, accumulate);
        CHECK(relative_difference(y, product(x, w, y0)) <= tolerance);
        Tensor dx = random_tensor(n, k, dtype, 5);
        const Tensor dx0 = accumulate ? dx.clone() : Tensor::zeros(n, k, dtype);
        multiply_transposed(g, w, dx, accumulate);
        CHECK(relative_difference(dx, product(g, transposed(w), dx0)) <= tolerance);
      }
      Tensor dw = random_tensor(k, m, dtype, 6);
      const Tensor dw0 = dw.clone();
      const auto pool = MemoryPool::create();
      add_outer_product(x, g, dw, *pool);
      CHECK(relative_difference(dw, product(transposed(x), g, dw0)) <= tolerance);
      // With a bias, and the sum of columns from the same reading, nothing else changes.
      const Tensor b = random_tensor(1, m, dtype, 7);
      Tensor plain(n, m, dtype);
      multiply(x, w, plain);
      Tensor biased(n, m, dtype);
      multiply_add(x, w, b, biased);
      Tensor ones(n, 1, dtype);
      ones.fill(1);
      CHECK(relative_difference(biased, product(ones, b, plain)) <= tolerance);
      Tensor again = dw0.clone();
      Tensor sums = b.clone();
      add_outer_product(x, g, again, sums, *pool);
      CHECK(same_bits(again, dw));
      CHECK(relative_difference(sums, product(transposed(ones), g, b)) <= tolerance);
      CHECK(pool->live_bytes(MemoryPurpose::kWorkspace) == 0);
    }
  }
}

TEST_CASE("sparse products agree with dense ones") {
  std::vector<Shape> shapes(std::begin(kShapes), std::end(kShapes));
  shapes.push_back({300, 800, 100});  // a weight that no cache holds beside the rows
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const double tolerance = dtype == DType::kFloat32 ? 2e-6 : 1e-14;
    for (const auto [n, k, m] : shapes) {
      CAPTURE(n);
      CAPTURE(k);
      CAPTURE(m);
      Tensor dense;
      const SparseMatrix x = random_sparse(n, k, 7, &dense);
      const Tensor w = random_tensor(k, m, dtype, 2);
      const Tensor g = random_tensor(n, m, dtype, 3);
      const Tensor b = random_tensor(1, m, dtype, 7);
      Tensor ones(n, 1, dtype);
      ones.fill(1);
      const auto pool = MemoryPool::create();
      for (const bool accumulate : {false, true}) {
        Tensor y = random_tensor(n, m, dtype, 4);
        const Tensor y0 = accumulate ? y.clone() : Tensor::zeros(n, m, dtype);
        multiply(x, w, nullptr, y, accumulate);
        CHECK(relative_difference(y, product(dense, w, y0)) <= tolerance);
        Tensor biased = y0.clone();
        multiply(x, w, &b, biased, true);
        CHECK(relative_difference(biased, product(ones, b, product(dense, w, y0))) <= tolerance);
      }
      Tensor dw = random_tensor(k, m, dtype, 6);
      const Tensor dw0 = dw.clone();
      add_outer_product(x, g, dw, *pool);
      CHECK(relative_difference(dw, product(transposed(dense), g, dw0)) <= tolerance);
      CHECK(pool->live_bytes(MemoryPurpose::kWorkspace) == 0);
      if (dtype == DType::kFloat64) continue;
      // Rows kept in bfloat16: computed in float32 and rounded once.
      Tensor kept = random_tensor(n, m, dtype, 4).to(DType::kBfloat16);
      const Tensor kept0 = kept.to(dtype);
      multiply(x, w, &b, kept, true);
      const Tensor expected = product(ones, b, product(dense, w, kept0));
      CHECK(relative_difference(kept.to(dtype), expected.to(DType::kBfloat16).to(dtype)) <= 4e-3);
      const Tensor narrow = g.to(DType::kBfloat16);
      Tensor of_narrow = dw0.clone();
      add_outer_product(x, narrow, of_narrow, *pool);
      CHECK(relative_difference(of_narrow, product(transposed(dense), narrow.to(dtype), dw0)) <= tolerance);
    }
  }
}

TEST_CASE("a sparse product has the same bits on any number of threads") {
  // More rows than one panel has; a small and a large weight.
  for (const auto& [n, k] : {std::pair<Index, Index>{9000, 20}, {600, 3000}}) {
    Tensor dense;
    const SparseMatrix x = random_sparse(n, k, 7, &dense);
    const Tensor g = random_tensor(n, 33, DType::kFloat32, 3);
    const auto pool = MemoryPool::create();
    Tensor alone = Tensor::zeros(k, 33, DType::kFloat32);
    Tensor shared = alone.clone();
    Arena(1).execute([&] { add_outer_product(x, g, alone, *pool); });
    Arena(4).execute([&] { add_outer_product(x, g, shared, *pool); });
    CHECK(same_bits(alone, shared));
  }
}

TEST_CASE("products refuse shapes and precisions that don't fit") {
  const auto f32 = [](Index r, Index c) { return Tensor::zeros(r, c, DType::kFloat32); };
  const auto f64 = [](Index r, Index c) { return Tensor::zeros(r, c, DType::kFloat64); };
  const auto pool = MemoryPool::create();
  Tensor y = f32(4, 2);
  CHECK_NOTHROW(multiply(f32(4, 3), f32(3, 2), y));
  CHECK_THROWS_AS(multiply(f32(4, 3), f32(4, 2), y), Error);
  CHECK_THROWS_AS(multiply(f32(5, 3), f32(3, 2), y), Error);
  CHECK_THROWS_AS(multiply(f32(4, 3), f32(3, 1), y), Error);
  CHECK_THROWS_AS(multiply(f64(4, 3), f32(3, 2), y), Error);
  CHECK_THROWS_AS(multiply(f32(4, 3), f64(3, 2), y), Error);
  CHECK_THROWS_AS(multiply_transposed(f32(4, 3), f32(3, 2), y), Error);
  CHECK_THROWS_AS(multiply_transposed(f32(4, 3), f64(2, 3), y), Error);
  CHECK_NOTHROW(multiply_transposed(f32(4, 3), f32(2, 3), y));
  CHECK_THROWS_AS(add_outer_product(f32(5, 4), f32(6, 2), y, *pool), Error);
  CHECK_THROWS_AS(add_outer_product(f32(5, 3), f32(5, 2), y, *pool), Error);
  CHECK_THROWS_AS(add_outer_product(f32(5, 4), f64(5, 2), y, *pool), Error);
  CHECK_NOTHROW(add_outer_product(f32(5, 4), f32(5, 2), y, *pool));
  Tensor sums = f32(1, 3);
  CHECK_THROWS_AS(add_outer_product(f32(5, 4), f32(5, 2), y, sums, *pool), Error);
  CHECK_THROWS_AS(multiply_add(f32(4, 3), f32(3, 2), f32(1, 3), y), Error);
  CHECK_THROWS_AS(multiply_add(f32(4, 3), f32(3, 2), f64(1, 2), y), Error);
  CHECK_THROWS_AS(multiply_add(f32(5, 3), f32(3, 2), f32(1, 2), y), Error);
  const SparseMatrix x(4, 3, {0, 1, 1, 1, 1}, {2}, {1});
  CHECK_THROWS_AS(multiply(x, f32(4, 2), nullptr, y), Error);
  CHECK_THROWS_AS(multiply(x, f64(3, 2), nullptr, y), Error);
  const Tensor wide_bias = f32(1, 3);
  CHECK_THROWS_AS(multiply(x, f32(3, 2), &wide_bias, y), Error);
  const Tensor long_bias = f64(1, 2);
  CHECK_THROWS_WITH_AS(multiply(x, f32(3, 2), &long_bias, y), doctest::Contains("different precision"), Error);
  Tensor w = f32(3, 2);
  CHECK_THROWS_AS(add_outer_product(x, f32(5, 2), w, *pool), Error);
  CHECK_THROWS_AS(add_outer_product(x, f64(4, 2), w, *pool), Error);
  Tensor rounded = w.to(DType::kBfloat16);
  CHECK_THROWS_WITH_AS(add_outer_product(x, f32(4, 2), rounded, *pool), doctest::Contains("different precision"),
                       Error);
}

TEST_CASE("gathers agree with plain loops at every width, with any registers") {
  // Widths around tiles and pieces of them, and more entries than are prefetched.
  const Index stride = 300;
  std::vector<std::int32_t> indices;
  for (int i = 0; i < 30; ++i) indices.push_back(i * 7 % 30);
  with_any_type([&]<class T>(T) {
    using C = Computed<T>;
    const DType dtype = DTypeOf<T>::value;
    const Tensor x = random_tensor(30, stride, DType::kFloat32, 1).to(dtype);
    const Tensor y0 = random_tensor(1, stride, DType::kFloat32, 2).to(dtype);
    const Tensor w = random_tensor(30, 1, DTypeOf<C>::value, 3);
    const T* rows = x.data<T>();
    const C* weights = w.data<C>();
    for (const Index d : {0,  1,  2,  3,  4,  5,  7,  8,   9,   15,  16,  17,  21,  31,  32,  33,
                          47, 58, 63, 64, 65, 85, 96, 100, 127, 128, 129, 143, 145, 200, 257, 299}) {
      for (const Index count : {0, 1, 8, 9, 30}) {
        const RowIndices row{indices.data(), count, 30 - count};
        for (const bool accumulate : {false, true}) {
          for (const bool weighted : {false, true}) {
            Tensor expected = y0.clone();
            for (Index c = 0; c < d; ++c) {
              C sum = accumulate ? static_cast<C>(y0.data<T>()[c]) : C(0);
              for (Index e = 0; e < count; ++e) {
                sum += (weighted ? weights[e] : C(1)) * static_cast<C>(rows[indices[e] * stride + c]);
              }
              expected.data<T>()[c] = static_cast<T>(sum);
            }
            with_any_registers([&] {
              Tensor y = y0.clone();
              gather_row(y.data<T>(), rows, d, stride, row, weighted ? weights : nullptr, accumulate);
              CAPTURE(d);
              CHECK(same_bits(y, expected));
            });
          }
        }
      }
    }
  });
}

TEST_CASE("rows gathered together are those gathered one by one") {
  const std::vector<EdgeId> offsets = {0, 3, 3, 4, 9};
  const std::vector<std::int32_t> indices = {1, 0, 5, 2, 3, 4, 1, 0, 2};
  with_any_type([&]<class T>(T) {
    using C = Computed<T>;
    for (const Index d : {0, 1, 2, 3, 7, 16, 20, 31, 32, 58, 128, 150}) {
      const Tensor x = random_tensor(6, d, DType::kFloat32, 1).to(DTypeOf<T>::value);
      const Tensor w = random_tensor(9, 1, DTypeOf<C>::value, 3);
      const Tensor y0 = random_tensor(4, d, DType::kFloat32, 2).to(DTypeOf<T>::value);
      for (const bool weighted : {false, true}) {
        for (const bool accumulate : {false, true}) {
          const C* const weights = weighted ? w.data<C>() : nullptr;
          Tensor expected = y0.clone();
          for (Index r = 1; r < 4; ++r) {
            const Index first = offsets[static_cast<std::size_t>(r)];
            gather_row(expected.data<T>() + r * d, x.data<T>(), d, d, row_indices(offsets, indices, r),
                       weighted ? weights + first : nullptr, accumulate);
          }
          with_any_registers([&] {
            Tensor y = y0.clone();
            gather_rows(GatheredRows<T>{y.data<T>(), x.data<T>(), d, offsets, indices, weights, accumulate}, 1, 4);
            CAPTURE(d);
            CHECK(same_bits(y, expected));
          });
        }
      }
    }
  });
}

TEST_CASE("dot products with gathered rows") {
  const Index stride = 150;
  const Tensor x = random_tensor(30, stride, DType::kFloat64, 1);
  const Tensor y = random_tensor(1, stride, DType::kFloat64, 2);
  std::vector<std::int32_t> indices;
  for (int i = 0; i < 30; ++i) indices.push_back(i * 7 % 30);
  for (const Index d : {0, 1, 3, 16, 17, 64, 85, 149}) {
    for (const Index count : {0, 1, 9, 30}) {
      std::vector<double> dots(static_cast<std::size_t>(count), -1);
      gather_dots(dots.data(), y.data<double>(), x.data<double>(), d, stride, {indices.data(), count, 30 - count});
      for (Index e = 0; e < count; ++e) {
        double sum = 0;
        for (Index c = 0; c < d; ++c) sum += y.at(0, c) * x.at(indices[e], c);
        CHECK(dots[static_cast<std::size_t>(e)] == doctest::Approx(sum).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("the library that multiplies has a name") { CHECK(std::string(gemm_library()).size() > 3); }
