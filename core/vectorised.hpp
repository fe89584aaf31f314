#pragma once

#include "laminar/core/multiversion.hpp"
#include "laminar/core/parallel.hpp"

/// Loops that are compiled for several instruction sets each (LAMINAR_MULTIVERSION). A body is a lambda marked
/// LAMINAR_INLINE_LAMBDA that calls nothing but LAMINAR_INLINE functions where speed counts; what it captures by value
/// stays in registers.
namespace laminar::core {

/// Calls body(arguments...).
template <class Body, class... Arguments>
LAMINAR_MULTIVERSION void run_vectorised(const Body& body, Arguments... arguments) {
  body(arguments...);
}

/// parallel_for() with such a body(begin, end).
template <class Body>
void parallel_for_vectorised(Index n, Index grain, const Body& body) {
  parallel_for(n, grain, [&](Index begin, Index end) { run_vectorised(body, begin, end); });
}

/// body(i) for each i of [0, n), in parallel: for one element of a tensor a call, which may be written where it was
/// read.
template <class Body>
void for_each_element(Index n, const Body& body) {
  parallel_for_vectorised(n, Index{1} << 14, [&body](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
    const Body own = body;
    LAMINAR_LANES
    for (Index i = begin; i < end; ++i) own(i);
  });
}

}  // namespace laminar::core
