/// Consecutive vertices in the graph's own order, each part as near to its share of the weight as whole vertices allow.
#include <algorithm>
#include <numeric>

#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

Partition range_partition(const core::Graph& graph, const PartitionOptions& options) {
  const Index n = graph.num_vertices();
  Partition result{options.parts, std::vector<std::int32_t>(static_cast<std::size_t>(n))};
  const auto weight = [&](Index v) { return options.vertex_weights.empty() ? 1.0 : options.vertex_weights[v]; };
  const auto capacity = [&](Index p) { return options.capacity.empty() ? 1.0 : options.capacity[p]; };
  double total = 0;
  for (Index v = 0; v < n; ++v) total += weight(v);
  double capacities = 0;
  for (Index p = 0; p < options.parts; ++p) capacities += capacity(p);
  Index v = 0;
  double placed = 0;
  double share = 0;
  for (Index p = 0; p < options.parts; ++p) {
    share += capacity(p) / capacities * total;
    const Index first = v;
    const Index last = n - (options.parts - 1 - p);  // leave one vertex for each later part
    // A vertex goes where its middle lies; every part gets at least one.
    while (v < last && (v == first || p == options.parts - 1 || placed + weight(v) / 2 <= share)) {
      placed += weight(v);
      result.part_of[v++] = static_cast<std::int32_t>(p);
    }
  }
  return result;
}

LAMINAR_PARTITIONER(
    range, &range_partition,
    {.name = "range", .summary = "consecutive vertices in the file's order", .capacity = true, .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
