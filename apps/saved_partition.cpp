#include "laminar/apps/saved_partition.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/partitions.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::apps {

void load_named_partition(const std::filesystem::path& graph_file, const core::Dataset& data, bool parts_given,
                          pipeline::DistributionOptions& d) {
  const std::vector<std::string> strategies = partition::Partitioners::instance().names();
  if (d.partition == "auto" || std::find(strategies.begin(), strategies.end(), d.partition) != strategies.end()) return;
  const datasets::GraphIdentity graph(data);
  datasets::SavedPartition saved;
  if (std::filesystem::is_regular_file(d.partition)) {
    saved = datasets::read_partition_file(d.partition, graph);
  } else {
    try {
      saved = datasets::load_partition(graph_file, d.partition, graph);
    } catch (const UsageError& e) {
      throw UsageError(fmt::format("--partition {}: {}; it is no file, nor one of the strategies {}", d.partition,
                                   e.what(), fmt::join(strategies, ", ")));
    }
  }
  if (parts_given && saved.parts != d.topology.parts) {
    throw UsageError(
        fmt::format("--partition {} has {} parts, but {} were asked for", d.partition, saved.parts, d.topology.parts));
  }
  d.topology.parts = saved.parts;
  d.part_of = std::make_shared<const std::vector<std::int32_t>>(std::move(saved.assignment));
}

}  // namespace laminar::apps
