#pragma once

#include "laminar/core/attention_kernels.hpp"

namespace laminar::core {

/// attention_forward() and attention_backward() with all numbers of an edge in registers, for the shapes that have such
/// a kernel; false, and nothing done, for others. T is float or Bfloat16.
template <class T>
bool attention_forward_lanes(const AttentionForward<T>& what, Index begin, Index end);
template <class T>
bool attention_backward_lanes(const AttentionBackward<T>& what, Index begin, Index end);

}  // namespace laminar::core
