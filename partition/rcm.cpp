/// Vertices in reverse Cuthill-McKee order, cut into parts of equal weight: thin slices on meshes.
#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

Partition rcm_partition(const core::Graph& graph, const PartitionOptions& options) {
  return cut_order(reverse_cuthill_mckee_order(symmetric_adjacency(graph)), options.parts, options.vertex_weights,
                   options.capacity);
}

LAMINAR_PARTITIONER(rcm, &rcm_partition,
                    {.name = "rcm",
                     .summary = "reverse Cuthill-McKee order cut into equal ranges",
                     .paper = "Cuthill and McKee, ACM National Conference 1969",
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
