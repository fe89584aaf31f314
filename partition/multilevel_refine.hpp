#pragma once

#include <atomic>
#include <chrono>

#include "laminar/partition/multilevel_random.hpp"
#include "laminar/partition/multilevel_state.hpp"

namespace laminar::partition::multilevel {

/// A time limit that several tasks look at; it remembers whether it struck.
class Deadline {
 public:
  /// `seconds` from now; 0 = never.
  explicit Deadline(double seconds = 0) : limited_(seconds > 0) {
    if (limited_) {
      end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    }
  }
  bool passed() {
    if (!limited_) return false;
    if (!struck_.load(std::memory_order_relaxed) && Clock::now() >= end_) struck_ = true;
    return struck_;
  }
  bool struck() const { return struck_; }

 private:
  using Clock = std::chrono::steady_clock;
  bool limited_;
  Clock::time_point end_;
  std::atomic<bool> struck_ = false;
};

struct SearchOptions {
  Goal goal;
  /// Vertices a local search starts from.
  Index seeds = 25;
  /// A local search ends after this many moves without a new best.
  Index fruitless = 25;
  /// At most this many rounds over the border.
  int rounds = 10;
  /// A round that gains less than this share of the goal's value is the last.
  double least_gain = 0.001;
  /// Of annealing: sweeps over the vertices (0 = none), and the temperature in rows of the first and of the last.
  int sweeps = 0;
  double hot = 0.7;
  double cold = 0.1;
};

/// Moves vertices out of parts that are above their limits, those first that cost the goal least for the weight they
/// take away. Returns whether nothing is above a limit any more.
bool rebalance(State& state, const Goal& goal, RandomSequence& random);

/// Rounds over the border vertices in random order, each moved to the part that gains most if that gains anything.
/// Never makes the goal or the balance worse.
void greedy_rounds(State& state, const SearchOptions& options, RandomSequence& random, Deadline& deadline);

/// Localised FM (Fiduccia and Mattheyses 1982; in the form of Sanders and Schulz 2011): from a few border vertices a
/// search moves the best vertex near what it has moved, also at a loss, and goes back to the best state it has seen; a
/// vertex moves once a round. Never makes the goal or the balance worse.
void local_searches(State& state, const SearchOptions& options, RandomSequence& random, Deadline& deadline);

}  // namespace laminar::partition::multilevel
