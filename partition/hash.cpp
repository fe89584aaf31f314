/// Each vertex to a part by a hash of its id and the seed, so that anyone can tell where a vertex is without a table.
/// Parts come out equal only in expectation.
#include <algorithm>

#include "laminar/core/random.hpp"
#include "laminar/partition/balance.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

Partition hash_partition(const core::Graph& graph, const PartitionOptions& options) {
  const core::RandomKey key = core::random_key(options.seed, "hash partition");
  std::vector<double> ends;  // of each part's piece of [0, sum of capacities)
  double sum = 0;
  for (Index p = 0; p < options.parts; ++p) {
    sum += options.capacity.empty() ? 1.0 : options.capacity[p];
    ends.push_back(sum);
  }
  Partition result{options.parts, std::vector<std::int32_t>(static_cast<std::size_t>(graph.num_vertices()))};
  for (std::size_t v = 0; v < result.part_of.size(); ++v) {
    const double at = core::random_uniform(key, v) * sum;
    const auto part = std::upper_bound(ends.begin(), ends.end() - 1, at) - ends.begin();
    result.part_of[v] = static_cast<std::int32_t>(part);
  }
  fill_empty_parts(options.parts, result.part_of);
  return result;
}

LAMINAR_PARTITIONER(hash, &hash_partition,
                    {.name = "hash",
                     .summary = "each vertex by a hash of its id, balanced in expectation only",
                     .capacity = true,
                     .reads_edges = false})

}  // namespace
}  // namespace laminar::partition
