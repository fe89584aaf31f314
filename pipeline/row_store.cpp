#include "laminar/pipeline/row_store.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/codec.hpp"

namespace laminar::pipeline {

using core::DType;
using core::Tensor;

namespace {

constexpr std::array kTypes = {std::pair{StoreType::kNative, "native"}, std::pair{StoreType::kFloat32, "float32"},
                               std::pair{StoreType::kBfloat16, "bfloat16"}};

template <class From, class To>
void convert(const From* from, To* to, Index count) {
  core::parallel_for(count, 1 << 14, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) to[i] = static_cast<To>(from[i]);
  });
}

}  // namespace

std::string_view name_of(StoreType type) { return kTypes[static_cast<std::size_t>(type)].second; }

StoreType store_type_from_name(std::string_view name) {
  for (const auto& [type, text] : kTypes) {
    if (name == text) return type;
  }
  throw UsageError(fmt::format("table type '{}' is not known; there are native, float32 and bfloat16", name));
}

RowStore::RowStore(Index rows, Index cols, DType dtype, StoreType type, std::shared_ptr<core::MemoryPool> pool)
    : pool_(std::move(pool)),
      // What it is anyway needs no conversion.
      type_(type == StoreType::kFloat32 && dtype == DType::kFloat32 ? StoreType::kNative : type),
      dtype_(dtype),
      rows_(rows),
      cols_(cols) {
  const auto purpose = core::MemoryPurpose::kTables;
  if (type_ == StoreType::kNative) {
    data_ = Tensor::zeros(rows, cols, dtype, pool_.get(), purpose);
    return;
  }
  const std::size_t numbers = (bytes_of(rows) + sizeof(float) - 1) / sizeof(float);
  data_ = Tensor::zeros(1, static_cast<Index>(numbers), DType::kFloat32, pool_.get(), purpose);
}

RowStore::RowStore(Tensor rows, StoreType type, std::shared_ptr<core::MemoryPool> pool) {
  const bool native = type == StoreType::kNative || (type == StoreType::kFloat32 && rows.dtype() == DType::kFloat32);
  if (!native) {
    *this = RowStore(rows.rows(), rows.cols(), rows.dtype(), type, std::move(pool));
    write(0, rows);
    return;
  }
  pool_ = std::move(pool);
  dtype_ = rows.dtype();
  rows_ = rows.rows();
  cols_ = rows.cols();
  data_ = std::move(rows);
}

std::size_t RowStore::bytes_of(Index rows) const {
  const std::size_t size = type_ == StoreType::kBfloat16 ? 2 : type_ == StoreType::kFloat32 ? 4 : core::size_of(dtype_);
  return static_cast<std::size_t>(rows * cols_) * size;
}

void RowStore::write(Index first_row, const Tensor& rows) {
  const Index end = first_row + rows.rows();
  if (rows.cols() != cols_ || rows.dtype() != dtype_ || first_row < 0 || end > rows_) {
    throw Error(fmt::format("[row store] rows {} to {} {} [{}] for a table {} [{}, {}]", first_row, end,
                            core::name_of(rows.dtype()), rows.cols(), core::name_of(dtype_), rows_, cols_));
  }
  if (type_ == StoreType::kNative) {
    data_.slice_rows(first_row, end).copy_from(rows);
    return;
  }
  std::byte* to = data_.raw() + bytes_of(first_row);
  if (type_ == StoreType::kBfloat16) {
    pack({Codec::kBfloat16, dtype_, rows.size(), cols_}, {}, rows.raw(), to);
  } else {
    convert(rows.data<double>(), reinterpret_cast<float*>(to), rows.size());
  }
}

Tensor RowStore::read(Index begin, Index end, core::MemoryPurpose purpose) const {
  if (type_ == StoreType::kNative) return data_.slice_rows(begin, end);
  if (begin < 0 || end < begin || end > rows_) {
    throw Error(fmt::format("[row store] rows {} to {} of {}", begin, end, rows_));
  }
  Tensor rows(end - begin, cols_, dtype_, pool_.get(), purpose);
  const std::byte* from = data_.raw() + bytes_of(begin);
  if (type_ == StoreType::kBfloat16) {
    unpack({Codec::kBfloat16, dtype_, rows.size(), cols_}, from, rows.raw());
  } else {
    convert(reinterpret_cast<const float*>(from), rows.data<double>(), rows.size());
  }
  return rows;
}

Tensor RowStore::copy(core::MemoryPurpose purpose) const {
  return type_ == StoreType::kNative ? data_.clone(pool_.get(), purpose) : read(0, rows_, purpose);
}

}  // namespace laminar::pipeline
