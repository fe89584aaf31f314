/// Label propagation with a bound on sizes (Ugander and Backstrom, "Balanced label propagation for partitioning massive
/// graphs", WSDM 2013, without their linear program: a vertex moves while the other part has room). Vertices come in an
/// order drawn from the seed and go to the part that holds the most of their neighbours, sweep after sweep; the start
/// is a given partition, made to fit first, or a breadth-first order cut into equal ranges.
#include "laminar/partition/balance.hpp"
#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

constexpr int kSweeps = 50;

Partition label_propagation(const core::Graph& graph, const PartitionOptions& options) {
  const Adjacency adjacency = symmetric_adjacency(graph, options.use_edge_weights);
  const Index n = graph.num_vertices();
  const std::vector<double> limits =
      part_limits(options.vertex_weights, options.capacity, n, options.parts, options.imbalance);
  Partition result{options.parts, options.start};
  if (options.start.empty()) {
    result = cut_order(breadth_first_order(adjacency), options.parts, options.vertex_weights, options.capacity);
  }
  fill_empty_parts(adjacency, options.parts, result.part_of);
  rebalance(adjacency, options.vertex_weights, limits, result.part_of);
  refine_cut(adjacency, options.vertex_weights, limits, kSweeps, result.part_of, random_order(n, options.seed));
  return result;
}

LAMINAR_PARTITIONER(label_propagation, &label_propagation,
                    {.name = "label_propagation",
                     .summary = "label propagation with a bound on sizes, for a small edge cut",
                     .paper = "Ugander and Backstrom, WSDM 2013",
                     .refines = true,
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
