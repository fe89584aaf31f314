#include "laminar/partition/multilevel_refine.hpp"

#include <algorithm>
#include <limits>

#include "laminar/partition/multilevel_heap.hpp"

namespace laminar::partition::multilevel {
namespace {

struct Target {
  std::int32_t part = -1;
  double gain = -std::numeric_limits<double>::infinity();
};

/// The part with room that v gains most by moving to; among equals the one with the most room left.
Target best_target(const State& state, const Goal& goal, Index v) {
  Target best;
  const std::int32_t own = state.part_of(v);
  if (goal.power == 1 && goal.bound <= 0) {
    // Without regard to the parts' loads but the limit, the lowest penalty wins.
    const std::int32_t* penalty = state.penalties(v);
    std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
    for (std::int32_t t = 0; t < state.num_parts(); ++t) {
      if (t == own || penalty[t] > lowest || !state.fits(v, t)) continue;
      if (penalty[t] == lowest && state.load(t, 0) >= state.load(best.part, 0)) continue;
      lowest = penalty[t];
      best.part = t;
    }
    if (best.part >= 0) best.gain = state.benefit(v) - lowest;
    return best;
  }
  for (std::int32_t t = 0; t < state.num_parts(); ++t) {
    if (t == own || !state.fits(v, t)) continue;
    const double g = state.gain(goal, v, t);
    if (g > best.gain) best = {t, g};
  }
  return best;
}

std::vector<VertexId> border(const State& state) {
  std::vector<VertexId> result;
  for (Index v = 0; v < state.hypergraph().num_vertices; ++v) {
    if (state.on_border(v)) result.push_back(static_cast<VertexId>(v));
  }
  return result;
}

class LocalSearch {
 public:
  LocalSearch(State& state, const SearchOptions& options)
      : state_(state),
        options_(options),
        heap_(state.hypergraph().num_vertices),
        locked_(static_cast<std::size_t>(state.hypergraph().num_vertices), 0) {}

  void new_round() { std::fill(locked_.begin(), locked_.end(), 0); }
  bool locked(VertexId v) const { return locked_[v] != 0; }

  /// One search; returns what it gained.
  double run(std::span<const VertexId> seeds) {
    heap_.clear();
    moves_.clear();
    for (const VertexId v : seeds) activate(v);
    double now = 0;
    double best = 0;
    std::size_t best_moves = 0;
    Index fruitless = 0;
    while (!heap_.empty() && fruitless <= options_.fruitless) {
      const std::int32_t v = heap_.top();
      const Target target = best_target(state_, options_.goal, v);
      if (target.part < 0) {
        heap_.pop();
        continue;
      }
      if (target.gain < heap_.top_key()) {
        heap_.lower_top(target.gain);
        if (heap_.top() != v || heap_.top_key() != target.gain) continue;
      }
      heap_.pop();
      locked_[v] = 1;
      moves_.push_back({v, state_.part_of(v)});
      now += target.gain;
      state_.move(
          v, target.part, [&](VertexId u, std::int32_t e) { closer(u, e, target.part); },
          [&](VertexId u) { touch(u); });
      if (now > best + kTiny) {
        best = now;
        best_moves = moves_.size();
        fruitless = 0;
      } else {
        ++fruitless;
      }
    }
    while (moves_.size() > best_moves) {
      const auto [v, from] = moves_.back();
      state_.move(v, from);
      moves_.pop_back();
      locked_[v] = 0;
    }
    return best;
  }

 private:
  static constexpr double kTiny = 1e-12;

  void activate(VertexId v) {
    if (locked_[v] != 0 || heap_.holds(v)) return;
    const Target target = best_target(state_, options_.goal, v);
    if (target.part >= 0) heap_.push(v, target.gain);
  }
  /// v's benefit rose.
  void touch(VertexId v) {
    if (locked_[v] != 0) return;
    if (!heap_.holds(v)) return activate(v);
    const Target target = best_target(state_, options_.goal, v);
    if (target.part >= 0 && target.gain > heap_.key(v)) heap_.raise_key(v, target.gain);
  }
  /// Part t came closer to v through net e.
  void closer(VertexId v, std::int32_t /*e*/, std::int32_t t) {
    if (locked_[v] != 0 || state_.part_of(v) == t) return;
    if (!heap_.holds(v)) return activate(v);
    const double g = state_.gain(options_.goal, v, t);
    if (g > heap_.key(v) && state_.fits(v, t)) heap_.raise_key(v, g);
  }

  struct Move {
    VertexId vertex;
    std::int32_t from;
  };
  State& state_;
  const SearchOptions& options_;
  IndexedHeap heap_;
  std::vector<char> locked_;
  std::vector<Move> moves_;
};

}  // namespace

bool rebalance(State& state, const Goal& goal, RandomSequence& random) {
  const Index n = state.hypergraph().num_vertices;
  constexpr int kRounds = 8;
  for (int round = 0; round < kRounds && state.excess() > 0; ++round) {
    const double before = state.excess();
    IndexedHeap heap(n);
    std::vector<std::int32_t> target(static_cast<std::size_t>(n), -1);
    const auto rate = [&](Index v, double& key) {
      // Only moves that lower the excess count; what they cost is seen against how much they lower it.
      double best = -std::numeric_limits<double>::infinity();
      if (state.members(state.part_of(v)) <= 1) return false;
      for (std::int32_t t = 0; t < state.num_parts(); ++t) {
        if (t == state.part_of(v)) continue;
        const double change = state.excess_change(v, t);
        if (change >= -1e-12) continue;
        const double g = state.gain(goal, v, t);
        const double r = g > 0 ? g * -change : g / -change;
        if (r > best) {
          best = r;
          target[v] = t;
        }
      }
      key = best;
      return best > -std::numeric_limits<double>::infinity();
    };
    std::vector<char> over(static_cast<std::size_t>(state.num_parts()), 0);
    for (std::int32_t p = 0; p < state.num_parts(); ++p) {
      for (int d = 0; d < state.hypergraph().dims; ++d) {
        if (state.load(p, d) > state.balance().limit[p * state.hypergraph().dims + d]) over[p] = 1;
      }
    }
    for (const std::int32_t v : random.permutation(n)) {
      double key = 0;
      if (over[state.part_of(v)] != 0 && rate(v, key)) heap.push(v, key);
    }
    while (!heap.empty() && state.excess() > 0) {
      const std::int32_t v = heap.top();
      double key = 0;
      if (!rate(v, key)) {
        heap.pop();
        continue;
      }
      if (key < heap.top_key()) {
        heap.lower_top(key);
        if (heap.top() != v) continue;
      }
      heap.pop();
      state.move(v, target[v]);
    }
    if (state.excess() >= before) break;
  }
  return state.excess() <= 0;
}

void greedy_rounds(State& state, const SearchOptions& options, RandomSequence& random, Deadline& deadline) {
  for (int round = 0; round < options.rounds && !deadline.passed(); ++round) {
    std::vector<VertexId> order = border(state);
    random.shuffle(order);
    double gained = 0;
    for (const VertexId v : order) {
      const Target target = best_target(state, options.goal, v);
      if (target.part < 0 || target.gain <= 0) continue;
      state.move(v, target.part);
      gained += target.gain;
    }
    if (gained <= options.least_gain * state.value(options.goal)) break;
  }
}

void local_searches(State& state, const SearchOptions& options, RandomSequence& random, Deadline& deadline) {
  LocalSearch search(state, options);
  std::vector<VertexId> seeds;
  for (int round = 0; round < options.rounds && !deadline.passed(); ++round) {
    std::vector<VertexId> order = border(state);
    random.shuffle(order);
    search.new_round();
    double gained = 0;
    std::size_t i = 0;
    while (i < order.size() && !deadline.passed()) {
      seeds.clear();
      while (i < order.size() && static_cast<Index>(seeds.size()) < options.seeds) {
        const VertexId v = order[i++];
        if (!search.locked(v)) seeds.push_back(v);
      }
      gained += search.run(seeds);
    }
    if (gained <= options.least_gain * state.value(options.goal)) break;
  }
}

}  // namespace laminar::partition::multilevel
