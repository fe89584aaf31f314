#pragma once

#include <filesystem>

#include "laminar/core/dataset.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::apps {

/// Where `distribution.partition` is neither "auto" nor a strategy, takes the partition of that name in the graph file,
/// or the file of that name, into `distribution.part_of`, and its number of parts for the topology unless
/// `parts_given`. Throws UsageError if there is neither, or if it has another number of parts than was asked for; Error
/// if it is damaged or of another graph.
void load_named_partition(const std::filesystem::path& graph_file, const core::Dataset& data, bool parts_given,
                          pipeline::DistributionOptions& distribution);

}  // namespace laminar::apps
