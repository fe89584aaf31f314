#include "laminar/partition/balance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <tuple>
#include <utility>

namespace laminar::partition {
namespace {

double weight_of(std::span<const double> weights, Index v) { return weights.empty() ? 1.0 : weights[v]; }

/// How strongly one vertex is tied to each part; only the entries of parts it touches are ever written.
class Connections {
 public:
  explicit Connections(Index parts) : strength_(static_cast<std::size_t>(parts), 0.0) {}

  void gather(const Adjacency& adjacency, std::span<const std::int32_t> part_of, Index v) {
    for (const std::int32_t p : touched_) strength_[p] = 0;
    touched_.clear();
    for (EdgeId e = adjacency.offsets[v]; e < adjacency.offsets[v + 1]; ++e) {
      const std::int32_t p = part_of[adjacency.neighbours[e]];
      if (strength_[p] == 0) touched_.push_back(p);
      strength_[p] += adjacency.weight(e);
    }
    std::sort(touched_.begin(), touched_.end());
  }
  double to(Index part) const { return strength_[part]; }
  /// Parts with a neighbour, ascending.
  std::span<const std::int32_t> touched() const { return touched_; }

 private:
  std::vector<double> strength_;
  std::vector<std::int32_t> touched_;
};

std::vector<Index> count_vertices(std::span<const std::int32_t> part_of, Index parts) {
  std::vector<Index> counts(static_cast<std::size_t>(parts), 0);
  for (const std::int32_t p : part_of) ++counts[p];
  return counts;
}

/// Where a vertex would go, what it gains in neighbours of its own part, and whether it fits there.
struct Move {
  double gain = -std::numeric_limits<double>::infinity();
  std::int32_t target = -1;
  bool fits = true;
};

class Rebalancer {
 public:
  Rebalancer(const Adjacency& adjacency, std::span<const double> weights, std::span<const double> limits,
             std::vector<std::int32_t>& part_of)
      : adjacency_(adjacency),
        weights_(weights),
        limits_(limits),
        part_of_(part_of),
        held_(part_weights(part_of, weights, static_cast<Index>(limits.size()))),
        counts_(count_vertices(part_of, static_cast<Index>(limits.size()))),
        connections_(static_cast<Index>(limits.size())) {}

  void run() {
    // A vertex that fits nowhere can overload the part it goes to, which is then the next to be unloaded.
    constexpr int kRounds = 8;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::int32_t> heavy;
      for (std::int32_t p = 0; p < static_cast<std::int32_t>(limits_.size()); ++p) {
        if (held_[p] > limits_[p]) heavy.push_back(p);
      }
      std::stable_sort(heavy.begin(), heavy.end(),
                       [&](auto a, auto b) { return held_[a] / limits_[a] > held_[b] / limits_[b]; });
      moved_ = false;
      for (const std::int32_t p : heavy) unload(p);
      if (!moved_) break;
    }
  }

 private:
  struct Candidate {
    bool fits;
    double key;
    VertexId vertex;
    bool operator<(const Candidate& o) const {
      return std::tuple(fits, key, -vertex) < std::tuple(o.fits, o.key, -o.vertex);
    }
  };

  /// The relatively lightest part; the first of several.
  std::int32_t lightest() const {
    std::int32_t best = 0;
    for (std::int32_t p = 1; p < static_cast<std::int32_t>(limits_.size()); ++p) {
      if (held_[p] / limits_[p] < held_[best] / limits_[best]) best = p;
    }
    return best;
  }

  Move best_move(Index v) {
    const std::int32_t own = part_of_[v];
    const double w = weight_of(weights_, v);
    connections_.gather(adjacency_, part_of_, v);
    Move best;
    const auto consider = [&](std::int32_t p) {
      const double gain = connections_.to(p) - connections_.to(own);
      if (p != own && held_[p] + w <= limits_[p] && gain > best.gain) best = {gain, p, true};
    };
    for (const std::int32_t p : connections_.touched()) consider(p);
    if (best.target >= 0) return best;
    const std::int32_t light = lightest();
    consider(light);
    if (best.target < 0 && light != own && (held_[light] + w) / limits_[light] < held_[own] / limits_[own]) {
      best = {connections_.to(light) - connections_.to(own), light, false};
    }
    return best;
  }

  /// Those that fit go first, and of these light ones that lose little: a loss counts a unit of weight moved.
  Candidate candidate(Index v, const Move& move) const {
    const double w = std::max(weight_of(weights_, v), 1e-300);
    return {move.fits, move.gain < 0 ? move.gain / w : move.gain * w, static_cast<VertexId>(v)};
  }

  void unload(std::int32_t part) {
    std::priority_queue<Candidate> queue;
    for (Index v = 0; v < adjacency_.num_vertices(); ++v) {
      if (part_of_[v] != part) continue;
      const Move move = best_move(v);
      if (move.target >= 0) queue.push(candidate(v, move));
    }
    while (held_[part] > limits_[part] && counts_[part] > 1 && !queue.empty()) {
      const Candidate top = queue.top();
      queue.pop();
      const Index v = top.vertex;
      if (part_of_[v] != part) continue;
      const Move move = best_move(v);
      if (move.target < 0) continue;
      const Candidate now = candidate(v, move);
      if (std::tuple(now.fits, now.key) < std::tuple(top.fits, top.key)) {  // it fell meanwhile: back in line
        queue.push(now);
        continue;
      }
      const double w = weight_of(weights_, v);
      moved_ = true;
      part_of_[v] = move.target;
      held_[part] -= w;
      held_[move.target] += w;
      --counts_[part];
      ++counts_[move.target];
      for (const VertexId u : adjacency_.of(v)) {  // those left behind are looser now
        if (part_of_[u] != part) continue;
        const Move next = best_move(u);
        if (next.target >= 0) queue.push(candidate(u, next));
      }
    }
  }

  const Adjacency& adjacency_;
  std::span<const double> weights_;
  std::span<const double> limits_;
  std::vector<std::int32_t>& part_of_;
  std::vector<double> held_;
  std::vector<Index> counts_;
  Connections connections_;
  bool moved_ = false;
};

}  // namespace

std::vector<double> part_weights(std::span<const std::int32_t> part_of, std::span<const double> weights, Index parts) {
  std::vector<double> held(static_cast<std::size_t>(parts), 0.0);
  for (std::size_t v = 0; v < part_of.size(); ++v) held[part_of[v]] += weights.empty() ? 1.0 : weights[v];
  return held;
}

std::vector<double> part_limits(std::span<const double> weights, std::span<const double> capacity, Index num_vertices,
                                Index parts, double imbalance) {
  double total = weights.empty() ? static_cast<double>(num_vertices) : 0.0;
  for (const double w : weights) total += w;
  double capacities = capacity.empty() ? static_cast<double>(parts) : 0.0;
  for (const double c : capacity) capacities += c;
  std::vector<double> limits(static_cast<std::size_t>(parts));
  for (Index p = 0; p < parts; ++p) {
    const double share = total * (capacity.empty() ? 1.0 : capacity[p]) / capacities;
    limits[p] = (1 + imbalance) * share;
    if (weights.empty()) limits[p] = std::max(limits[p], std::ceil(share));
  }
  return limits;
}

namespace {

/// Gives each empty part the vertex that `choose(donor)` takes from the part with the most.
template <class Choose>
Index fill_empty(Index parts, std::vector<std::int32_t>& part_of, Choose&& choose) {
  std::vector<Index> counts = count_vertices(part_of, parts);
  Index empty = 0;
  for (std::int32_t p = 0; p < parts; ++p) {
    if (counts[p] > 0) continue;
    ++empty;
    const auto donor = static_cast<std::int32_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    part_of[choose(donor)] = p;
    --counts[donor];
    ++counts[p];
  }
  return empty;
}

}  // namespace

Index fill_empty_parts(const Adjacency& adjacency, Index parts, std::vector<std::int32_t>& part_of) {
  return fill_empty(parts, part_of, [&](std::int32_t donor) {
    Index chosen = -1;
    Index fewest = std::numeric_limits<Index>::max();
    for (Index v = 0; v < adjacency.num_vertices() && fewest > 0; ++v) {
      if (part_of[v] != donor) continue;
      const auto inside = std::count_if(adjacency.of(v).begin(), adjacency.of(v).end(),
                                        [&](VertexId u) { return part_of[u] == donor; });
      if (inside < fewest) {
        fewest = inside;
        chosen = v;
      }
    }
    return chosen;
  });
}

Index fill_empty_parts(Index parts, std::vector<std::int32_t>& part_of) {
  return fill_empty(parts, part_of, [&](std::int32_t donor) {
    auto v = static_cast<Index>(part_of.size()) - 1;
    while (part_of[v] != donor) --v;
    return v;
  });
}

void rebalance(const Adjacency& adjacency, std::span<const double> weights, std::span<const double> limits,
               std::vector<std::int32_t>& part_of) {
  Rebalancer(adjacency, weights, limits, part_of).run();
}

void refine_cut(const Adjacency& adjacency, std::span<const double> weights, std::span<const double> limits, int rounds,
                std::vector<std::int32_t>& part_of, std::span<const VertexId> order) {
  const auto parts = static_cast<Index>(limits.size());
  std::vector<double> held = part_weights(part_of, weights, parts);
  std::vector<Index> counts = count_vertices(part_of, parts);
  Connections connections(parts);
  for (int round = 0; round < rounds; ++round) {
    bool moved = false;
    for (Index at = 0; at < adjacency.num_vertices(); ++at) {
      const Index v = order.empty() ? at : order[at];
      const std::int32_t own = part_of[v];
      if (counts[own] == 1) continue;
      const double w = weight_of(weights, v);
      connections.gather(adjacency, part_of, v);
      std::int32_t best = own;
      for (const std::int32_t p : connections.touched()) {
        if (p != own && connections.to(p) > connections.to(best) && held[p] + w <= limits[p]) best = p;
      }
      if (best == own) continue;
      part_of[v] = best;
      held[own] -= w;
      held[best] += w;
      --counts[own];
      ++counts[best];
      moved = true;
    }
    if (!moved) break;
  }
}

}  // namespace laminar::partition
