#include "laminar/core/sparse_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/csr.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::core {

struct SparseMatrix::Pattern {
  Index cols = 0;
  std::vector<EdgeId> offsets;
  std::vector<std::int32_t> columns;
  CsrTranspose transposed;
};

SparseMatrix::SparseMatrix(Index rows, Index cols, std::vector<EdgeId> offsets, std::vector<std::int32_t> columns,
                           std::vector<float> values) {
  check_csr("sparse_matrix", rows, cols, offsets, columns);
  if (values.size() != columns.size()) {
    throw Error(fmt::format("[sparse_matrix] {} values for {} entries", values.size(), columns.size()));
  }
  const auto count = static_cast<Index>(values.size());
  if (const Index bad = first_where(count, [&](Index i) { return !std::isfinite(values[i]); }); bad < count) {
    throw Error(fmt::format("[sparse_matrix] value {} is {}", bad, values[bad]));
  }
  auto pattern = std::make_shared<Pattern>();
  pattern->cols = cols;
  pattern->transposed = transpose_csr(cols, offsets, columns);
  pattern->offsets = std::move(offsets);
  pattern->columns = std::move(columns);
  pattern_ = std::move(pattern);
  values_ = Tensor(static_cast<Index>(values.size()), 1, DType::kFloat32);
  std::copy(values.begin(), values.end(), values_.data<float>());
}

Index SparseMatrix::rows() const { return pattern_ ? static_cast<Index>(pattern_->offsets.size()) - 1 : 0; }
Index SparseMatrix::cols() const { return pattern_ ? pattern_->cols : 0; }
EdgeId SparseMatrix::entries() const { return pattern_ ? static_cast<EdgeId>(pattern_->columns.size()) : 0; }
std::size_t SparseMatrix::bytes() const {
  const auto n = static_cast<std::size_t>(entries());
  const auto sides = static_cast<std::size_t>(rows() + cols() + 2);
  return pattern_ ? sides * sizeof(EdgeId) + n * (2 * sizeof(std::int32_t) + sizeof(EdgeId) + sizeof(float)) : 0;
}
std::span<const EdgeId> SparseMatrix::offsets() const { return pattern_->offsets; }
std::span<const std::int32_t> SparseMatrix::columns() const { return pattern_->columns; }
std::span<const float> SparseMatrix::values() const {
  return {values_.data<float>(), static_cast<std::size_t>(values_.rows())};
}
std::span<const EdgeId> SparseMatrix::transposed_offsets() const { return pattern_->transposed.offsets; }
std::span<const std::int32_t> SparseMatrix::transposed_rows() const { return pattern_->transposed.rows; }
std::span<const EdgeId> SparseMatrix::transposed_positions() const { return pattern_->transposed.positions; }

SparseMatrix SparseMatrix::with_values(Tensor values) const {
  if (values.rows() != entries() || values.cols() != 1 || values.dtype() != DType::kFloat32) {
    throw Error(fmt::format("[sparse_matrix] values {} [{}, {}], expected f32 [{}, 1]", name_of(values.dtype()),
                            values.rows(), values.cols(), entries()));
  }
  SparseMatrix m = *this;
  m.values_ = std::move(values);
  return m;
}

SparseMatrix SparseMatrix::slice_rows(Index begin, Index end) const {
  if (begin < 0 || begin > end || end > rows()) {
    throw Error(fmt::format("[sparse_matrix] rows {}..{} were asked of {}", begin, end, rows()));
  }
  const auto o = offsets();
  std::vector<EdgeId> sliced(o.begin() + begin, o.begin() + end + 1);
  const EdgeId first = sliced.front();
  const EdgeId last = sliced.back();
  for (EdgeId& v : sliced) v -= first;
  const auto c = columns();
  const auto v = values();
  return {end - begin,
          cols(),
          std::move(sliced),
          {c.begin() + first, c.begin() + last},
          {v.begin() + first, v.begin() + last}};
}

SparseMatrix SparseMatrix::gather_rows(std::span<const std::int32_t> wanted) const {
  std::vector<EdgeId> gathered{0};
  gathered.reserve(wanted.size() + 1);
  for (const std::int32_t r : wanted) {
    if (r < 0 || r >= rows()) throw Error(fmt::format("[sparse_matrix] row {} was asked of {}", r, rows()));
    gathered.push_back(gathered.back() + offsets()[r + 1] - offsets()[r]);
  }
  std::vector<std::int32_t> gathered_columns;
  std::vector<float> gathered_values;
  gathered_columns.reserve(static_cast<std::size_t>(gathered.back()));
  gathered_values.reserve(static_cast<std::size_t>(gathered.back()));
  for (const std::int32_t r : wanted) {
    const auto first = static_cast<std::ptrdiff_t>(offsets()[r]);
    const auto last = static_cast<std::ptrdiff_t>(offsets()[r + 1]);
    gathered_columns.insert(gathered_columns.end(), columns().begin() + first, columns().begin() + last);
    gathered_values.insert(gathered_values.end(), values().begin() + first, values().begin() + last);
  }
  return {static_cast<Index>(wanted.size()), cols(), std::move(gathered), std::move(gathered_columns),
          std::move(gathered_values)};
}

Tensor to_dense(const SparseMatrix& matrix, DType dtype, MemoryPool* pool) {
  Tensor y(matrix.rows(), matrix.cols(), dtype, pool);
  dispatch(dtype, [&]<class T>(T) {
    T* out = y.data<T>();
    const Index d = matrix.cols();
    parallel_for(matrix.rows(), row_grain(d), [&](Index begin, Index end) {
      std::fill(out + begin * d, out + end * d, T(0));
      for (Index r = begin; r < end; ++r) {
        for (EdgeId e = matrix.offsets()[r]; e < matrix.offsets()[r + 1]; ++e)
          out[r * d + matrix.columns()[e]] += static_cast<T>(matrix.values()[e]);
      }
    });
  });
  return y;
}

}  // namespace laminar::core
