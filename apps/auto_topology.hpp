#pragma once

#include <optional>
#include <string>
#include <vector>

#include "laminar/apps/train_command.hpp"
#include "laminar/core/dataset.hpp"
#include "laminar/pipeline/cost_model.hpp"

namespace laminar::apps {

/// Which devices there are to choose for: `rank`'s network, measured now by all ranks together, or threads of this
/// process behind the link of the options. `devices` is what the user asked for, 0 = one a core.
pipeline::DeviceSetting find_devices(const TrainCommand& command, core::Index devices, pipeline::Transport* rank);

/// What --mode auto compared, and chose.
struct AutoChoice {
  /// Best first; empty on ranks other than 0.
  std::vector<pipeline::CostPrediction> predictions;
  pipeline::Topology topology;
};

/// With --mode auto, sets the command's topology to what should be fastest, as if the user had given it, and adds notes
/// that say why; without it does nothing. To be called before TrainCommand::settle(); under MPI by all ranks, which
/// then choose alike. All devices are used where a link is between them (ranks, or --link-mbps), as they stand for
/// machines then; without one fewer may be, down to one. Throws UsageError if what the user has fixed fits no topology.
std::optional<AutoChoice> choose_topology(TrainCommand& command, const core::Dataset& data, pipeline::Transport* rank);

/// "4 stages x 32 chunks", "4 parts", "2 stages x 2 parts x 16 chunks", "one device".
std::string topology_text(const pipeline::Topology& topology);

/// The line at the end: predicted beside observed. Empty without a prediction.
std::string prediction_text(const AutoChoice& choice, double epoch_ms, double bytes_per_epoch);

}  // namespace laminar::apps
