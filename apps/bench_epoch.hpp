#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "laminar/core/dataset.hpp"
#include "laminar/core/work_log.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/vertex_order.hpp"

namespace laminar::apps {

struct EpochBenchOptions {
  layers::ModelOptions model;
  /// Epochs that are timed, and those before that are not.
  core::Index epochs = 10;
  core::Index warmup = 2;
  /// 0 = one a core.
  int threads = 0;
  std::uint64_t seed = 1;
  /// Empty: the file's first.
  std::string split;
  pipeline::VertexOrder order = pipeline::VertexOrder::kFile;
};

/// What all calls of a kernel with one shape do in an epoch.
struct EpochRow {
  core::WorkKind kind = core::WorkKind::kElementwise;
  std::string label;
  /// What binds it, by name_of(Bound), and the unit of its rate.
  std::string bound;
  std::string unit;
  std::int64_t calls = 0;
  double ms = 0;
  double limit_ms = 0;
  double flops = 0;
  double bytes = 0;
};

/// Where an epoch's time goes. The rows are those of the epoch of median time, so that they add up with other_ms to it.
struct EpochFigures {
  std::vector<EpochRow> rows;
  double epoch_ms = 0;
  /// Of all timed epochs.
  double least_ms = 0;
  double largest_ms = 0;
  double copy_gbps = 0;
  int threads = 0;
  /// From the file in memory to the first epoch: the plan, with the order of the vertices, and the features.
  double setup_ms = 0;
  /// How the vertices stood, and why.
  std::string order;
  std::string order_why;

  double kernels_ms() const;
  /// What no kernel accounts for: the tape, allocation, clearing gradients.
  double other_ms() const { return epoch_ms - kernels_ms(); }
  double limit_ms() const;
  /// epoch_ms / limit_ms().
  double ratio() const { return epoch_ms / limit_ms(); }
};

/// Trains on one device, without evaluation, then measures what limits the kernels that were called. Copy speed is that
/// of arrays as large as all that the training held at its peak. Throws as pipeline::Trainer does.
EpochFigures measure_epochs(const EpochBenchOptions& options, const core::Dataset& data);

/// The table for people, ending in the sums; bytes in GB = 10^9.
std::string epoch_table(const EpochFigures& figures);
nlohmann::ordered_json epoch_json(const EpochFigures& figures);
/// "RESULT layer=gcn ... epoch_ms=... limit_ms=... ratio=... dense_ms=... dense_limit_ms=... ...".
std::string epoch_result_line(const EpochFigures& figures, const layers::ModelOptions& model);

}  // namespace laminar::apps
