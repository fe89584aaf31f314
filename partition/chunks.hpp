#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// How a graph is cut into the chunks that flow through the pipeline.
struct ChunkOptions {
  Index chunks = 1;
  std::uint64_t seed = 1;
  /// What the dense work on one row is worth, in edges: the cost of a vertex is dense_cost + its in-degree.
  double dense_cost = 32;
  /// A chunk may cost up to (1 + imbalance) x the mean.
  double imbalance = 0.05;
  /// A strategy of the registry to start from; whether it heeds vertex weights or not, chunks are balanced by cost
  /// afterwards. "auto": METIS minimising cut with costs as weights; restreaming_ldg in a build without METIS.
  std::string strategy = "auto";
};

/// dense_cost + in-degree of each vertex: what it costs to compute it, in edges.
std::vector<double> vertex_costs(const core::Graph& graph, double dense_cost);

/// Cuts the graph into chunks of about equal cost that keep many edges inside, and numbers them so that few edges lead
/// from a later chunk to an earlier one (on undirected graphs every order has equally many). The largest chunk costs at
/// most (1 + imbalance) x the mean unless a single vertex, or the grain of vertices, makes that impossible; then
/// `remarks` says how far it is from it. No chunk is empty. Same seed, same chunks, on any number of threads.
/// Throws UsageError for chunks outside [1, number of vertices] ([0, 1] chunks of an empty graph are one), a dense cost
/// that is not positive, a negative imbalance, or an unknown strategy.
Partition make_chunks(const core::Graph& graph, const ChunkOptions& options);

/// Vertices chunk after chunk (or part after part), those of one chunk ordered so that neighbours stand near each other
/// (reverse Cuthill-McKee on the edges inside the chunk, in either direction): position -> vertex.
/// Throws Error if the labels are not valid for the graph.
std::vector<VertexId> locality_order(const core::Graph& graph, const Partition& chunks);

/// The share of edges whose reader finds last epoch's row, because the source's chunk comes later than its own.
struct StaleShare {
  /// Chunks in the order of their numbers.
  double fixed = 0;
  /// Mean over all orders of the chunks: half the share of edges between chunks.
  double shuffled = 0;
};

/// Counts every edge of the graph, parallel ones and self-loops too; 0 for a graph without edges. Throws Error if the
/// labels are not valid for the graph.
StaleShare stale_share(const core::Graph& graph, const Partition& chunks);

}  // namespace laminar::partition
