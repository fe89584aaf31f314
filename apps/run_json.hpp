#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "laminar/apps/machine.hpp"
#include "laminar/apps/pair_figures.hpp"
#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/experiment.hpp"
#include "laminar/pipeline/recompute.hpp"

namespace laminar::apps {

/// What the file of --json is made from.
struct RunJson {
  std::filesystem::path graph;
  const core::DatasetSchema* schema = nullptr;
  const layers::ModelOptions* model = nullptr;
  const pipeline::TrainOptions* options = nullptr;
  core::Index num_weights = 0;
  pipeline::RecomputeDecision recompute = {};
  Machine machine;
  const std::vector<pipeline::TrainResult>* results = nullptr;
  pipeline::Summary summary;
  double peak_rss_mib = 0;
  /// By run; empty if none were asked for.
  std::vector<std::vector<PairBaseline>> baselines = {};
};

/// One JSON object: program, version, configuration {model, training}, whether activations were made again and why,
/// dataset, machine, runs (each with its result,
/// epochs, confusion matrix, topology and peak memory, largest and by device) and summary (means and sample standard
/// deviations). Epochs on several devices have bytes and messages by cause and each device's times, those with history
/// the staleness of every layer, and where it was asked for how near gradients are to exact ones. Units are in the
/// names; numbers that are not finite are null; metrics are fractions.
std::string run_json(const RunJson& run);

}  // namespace laminar::apps
