#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "laminar/core/parameter.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/layers/check_data.hpp"

/// Small tools that every numerical test needs: deterministic tensors and ways to compare them.
namespace laminar::testing {

using layers::checks::context;
using layers::checks::norm;
using layers::checks::random_tensor;
using layers::checks::relative_difference;
using layers::checks::values_of;

/// A parameter with random_tensor() as its value and a zero gradient.
std::unique_ptr<core::Parameter> random_parameter(const std::string& name, core::Index rows, core::Index cols,
                                                  core::DType dtype, std::uint64_t seed);

/// Same shape, dtype and bits.
bool same_bits(const core::Tensor& a, const core::Tensor& b);

}  // namespace laminar::testing
