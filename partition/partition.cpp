#include "laminar/partition/partition.hpp"

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::partition {

void validate(const Partition& partition, Index num_vertices) {
  if (partition.num_parts < 1)
    throw Error(fmt::format("[partition] {} parts, expected at least 1", partition.num_parts));
  if (static_cast<Index>(partition.part_of.size()) != num_vertices) {
    throw Error(
        fmt::format("[partition] {} values for a graph with {} vertices", partition.part_of.size(), num_vertices));
  }
  for (Index v = 0; v < num_vertices; ++v) {
    if (partition.part_of[v] < 0 || partition.part_of[v] >= partition.num_parts) {
      throw Error(fmt::format("[partition] vertex {} is in part {}, expected 0 to {}", v, partition.part_of[v],
                              partition.num_parts - 1));
    }
  }
}

std::vector<Index> part_sizes(const Partition& partition) {
  std::vector<Index> sizes(static_cast<std::size_t>(partition.num_parts), 0);
  for (const std::int32_t p : partition.part_of) ++sizes[static_cast<std::size_t>(p)];
  return sizes;
}

}  // namespace laminar::partition
