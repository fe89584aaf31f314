#pragma once

#include <memory>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/chunk_order.hpp"
#include "laminar/pipeline/cut_graph.hpp"
#include "laminar/pipeline/device_place.hpp"
#include "laminar/pipeline/schedule.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::pipeline {

/// How a training is spread, as all its devices know it: a function of graph and options, the same on every rank; but a
/// rank's `cut` may hold its own part only (make_rank_plan()).
struct Plan {
  Topology topology;
  /// What the model computes in.
  core::DType dtype = core::DType::kFloat32;
  std::shared_ptr<const CutGraph> cut;
  /// For the schedule of an epoch; its chunk order is the epoch's.
  ScheduleInput schedule_input;
  ScheduleKind schedule = ScheduleKind::kAllForwardAllBackward;
  /// With staleness 0 if nothing is ever stale: one chunk, or chunks that wait for each other.
  HistoryOptions history;
  HaloOptions halo;
  bool recompute_carried = false;
  /// With one chunk, and why: "file, as asked".
  VertexOrder order = VertexOrder::kFile;
  std::string order_why;
  /// Graph parallelism with the vertices that other parts read, or that read them, as the first of two chunks, whose
  /// rows fly while the other one is computed.
  bool overlaps = false;
  /// Rows that all parts receive in a forward pass, sources of their in-edges, and the same of their out-edges; -1 =
  /// not counted, as all of the graph is in `cut`.
  Index halo_in = -1;
  Index halo_out = -1;
  /// What the user should know, e.g. of a partition.
  std::vector<std::string> remarks;

  Index num_devices() const { return topology.devices(); }
  DevicePlace place(Index device) const;
  /// The steps of every stage in `epoch`, in the order that `seed` gives, and that order.
  Schedule schedule_of(const ChunkOrder& chunks_in_order) const;
  ChunkOrder order_of(std::uint64_t seed, Index epoch) const;
};

/// The strategy that cuts a graph into parts: the one asked for, for "auto" the best that this build has.
std::string partition_strategy(const DistributionOptions& options);

/// Throws UsageError for a topology that does not fit the model or graph (more stages than layers, more parts or chunks
/// than vertices), and what the partition strategy throws.
Plan make_plan(const layers::ModelOptions& model, const core::DatasetSchema& schema, const core::Graph& graph,
               const TrainOptions& options);

}  // namespace laminar::pipeline
