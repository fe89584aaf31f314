/// Our own multilevel partitioner for communication volume: the hypergraph of closed neighbourhoods, whose connectivity
/// is the volume (Catalyurek and Aykanat 1999), coarsened, bisected, and refined on every level by annealing with
/// prices and by localised FM, both with exact volume gains; and a small population of such partitions recombined
/// (Sanders and Schulz 2012).
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/balance.hpp"
#include "laminar/partition/laminar_population.hpp"
#include "laminar/partition/metis.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

using namespace multilevel;

/// One kind of weight to balance.
struct Constraint {
  double imbalance;
  std::vector<double> weights;
};

std::vector<Constraint> constraints_of(const core::Graph& graph, const PartitionOptions& o) {
  const auto n = static_cast<std::size_t>(graph.num_vertices());
  std::vector<Constraint> result;
  result.push_back({o.imbalance, o.vertex_weights.empty() ? std::vector<double>(n, 1) : o.vertex_weights});
  if (o.edge_imbalance) {
    Constraint edges{*o.edge_imbalance, std::vector<double>(n)};
    for (std::size_t v = 0; v < n; ++v)
      edges.weights[v] = static_cast<double>(graph.in_degree(static_cast<VertexId>(v)));
    result.push_back(std::move(edges));
  }
  if (o.train_imbalance) {
    Constraint train{*o.train_imbalance, std::vector<double>(n, 0)};
    for (const VertexId v : o.train) train.weights[v] += 1;
    result.push_back(std::move(train));
  }
  return result;
}

Problem make_problem(const core::Graph& graph, const PartitionOptions& o, const std::vector<Constraint>& constraints) {
  const Index n = graph.num_vertices();
  const auto dims = static_cast<Index>(constraints.size());
  Problem problem;
  Balance& b = problem.balance;
  b.parts = o.parts;
  b.dims = static_cast<int>(dims);
  b.limit.resize(static_cast<std::size_t>(o.parts * dims));
  b.share.resize(b.limit.size());
  std::vector<double> weights(static_cast<std::size_t>(n * dims));
  const double capacities =
      o.capacity.empty() ? static_cast<double>(o.parts) : std::accumulate(o.capacity.begin(), o.capacity.end(), 0.0);
  for (Index d = 0; d < dims; ++d) {
    const Constraint& c = constraints[d];
    const double total = std::accumulate(c.weights.begin(), c.weights.end(), 0.0);
    const auto bearers = std::count_if(c.weights.begin(), c.weights.end(), [](double w) { return w > 0; });
    b.unit.push_back(bearers > 0 ? total / static_cast<double>(bearers) : 1);
    const bool whole = std::all_of(c.weights.begin(), c.weights.end(), [](double w) { return w == std::floor(w); });
    for (Index v = 0; v < n; ++v) weights[v * dims + d] = c.weights[v];
    for (Index p = 0; p < o.parts; ++p) {
      const double share = total * (o.capacity.empty() ? 1.0 : o.capacity[p]) / capacities;
      // A share of whole vertices can't be met below the next whole number.
      const double least = whole ? std::ceil(share * (1 - 1e-12)) : share;
      b.share[p * dims + d] = std::max(share, 1e-300);
      b.limit[p * dims + d] = std::max(share * (1 + c.imbalance), least) * (1 + 1e-12);
    }
  }
  problem.hypergraph = volume_hypergraph(graph, static_cast<int>(dims), std::move(weights));
  problem.graph = cut_graph(graph);
  return problem;
}

/// What METIS minimising volume reaches with the same balance; nothing if it is not there or fails.
std::optional<std::int64_t> metis_volume(const core::Graph& graph, const PartitionOptions& o, const Problem& problem,
                                         const std::vector<Constraint>& constraints) {
  if (metis_version().empty()) return std::nullopt;
  MetisOptions options{.parts = o.parts, .seed = o.seed, .objective = MetisObjective::kVolume, .constraints = {}};
  for (const Constraint& c : constraints) options.constraints.push_back({c.weights, c.imbalance});
  options.capacity = o.capacity;
  try {
    return judge(problem, {}, metis_partition(symmetric_adjacency(graph), options).part_of).total;
  } catch (const Error&) {
    return std::nullopt;  // e.g. more edges than METIS's numbers hold
  }
}

Effort effort_of(Preset preset, const Hypergraph& h) {
  // The same effort on larger graphs would take minutes; what it buys grows less than its time.
  const std::size_t pins = h.pins.size();
  const bool medium = pins > 500'000;
  const bool large = pins > 6'000'000;
  Effort e;
  e.run.tries = 8;
  e.run.rated_pins = large ? 300 : 1000;
  e.run.search.rounds = 2;
  e.run.search.sweeps = large ? 20 : 40;
  switch (preset) {
    case Preset::kFast:
      e.members = 2;
      e.generations = 0;
      e.run.tries = 4;
      e.run.rated_pins = 300;
      e.run.search.seeds = 50;
      e.run.search.fruitless = 15;
      e.run.search.rounds = 1;
      e.run.search.sweeps = 10;
      break;
    case Preset::kQuality:
      e.members = medium ? 2 : 4;
      e.generations = pins > 50'000 ? 1 : 2;
      break;
    case Preset::kBest:
      e.members = large ? 4 : medium ? 8 : 12;
      e.generations = large ? 4 : medium ? 8 : 16;
      e.children = large ? 2 : 4;
      e.run.tries = 16;
      e.run.search.rounds = 4;
      e.run.search.sweeps = large ? 50 : 100;
      break;
  }
  return e;
}

std::vector<int> powers_of(Preset preset) {
  switch (preset) {
    case Preset::kFast:
      return {8};
    case Preset::kQuality:
      return {2, 4, 8, 16};
    case Preset::kBest:
      return {2, 4, 8, 16, 32, 32};
  }
  return {};
}

Member search(const core::Graph& graph, const PartitionOptions& o, const Problem& problem,
              const std::vector<Constraint>& constraints, Deadline& deadline) {
  const Effort effort = effort_of(o.preset, problem.hypergraph);
  const auto parents = [&](const Aim& aim) {
    std::vector<Member> members;
    if (!o.start.empty()) members.push_back(judge(problem, aim, o.start));
    return members;
  };
  // A start is improved, not replaced.
  Effort from = effort;
  if (!o.start.empty()) {
    from.members = 0;
    from.generations = std::max(1, effort.generations);
  }
  if (o.objective == Objective::kMax) {
    Aim aim{.busiest = true};
    if (o.volume_bound) {
      aim.bound = std::max<Index>(1, *o.volume_bound);
    } else if (const auto metis = metis_volume(graph, o, problem, constraints)) {
      aim.bound = *metis;
    } else {
      aim.bound = evolve(problem, {}, 1, from, o.seed, parents({}), deadline).front().total;
    }
    aim.bound = std::max<std::int64_t>(1, aim.bound);
    Member best = evolve(problem, aim, 8, from, o.seed, parents(aim), deadline).front();
    return sharpen(problem, aim, powers_of(o.preset), effort, o.seed, std::move(best), deadline);
  }
  Member best = evolve(problem, {}, 1, from, o.seed, parents({}), deadline).front();
  if (o.objective == Objective::kTotal) return best;
  // With a start, its own total is what may not be exceeded.
  Aim aim{.busiest = true, .bound = best.total + best.total / 20};
  if (!o.start.empty()) {
    const Member start = judge(problem, {}, o.start);
    if (start.score.excess <= 0) aim.bound = std::min(aim.bound, start.total);
  }
  aim.bound = std::max<std::int64_t>(1, aim.bound);
  best = judge(problem, aim, std::move(best.part));
  if (!o.start.empty()) {
    Member start = judge(problem, aim, o.start);
    if (start.score < best.score) best = std::move(start);
  }
  return sharpen(problem, aim, powers_of(o.preset), effort, o.seed, std::move(best), deadline);
}

Partition laminar_partition(const core::Graph& graph, const PartitionOptions& o) {
  Partition result{o.parts, std::vector<std::int32_t>(static_cast<std::size_t>(graph.num_vertices()), 0)};
  if (o.parts == 1) return result;
  Deadline deadline(o.time_limit_s);
  const std::vector<Constraint> constraints = constraints_of(graph, o);
  const Problem problem = make_problem(graph, o, constraints);
  Member best = search(graph, o, problem, constraints, deadline);
  result.part_of = std::move(best.part);
  fill_empty_parts(o.parts, result.part_of);
  if (deadline.struck()) {
    result.remarks.push_back(
        fmt::format("the time limit of {} s struck: the partition is not as good as it gets, nor the same next time",
                    o.time_limit_s));
  }
  const std::int64_t total = count_volumes(problem.hypergraph, o.parts, result.part_of).total;
  if (o.objective == Objective::kMax && o.volume_bound && total > *o.volume_bound) {
    result.remarks.push_back(fmt::format("the total volume is {} rows, above the bound of {}", total, *o.volume_bound));
  }
  return result;
}

LAMINAR_PARTITIONER(laminar, &laminar_partition,
                    {.name = "laminar",
                     .summary = "multilevel, for communication volume: total or busiest part",
                     .paper = "after Catalyurek and Aykanat, IEEE TPDS 1999; Sanders and Schulz, ALENEX 2012",
                     .refines = true,
                     .edge_balance = true,
                     .train_balance = true,
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
