/// Restreaming (Nishimura and Ugander, "Restreaming graph partitioning: simple versatile algorithms for advanced
/// balancing", KDD 2013): LDG or Fennel over and over; a vertex sees where its neighbours went in the pass before.
#include "laminar/partition/streaming_strategies.hpp"

namespace laminar::partition {
namespace {

constexpr int kPasses = 10;

Partition restream(const core::Graph& graph, const PartitionOptions& options, StreamingScore score) {
  core::GraphEdgeStream stream(graph);
  return stream_partition(stream, streaming_options(options, score, kPasses));
}

Partition restreaming_ldg(const core::Graph& graph, const PartitionOptions& options) {
  return restream(graph, options, StreamingScore::kLdg);
}

Partition restreaming_fennel(const core::Graph& graph, const PartitionOptions& options) {
  return restream(graph, options, StreamingScore::kFennel);
}

LAMINAR_PARTITIONER(restreaming_ldg, &restreaming_ldg,
                    {.name = "restreaming_ldg",
                     .summary = "linear deterministic greedy in ten passes",
                     .paper = "Nishimura and Ugander, KDD 2013",
                     .capacity = true,
                     .vertex_weights = true})
LAMINAR_PARTITIONER(restreaming_fennel, &restreaming_fennel,
                    {.name = "restreaming_fennel",
                     .summary = "Fennel in ten passes",
                     .paper = "Nishimura and Ugander, KDD 2013",
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
