#include "laminar/partition/partitioner.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/balance.hpp"
#include "laminar/partition/chunks.hpp"
#include "laminar/partition/metis.hpp"

namespace laminar::partition {
namespace {

void check_share(const std::optional<double>& value, const char* name) {
  if (value && !(*value >= 0 && std::isfinite(*value))) {
    throw UsageError(fmt::format("--{} is {}, expected a share of at least 0, such as 0.03", name, *value));
  }
}

void check_positive(const std::vector<double>& values, Index count, const char* name, const char* of) {
  if (values.empty()) return;
  if (static_cast<Index>(values.size()) != count) {
    throw UsageError(fmt::format("{}: {} values for {} {}", name, values.size(), count, of));
  }
  for (const double v : values) {
    if (!(v > 0 && std::isfinite(v))) throw UsageError(fmt::format("{}: {} is not a positive number", name, v));
  }
}

/// Says in the remarks by how much the result misses what was asked of balance.
void note_imbalance(const core::Graph& graph, const PartitionOptions& o, Partition& result) {
  const auto note = [&](std::span<const double> weights, double imbalance, const char* what, const char* option) {
    const std::vector<double> held = part_weights(result.part_of, weights, o.parts);
    const std::vector<double> limits = part_limits(weights, o.capacity, graph.num_vertices(), o.parts, imbalance);
    double worst = 0;
    for (Index p = 0; p < o.parts; ++p) {
      if (limits[p] > 0) worst = std::max(worst, held[p] / limits[p]);
    }
    constexpr double kRounding = 1e-4;  // METIS, in single precision, goes beyond a limit by as much
    if (worst <= 1 + kRounding) return;
    result.remarks.push_back(fmt::format("a part holds {:.3f} x its share of {}, --{} {} allows {:.3f}",
                                         worst * (1 + imbalance), what, option, imbalance, 1 + imbalance));
  };
  note(o.vertex_weights, o.imbalance, "the vertices", "imbalance");
  if (o.edge_imbalance) {
    note(vertex_costs(graph, 0), *o.edge_imbalance, "the edges", "edge-imbalance");
  }
  if (o.train_imbalance && !o.train.empty()) {
    std::vector<double> train(result.part_of.size(), 0.0);
    for (const VertexId v : o.train) train[v] = 1;
    note(train, *o.train_imbalance, "the training vertices", "train-imbalance");
  }
}

}  // namespace

std::string_view name_of(Objective objective) {
  switch (objective) {
    case Objective::kTotal:
      return "total";
    case Objective::kMax:
      return "max";
    case Objective::kBalanced:
      return "balanced";
  }
  return "";
}

std::string_view name_of(Preset preset) {
  switch (preset) {
    case Preset::kFast:
      return "fast";
    case Preset::kQuality:
      return "quality";
    case Preset::kBest:
      return "best";
  }
  return "";
}

Objective objective_from_name(std::string_view name) {
  for (const Objective o : {Objective::kTotal, Objective::kMax, Objective::kBalanced}) {
    if (name_of(o) == name) return o;
  }
  throw UsageError(fmt::format("objective '{}' is not known; there are total, max, balanced", name));
}

Preset preset_from_name(std::string_view name) {
  for (const Preset p : {Preset::kFast, Preset::kQuality, Preset::kBest}) {
    if (name_of(p) == name) return p;
  }
  throw UsageError(fmt::format("preset '{}' is not known; there are fast, quality, best", name));
}

void validate(const PartitionOptions& o, const core::Graph& graph) {
  const Index n = graph.num_vertices();
  if (o.parts < 1) throw UsageError(fmt::format("--parts is {}, expected at least 1", o.parts));
  if (o.parts > n) {
    throw UsageError(fmt::format("--parts is {}, but the graph has {} vertices and no part may be empty", o.parts, n));
  }
  check_share(o.imbalance, "imbalance");
  check_share(o.edge_imbalance, "edge-imbalance");
  check_share(o.train_imbalance, "train-imbalance");
  check_positive(o.capacity, o.parts, "--capacity", "parts");
  check_positive(o.vertex_weights, n, "vertex weights", "vertices");
  if (!(o.time_limit_s >= 0)) throw UsageError(fmt::format("--time-limit is {}, expected seconds", o.time_limit_s));
  for (const VertexId v : o.train) {
    if (v < 0 || v >= n) throw UsageError(fmt::format("training vertex {} of a graph with {} vertices", v, n));
  }
  if (!o.start.empty()) validate(Partition{o.parts, o.start}, n);
}

struct Partitioners::Impl {
  struct Entry {
    PartitionerInfo info;
    PartitionFunction function;
  };
  mutable std::mutex mutex;
  std::map<std::string, Entry, std::less<>> entries;

  const Entry& find(std::string_view name) const {
    const std::lock_guard lock(mutex);
    const auto found = entries.find(name);
    if (found != entries.end()) return found->second;
    if (name.starts_with("metis") && metis_version().empty()) {
      throw UsageError(fmt::format(
          "partition strategy '{}' is not in this build; install libmetis-dev and build with LAMINAR_WITH_METIS=ON",
          name));
    }
    std::vector<std::string> known;
    for (const auto& [key, entry] : entries) known.push_back(key);
    throw UsageError(fmt::format("partition strategy '{}' is not known; there are {}", name, fmt::join(known, ", ")));
  }
};

Partitioners::Partitioners() : impl_(std::make_unique<Impl>()) {}
Partitioners::~Partitioners() = default;

Partitioners& Partitioners::instance() {
  static Partitioners partitioners;
  return partitioners;
}

void Partitioners::add(PartitionerInfo info, PartitionFunction function) {
  if (info.name.empty() || info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") != std::string::npos) {
    throw Error(fmt::format("a partition strategy can't be named '{}'; use a-z, 0-9, _ and -", info.name));
  }
  const std::lock_guard lock(impl_->mutex);
  const std::string name = info.name;
  if (!impl_->entries.try_emplace(name, Impl::Entry{std::move(info), function}).second) {
    throw Error(fmt::format("there is a partition strategy named '{}' already", name));
  }
}

const PartitionerInfo& Partitioners::info(std::string_view name) const { return impl_->find(name).info; }

std::vector<std::string> Partitioners::names() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::string> result;
  for (const auto& [name, entry] : impl_->entries) result.push_back(name);
  return result;
}

Partition Partitioners::run(std::string_view name, const core::Graph& graph, const PartitionOptions& options) const {
  const Impl::Entry& entry = impl_->find(name);
  validate(options, graph);
  const auto refuse = [&](bool given, bool heeded, const char* what) {
    if (given && !heeded) throw UsageError(fmt::format("strategy '{}' does not heed {}", name, what));
  };
  refuse(options.edge_imbalance.has_value(), entry.info.edge_balance, "--edge-imbalance");
  refuse(options.train_imbalance.has_value(), entry.info.train_balance, "--train-imbalance");
  refuse(!options.capacity.empty(), entry.info.capacity, "--capacity");
  refuse(!options.vertex_weights.empty(), entry.info.vertex_weights, "vertex weights");
  refuse(!options.start.empty(), entry.info.refines, "a partition to start from (--refine)");
  Partition result = entry.function(graph, options);
  validate(result, graph.num_vertices());
  const std::vector<Index> sizes = part_sizes(result);
  for (Index p = 0; p < result.num_parts; ++p) {
    if (sizes[p] == 0) result.remarks.push_back(fmt::format("part {} is empty", p));
  }
  note_imbalance(graph, options, result);
  return result;
}

detail::PartitionerRegistration::PartitionerRegistration(PartitionerInfo info, PartitionFunction function) {
  Partitioners::instance().add(std::move(info), function);
}

}  // namespace laminar::partition
