#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "laminar/apps/machine.hpp"
#include "laminar/apps/train_command.hpp"
#include "laminar/pipeline/cost_model.hpp"
#include "laminar/pipeline/trainer.hpp"

/// What laminar-parallel-bench measures: one training a mode, side by side.
namespace laminar::apps {

/// A mode to run: a name with what the command line leaves open filled in, or a topology.
struct BenchMode {
  std::string name;
  pipeline::TrainOptions options;
  /// Of chosen defaults.
  std::string note;
};

/// The modes of `--modes`: "all", or names (single, pipeline, graph, hybrid, auto) and topologies SxPxK at commas. Each
/// is resolved as laminar-train --mode would; modes with history get its defaults. Equal topologies are run once.
/// `chosen`: what auto stands for, if it is among them. Throws UsageError.
std::vector<BenchMode> bench_modes(const TrainCommand& command, const std::string& modes, core::Index devices,
                                   const std::optional<pipeline::Topology>& chosen);

/// A mode as it ran. Times without the first epoch, which fills memory pools, if there are others.
struct ModeRun {
  std::string name;
  pipeline::Topology topology;
  std::string note;
  /// Why it did not run to its end; empty if it did.
  std::string failure;
  pipeline::CostPrediction predicted;
  pipeline::TrainResult result;
  /// Median epoch, and the range in which the middle 80 % lie.
  double epoch_ms = 0;
  double low_ms = 0;
  double high_ms = 0;
  double evaluation_ms = 0;
  /// Of a median epoch; Cause::kEvaluation is of one evaluation.
  pipeline::Ledger traffic;
  /// By device, medians.
  std::vector<pipeline::DeviceTimes> devices;
  /// Mean share of the epoch that devices compute.
  double busy_share = 0;
  /// Of a pipeline: the share of time that its devices would wait if each had cores of its own (replay()); NaN if it
  /// was not asked for.
  double replayed_bubble = std::numeric_limits<double>::quiet_NaN();
  /// When the validation metric first was as good as the target, evaluations included; NaN if never.
  double target_s = std::numeric_limits<double>::quiet_NaN();
  core::Index target_epoch = 0;

  std::uint64_t bytes() const { return traffic.training_bytes(); }
};

/// All of it.
struct ParallelBench {
  std::string command;
  std::string graph_file;
  core::DatasetSchema schema;
  std::vector<std::pair<std::string, std::string>> configuration;
  layers::ModelOptions model;
  core::Metric metric = core::Metric::kAccuracy;
  std::optional<double> target;
  core::Index epochs = 0;
  core::Index devices = 0;
  double cores = 0;
  pipeline::LinkOptions link;
  Machine machine;
  std::vector<ModeRun> modes;
};

/// Trains one mode and takes its figures. `progress` is called after every epoch. A training that fails, a diverging
/// one say, gives a run with `failure`.
ModeRun run_mode(const BenchMode& mode, const layers::ModelOptions& model, const core::Dataset& data,
                 const std::optional<double>& target,
                 const std::function<void(const pipeline::EpochRecord&, pipeline::Trainer&)>& progress);

/// Trains anew with one device computing at a time, five times, `epochs` epochs at first and one more each time, and
/// replays the median of the last epochs. NaN for what is no pipeline with history.
double replay_bubble(const BenchMode& mode, const layers::ModelOptions& model, const core::Dataset& data,
                     core::Index epochs);

/// Figures of a finished training, as ModeRun says: epoch times, traffic, shares, time to the target.
void take_figures(ModeRun& run, const std::optional<double>& target);

/// For the terminal: a table, best values marked "*", then what travels by cause, then notes.
std::string parallel_bench_table(const ParallelBench& bench, bool bold);
nlohmann::ordered_json parallel_bench_json(const ParallelBench& bench);

}  // namespace laminar::apps
