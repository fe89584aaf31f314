#include "laminar/core/types.hpp"

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::core {

std::string_view name_of(DType dtype) {
  return dtype == DType::kFloat32 ? "f32" : dtype == DType::kFloat64 ? "f64" : "bf16";
}

DType dtype_from_name(std::string_view name) {
  if (name == "f32") return DType::kFloat32;
  if (name == "f64") return DType::kFloat64;
  if (name == "bf16") return DType::kBfloat16;
  throw UsageError(fmt::format("precision '{}' is not known; use f32, f64 or bf16", name));
}

void refuse_bfloat16() { throw Error("[dtype] bfloat16 numbers are kept, not computed in; convert them to f32 first"); }

}  // namespace laminar::core
