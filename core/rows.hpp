#pragma once

#include <cstdint>
#include <span>

#include "laminar/core/tape.hpp"

namespace laminar::core {

/// y = rows [begin, end) of x, without a copy. Throws Error if out of range.
Var slice_rows(Tape& tape, Var x, Index begin, Index end);

/// The dense form of a sparse x; a dense x passes through. For operations that need every element, such as a maximum.
Var densify(Tape& tape, Var x);

/// to[i] = from[rows[i]]. Throws Error unless shapes and dtypes fit; rows must be in range.
void gather_rows(const Tensor& from, std::span<const std::int32_t> rows, Tensor& to);

/// to[rows[i]] += factors[i] from[i], rows with factor 0 being skipped. The rows must be distinct and in range. Throws
/// Error unless shapes and dtypes fit.
void scatter_add_rows(const Tensor& from, std::span<const std::int32_t> rows, std::span<const double> factors,
                      Tensor& to);

}  // namespace laminar::core
