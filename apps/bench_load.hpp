#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "laminar/core/types.hpp"

namespace laminar::apps {

struct LoadBenchOptions {
  /// Times that the file is loaded, after once to warm up: it is in the system's cache then.
  core::Index repeats = 5;
  /// 0 = one a core.
  int threads = 0;
};

/// One part of what comes before the first epoch.
struct LoadRow {
  std::string label;
  /// Of the arrays as they are in memory.
  double bytes = 0;
  double median_ms = 0;
  double least_ms = 0;
  double largest_ms = 0;

  double gbps() const { return bytes / (median_ms * 1e6); }
};

/// How long a graph file takes to become what training needs.
struct LoadFigures {
  std::string name;
  core::Index vertices = 0;
  core::EdgeId edges = 0;
  double file_bytes = 0;
  int threads = 0;
  /// Reading the file's bytes from the system's cache into new memory, one call after another: the limit.
  LoadRow cache;
  /// Graph, features, labels and splits, each where there is one.
  std::vector<LoadRow> arrays;
  /// GCN's matrix of the whole graph, normalised, and its transpose.
  LoadRow matrix;

  /// All arrays' bytes over the sum of their times, in GB/s (10^9).
  double load_gbps() const;
};

/// Throws Error as datasets::open() and its arrays do.
LoadFigures measure_load(const std::filesystem::path& graph, const LoadBenchOptions& options);

std::string load_table(const LoadFigures& figures);
nlohmann::ordered_json load_json(const LoadFigures& figures);
/// "RESULT vertices=... edges=... cache_gbps=... load_gbps=... share=... load_ms=... matrix_ms=...".
std::string load_result_line(const LoadFigures& figures);

}  // namespace laminar::apps
