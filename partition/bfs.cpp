/// Vertices in breadth-first order from a far end, cut into parts of equal weight.
#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

Partition bfs_partition(const core::Graph& graph, const PartitionOptions& options) {
  return cut_order(breadth_first_order(symmetric_adjacency(graph)), options.parts, options.vertex_weights,
                   options.capacity);
}

LAMINAR_PARTITIONER(bfs, &bfs_partition,
                    {.name = "bfs",
                     .summary = "breadth-first order cut into equal ranges",
                     .paper = "George and Liu, ACM Trans. Math. Softw. 1979 (where it starts)",
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
