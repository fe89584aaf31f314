/// Fennel (Tsourakakis, Gkantsidis, Radunovic and Vojnovic, "FENNEL: streaming graph partitioning for massive scale
/// graphs", WSDM 2014) with gamma = 1.5: one pass over the vertices in the file's order; see StreamingScore::kFennel.
#include "laminar/partition/streaming_strategies.hpp"

namespace laminar::partition {
namespace {

Partition fennel(const core::Graph& graph, const PartitionOptions& options) {
  core::GraphEdgeStream stream(graph);
  return stream_partition(stream, streaming_options(options, StreamingScore::kFennel, 1));
}

LAMINAR_PARTITIONER(fennel, &fennel,
                    {.name = "fennel",
                     .summary = "Fennel, one pass in the file's order",
                     .paper = "Tsourakakis et al., WSDM 2014",
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
