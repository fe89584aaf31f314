#include "laminar/partition/multilevel.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "laminar/core/parallel.hpp"
#include "laminar/partition/multilevel_anneal.hpp"
#include "laminar/partition/multilevel_coarsen.hpp"
#include "laminar/partition/multilevel_initial.hpp"

namespace laminar::partition::multilevel {
namespace {

/// A level has at most this many times fewer vertices than the one below it.
constexpr double kShrink = 2.5;
/// Vertices a part on the coarsest level of a bisection.
constexpr Index kCoarsestOfBisection = 120;
/// A State above this is not made: the partition then comes from bisections alone.
constexpr double kLargestState_bytes = 4e9;

double state_bytes(const Hypergraph& h, Index parts) {
  return static_cast<double>(parts) * (8 * static_cast<double>(h.num_nets()) + 4 * static_cast<double>(h.num_vertices));
}

struct Level {
  Hypergraph hypergraph;
  WeightedGraph graph;
  /// Of the vertices of the next finer level.
  std::vector<std::int32_t> cluster;
};

class Hierarchy {
 public:
  /// Keeps the references; graph may be null if options.cut is not set.
  Hierarchy(const Hypergraph& h, const WeightedGraph* graph_of_h, const Balance& balance, const RunOptions& options,
            std::vector<std::int32_t> block)
      : finest_(h), balance_(balance), random_(options.seed, 0, 0) {
    ClusterLimits limits;
    limits.rated_pins = options.rated_pins;
    const Index target = std::max<Index>(balance.parts * options.coarsest_a_part, 2);
    std::vector<double> total(static_cast<std::size_t>(h.dims), 0);
    for (Index v = 0; v < h.num_vertices; ++v) {
      for (int d = 0; d < h.dims; ++d) total[d] += h.weight_of(v)[d];
    }
    for (int d = 0; d < h.dims; ++d) {
      limits.weight.push_back((d == 0 ? 1.5 : 3.0) * total[d] / static_cast<double>(target));
    }
    for (;;) {
      const Hypergraph& fine = hypergraph(levels_.size());
      if (fine.num_vertices <= target) break;
      limits.block = block;
      limits.at_least = std::max(target, static_cast<Index>(static_cast<double>(fine.num_vertices) / kShrink));
      const WeightedGraph* graph = !options.cut ? nullptr : levels_.empty() ? graph_of_h : &levels_.back().graph;
      Clustering c = cluster_vertices(fine, graph, limits, random_);
      if (static_cast<double>(c.count) > 0.95 * static_cast<double>(fine.num_vertices)) break;
      Level level;
      level.hypergraph = contract(fine, c.cluster, c.count);
      if (options.cut) level.graph = contract(*graph, c.cluster, c.count);
      if (!block.empty()) {
        std::vector<std::int32_t> coarse(static_cast<std::size_t>(c.count));
        for (std::size_t v = 0; v < block.size(); ++v) coarse[c.cluster[v]] = block[v];
        block = std::move(coarse);
      }
      level.cluster = std::move(c.cluster);
      levels_.push_back(std::move(level));
    }
  }

  /// 0 = the given hypergraph, then coarser ones.
  std::size_t depth() const { return levels_.size(); }
  const Hypergraph& hypergraph(std::size_t i) const { return i == 0 ? finest_ : levels_[i - 1].hypergraph; }
  std::vector<std::int32_t> to_coarsest(std::vector<std::int32_t> part) const {
    for (const Level& level : levels_) {
      std::vector<std::int32_t> coarse(static_cast<std::size_t>(level.hypergraph.num_vertices));
      for (std::size_t v = 0; v < part.size(); ++v) coarse[level.cluster[v]] = part[v];
      part = std::move(coarse);
    }
    return part;
  }

  /// Refines `part` of the coarsest level there and on every finer one.
  std::vector<std::int32_t> refine_up(std::vector<std::int32_t> part, const RunOptions& options, Deadline& deadline) {
    SearchOptions search = options.search;
    for (std::size_t i = levels_.size();; --i) {
      State state(hypergraph(i), balance_, std::move(part));
      if (state.excess() > 0) rebalance(state, search.goal, random_);
      if (search.goal.power > 1) {
        // In units of the busiest part, so that its term is 1 and the others' vanish as the power grows.
        search.goal.scale = std::max(1.0, static_cast<double>(state.largest_received()));
      }
      greedy_rounds(state, search, random_, deadline);
      anneal(state, search, random_, deadline);
      local_searches(state, search, random_, deadline);
      part = state.take_parts();
      if (i == 0) return part;
      std::vector<std::int32_t> fine(static_cast<std::size_t>(hypergraph(i - 1).num_vertices));
      for (std::size_t v = 0; v < fine.size(); ++v) fine[v] = part[levels_[i - 1].cluster[v]];
      part = std::move(fine);
      levels_.pop_back();
    }
  }

 private:
  const Hypergraph& finest_;
  const Balance& balance_;
  RandomSequence random_;
  std::vector<Level> levels_;
};

/// Splits `h` among parts [first, last) of `balance` by bisections and writes the parts to part[ids[v]].
void bisect(const Hypergraph& h, const std::vector<VertexId>& ids, const Balance& balance, Index first, Index last,
            const RunOptions& options, std::vector<std::int32_t>& part, Deadline& deadline) {
  if (last - first == 1 || h.num_vertices <= last - first) {
    for (std::size_t v = 0; v < ids.size(); ++v) {
      part[ids[v]] = static_cast<std::int32_t>(std::min<Index>(first + static_cast<Index>(v), last - 1));
    }
    return;
  }
  const Index middle = first + (last - first) / 2;
  const int dims = h.dims;
  Balance two;
  two.parts = 2;
  two.dims = dims;
  two.unit = balance.unit;
  two.limit.resize(static_cast<std::size_t>(2 * dims));
  two.share.resize(static_cast<std::size_t>(2 * dims));
  const double levels = std::ceil(std::log2(static_cast<double>(last - first)));
  for (int d = 0; d < dims; ++d) {
    double total = 0;
    for (Index v = 0; v < h.num_vertices; ++v) total += h.weight_of(v)[d];
    double share[2] = {0, 0};
    double limit = 0;
    for (Index p = first; p < last; ++p) {
      share[p < middle ? 0 : 1] += balance.share[p * dims + d];
      limit += balance.limit[p * dims + d];
    }
    // What the limits leave free is spread evenly over the bisections to come.
    const double room = total > 0 ? std::pow(std::max(1.0, limit / total), 1 / levels) : 1;
    for (int side = 0; side < 2; ++side) {
      two.share[side * dims + d] = std::max(total * share[side] / (share[0] + share[1]), 1e-300);
      two.limit[side * dims + d] = two.share[side * dims + d] * room * (1 + 1e-12);
    }
  }
  RunOptions run = options;
  run.cut = false;
  run.coarsest_a_part = kCoarsestOfBisection;
  run.search.goal = {};
  run.search.sweeps = 0;
  Hierarchy hierarchy(h, nullptr, two, run, {});
  const std::vector<std::int32_t> side = hierarchy.refine_up(
      initial_partition(hierarchy.hypergraph(hierarchy.depth()), two, run.search, run.tries, run.seed, deadline), run,
      deadline);
  core::parallel_for(2, 1, [&](Index b, Index e) {
    for (Index s = b; s < e; ++s) {
      std::vector<char> keep(side.size());
      std::vector<VertexId> kept;
      for (std::size_t v = 0; v < side.size(); ++v) {
        keep[v] = side[v] == s ? 1 : 0;
        if (side[v] == s) kept.push_back(ids[v]);
      }
      RunOptions next = options;
      next.seed = options.seed * 2 + static_cast<std::uint64_t>(s) + 1;
      bisect(extract(h, keep), kept, balance, s == 0 ? first : middle, s == 0 ? middle : last, next, part, deadline);
    }
  });
}

}  // namespace

std::vector<std::int32_t> partition_run(const Problem& problem, const RunOptions& options, Deadline& deadline) {
  if (state_bytes(problem.hypergraph, problem.balance.parts) > kLargestState_bytes) {
    std::vector<std::int32_t> part(static_cast<std::size_t>(problem.hypergraph.num_vertices));
    std::vector<VertexId> ids(part.size());
    std::iota(ids.begin(), ids.end(), 0);
    bisect(problem.hypergraph, ids, problem.balance, 0, problem.balance.parts, options, part, deadline);
    return part;
  }
  Hierarchy hierarchy(problem.hypergraph, &problem.graph, problem.balance, options, {});
  const Hypergraph& coarsest = hierarchy.hypergraph(hierarchy.depth());
  std::vector<std::int32_t> part(static_cast<std::size_t>(coarsest.num_vertices));
  std::vector<VertexId> ids(part.size());
  std::iota(ids.begin(), ids.end(), 0);
  bisect(coarsest, ids, problem.balance, 0, problem.balance.parts, options, part, deadline);
  return hierarchy.refine_up(std::move(part), options, deadline);
}

std::vector<std::int32_t> improve_run(const Problem& problem, std::span<const std::vector<std::int32_t>* const> starts,
                                      const RunOptions& options, Deadline& deadline) {
  std::vector<std::int32_t> block = *starts.front();
  if (state_bytes(problem.hypergraph, problem.balance.parts) > kLargestState_bytes) return block;
  for (std::size_t i = 1; i < starts.size(); ++i) {
    // Pairs (block, part) numbered in the order of their first vertex.
    const auto k = static_cast<std::size_t>(problem.balance.parts);
    const std::size_t blocks = static_cast<std::size_t>(*std::max_element(block.begin(), block.end())) + 1;
    std::vector<std::int32_t> id(blocks * k, -1);
    std::int32_t count = 0;
    for (std::size_t v = 0; v < block.size(); ++v) {
      std::int32_t& b = id[static_cast<std::size_t>(block[v]) * k + static_cast<std::size_t>((*starts[i])[v])];
      if (b < 0) b = count++;
      block[v] = b;
    }
  }
  Hierarchy hierarchy(problem.hypergraph, &problem.graph, problem.balance, options, std::move(block));
  return hierarchy.refine_up(hierarchy.to_coarsest(*starts.front()), options, deadline);
}

}  // namespace laminar::partition::multilevel
