#pragma once

#include <array>

#include "laminar/core/tape.hpp"

namespace laminar::core {

/// y_ic = the mean over heads h of x_i,(h w + c). x [n, heads * w] -> y [n, w]. Throws Error if the width is no
/// multiple of `heads`. One head passes through.
Var mean_heads(Tape& tape, Var x, Index heads);

/// s_ih = <a_i, b_i> over head h's columns. a [n, heads * w], b the same or [1, heads * w] for all rows alike -> [n,
/// heads], from `pool`. No operation of a tape.
Tensor head_dots(const Tensor& a, const Tensor& b, Index heads, MemoryPool* pool,
                 MemoryPurpose purpose = MemoryPurpose::kWorkspace);
/// The same of each of two vectors [1, heads * w], in one pass over a's rows.
std::array<Tensor, 2> head_dots_of_two(const Tensor& a, const std::array<const Tensor*, 2>& vectors, Index heads,
                                       MemoryPool* pool, MemoryPurpose purpose = MemoryPurpose::kActivations);

}  // namespace laminar::core
