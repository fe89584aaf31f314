#pragma once

#include "laminar/core/memory.hpp"
#include "laminar/core/sparse_matrix.hpp"
#include "laminar/core/tensor.hpp"

/// Products of tall sparse matrices, such as input features, with small dense ones. Rows y and g may be bfloat16 beside
/// float32 weights; sums are float32 then and rounded once. Every cut is by shapes alone, so the bits are those of any
/// number of threads.
namespace laminar::core {

/// y = x w (+ bias in every row, null: none) (+ y if `accumulate`). x [n, k], w [k, m], bias [1, m], y [n, m]. Throws
/// Error on shapes or dtypes that don't fit.
void multiply(const SparseMatrix& x, const Tensor& w, const Tensor* bias, Tensor& y, bool accumulate = false);

/// w += x^T g. x [n, k], g [n, m], w [k, m]. Same errors. Partial sums come from `pool`.
///
/// Where w fits into a core's cache, each panel of rows adds to a partial sum of its own, and g is read once, in order;
/// else every row of w is a sum over the rows of g that have an entry in its column, each read from memory.
void add_outer_product(const SparseMatrix& x, const Tensor& g, Tensor& w, MemoryPool& pool);

}  // namespace laminar::core
