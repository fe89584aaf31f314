#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "laminar/partition/multilevel_hypergraph.hpp"

namespace laminar::partition::multilevel {

/// What each part may hold: limit[p * dims + d] of weight d.
struct Balance {
  Index parts = 1;
  int dims = 1;
  std::vector<double> limit;
  /// The part's share without imbalance, same layout: the unit in which excess is counted.
  std::vector<double> share;
  /// Mean of each weight over those vertices of the finest hypergraph that have any, or 1 if none has: [dims].
  std::vector<double> unit;
};

/// What is made small. With power 1 the total volume; else
///   sum over parts of (received rows / scale)^power + price x total / scale,
/// which for growing powers comes down to the busiest part. A total above `bound` costs extra in both.
struct Goal {
  int power = 1;
  double scale = 1;
  double price = 0;
  double bound = 0;  // 0 = none
};

/// x^power for a power of two.
inline double raise(double x, int power) {
  for (; power > 1; power /= 2) x *= x;
  return x;
}

/// Rows sent altogether and received by each part, counted net by net. O(pins).
struct Volumes {
  std::int64_t total = 0;
  std::vector<std::int64_t> received;
};
Volumes count_volumes(const Hypergraph& h, Index parts, std::span<const std::int32_t> part);

/// Load of each part: [parts * dims].
std::vector<double> count_loads(const Hypergraph& h, Index parts, std::span<const std::int32_t> part);

/// Sum over parts and weights of what is above the limit, in shares.
double excess_of(const Balance& balance, std::span<const double> load);

/// A partition of a hypergraph with all that is needed to know what a move changes in O(1), kept up to date by move():
/// pins of each net in each part with the XOR of their numbers (so that the last pin in a part is known at once), and
/// for each vertex the rows saved by leaving its part (`benefit`) and those that entering another costs (`penalty`).
/// Memory 8 bytes x parts a net and 4 bytes x parts a vertex. Not thread-safe.
class State {
 public:
  /// Both references are kept. Parallel. part: [num_vertices].
  State(const Hypergraph& h, const Balance& balance, std::vector<std::int32_t> part);

  const Hypergraph& hypergraph() const { return *h_; }
  const Balance& balance() const { return *balance_; }
  const std::vector<std::int32_t>& parts() const { return part_; }
  std::vector<std::int32_t> take_parts() { return std::move(part_); }
  Index num_parts() const { return k_; }
  std::int32_t part_of(Index v) const { return part_[v]; }
  std::int64_t total() const { return total_; }
  /// Rows each part receives.
  const std::vector<std::int64_t>& received() const { return received_; }
  std::int64_t largest_received() const;
  Index members(std::int32_t p) const { return members_[p]; }
  double load(std::int32_t p, int d) const { return load_[p * dims_ + d]; }

  /// Rows saved in the total if v left its part and entered none.
  std::int32_t benefit(Index v) const { return benefit_[v]; }
  /// Rows added to the total if v entered part t.
  std::int32_t penalty(Index v, std::int32_t t) const { return penalty_[v * k_ + t]; }
  const std::int32_t* penalties(Index v) const { return penalty_.data() + v * k_; }
  /// Weight of all nets of v.
  std::int32_t net_weight_of(Index v) const { return net_weight_of_[v]; }
  std::int32_t pins_in(Index e, std::int32_t p) const { return cells_[e * k_ + p].count; }
  /// Whether some net of v touches another part.
  bool on_border(Index v) const {
    if (benefit_[v] > 0) return true;
    for (std::int32_t t = 0; t < k_; ++t) {
      if (t != part_[v] && penalty(v, t) < net_weight_of_[v]) return true;
    }
    return false;
  }

  /// Whether v fits into part t, and is not the last vertex of its part.
  bool fits(Index v, std::int32_t t) const {
    if (members_[part_[v]] <= 1) return false;
    const double* w = h_->weight_of(v);
    for (int d = 0; d < dims_; ++d) {
      if (load_[t * dims_ + d] + w[d] > balance_->limit[t * dims_ + d]) return false;
    }
    return true;
  }
  double excess() const { return excess_of(*balance_, load_); }
  /// How much excess() changes if v moves to t.
  double excess_change(Index v, std::int32_t t) const;

  /// What the goal gains if v moves to t (positive = better).
  double gain(const Goal& goal, Index v, std::int32_t t) const {
    const std::int32_t saved = benefit_[v];
    const std::int32_t added = penalty(v, t);
    double result = 0;
    if (goal.power == 1) {
      result = saved - added;
    } else {
      const std::int32_t s = part_[v];
      const double own = h_->own_rows[v];
      const double rs = static_cast<double>(received_[s]);
      const double rt = static_cast<double>(received_[t]);
      result = raise(rs / goal.scale, goal.power) - raise((rs - saved - own) / goal.scale, goal.power) +
               raise(rt / goal.scale, goal.power) - raise((rt + added + own) / goal.scale, goal.power) +
               goal.price * (saved - added) / goal.scale;
    }
    if (goal.bound > 0) result += bound_cost(goal, 0) - bound_cost(goal, added - saved);
    return result;
  }
  /// The goal's value.
  double value(const Goal& goal) const;

  /// Moves v to part t, another than its own. on_closer(u, t) is called for each vertex u that part t has come closer
  /// to (its penalty fell), on_freed(u) for each whose benefit rose.
  template <class Closer, class Freed>
  void move(Index v, std::int32_t t, Closer&& on_closer, Freed&& on_freed);
  void move(Index v, std::int32_t t) {
    move(
        v, t, [](Index, Index) {}, [](Index) {});
  }

 private:
  double bound_cost(const Goal& goal, std::int64_t change) const {
    const double over = static_cast<double>(total_ + change) - goal.bound;
    if (over <= 0) return 0;
    return goal.power == 1 ? over : 100 * over / goal.scale;
  }

  struct Cell {
    std::int32_t count = 0;
    std::int32_t pins_xor = 0;
  };
  const Hypergraph* h_;
  const Balance* balance_;
  Index k_;
  int dims_;
  std::vector<std::int32_t> part_;
  std::vector<Cell> cells_;
  std::vector<std::int32_t> benefit_;
  std::vector<std::int32_t> penalty_;
  std::vector<std::int32_t> net_weight_of_;
  std::vector<double> load_;
  std::vector<Index> members_;
  std::vector<std::int64_t> received_;
  std::int64_t total_ = 0;
};

template <class Closer, class Freed>
void State::move(Index v, std::int32_t t, Closer&& on_closer, Freed&& on_freed) {
  const Hypergraph& h = *h_;
  const std::int32_t s = part_[v];
  const std::int32_t saved = benefit_[v];
  const std::int32_t added = penalty(v, t);
  const std::int32_t own = h.own_rows[v];
  total_ += added - saved;
  received_[s] -= saved + own;
  received_[t] += added + own;
  --members_[s];
  ++members_[t];
  for (int d = 0; d < dims_; ++d) {
    const double w = h.weight[v * dims_ + d];
    load_[s * dims_ + d] -= w;
    load_[t * dims_ + d] += w;
  }
  part_[v] = t;
  const auto id = static_cast<std::int32_t>(v);
  std::int32_t benefit = 0;
  for (const std::int32_t e : h.nets_of(v)) {
    const std::int32_t w = h.net_weight[e];
    Cell* cells = cells_.data() + static_cast<Index>(e) * k_;
    Cell& from = cells[s];
    Cell& to = cells[t];
    from.pins_xor ^= id;
    if (--from.count == 0) {
      for (const VertexId u : h.pins_of(e)) penalty_[static_cast<Index>(u) * k_ + s] += w;
    } else if (from.count == 1) {
      benefit_[from.pins_xor] += w;
      on_freed(from.pins_xor);
    }
    if (++to.count == 1) {
      benefit += w;
      for (const VertexId u : h.pins_of(e)) {
        penalty_[static_cast<Index>(u) * k_ + t] -= w;
        on_closer(u, e);
      }
    } else if (to.count == 2) {
      benefit_[to.pins_xor] -= w;
    }
    to.pins_xor ^= id;
  }
  benefit_[v] = benefit;
}

}  // namespace laminar::partition::multilevel
