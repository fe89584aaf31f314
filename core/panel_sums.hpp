#pragma once

#include <algorithm>

#include "laminar/core/memory.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/core/vectorised.hpp"

namespace laminar::core {

/// Adds up over rows [0, n), such as a parameter's gradient, with the same bits on any number of threads: rows of
/// `cols` elements are cut by sizes alone into at most 64 panels; body(begin, end, sum) adds what rows [begin, end)
/// give to sum[0, size), which is 0 at first, panels in parallel (vectorised.hpp says what a body is); then take(sum)
/// is called with each panel's sum, in order. T is float or double, whatever the rows are.
template <class T, class Body, class Take>
void sum_panels(MemoryPool* pool, Index n, Index cols, Index size, const Body& body, const Take& take) {
  const Index grain = std::max<Index>(row_grain(cols), (n + 63) / 64);
  const Index panels = (n + grain - 1) / grain;
  if (panels == 0) return;
  Tensor partial(panels, size, DTypeOf<T>::value, pool, MemoryPurpose::kWorkspace);
  T* sums = partial.data<T>();
  parallel_for(n, grain, [&](Index begin, Index end) {
    T* sum = sums + begin / grain * size;
    std::fill_n(sum, size, T(0));
    run_vectorised(body, begin, end, sum);
  });
  for (Index p = 0; p < panels; ++p) take(static_cast<const T*>(sums + p * size));
}

/// The same for one target: out[0, size) += the sum.
template <class T, class Body>
void add_panels(MemoryPool* pool, Index n, Index cols, Index size, T* out, const Body& body) {
  sum_panels<T>(pool, n, cols, size, body, [=](const T* sum) {
    for (Index c = 0; c < size; ++c) out[c] += sum[c];
  });
}

}  // namespace laminar::core
