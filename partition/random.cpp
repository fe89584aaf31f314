/// Vertices shuffled and cut into parts of equal weight: the worst that a balanced partition gets on most graphs.
#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

Partition random_partition(const core::Graph& graph, const PartitionOptions& options) {
  return cut_order(random_order(graph.num_vertices(), options.seed), options.parts, options.vertex_weights,
                   options.capacity);
}

LAMINAR_PARTITIONER(random, &random_partition,
                    {.name = "random",
                     .summary = "vertices shuffled, parts of equal weight",
                     .capacity = true,
                     .vertex_weights = true,
                     .reads_edges = false})

}  // namespace
}  // namespace laminar::partition
