#include "laminar/partition/adjacency.hpp"

#include <numeric>

#include "laminar/core/neighbours.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::partition {
Adjacency symmetric_adjacency(const core::Graph& graph, bool use_edge_weights) {
  const Index n = graph.num_vertices();
  const bool weighted = use_edge_weights && graph.weighted();
  Adjacency result;
  result.offsets.assign(static_cast<std::size_t>(n) + 1, 0);
  core::parallel_for_rows(graph.in_offsets(), 0, n, [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      core::for_each_neighbour(graph, v, false, [&](VertexId, double) { ++result.offsets[v + 1]; });
    }
  });
  std::partial_sum(result.offsets.begin(), result.offsets.end(), result.offsets.begin());
  result.neighbours.resize(static_cast<std::size_t>(result.offsets.back()));
  if (weighted) result.weights.resize(result.neighbours.size());
  core::parallel_for_rows(result.offsets, 0, n, [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      EdgeId at = result.offsets[v];
      core::for_each_neighbour(graph, v, weighted, [&](VertexId u, double weight) {
        if (weighted) result.weights[at] = weight;
        result.neighbours[at++] = u;
      });
    }
  });
  return result;
}

}  // namespace laminar::partition
