#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "laminar/core/bfloat16.hpp"

namespace laminar::core {

/// A row or column number, or a count of them.
using Index = std::int64_t;
/// A vertex; -1 is never valid.
using VertexId = std::int32_t;
/// The position of an edge in a CSR array, or a number of edges.
using EdgeId = std::int64_t;

/// Element type of a tensor, chosen at run time. As the precision of a model, kBfloat16 means that numbers are kept in
/// it and computed in float32; see TapeContext::bfloat16.
enum class DType : std::uint8_t { kFloat32, kFloat64, kBfloat16 };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) { return dtype == DType::kFloat32 ? 4 : dtype == DType::kFloat64 ? 8 : 2; }

/// What numbers kept as `dtype` are computed in: float32 for bfloat16, else the same.
constexpr DType computed(DType dtype) { return dtype == DType::kBfloat16 ? DType::kFloat32 : dtype; }

/// "f32", "f64" or "bf16".
std::string_view name_of(DType dtype);

/// The inverse of name_of(). Throws UsageError on any other name.
DType dtype_from_name(std::string_view name);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kFloat64;
};
template <>
struct DTypeOf<Bfloat16> {
  static constexpr DType value = DType::kBfloat16;
};

/// Throws Error: an operation met bfloat16 rows that it has no kernel for.
[[noreturn]] void refuse_bfloat16();

/// Calls `f(T{})` with T = float or double: where a run-time dtype becomes a C++ type. Throws Error for bfloat16.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  if (dtype == DType::kBfloat16) refuse_bfloat16();
  return dtype == DType::kFloat32 ? f(float{}) : f(double{});
}

/// The same for operations that know what numbers are kept in, T = Bfloat16 too; they compute in Computed<T>.
template <class F>
decltype(auto) dispatch_kept(DType dtype, F&& f) {
  if (dtype == DType::kBfloat16) return f(Bfloat16{});
  return dispatch(dtype, f);
}

}  // namespace laminar::core
