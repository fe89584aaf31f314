#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "laminar/core/types.hpp"

namespace laminar::apps {

struct OpsBenchOptions {
  core::Index width = 128;
  core::Index vertices = 170'000;
  double degree = 14;
  core::Index repeats = 5;
  /// Of the arrays that memory's speed is measured with; 0 = default_stream_bytes().
  core::Index stream_mib = 0;
  std::uint64_t seed = 1;
  /// 0 = one a core.
  int threads = 0;
};

/// A speed of the machine, in GB/s, or GFLOP/s of dense products; `bytes` of the arrays, 0 of dense products.
struct MachineSpeed {
  std::string name;
  double rate = 0;
  double bytes = 0;
};

/// A kernel over all repeats.
struct OpRow {
  std::string label;
  double flops = 0;
  double bytes = 0;
  std::string unit;
  /// Of `unit`, at the median time.
  double rate = 0;
  double median_ms = 0;
  double least_ms = 0;
  double largest_ms = 0;
  double limit_ms = 0;
  std::string bound;
  double share() const { return limit_ms / median_ms; }
};

struct OpsFigures {
  std::vector<MachineSpeed> speeds;
  std::vector<OpRow> rows;
  core::Index vertices = 0;
  core::Index edges = 0;
};

/// Measures the machine, then the kernels on a block model: its vertices in random order, and ordered by community.
/// Throws Error, naming the kernel, if a result is not what a plain loop finds for some of the rows; UsageError for a
/// graph that can't be made.
OpsFigures measure_ops(const OpsBenchOptions& options);

std::string limits_table(const OpsFigures& figures);
std::string ops_table(const OpsFigures& figures);
nlohmann::ordered_json ops_json(const OpsFigures& figures);
/// "RESULT kernels=... read_gbps=... copy_gbps=... dense_gflops=... sum_share=... ordered_sum_share=...
/// dense_share=..."
std::string ops_result_line(const OpsFigures& figures);

}  // namespace laminar::apps
