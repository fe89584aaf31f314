/// Consecutive vertices in the graph's own order, each part as near to its share of the weight as whole vertices allow.
#include <numeric>

#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

Partition range_partition(const core::Graph& graph, const PartitionOptions& options) {
  std::vector<VertexId> order(static_cast<std::size_t>(graph.num_vertices()));
  std::iota(order.begin(), order.end(), 0);
  return cut_order(order, options.parts, options.vertex_weights, options.capacity);
}

LAMINAR_PARTITIONER(range, &range_partition,
                    {.name = "range",
                     .summary = "consecutive vertices in the file's order",
                     .capacity = true,
                     .vertex_weights = true,
                     .reads_edges = false})

}  // namespace
}  // namespace laminar::partition
