#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "laminar/core/tensor.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// A sparse matrix [rows, cols] in compressed sparse rows, with the pattern of its transpose: for sparse input
/// features. Values are float32. Copying shares the arrays; with_values() shares the pattern. Thread-safe.
class SparseMatrix {
 public:
  SparseMatrix() = default;
  /// Throws Error: offsets of the wrong length, not starting at 0, not monotone or not ending at the number of entries;
  /// a column out of range; a different number of values; a value that is not finite.
  SparseMatrix(Index rows, Index cols, std::vector<EdgeId> offsets, std::vector<std::int32_t> columns,
               std::vector<float> values);

  Index rows() const;
  Index cols() const;
  /// Stored entries.
  EdgeId entries() const;
  /// Of all arrays, the transpose's included.
  std::size_t bytes() const;
  explicit operator bool() const { return pattern_ != nullptr; }

  std::span<const EdgeId> offsets() const;
  std::span<const std::int32_t> columns() const;
  std::span<const float> values() const;
  /// Column c's entries: rows at [transposed_offsets[c], transposed_offsets[c + 1]), each one's position in values().
  std::span<const EdgeId> transposed_offsets() const;
  std::span<const std::int32_t> transposed_rows() const;
  std::span<const EdgeId> transposed_positions() const;

  /// The same pattern with other values, float32 [entries, 1]. Throws Error if their number or dtype differs.
  SparseMatrix with_values(Tensor values) const;
  /// Rows [begin, end). Throws Error if out of range.
  SparseMatrix slice_rows(Index begin, Index end) const;
  /// Row i is row rows[i] of this one. Throws Error if one is out of range.
  SparseMatrix gather_rows(std::span<const std::int32_t> rows) const;

 private:
  struct Pattern;
  std::shared_ptr<const Pattern> pattern_;
  Tensor values_;
};

/// All elements [rows, cols]; entries of one place are added.
Tensor to_dense(const SparseMatrix& matrix, DType dtype, MemoryPool* pool = nullptr);

}  // namespace laminar::core
