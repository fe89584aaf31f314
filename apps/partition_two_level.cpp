#include "laminar/apps/partition_two_level.hpp"

#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::apps {
namespace {

using core::EdgeId;
using core::Index;
using core::VertexId;
using partition::Partition;
using partition::PartitionOptions;

double level_share(double imbalance) { return std::sqrt(1 + imbalance) - 1; }

std::optional<double> level_share(const std::optional<double>& imbalance) {
  return imbalance ? std::optional(level_share(*imbalance)) : std::nullopt;
}

/// What lies inside one host; `place` is each vertex's number among its host's.
core::Graph induced(const core::Graph& graph, const Partition& hosts, Index host, const std::vector<VertexId>& members,
                    const std::vector<VertexId>& place) {
  std::vector<EdgeId> offsets = {0};
  std::vector<VertexId> sources;
  std::vector<double> weights;
  for (const VertexId v : members) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const VertexId u = graph.in_sources()[e];
      if (hosts.part_of[u] != host) continue;
      sources.push_back(place[u]);
      if (graph.weighted()) weights.push_back(graph.in_weights()[e]);
    }
    offsets.push_back(static_cast<EdgeId>(sources.size()));
  }
  return core::Graph::from_in_csr(static_cast<Index>(members.size()), std::move(offsets), std::move(sources),
                                  std::move(weights), graph.directed());
}

}  // namespace

Partition partition_two_levels(std::string_view strategy, const core::Graph& graph, const PartitionOptions& options,
                               Index hosts, Index devices) {
  const auto& registry = partition::Partitioners::instance();
  PartitionOptions whole = options;
  whole.parts = hosts * devices;
  partition::validate(whole, graph);
  if (!options.start.empty()) throw UsageError("--refine and --start don't go with two levels of --parts");

  PartitionOptions first = options;
  first.parts = hosts;
  first.imbalance = level_share(options.imbalance);
  first.edge_imbalance = level_share(options.edge_imbalance);
  first.train_imbalance = level_share(options.train_imbalance);
  first.time_limit_s = options.time_limit_s / 2;
  first.capacity.clear();
  for (std::size_t i = 0; i < options.capacity.size(); ++i) {
    if (i % devices == 0) first.capacity.push_back(0);
    first.capacity.back() += options.capacity[i];
  }
  const Partition outer = registry.run(strategy, graph, first);

  Partition result{hosts * devices, std::vector<std::int32_t>(outer.part_of.size()), outer.remarks};
  std::vector<std::vector<VertexId>> members(hosts);
  std::vector<VertexId> place(outer.part_of.size());
  for (std::size_t v = 0; v < outer.part_of.size(); ++v) {
    auto& host = members[outer.part_of[v]];
    place[v] = static_cast<VertexId>(host.size());
    host.push_back(static_cast<VertexId>(v));
  }
  std::vector<bool> is_train(outer.part_of.size());
  for (const VertexId v : options.train) is_train[v] = true;
  for (Index h = 0; h < hosts; ++h) {
    if (static_cast<Index>(members[h].size()) < devices) {
      throw UsageError(fmt::format("host {} got {} vertices, too few for {} devices; ask for fewer parts", h,
                                   members[h].size(), devices));
    }
    PartitionOptions second = first;
    second.parts = devices;
    second.time_limit_s = first.time_limit_s / static_cast<double>(hosts);
    second.capacity.clear();
    if (!options.capacity.empty()) {
      second.capacity.assign(options.capacity.begin() + h * devices, options.capacity.begin() + (h + 1) * devices);
    }
    second.vertex_weights.clear();
    second.train.clear();
    for (const VertexId v : members[h]) {
      if (!options.vertex_weights.empty()) second.vertex_weights.push_back(options.vertex_weights[v]);
      if (is_train[v]) second.train.push_back(place[v]);
    }
    second.volume_bound.reset();  // it is one of the whole graph
    const Partition inner = registry.run(strategy, induced(graph, outer, h, members[h], place), second);
    for (std::size_t i = 0; i < members[h].size(); ++i) {
      result.part_of[members[h][i]] = static_cast<std::int32_t>(h * devices) + inner.part_of[i];
    }
    for (const std::string& remark : inner.remarks) result.remarks.push_back(fmt::format("in host {}: {}", h, remark));
  }
  return result;
}

Partition hosts_of(const Partition& partition, Index devices) {
  Partition hosts{partition.num_parts / devices, partition.part_of};
  for (std::int32_t& p : hosts.part_of) p = static_cast<std::int32_t>(p / devices);
  return hosts;
}

}  // namespace laminar::apps
