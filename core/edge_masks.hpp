#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "laminar/core/random.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// Dropout of the edges of a block, a head: a mask is 0 or rate.scale, a function of the edge (source and target: ids
/// in the file; its number among parallel edges) and the head alone, so that every block draws the same. The ids must
/// outlive it.
class EdgeMasks {
 public:
  EdgeMasks(RandomKey key, const DropoutRate& rate, std::span<const VertexId> source_ids,
            std::span<const VertexId> own_ids, Index heads)
      : key_(key), rate_(rate), source_ids_(source_ids), own_ids_(own_ids), heads_(heads) {}

  /// Whether any edge is ever dropped; if not, there is no need for masks.
  bool active() const { return rate_.active(); }

  /// masks[e * heads + h] of row i's in-edges, which come from `sources`, parallel ones side by side.
  template <class T>
  void of_row(Index i, std::span<const std::int32_t> sources, std::vector<T>& masks) const {
    fill(sources, masks, [&](std::int32_t j) { return Ends{source_ids_[j], own_ids_[i]}; });
  }
  /// The same of source j's out-edges, which go to the rows `targets`.
  template <class T>
  void of_source(Index j, std::span<const std::int32_t> targets, std::vector<T>& masks) const {
    fill(targets, masks, [&](std::int32_t i) { return Ends{source_ids_[j], own_ids_[i]}; });
  }

 private:
  struct Ends {
    VertexId source;
    VertexId target;
  };

  template <class T, class EndsOf>
  void fill(std::span<const std::int32_t> others, std::vector<T>& masks, const EndsOf& ends_of) const {
    masks.resize(others.size() * static_cast<std::size_t>(heads_));
    T* out = masks.data();
    std::uint32_t multiplicity = 0;
    std::array<std::uint32_t, 4> bits{};
    for (std::size_t e = 0; e < others.size(); ++e) {
      multiplicity = e > 0 && others[e] == others[e - 1] ? multiplicity + 1 : 0;
      const Ends ends = ends_of(others[e]);
      // Sixteen bits decide: eight heads share a random block.
      for (Index h = 0; h < heads_; ++h) {
        if (h % 8 == 0) {
          bits = random_block(key_, static_cast<std::uint32_t>(ends.source), static_cast<std::uint32_t>(ends.target),
                              multiplicity << 16 | static_cast<std::uint32_t>(h / 8));
        }
        const std::uint32_t half = (bits[static_cast<std::size_t>(h % 8 / 2)] >> (16 * (h % 2))) & 0xffffU;
        *out++ = half >= rate_.threshold ? static_cast<T>(rate_.scale) : T(0);
      }
    }
  }

  RandomKey key_;
  DropoutRate rate_;
  std::span<const VertexId> source_ids_, own_ids_;
  Index heads_;
};

}  // namespace laminar::core
