#include "laminar/core/tensor.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/vectorised.hpp"

namespace laminar::core {
namespace {

std::shared_ptr<std::byte> system_buffer(std::size_t bytes) {
  constexpr std::align_val_t kAlign{64};
  auto* p = static_cast<std::byte*>(::operator new(std::max<std::size_t>(bytes, 1), kAlign, std::nothrow));
  if (p == nullptr) throw Error(fmt::format("out of memory: {} MiB wanted for a tensor", bytes >> 20));
  return {p, [](std::byte* q) { ::operator delete (q, std::align_val_t{64}); }};
}

constexpr Index kElementGrain = 1 << 16;

}  // namespace

Tensor::Tensor(Index rows, Index cols, DType dtype, MemoryPool* pool, MemoryPurpose purpose)
    : rows_(rows), cols_(cols), dtype_(dtype) {
  if (rows < 0 || cols < 0 || (cols > 0 && rows > std::numeric_limits<Index>::max() / 8 / cols)) {
    throw Error(fmt::format("[tensor] a shape of [{}, {}] is not possible", rows, cols));
  }
  storage_ = pool != nullptr ? pool->allocate(bytes(), purpose) : system_buffer(bytes());
}

Tensor Tensor::zeros(Index rows, Index cols, DType dtype, MemoryPool* pool, MemoryPurpose purpose) {
  Tensor t(rows, cols, dtype, pool, purpose);
  t.fill(0);
  return t;
}

Tensor Tensor::from(Index rows, Index cols, std::span<const double> values, DType dtype) {
  if (rows * cols != static_cast<Index>(values.size())) {
    throw Error(fmt::format("[tensor] {} values were given for a shape of [{}, {}]", values.size(), rows, cols));
  }
  Tensor t(rows, cols, dtype);
  dispatch_kept(dtype, [&]<class T>(T) {
    std::transform(values.begin(), values.end(), t.data<T>(), [](double v) { return static_cast<T>(v); });
  });
  return t;
}

Tensor Tensor::slice_rows(Index begin, Index end) const {
  if (begin < 0 || begin > end || end > rows_) {
    throw Error(fmt::format("[tensor] rows {}..{} were asked of a tensor with {} rows", begin, end, rows_));
  }
  Tensor t = *this;
  t.offset_bytes_ += static_cast<std::size_t>(begin * cols_) * size_of(dtype_);
  t.rows_ = end - begin;
  return t;
}

Tensor Tensor::clone(MemoryPool* pool, MemoryPurpose purpose) const {
  Tensor t(rows_, cols_, dtype_, pool, purpose);
  t.copy_from(*this);
  return t;
}

Tensor Tensor::to(DType dtype, MemoryPool* pool, MemoryPurpose purpose) const {
  if (dtype == dtype_) return clone(pool, purpose);
  Tensor t(rows_, cols_, dtype, pool, purpose);
  dispatch_kept(dtype_, [&]<class S>(S) {
    dispatch_kept(dtype, [&]<class D>(D) {
      const S* in = data<S>();
      D* out = t.data<D>();
      parallel_for_vectorised(size(), kElementGrain, [=](Index b, Index e) LAMINAR_INLINE_LAMBDA {
        for (Index i = b; i < e; ++i) out[i] = static_cast<D>(static_cast<Computed<S>>(in[i]));
      });
    });
  });
  return t;
}

void Tensor::copy_from(const Tensor& other) {
  if (other.rows_ != rows_ || other.cols_ != cols_ || other.dtype_ != dtype_) {
    throw Error(fmt::format("[tensor] can't copy {} [{}, {}] into {} [{}, {}]", name_of(other.dtype_), other.rows_,
                            other.cols_, name_of(dtype_), rows_, cols_));
  }
  const auto width = static_cast<Index>(size_of(dtype_));
  parallel_for(size(), kElementGrain,
               [&](Index b, Index e) { std::memcpy(raw() + b * width, other.raw() + b * width, (e - b) * width); });
}

void Tensor::fill(double value) {
  dispatch_kept(dtype_, [&]<class T>(T) {
    T* p = data<T>();
    parallel_for(size(), kElementGrain, [&](Index b, Index e) { std::fill(p + b, p + e, static_cast<T>(value)); });
  });
}

double Tensor::at(Index row, Index col) const {
  if (row < 0 || row >= rows_ || col < 0 || col >= cols_) {
    throw Error(fmt::format("[tensor] element ({}, {}) of a [{}, {}] tensor", row, col, rows_, cols_));
  }
  return dispatch_kept(
      dtype_, [&]<class T>(T) { return static_cast<double>(static_cast<Computed<T>>(data<T>()[row * cols_ + col])); });
}

void Tensor::set(Index row, Index col, double value) {
  at(row, col);
  dispatch_kept(dtype_, [&]<class T>(T) { data<T>()[row * cols_ + col] = static_cast<T>(value); });
}

void Tensor::check_dtype(DType wanted) const {
  if (dtype_ != wanted) {
    throw Error(fmt::format("[tensor] the elements are {}, {} were asked for", name_of(dtype_), name_of(wanted)));
  }
}

}  // namespace laminar::core
