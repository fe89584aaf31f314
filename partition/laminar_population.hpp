#pragma once

#include <cstdint>
#include <vector>

#include "laminar/partition/multilevel.hpp"

namespace laminar::partition::multilevel {

/// What a partition is judged by; the first that differs decides, and less is better.
struct Score {
  /// State::excess().
  double excess = 0;
  /// Total volume above the bound.
  std::int64_t above_bound = 0;
  std::int64_t first = 0;
  std::int64_t second = 0;
  auto operator<=>(const Score&) const = default;
};

/// What a search is after.
struct Aim {
  /// First the largest received volume, then the total; else the other way round.
  bool busiest = false;
  /// Largest total allowed; 0 = any.
  std::int64_t bound = 0;
  /// The goal of its runs.
  Goal goal(int power) const;
};

struct Member {
  std::vector<std::int32_t> part;
  Score score;
  std::int64_t total = 0;
  std::int64_t largest_received = 0;
};

/// Judges `part`. O(pins).
Member judge(const Problem& problem, const Aim& aim, std::vector<std::int32_t> part);

/// How long a search goes on.
struct Effort {
  /// Runs from scratch, every other one coarsened by cut.
  int members = 4;
  /// Rounds of `children` recombinations each.
  int generations = 2;
  int children = 2;
  RunOptions run;
};

/// Runs from scratch and recombines them, round by round (Sanders and Schulz 2012): the children of a round replace
/// the worst members. Runs of a round are in parallel and depend on the seed alone. `power`: of the goal of all runs.
/// `members` are those to start with beside the runs from scratch. Returns all, the best first.
std::vector<Member> evolve(const Problem& problem, const Aim& aim, int power, const Effort& effort, std::uint64_t seed,
                           std::vector<Member> members, Deadline& deadline);

/// V-cycles from `start` with each of `powers` in turn, each kept if it is better.
Member sharpen(const Problem& problem, const Aim& aim, std::vector<int> powers, const Effort& effort,
               std::uint64_t seed, Member start, Deadline& deadline);

}  // namespace laminar::partition::multilevel
