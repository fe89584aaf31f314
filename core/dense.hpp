#pragma once

#include "laminar/core/memory.hpp"
#include "laminar/core/tensor.hpp"

/// Dense products of tall matrices [rows, k] with small ones: the one function behind which Eigen and oneDNN stand.
/// Rows are cut in panels by shape alone, each panel one task and each task one single-threaded library call. Rows x
/// and g may be bfloat16 beside float32 weights; then y may be either. Sums are float32.
namespace laminar::core {

/// y = x w (+ y if `accumulate`). x [n, k], w [k, m], y [n, m]. Throws Error on shapes or dtypes that don't fit.
void multiply(const Tensor& x, const Tensor& w, Tensor& y, bool accumulate = false);
/// y = x w + b (+ y), b [1, m] added to every row while it is in the cache. Same errors.
void multiply_add(const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y, bool accumulate = false);

/// y = x w^T (+ y if `accumulate`). x [n, m], w [k, m], y [n, k]. Same errors.
void multiply_transposed(const Tensor& x, const Tensor& w, Tensor& y, bool accumulate = false);

/// w += x^T g, the sum of fixed panels of rows in order. x [n, k], g [n, m], w [k, m]. Same errors. Partial sums come
/// from `pool`.
void add_outer_product(const Tensor& x, const Tensor& g, Tensor& w, MemoryPool& pool);
/// The same, and b [1, m] += the sum of g's rows, from the same reading of them.
void add_outer_product(const Tensor& x, const Tensor& g, Tensor& w, Tensor& b, MemoryPool& pool);

}  // namespace laminar::core
