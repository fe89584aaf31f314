#pragma once

#include <string>
#include <vector>

#include "laminar/apps/machine.hpp"
#include "laminar/apps/partition_bench.hpp"
#include "laminar/apps/partition_bench_table.hpp"
#include "laminar/core/graph.hpp"

namespace laminar::apps {

/// Everything that a benchmark gives.
struct BenchResults {
  std::string graph_name;
  std::string graph_file;
  const core::Graph* graph = nullptr;
  /// What reproduces it, as typed into a shell.
  std::string command;
  std::vector<core::Index> parts;
  /// Seeds of each strategy.
  core::Index seeds = 1;
  std::vector<BenchEntry> entries;
  std::vector<VertexCutEntry> vertex_cuts;
  Machine machine;
};

/// The results as one HTML document that needs nothing else, in the style of the training reports: for each number of
/// parts a table, total volume against time and against the busiest part, balances, and, of every entry's typical run,
/// the traffic between parts (up to 64 parts) and a drawing (graphs up to kMostDrawnVertices). Measures those runs.
std::string bench_page(const BenchResults& results);

/// The same for programs, without assignments.
nlohmann::ordered_json bench_json(const BenchResults& results);

}  // namespace laminar::apps
