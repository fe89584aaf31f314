/// Linear deterministic greedy (Stanton and Kliot, "Streaming graph partitioning for large distributed graphs", KDD
/// 2012): one pass over the vertices in the file's order; see StreamingScore::kLdg.
#include "laminar/partition/streaming_strategies.hpp"

namespace laminar::partition {
namespace {

Partition ldg(const core::Graph& graph, const PartitionOptions& options) {
  core::GraphEdgeStream stream(graph);
  return stream_partition(stream, streaming_options(options, StreamingScore::kLdg, 1));
}

LAMINAR_PARTITIONER(ldg, &ldg,
                    {.name = "ldg",
                     .summary = "linear deterministic greedy, one pass in the file's order",
                     .paper = "Stanton and Kliot, KDD 2012",
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
