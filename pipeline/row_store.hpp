#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "laminar/core/tensor.hpp"

namespace laminar::pipeline {

using core::Index;

/// How rows are kept that wait for the next epoch.
enum class StoreType : std::uint8_t {
  kNative,    ///< as they are computed
  kFloat32,   ///< 4 bytes a number
  kBfloat16,  ///< 2 bytes a number: 8 bits of exponent as float32, 8 of precision; rounded to nearest, ties to even
};

/// "native", "float32", "bfloat16".
std::string_view name_of(StoreType type);
/// The inverse. Throws UsageError on any other name.
StoreType store_type_from_name(std::string_view name);

/// A table of rows in a type of its own. Native rows are shared, never copied; others are converted when they are
/// written and read. One thread; loops are parallel in the caller's arena.
class RowStore {
 public:
  RowStore() = default;
  /// [rows, cols] zeros for numbers of `dtype`, in the pool's tables.
  RowStore(Index rows, Index cols, core::DType dtype, StoreType type, std::shared_ptr<core::MemoryPool> pool);
  /// Takes over `rows` (native) or a rounded copy of them.
  RowStore(core::Tensor rows, StoreType type, std::shared_ptr<core::MemoryPool> pool);

  explicit operator bool() const { return static_cast<bool>(data_); }
  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  /// Of what is written and read.
  core::DType dtype() const { return dtype_; }
  std::size_t bytes() const { return data_.bytes(); }
  /// Whether read() shares the table's elements.
  bool is_native() const { return type_ == StoreType::kNative; }

  /// Overwrites rows [first_row, first_row + rows.rows()). Throws Error unless they are of this shape and dtype.
  void write(Index first_row, const core::Tensor& rows);
  /// Rows [begin, end): native ones share the table's elements, others are a copy in `purpose`.
  core::Tensor read(Index begin, Index end, core::MemoryPurpose purpose = core::MemoryPurpose::kWorkspace) const;
  core::Tensor read() const { return read(0, rows_); }
  /// All rows with elements of their own.
  core::Tensor copy(core::MemoryPurpose purpose) const;

 private:
  std::size_t bytes_of(Index rows) const;

  std::shared_ptr<core::MemoryPool> pool_;
  StoreType type_ = StoreType::kNative;
  core::DType dtype_ = core::DType::kFloat32;
  Index rows_ = 0;
  Index cols_ = 0;
  /// Native: [rows, cols]; else enough numbers for the bytes of all rows, one after the other.
  core::Tensor data_;
};

}  // namespace laminar::pipeline
