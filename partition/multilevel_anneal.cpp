#include "laminar/partition/multilevel_anneal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace laminar::partition::multilevel {
namespace {

/// How far above its limit a part may be meanwhile.
constexpr double kSlack = 0.1;
/// What the price of a part that is its whole share above the limit gains in the first sweep, in rows a vertex; less
/// and less of that in later sweeps, so that prices settle.
constexpr double kPriceRate = 100;
constexpr double kLastPriceRate = 5;
/// Prices follow the loads this many times a sweep, or after this many vertices.
constexpr Index kPriceChanges = 8;
constexpr Index kPriceEvery = 256;
/// Sweeps within the limits, as a share of the others.
constexpr double kStrictShare = 0.2;
/// A loss of this many temperatures is never accepted.
constexpr double kHopeless = 20;

class Annealer {
 public:
  Annealer(State& state, const Goal& goal, RandomSequence& random)
      : state_(state),
        goal_(goal),
        random_(random),
        dims_(state.hypergraph().dims),
        row_(goal.power == 1 ? 1.0 : goal.power / goal.scale),
        order_(random.permutation(state.hypergraph().num_vertices)),
        price_(state.balance().limit.size(), 0),
        largest_(state.balance().limit) {}

  void sweep(double temperature, double price_rate) {
    const Index n = state_.hypergraph().num_vertices;
    const Index every = std::max<Index>(1, std::min(kPriceEvery, n / kPriceChanges));
    // A new order each time: with prices that change within a sweep, the same order would favour the same vertices.
    random_.shuffle(order_);
    for (Index i = 0; i < n; ++i) {
      if (price_rate > 0 && i % every == 0)
        change_prices(price_rate * static_cast<double>(every) / static_cast<double>(n));
      visit(order_[i], temperature);
    }
  }
  void allow(double slack) {
    for (std::size_t i = 0; i < largest_.size(); ++i) largest_[i] = state_.balance().limit[i] * (1 + slack);
  }
  void drop_prices() { std::fill(price_.begin(), price_.end(), 0.0); }

 private:
  /// Prices are kept a unit of weight.
  void change_prices(double rate) {
    const Balance& b = state_.balance();
    for (std::size_t i = 0; i < price_.size(); ++i) {
      const int d = static_cast<int>(i) % dims_;
      const double above = state_.load(static_cast<std::int32_t>(i) / dims_, d) - b.limit[i];
      price_[i] = std::max(0.0, price_[i] + rate * row_ * above / (b.share[i] * b.unit[d]));
    }
  }

  double toll(const double* weight, std::int32_t t) const {
    double sum = 0;
    if (dims_ == 1) return weight[0] * price_[t];
    for (int d = 0; d < dims_; ++d) sum += weight[d] * price_[t * dims_ + d];
    return sum;
  }
  bool has_room(const double* weight, std::int32_t t) const {
    if (dims_ == 1) return state_.load(t, 0) + weight[0] <= largest_[t];
    for (int d = 0; d < dims_; ++d) {
      if (state_.load(t, d) + weight[d] > largest_[t * dims_ + d]) return false;
    }
    return true;
  }

  /// Whether some net ties v to another part, or its leaving would free its own part of one: most vertices stay where
  /// they are, and this tells soon.
  bool tied_elsewhere(VertexId v, std::int32_t own, const std::int32_t* penalty) const {
    if (state_.benefit(v) != 0) return true;
    const std::int32_t untied = state_.net_weight_of(v);
    const auto k = static_cast<std::int32_t>(state_.num_parts());
    int tied = 0;
    for (std::int32_t p = 0; p < k; ++p) tied += p != own && penalty[p] < untied ? 1 : 0;
    return tied > 0;
  }

  void visit(VertexId v, double temperature) {
    const std::int32_t own = state_.part_of(v);
    const auto k = static_cast<std::int32_t>(state_.num_parts());
    const double* weight = state_.hypergraph().weight_of(v);
    const std::int32_t* penalty = state_.penalties(v);
    if (!tied_elsewhere(v, own, penalty)) return;
    const bool plain = goal_.power == 1 && goal_.bound <= 0;
    std::int32_t best = -1;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::int32_t t = first_; t < first_ + k; ++t) {
      const std::int32_t p = t < k ? t : t - k;
      if (p == own) continue;
      const double cost = (plain ? penalty[p] : -state_.gain(goal_, v, p)) + toll(weight, p);
      if (cost < lowest && has_room(weight, p)) {
        best = p;
        lowest = cost;
      }
    }
    // No net ties it to that part.
    if (best < 0 || (penalty[best] == state_.net_weight_of(v) && state_.benefit(v) == 0)) return;
    const double gain = (toll(weight, own) + (plain ? state_.benefit(v) : 0) - lowest) / (row_ * temperature);
    if (gain < -kHopeless || (gain < 0 && random_.uniform() >= std::exp(gain))) return;
    if (state_.members(own) <= 1) return;
    state_.move(v, best);
    first_ = best;
  }

  State& state_;
  const Goal& goal_;
  RandomSequence& random_;
  int dims_;
  /// What a row of the busiest part is worth in the goal.
  double row_;
  std::vector<std::int32_t> order_;
  /// [parts * dims], as the limits.
  std::vector<double> price_;
  std::vector<double> largest_;
  /// Where a search for the cheapest part begins: it changes, so that none of several equal ones is always preferred.
  std::int32_t first_ = 0;
};

}  // namespace

void anneal(State& state, const SearchOptions& options, RandomSequence& random, Deadline& deadline) {
  if (options.sweeps <= 0 || deadline.passed()) return;
  std::vector<std::int32_t> start = state.parts();
  const std::pair before(state.excess(), state.value(options.goal));
  Annealer annealer(state, options.goal, random);
  const auto cool = [&](int sweeps, double hot, double price_rate, double last_price_rate) {
    for (int i = 0; i < sweeps && !deadline.passed(); ++i) {
      const double progress = sweeps > 1 ? static_cast<double>(i) / (sweeps - 1) : 1;
      annealer.sweep(hot * std::pow(options.cold / hot, progress),
                     price_rate + (last_price_rate - price_rate) * progress);
    }
  };
  annealer.allow(kSlack);
  cool(options.sweeps, options.hot, kPriceRate, kLastPriceRate);
  if (state.excess() > 0) rebalance(state, options.goal, random);
  annealer.allow(0);
  annealer.drop_prices();
  cool(static_cast<int>(std::ceil(kStrictShare * options.sweeps)), 2 * options.cold, 0, 0);
  if (before <= std::pair(state.excess(), state.value(options.goal))) {
    state = State(state.hypergraph(), state.balance(), std::move(start));
  }
}

}  // namespace laminar::partition::multilevel
