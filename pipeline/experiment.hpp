#pragma once

#include <functional>
#include <string>
#include <vector>

#include "laminar/pipeline/statistics.hpp"
#include "laminar/pipeline/trainer.hpp"

namespace laminar::pipeline {

/// One training of several.
struct Run {
  std::string split;
  std::uint64_t seed = 0;
};

/// The runs of `--split` and `--runs`: seeds seed .. seed + runs - 1 on the split (empty = the dataset's first), or,
/// for "all", split i with seed + i, once each. Throws UsageError if runs < 1, if runs > 1 goes with "all", or if the
/// dataset has no splits.
std::vector<Run> plan_runs(const core::DatasetSchema& schema, const std::string& split, std::uint64_t seed, Index runs);

/// A metric of pairs over runs.
struct PairSpread {
  std::string name;
  Spread val, test;
};

/// Means over runs: what the RESULT line says.
struct Summary {
  core::Metric metric = core::Metric::kAccuracy;
  double loss = 0;
  Spread train_metric, val_metric, test_metric;
  double best_epoch = 0;
  /// Median over the runs' medians.
  double epoch_ms = 0;
  double bytes_per_epoch = 0;
  /// Of models of pairs.
  std::vector<PairSpread> links;
};
/// Throws Error if `results` is empty.
Summary summarize(const std::vector<TrainResult>& results);

}  // namespace laminar::pipeline
