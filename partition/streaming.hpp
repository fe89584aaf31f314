#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "laminar/core/edge_stream.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// How a streaming partitioner rates a part p for a vertex v; N(v) are its neighbours that have a part already, w(p) is
/// what p holds, c(p) what it may hold.
enum class StreamingScore : std::uint8_t {
  /// |N(v) in p| (1 - w(p) / c(p)). Stanton and Kliot, KDD 2012: linear deterministic greedy.
  kLdg,
  /// |N(v) in p| - alpha ((w + w(v))^1.5 - w^1.5), w = w(p) scaled to parts of equal share,
  /// alpha = edges sqrt(parts) / total^1.5. Tsourakakis et al., WSDM 2014: Fennel with gamma = 1.5.
  kFennel,
};

struct StreamingOptions {
  Index parts = 2;
  std::uint64_t seed = 1;
  double imbalance = 0.03;
  /// As in PartitionOptions; empty = equal.
  std::span<const double> capacity = {};
  std::span<const double> vertex_weights = {};
  StreamingScore score = StreamingScore::kFennel;
  /// More than one: later passes see, for vertices not come by yet, their part of the pass before (Nishimura and
  /// Ugander, KDD 2013: restreaming). Ends early when a pass changes nothing.
  int passes = 1;
};

/// Partitions a graph while its rows go by, in `passes` passes. Holds 8 bytes a vertex (and its weights) but no edges.
/// Each vertex goes to the part of the best score among those with room; equal scores to the relatively lightest, and
/// what is equal still is decided by the seed. If no part has room, the relatively lightest takes the vertex. Parts
/// that stay empty are given one vertex. Deterministic. Throws UsageError unless 1 <= parts <= vertices and passes
/// >= 1.
Partition stream_partition(core::EdgeStream& stream, const StreamingOptions& options);

}  // namespace laminar::partition
