#pragma once

#include <string>

#include "laminar/apps/command_line.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::apps {

/// What a user says of devices, beside what is bound to DistributionOptions directly.
struct DistributionRequest {
  /// single, pipeline, graph, hybrid, auto; empty = what the numbers say.
  std::string mode;
  /// Devices for a mode to use; 0 = as many as its numbers say, or the ranks, or 2.
  core::Index devices = 0;
  std::string stage_cut = "auto";
  std::string chunk_order = "shuffled";
  std::string compress;
  bool no_overlap = false;
};

/// Adds the group "Devices" to the table, bound to both, which must outlive it.
void add_distribution_options(CommandLine& line, pipeline::DistributionOptions& distribution,
                              DistributionRequest& request);

/// The same for predictions, which are exact and have no chunks: modes, numbers, cuts and the link.
void add_prediction_devices(CommandLine& line, pipeline::DistributionOptions& distribution,
                            DistributionRequest& request);

/// Turns what was asked into a topology: checks that mode and numbers agree, and fills in what was left out. `ranks`:
/// of MPI, or 0. `given`: the options that the user named. Does not look at mode auto. Throws UsageError.
void resolve_topology(const GivenValues& given, core::Index ranks, const DistributionRequest& request,
                      pipeline::DistributionOptions& distribution);

/// With history, what trains well where the user did not say otherwise: beta1 0.5 and a cosine learning rate. Returns
/// a line that says what was chosen, or nothing.
std::string choose_training_defaults(const GivenValues& given, pipeline::TrainOptions& training);

}  // namespace laminar::apps
