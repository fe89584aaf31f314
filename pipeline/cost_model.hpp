#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/ledger.hpp"
#include "laminar/pipeline/simulation.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::pipeline {

/// "single", "pipeline", "graph" or "hybrid".
std::string_view mode_of(const Topology& topology);

/// Where devices run, and what joins them.
struct DeviceSetting {
  /// The host of each device, from 0.
  std::vector<Index> host_of;
  double cores_per_host = 1;
  int threads_per_device = 1;
  LinkOptions link = {};
  /// Whether they are threads of this process, so that their programs can be rehearsed, and over which emulated link.
  std::optional<LinkOptions> rehearsed_link = {};
};

/// `devices` threads of this process, which share its cores, joined by `link`, to which the time is added that it takes
/// to wake a waiting thread. `threads`: of all devices together, 0 = one a core.
DeviceSetting devices_in_this_process(Index devices, int threads, const LinkOptions& link);

/// What an epoch on a topology would take and send.
struct CostPrediction {
  Topology topology;
  double epoch_ms = 0;
  /// Busy and waiting, by device.
  std::vector<DeviceTimes> devices;
  /// By cause, to the byte.
  Ledger ledger;
  /// How many all devices send.
  std::uint64_t messages = 0;
  std::uint64_t bytes() const { return ledger.training_bytes(); }
  /// What all devices compute, in milliseconds of one core.
  double core_ms = 0;
  /// (S - 1) / (K + S - 1), the share of a pipeline's time in which a stage is idle if each has cores of its own.
  double bubble = 0;
  /// Rows that the parts receive, of the graph's, forward and backward; 0 with one part.
  double h_in = 0;
  double h_out = 0;
  /// Of the device that holds most.
  std::uint64_t table_bytes = 0;
  /// Mean over devices of busy / epoch.
  double busy_share() const;
};

/// Which topologies `--mode auto` compares.
struct CandidateOptions {
  Index devices = 1;
  /// Also fewer devices: half, a quarter, ..., one.
  bool fewer = false;
  /// What the user has fixed.
  std::optional<Index> stages = {};
  std::optional<Index> parts = {};
  std::optional<Index> chunks = {};
};

/// All S x P of that many devices that a model of `num_layers` layers and a graph of `num_vertices` can have, with 4, 8
/// and (up to 32 chunks) 16 chunks a stage; one chunk without a pipeline. Ascending by devices, then stages, chunks.
std::vector<Topology> candidate_topologies(const CandidateOptions& options, Index num_layers, Index num_vertices);

/// Predicts epochs: cuts the graph as a training would, times the model's layers on slices of that size on this machine
/// (calibrate()), writes down what every device would compute, send and wait for (make_programs()), and runs that on a
/// model of cores and links (simulate()), or, if the devices are threads of this process and more than its cores, on
/// threads (rehearse()). So bubbles, imbalance of chunks, overlap of halos with work, traffic and shared cores all come
/// from the schedule itself. Evaluation is not in it.
///
/// Timings depend on the machine and what else it does; bytes don't. One thread.
class CostModel {
 public:
  /// `data` must outlive it. The topology in `options` does not matter.
  CostModel(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
            DeviceSetting setting);
  ~CostModel();

  /// Throws as make_plan() does if the topology does not fit, Error if it has more devices than the setting.
  CostPrediction predict(const Topology& topology);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The fastest; of those within 5 % of it the one that sends the fewest messages, as that is what else a machine may do
/// meanwhile delays least; among equals, the fewest bytes. Throws Error if there is none.
const CostPrediction& best_of(std::span<const CostPrediction> predictions);

}  // namespace laminar::pipeline
