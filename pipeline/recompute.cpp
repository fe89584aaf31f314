#include "laminar/pipeline/recompute.hpp"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/memory_estimate.hpp"
#include "laminar/pipeline/rank_plan.hpp"

namespace laminar::pipeline {
namespace {

// What an estimate may be wrong by.
constexpr double kMargin = 1.1;
// Offsets, places in the layout and sums of a vertex of another part.
constexpr double kVertexBytes = 32;

/// The number behind `key` in lines "KEY NUMBER", or in the file alone if the key is empty; 0 if there is none.
std::uint64_t number_in(const char* file, std::string_view key = {}) {
  std::ifstream in(file);
  std::string word;
  std::uint64_t number = 0;
  if (key.empty()) return in >> number ? number : 0;
  while (in >> word) {
    if (word == key) return in >> number ? number : 0;
  }
  return 0;
}

/// What is left of a control group's limit, pages of files that nobody needs counted as free; 0 without a limit.
std::uint64_t left_in_group(const char* limit_file, const char* used_file, const char* statistics,
                            std::string_view pages_of_files) {
  const std::uint64_t limit = number_in(limit_file);
  if (limit == 0) return 0;
  const std::uint64_t used = number_in(used_file);
  const std::uint64_t needed = used - std::min(used, number_in(statistics, pages_of_files));
  return std::max<std::uint64_t>(limit - std::min(limit, needed), 1);
}

std::string text_of(double bytes) {
  const double gibibytes = bytes / (1ULL << 30U);
  return gibibytes < 1 ? fmt::format("{:.0f} MiB", 1024 * gibibytes) : fmt::format("{:.3g} GiB", gibibytes);
}

}  // namespace

std::uint64_t available_memory() {
  std::uint64_t bytes = 1024 * number_in("/proc/meminfo", "MemAvailable:");
  for (const std::uint64_t left :
       {left_in_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat",
                      "inactive_file"),
        left_in_group("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                      "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file")}) {
    if (left > 0) bytes = bytes == 0 ? left : std::min(bytes, left);
  }
  return bytes;
}

RecomputeDecision decide_recompute(const layers::ModelOptions& model, const core::DatasetSchema& schema,
                                   const TrainOptions& options, const Transport* rank, std::uint64_t available_bytes) {
  if (options.recompute != Recompute::kAuto) {
    return {options.recompute == Recompute::kAlways, fmt::format("{}, as asked", name_of(options.recompute))};
  }
  if (available_bytes == 0) return {false, "never, as the system does not tell how much memory it has"};
  // Each rank has all of the graph's structure, or that of its part and some numbers of every vertex.
  const bool by_part = rank != nullptr && holds_part_only(model, options);
  const auto ranks = static_cast<double>(rank == nullptr ? 1 : rank->size());
  const auto here = static_cast<double>(rank == nullptr ? 1 : rank->ranks_on_host());
  const auto needed = [&](Recompute recompute) {
    TrainOptions with = options;
    with.recompute = recompute;
    const MemoryEstimate e = estimate_memory(model, schema, with);
    const auto graph = static_cast<double>(e.graph_bytes);
    const double held = by_part ? graph / static_cast<double>(options.distribution.topology.parts) +
                                      kVertexBytes * static_cast<double>(schema.num_vertices)
                                : graph;
    return here * (held + (static_cast<double>(e.total()) - graph) / ranks);
  };
  const auto available = static_cast<double>(available_bytes);
  const double keeping = needed(Recompute::kNever);
  const std::string has = fmt::format("{} are available", text_of(available));
  if (kMargin * keeping <= available) {
    return {false, fmt::format("never, as all activations fit: about {} would be held, {}", text_of(keeping), has)};
  }
  return {true, fmt::format("always, as activations don't fit: about {} would be held with all of them, {} without, {}",
                            text_of(keeping), text_of(needed(Recompute::kAlways)), has)};
}

}  // namespace laminar::pipeline
