#pragma once

#include <string_view>
#include <vector>

#include "laminar/core/edge_stream.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::apps {

/// Strategies that need not hold the edges: "fennel", "ldg", "restreaming_fennel", "restreaming_ldg".
std::vector<std::string_view> streaming_strategies();

/// Runs one of them on rows that come one after the other; options as in Partitioners::run(), those that it doesn't
/// heed refused. Throws UsageError for another strategy or options out of range.
partition::Partition partition_stream(std::string_view strategy, core::EdgeStream& stream,
                                      const partition::PartitionOptions& options);

/// partition::measure() in one pass over in-edges, holding two bits for every vertex and part. Components are not
/// counted (0), and vertices weigh 1 each.
partition::PartitionMetrics measure_stream(core::EdgeStream& stream, bool directed,
                                           const partition::Partition& partition,
                                           const partition::MeasureOptions& options);

}  // namespace laminar::apps
