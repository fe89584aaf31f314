#pragma once

#include <cstdint>

#include "laminar/core/random.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// Dropout masks of one edge, a head: out[h * stride] = 0 or rate.scale, a function of the edge (source, target: ids in
/// the file; multiplicity: its number among parallel edges) and the head alone, so that every block draws the same.
template <class T>
void edge_masks(RandomKey key, const DropoutRate& rate, VertexId source, VertexId target, std::uint32_t multiplicity,
                Index heads, T* out, Index stride) {
  for (Index h = 0; h < heads; ++h) {
    const auto bits = random_block(key, static_cast<std::uint32_t>(source), static_cast<std::uint32_t>(target),
                                   multiplicity << 16 | static_cast<std::uint32_t>(h / 8));
    const std::uint32_t lane = (bits[static_cast<std::size_t>(h % 8 / 2)] >> (16 * (h % 2))) & 0xffffU;
    out[h * stride] = lane >= rate.threshold ? static_cast<T>(rate.scale) : T(0);
  }
}

}  // namespace laminar::core
