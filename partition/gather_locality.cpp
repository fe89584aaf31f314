#include "laminar/partition/gather_locality.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::partition {

double gather_reuse(const core::Graph& graph, std::span<const VertexId> order, Index rows) {
  const Index n = graph.num_vertices();
  if (!order.empty() && static_cast<Index>(order.size()) != n) {
    throw Error(fmt::format("[gather reuse] an order of {} vertices for {}", order.size(), n));
  }
  if (rows <= 0) throw Error(fmt::format("[gather reuse] a cache of {} rows, expected 1 or more", rows));
  constexpr Index kStretches = 16;
  // Counted in a stretch, beside those that fill the cache before.
  const EdgeId counted = std::max<EdgeId>(8192, 2 * rows);
  // When each row was last read; times go on from stretch to stretch, with a gap.
  std::vector<EdgeId> last(static_cast<std::size_t>(n), -rows - 1);
  EdgeId now = 0;
  EdgeId looked_at = 0;
  EdgeId found = 0;
  Index next = 0;  // what an earlier stretch has read it leaves out
  for (Index s = 0; s < kStretches; ++s) {
    next = std::max(next, n / kStretches * s);
    now += rows + 1;
    const EdgeId counts_from = now + rows;
    for (; next < n && now < counts_from + counted; ++next) {
      const VertexId v = order.empty() ? static_cast<VertexId>(next) : order[next];
      for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e, ++now) {
        EdgeId& read = last[graph.in_sources()[e]];
        if (now >= counts_from) {
          ++looked_at;
          if (now - read <= rows) ++found;
        }
        read = now;
      }
    }
  }
  return looked_at > 0 ? static_cast<double>(found) / static_cast<double>(looked_at) : 0;
}

}  // namespace laminar::partition
