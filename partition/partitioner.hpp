#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/partition.hpp"

namespace laminar::partition {

/// What a partition should make small. Volumes are halo rows: a vertex counts once for each other part that holds a
/// neighbour of it; on a directed graph in- and out-neighbours are counted each on their own and added.
enum class Objective : std::uint8_t {
  kTotal,     ///< all volume together
  kMax,       ///< the largest volume that a part receives, while the total stays at a bound
  kBalanced,  ///< lower the largest while the total grows by at most 5 %
};
/// How much time a strategy may take for quality.
enum class Preset : std::uint8_t { kFast, kQuality, kBest };

/// "total", "max", "balanced"; "fast", "quality", "best".
std::string_view name_of(Objective objective);
std::string_view name_of(Preset preset);
/// The inverses. Throw UsageError on any other name.
Objective objective_from_name(std::string_view name);
Preset preset_from_name(std::string_view name);

/// What every strategy is given; a strategy says in its info which of these it heeds.
struct PartitionOptions {
  Index parts = 2;
  std::uint64_t seed = 1;
  /// A part may weigh up to (1 + imbalance) x its share of the vertices (of their weights).
  double imbalance = 0.03;
  /// The same of in-edges, and of training vertices; nothing = unlimited.
  std::optional<double> edge_imbalance = {};
  std::optional<double> train_imbalance = {};
  /// Relative sizes of the parts; empty = equal. As many as parts, all positive.
  std::vector<double> capacity = {};
  /// Weight of each vertex; empty = 1 each.
  std::vector<double> vertex_weights = {};
  /// Count edges by the graph's weights where a strategy minimises cut.
  bool use_edge_weights = false;
  /// Training vertices, for train_imbalance.
  std::vector<VertexId> train = {};
  Objective objective = Objective::kBalanced;
  Preset preset = Preset::kQuality;
  /// Largest total volume allowed with Objective::kMax, in rows; nothing = what METIS minimising volume reaches.
  std::optional<Index> volume_bound = {};
  /// Seconds; 0 = none. A limit that strikes is said in Partition::remarks, as it breaks reproducibility.
  double time_limit_s = 0;
  /// A partition to start from and improve; empty = none. Only strategies that can refine take it.
  std::vector<std::int32_t> start = {};
};

/// Throws UsageError, naming the option, for numbers out of range, more parts than vertices, capacities or weights of
/// another count than parts or vertices, training vertices or a start out of range.
void validate(const PartitionOptions& options, const core::Graph& graph);

using PartitionFunction = Partition (*)(const core::Graph&, const PartitionOptions&);

/// A strategy as the registry knows it.
struct PartitionerInfo {
  std::string name;
  std::string summary;
  /// Where it comes from: authors, year.
  std::string paper = {};
  /// Whether options.start is used.
  bool refines = false;
  /// Whether edge_imbalance, train_imbalance, capacity and vertex_weights are heeded; if not, a value there is refused.
  bool edge_balance = false;
  bool train_balance = false;
  bool capacity = false;
  bool vertex_weights = false;
  /// Whether it looks at the graph's edges; if not, any graph of as many vertices is cut alike.
  bool reads_edges = true;
};

/// All strategies by name. Thread-safe.
class Partitioners {
 public:
  static Partitioners& instance();
  /// Throws Error if the name is empty, has other characters than a-z 0-9 _ -, or is taken.
  void add(PartitionerInfo info, PartitionFunction function);
  /// Throws UsageError, naming those there are, if there is none of that name. The reference stays valid.
  const PartitionerInfo& info(std::string_view name) const;
  /// All names, ascending.
  std::vector<std::string> names() const;
  /// Runs a strategy: checks options and result. Throws UsageError for options out of range or not heeded by it, Error
  /// if it can't fulfil them. Same graph, options and seed: same partition, on any number of threads.
  Partition run(std::string_view name, const core::Graph& graph, const PartitionOptions& options) const;

 private:
  Partitioners();
  ~Partitioners();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

namespace detail {
struct PartitionerRegistration {
  PartitionerRegistration(PartitionerInfo info, PartitionFunction function);
};
}  // namespace detail

}  // namespace laminar::partition

/// Registers a strategy: LAMINAR_PARTITIONER(range, {.name = "range", ...}, &range_partition)
#define LAMINAR_PARTITIONER(identifier, function, ...)                                                             \
  static const ::laminar::partition::detail::PartitionerRegistration laminar_partitioner_##identifier{__VA_ARGS__, \
                                                                                                      function};
