#pragma once

#include <string_view>

#include "laminar/partition/partitioner.hpp"

namespace laminar::apps {

/// Partitions for hosts that hold several devices each: first into `hosts` parts, so that what crosses between hosts is
/// made small on its own, then each of these into `devices`. Part h * devices + d is device d of host h. Each level may
/// be out of balance by sqrt(1 + imbalance) - 1, so that both together stay within options.imbalance; options.parts is
/// ignored; --capacity has a number for every device. Edges count in the second level as far as they lie inside the
/// host. The time limit is shared out evenly: half for the first level. Throws as Partitioners::run(), and UsageError
/// for a start, or if a host has fewer vertices than devices.
partition::Partition partition_two_levels(std::string_view strategy, const core::Graph& graph,
                                          const partition::PartitionOptions& options, core::Index hosts,
                                          core::Index devices);

/// The partition among hosts that one into hosts x devices implies.
partition::Partition hosts_of(const partition::Partition& partition, core::Index devices);

}  // namespace laminar::apps
