#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/learning_rate.hpp"
#include "laminar/core/metrics.hpp"
#include "laminar/core/optimizer.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/halo_options.hpp"
#include "laminar/pipeline/history_options.hpp"
#include "laminar/pipeline/loss_options.hpp"
#include "laminar/pipeline/pair_options.hpp"
#include "laminar/pipeline/schedule.hpp"
#include "laminar/pipeline/topology.hpp"
#include "laminar/pipeline/vertex_order.hpp"

namespace laminar::pipeline {

/// What makes an epoch the best: its metric on the validation set, the loss among equals; or its validation loss alone,
/// which is the steadier guide where the set is small.
enum class Selection : std::uint8_t { kMetric, kLoss };

/// "metric", "loss".
std::string_view name_of(Selection selection);
/// The inverse. Throws UsageError on any other name.
Selection selection_from_name(std::string_view name);

/// Whether a layer's activations are kept from its forward to its backward, or made again by a second forward.
enum class Recompute : std::uint8_t {
  kAuto,    ///< made again if they would not fit into memory otherwise; see decide_recompute()
  kNever,   ///< kept
  kAlways,  ///< made again, wherever that frees more than it needs
};

/// "auto", "never", "always".
std::string_view name_of(Recompute recompute);
/// The inverse. Throws UsageError on any other name.
Recompute recompute_from_name(std::string_view name);

/// How layers are cut into stages: at places that are given, evenly by number, or so that the costliest stage is cheap.
struct StageCut {
  bool even = false;
  /// By times that are measured before the training begins, which then stand in `at` and are kept when it is resumed.
  bool measured = false;
  /// First layers of stages 1, 2, ...; empty = by cost.
  std::vector<Index> at = {};
};

/// How a training is spread over devices. All but the topology has a sensible default.
struct DistributionOptions {
  Topology topology = {};
  /// With history; without, half steps are ordered by the wavefront.
  ScheduleKind schedule = ScheduleKind::kAllForwardAllBackward;
  HistoryOptions history = {};
  HaloOptions halo = {};
  StageCut stage_cut = {};
  /// Strategy that cuts the graph into parts; "auto" = metis_vol, or laminar's own where METIS is not built in.
  std::string partition = "auto";
  /// Instead of a strategy: the part, and the chunk, of each vertex in the file's order.
  std::shared_ptr<const std::vector<std::int32_t>> part_of = {};
  std::shared_ptr<const std::vector<std::int32_t>> chunk_of = {};
  /// With one chunk. In a checkpoint what kAuto came to, so that a training goes on as it began.
  VertexOrder order = VertexOrder::kFile;
  CompressionOptions compression = {};
  /// Every so many epochs the gradient is compared with the exact one, which costs an exact pass; 0 = never.
  Index fidelity_every = 0;
  /// Under MPI every rank holds all of the graph's structure, although its part would do.
  bool whole_structure = false;
  /// Graph parallelism computes interior rows while halos fly.
  bool overlap = true;
  /// For devices that are threads of one process.
  LinkOptions link = {};
  /// One such device computes at a time, for measuring what each step takes (replay()). Does not affect results.
  bool take_turns = false;
};

/// Everything that defines a training, beside the model and the dataset.
struct TrainOptions {
  /// The final total; learning-rate schedules run over it.
  Index epochs = 200;
  /// End after this many epochs, as if interrupted; 0 = epochs.
  Index stop_after = 0;
  std::uint64_t seed = 1;
  /// Name of the split; empty = the dataset's first.
  std::string split = {};
  core::OptimizerOptions optimizer = {};
  core::LearningRateOptions learning_rate = {};
  /// Largest Euclidean norm of the gradient of all parameters; 0 = no clipping.
  double clip_norm = 0;
  LossOptions loss = {};
  /// For models with a decoder.
  PairOptions pairs = {};
  /// Nothing = the task's own.
  std::optional<core::Metric> metric = {};
  /// Evaluate every so many epochs, and after the last.
  Index eval_every = 1;
  Selection select = Selection::kMetric;
  /// Stop when the best epoch is this many epochs ago; 0 = never.
  Index patience = 0;
  DistributionOptions distribution = {};
  /// Threads of all devices of this process together; 0 = one a core, of a rank of MPI its share of the host's cores.
  /// Does not affect results.
  int threads = 0;
  /// Does not affect results. laminar-train's default is kAuto.
  Recompute recompute = Recompute::kNever;
  /// Where the checkpoint goes; empty = nowhere.
  std::filesystem::path checkpoint = {};
  /// Also write it every so many epochs; 0 = at the end only.
  Index checkpoint_every = 0;
};

/// What threads = 0 means for a rank (null = the only process): its share of the cores.
int threads_of(int asked, const Transport* rank);

/// Throws UsageError, naming the option, if a number is out of its range.
void validate(const TrainOptions& options);

}  // namespace laminar::pipeline
