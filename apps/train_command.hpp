#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "laminar/apps/command_line.hpp"
#include "laminar/apps/distribution_options.hpp"
#include "laminar/apps/model_options.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::apps {

/// What a user of laminar-train asks for. `line` is bound to the other members, so it stays where it is.
struct TrainCommand {
  std::filesystem::path graph;
  layers::ModelOptions model;
  pipeline::TrainOptions training;
  core::Index runs = 1;
  /// Whether pairs of vertices are to be told apart, not vertices; then `model` gets the decoder.
  bool of_links = false;
  layers::DecoderKind decoder = layers::DecoderKind::kDot;
  bool link_baselines = false;
  bool resume = false;
  std::filesystem::path report;
  std::filesystem::path json;
  std::filesystem::path curves;
  std::filesystem::path predictions;
  std::filesystem::path trace;
  std::string dump_config;
  bool dry_run = false;
  bool quiet = false;
  bool verbose = false;
  bool help = false;
  bool version = false;

  /// The checkpoint to go on from, where `resume` is set.
  std::optional<pipeline::Checkpoint> checkpoint;

  std::filesystem::path config;
  double weight_decay = 0;
  DistributionRequest distribution;
  GivenValues given;
  /// What the user should be told of chosen defaults.
  std::vector<std::string> notes;
  LayerValues layer_values;
  CommandLine line{{"graph"}};

  TrainCommand();
  TrainCommand(const TrainCommand&) = delete;
  TrainCommand& operator=(const TrainCommand&) = delete;

  /// Fills everything in: first from the checkpoint if --resume is given, then from --config, then from the command
  /// line. With --help or --version nothing else is looked at. Throws UsageError for what can't be meant, and Error if
  /// a file can't be read or an option that defines the run is not what the checkpoint was made with.
  void read(int argc, const char* const* argv);

  /// Settles on a topology, and on what trains well with it where nothing else was asked. `ranks`: of MPI, 0 without.
  /// Throws UsageError for numbers that don't go together.
  void settle(core::Index ranks);

  /// All options with their values, as reports show them.
  std::vector<std::pair<std::string, std::string>> configuration() const;

  /// The text of --help.
  std::string help_text() const;
  /// The file for --dump-config; `splits` are those of the dataset, whose first is the default.
  std::string config_text(const std::vector<std::string>& splits);
};

}  // namespace laminar::apps
