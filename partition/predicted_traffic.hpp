#pragma once

#include <cstddef>
#include <span>

#include "laminar/partition/metrics.hpp"

namespace laminar::partition {

/// A net and a set of devices, as far as traffic depends on them.
struct TrafficModel {
  /// Columns of the rows each aggregation gathers. Leave out a first aggregation of constant inputs: its halo is
  /// fetched once and has no backward.
  std::span<const Index> aggregation_widths = {};
  /// Columns that cross each boundary between stages, carried state included: one a boundary, stages - 1 in all.
  std::span<const Index> boundary_widths = {};
  /// Parameters that devices of different parts share, in values; all-reduce over P devices moves 2 (P - 1) of each.
  Index parameters = 0;
};

/// Floats that all devices together send in one training epoch, evaluation and framing not counted. With equal widths
/// d, L aggregations, S stages and N vertices these are L (h_in + h_out) d, 2 (S - 1) N d and their sum; h_in and h_out
/// are rows here, over all parts.
struct PredictedTraffic {
  /// S = 1, one device a part.
  double graph_parallel_floats = 0;
  /// One part, one device a stage; every device has parameters of its own.
  double pipeline_floats = 0;
  /// Parts x stages.
  double hybrid_floats = 0;
};

/// Evaluates the formulas. On an undirected graph h_in = h_out = total_volume.
PredictedTraffic predict_traffic(const PartitionMetrics& metrics, const TrafficModel& model);

/// The same for `aggregations` and `stages` of equal width.
PredictedTraffic predict_traffic(const PartitionMetrics& metrics, Index aggregations, Index stages, Index width,
                                 Index parameters = 0);

}  // namespace laminar::partition
