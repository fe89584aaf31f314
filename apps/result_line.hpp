#pragma once

#include <string>
#include <vector>

#include "laminar/layers/model.hpp"
#include "laminar/pipeline/experiment.hpp"
#include "laminar/pipeline/memory_estimate.hpp"

namespace laminar::apps {

/// A metric with 6 decimals, or, as errors have any magnitude, 8 significant digits.
std::string metric_text(core::Metric metric, double value);

/// The last line of a training, without a line break: "RESULT layer=gcn layers=2 metric=accuracy loss=... ...", of
/// models of pairs with all test metrics at its end. `first`: of the first run, which seed and topology are of.
std::string result_line(const layers::ModelOptions& model, const pipeline::Summary& summary, double peak_rss_mib,
                        const pipeline::TrainResult& first);

/// A short table for people: metrics on the three sets, the best epoch, loss, time and memory.
std::string summary_table(const std::vector<pipeline::TrainResult>& results, const pipeline::Summary& summary,
                          double peak_rss_mib);

/// For --verbose: where memory and time of a run went, a line each.
std::string memory_table(const pipeline::TrainResult& result);
std::string time_table(const pipeline::TrainResult& result);

/// For --dry-run: the estimate by purpose, a line each, and the total.
std::string estimate_table(const pipeline::MemoryEstimate& estimate);

}  // namespace laminar::apps
