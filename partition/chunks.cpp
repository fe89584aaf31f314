#include "laminar/partition/chunks.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/partition/adjacency.hpp"
#include "laminar/partition/balance.hpp"
#include "laminar/partition/metis.hpp"
#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

void check(const core::Graph& graph, const ChunkOptions& o) {
  const Index most = std::max<Index>(graph.num_vertices(), 1);
  if (o.chunks < 1 || o.chunks > most) {
    throw UsageError(fmt::format("--chunks is {}, expected 1 to {}, the number of vertices", o.chunks, most));
  }
  if (!(o.dense_cost > 0 && std::isfinite(o.dense_cost))) {
    throw UsageError(fmt::format("the dense cost of a chunk's vertex is {}, expected a positive number", o.dense_cost));
  }
  if (!(o.imbalance >= 0 && std::isfinite(o.imbalance))) {
    throw UsageError(fmt::format("the imbalance of chunks is {}, expected a share of at least 0", o.imbalance));
  }
}

/// Where the chunks start from, before they are balanced.
std::vector<std::int32_t> first_cut(const core::Graph& graph, const Adjacency& adjacency,
                                    const std::vector<double>& costs, const ChunkOptions& o) {
  if (o.strategy == "auto" && !metis_version().empty()) {
    return metis_partition(adjacency, {.parts = o.chunks, .seed = o.seed, .constraints = {{costs, o.imbalance}}})
        .part_of;
  }
  const std::string strategy = o.strategy == "auto" ? "restreaming_ldg" : o.strategy;
  const Partitioners& strategies = Partitioners::instance();
  PartitionOptions options{.parts = o.chunks, .seed = o.seed, .imbalance = o.imbalance};
  if (strategies.info(strategy).vertex_weights) options.vertex_weights = costs;
  return strategies.run(strategy, graph, options).part_of;
}

/// By how much the edges from one chunk to another outnumber those back; pairs in balance are left out.
struct NetFlow {
  std::int32_t chunk;
  Index surplus;
};

std::vector<std::vector<NetFlow>> net_flows(const core::Graph& graph, const Partition& chunks) {
  std::vector<std::vector<VertexId>> members(static_cast<std::size_t>(chunks.num_parts));
  for (std::size_t v = 0; v < chunks.part_of.size(); ++v) {
    members[chunks.part_of[v]].push_back(static_cast<VertexId>(v));
  }
  std::vector<std::vector<NetFlow>> flows(members.size());
  core::parallel_for(chunks.num_parts, 1, [&](Index begin, Index end) {
    std::vector<Index> surplus(members.size(), 0);
    std::vector<std::int32_t> touched;
    const auto count = [&](VertexId u, Index sign) {
      const std::int32_t c = chunks.part_of[u];
      if (surplus[c] == 0) touched.push_back(c);
      surplus[c] += sign;
    };
    for (Index chunk = begin; chunk < end; ++chunk) {
      for (const VertexId v : members[chunk]) {
        for (EdgeId e = graph.out_offsets()[v]; e < graph.out_offsets()[v + 1]; ++e) count(graph.out_targets()[e], 1);
        for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) count(graph.in_sources()[e], -1);
      }
      std::sort(touched.begin(), touched.end());
      for (const std::int32_t c : touched) {
        if (c != chunk && surplus[c] != 0) flows[chunk].push_back({c, surplus[c]});
        surplus[c] = 0;  // and so a chunk listed twice counts once
      }
      touched.clear();
    }
  });
  return flows;
}

/// An order of the chunks with few edges from later to earlier ones (feedback arc set, NP-hard): greedily the chunk
/// that sends the most more than it receives among those left (after Eades, Lin and Smyth 1993), then single chunks are
/// moved to their best place until none gains. Returns position -> chunk.
std::vector<std::int32_t> order_chunks(const std::vector<std::vector<NetFlow>>& flows) {
  const auto count = static_cast<std::int32_t>(flows.size());
  std::vector<Index> surplus(flows.size(), 0);
  std::set<std::pair<Index, std::int32_t>> waiting;  // smallest first: hence the sign
  for (std::int32_t c = 0; c < count; ++c) {
    for (const NetFlow& f : flows[c]) surplus[c] += f.surplus;
    waiting.emplace(-surplus[c], c);
  }
  std::vector<std::int32_t> order;
  while (!waiting.empty()) {
    const std::int32_t c = waiting.begin()->second;
    waiting.erase(waiting.begin());
    order.push_back(c);
    for (const NetFlow& f : flows[c]) {
      if (waiting.erase({-surplus[f.chunk], f.chunk}) == 0) continue;
      surplus[f.chunk] += f.surplus;  // what came from c no longer counts against it
      waiting.emplace(-surplus[f.chunk], f.chunk);
    }
  }

  std::vector<std::int32_t> position(flows.size());
  constexpr int kSweeps = 20;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    bool moved = false;
    for (std::int32_t c = 0; c < count; ++c) {
      if (flows[c].empty()) continue;
      for (std::int32_t at = 0; at < count; ++at) position[order[at]] = at;
      const std::int32_t from = position[c];
      std::vector<std::pair<std::int32_t, Index>> others;  // (position, surplus) of those it trades with
      for (const NetFlow& f : flows[c]) others.emplace_back(position[f.chunk], f.surplus);
      std::sort(others.begin(), others.end());
      // Stale edges beyond those of the first place, as c moves behind one partner after another.
      Index cost = 0;
      Index best_cost = 0;
      Index own_cost = 0;
      std::int32_t behind = -1;
      for (const auto& [at, flow] : others) {
        cost += flow;
        if (at < from) own_cost = cost;
        if (cost < best_cost) {
          best_cost = cost;
          behind = at;
        }
      }
      if (best_cost >= own_cost) continue;
      const std::int32_t to = behind < from ? behind + 1 : behind;
      order.erase(order.begin() + from);
      order.insert(order.begin() + to, c);
      moved = true;
    }
    if (!moved) break;
  }
  return order;
}

}  // namespace

std::vector<double> vertex_costs(const core::Graph& graph, double dense_cost) {
  std::vector<double> costs(static_cast<std::size_t>(graph.num_vertices()));
  for (std::size_t v = 0; v < costs.size(); ++v) {
    costs[v] = dense_cost + static_cast<double>(graph.in_degree(static_cast<VertexId>(v)));
  }
  return costs;
}

Partition make_chunks(const core::Graph& graph, const ChunkOptions& options) {
  check(graph, options);
  const Index n = graph.num_vertices();
  Partition result{options.chunks, std::vector<std::int32_t>(static_cast<std::size_t>(n), 0)};
  if (options.chunks == 1) return result;
  const Adjacency adjacency = symmetric_adjacency(graph);
  const std::vector<double> costs = vertex_costs(graph, options.dense_cost);
  result.part_of = first_cut(graph, adjacency, costs, options);
  const std::vector<double> limits = part_limits(costs, {}, n, options.chunks, options.imbalance);
  rebalance(adjacency, costs, limits, result.part_of);
  constexpr int kSweeps = 3;
  refine_cut(adjacency, costs, limits, kSweeps, result.part_of);

  const std::vector<std::int32_t> order = order_chunks(net_flows(graph, result));
  std::vector<std::int32_t> number(order.size());
  for (std::size_t at = 0; at < order.size(); ++at) number[order[at]] = static_cast<std::int32_t>(at);
  for (std::int32_t& c : result.part_of) c = number[c];

  const std::vector<double> held = part_weights(result.part_of, costs, options.chunks);
  const double largest = *std::max_element(held.begin(), held.end());
  if (largest > limits.front() * (1 + 1e-9)) {
    const double mean = limits.front() / (1 + options.imbalance);
    result.remarks.push_back(
        fmt::format("the costliest chunk costs {:.2f} x the mean, asked were {:.2f}: single "
                    "vertices are too costly for --chunks {}",
                    largest / mean, 1 + options.imbalance, options.chunks));
  }
  return result;
}

std::vector<VertexId> locality_order(const core::Graph& graph, const Partition& chunks) {
  validate(chunks, graph.num_vertices());
  return reverse_cuthill_mckee_order(symmetric_adjacency(graph), chunks);
}

StaleShare stale_share(const core::Graph& graph, const Partition& chunks) {
  validate(chunks, graph.num_vertices());
  if (graph.num_edges() == 0) return {};
  const auto count = [&](auto&& counts) {
    return core::parallel_sum(graph.num_vertices(), 1024, [&](Index begin, Index end) {
      Index sum = 0;
      for (Index v = begin; v < end; ++v) {
        for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
          sum += counts(chunks.part_of[graph.in_sources()[e]], chunks.part_of[v]) ? 1 : 0;
        }
      }
      return static_cast<double>(sum);
    });
  };
  const auto edges = static_cast<double>(graph.num_edges());
  return {count([](auto source, auto reader) { return source > reader; }) / edges,
          count([](auto source, auto reader) { return source != reader; }) / edges / 2};
}

}  // namespace laminar::partition
