#include "laminar/partition/laminar_population.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "laminar/core/parallel.hpp"

namespace laminar::partition::multilevel {
namespace {

/// A run of the search: the seeds of two runs never agree.
RunOptions run_of(const Effort& effort, const Aim& aim, int power, RandomSequence& random) {
  RunOptions run = effort.run;
  run.search.goal = aim.goal(power);
  run.seed = (static_cast<std::uint64_t>(random.next()) << 32) | random.next();
  run.cut = (random.next() & 1) != 0;
  return run;
}

bool by_score(const Member& a, const Member& b) { return a.score < b.score; }

/// The place of the better of two random members.
std::size_t draw(const std::vector<Member>& members, RandomSequence& random) {
  const std::size_t a = random.below(static_cast<std::uint32_t>(members.size()));
  const std::size_t b = random.below(static_cast<std::uint32_t>(members.size()));
  return members[b].score < members[a].score ? b : a;
}

}  // namespace

Goal Aim::goal(int power) const {
  Goal result;
  result.power = power;
  // Little enough not to matter against the busiest part, enough to choose among moves that leave it alone.
  result.price = 0.01;
  result.bound = static_cast<double>(bound);
  return result;
}

Member judge(const Problem& problem, const Aim& aim, std::vector<std::int32_t> part) {
  const Index parts = problem.balance.parts;
  const Volumes volumes = count_volumes(problem.hypergraph, parts, part);
  Member m;
  m.score.excess = excess_of(problem.balance, count_loads(problem.hypergraph, parts, part));
  m.part = std::move(part);
  m.total = volumes.total;
  m.largest_received = *std::max_element(volumes.received.begin(), volumes.received.end());
  m.score.above_bound = aim.bound > 0 ? std::max<std::int64_t>(0, m.total - aim.bound) : 0;
  m.score.first = aim.busiest ? m.largest_received : m.total;
  m.score.second = aim.busiest ? m.total : m.largest_received;
  return m;
}

std::vector<Member> evolve(const Problem& problem, const Aim& aim, int power, const Effort& effort, std::uint64_t seed,
                           std::vector<Member> members, Deadline& deadline) {
  RandomSequence random(seed, 1, static_cast<std::uint64_t>(power));
  const auto given = static_cast<Index>(members.size());
  std::vector<RunOptions> runs;
  for (int i = 0; i < effort.members; ++i) {
    runs.push_back(run_of(effort, aim, power, random));
    runs.back().cut = i % 2 == 1;
  }
  std::vector<Member> fresh(runs.size());
  core::parallel_for(effort.members, 1, [&](Index b, Index e) {
    for (Index i = b; i < e; ++i) {
      if ((i > 0 || given > 0) && deadline.passed()) continue;
      fresh[i] = judge(problem, aim, partition_run(problem, runs[i], deadline));
    }
  });
  for (Member& m : fresh) {
    if (!m.part.empty()) members.push_back(std::move(m));
  }
  for (int round = 0; round < effort.generations && !deadline.passed(); ++round) {
    struct Pair {
      std::size_t better;
      std::size_t other;
      RunOptions run;
    };
    std::vector<Pair> pairs;
    for (int i = 0; i < effort.children; ++i) {
      std::size_t a = draw(members, random);
      std::size_t b = draw(members, random);
      if (a == b)
        b = (a + 1 + random.below(static_cast<std::uint32_t>(std::max<std::size_t>(members.size(), 2) - 1))) %
            members.size();
      if (members[b].score < members[a].score) std::swap(a, b);
      pairs.push_back({a, b, run_of(effort, aim, power, random)});
    }
    std::vector<Member> children(pairs.size());
    core::parallel_for(effort.children, 1, [&](Index b, Index e) {
      for (Index i = b; i < e; ++i) {
        const std::array<const std::vector<std::int32_t>*, 2> parents = {&members[pairs[i].better].part,
                                                                         &members[pairs[i].other].part};
        const std::size_t count = pairs[i].better == pairs[i].other ? 1 : 2;
        children[i] =
            judge(problem, aim, improve_run(problem, std::span(parents).first(count), pairs[i].run, deadline));
      }
    });
    for (Member& child : children) {
      const auto worst = std::max_element(members.begin(), members.end(), by_score);
      if (child.score < worst->score) *worst = std::move(child);
    }
  }
  std::stable_sort(members.begin(), members.end(), by_score);
  return members;
}

Member sharpen(const Problem& problem, const Aim& aim, std::vector<int> powers, const Effort& effort,
               std::uint64_t seed, Member start, Deadline& deadline) {
  RandomSequence random(seed, 2, 0);
  for (const int power : powers) {
    if (deadline.passed()) break;
    const std::array<const std::vector<std::int32_t>*, 1> from = {&start.part};
    std::array<RunOptions, 2> runs = {run_of(effort, aim, power, random), run_of(effort, aim, power, random)};
    runs[0].cut = false;
    runs[1].cut = true;
    std::array<Member, 2> results;
    core::parallel_for(2, 1, [&](Index b, Index e) {
      for (Index i = b; i < e; ++i) results[i] = judge(problem, aim, improve_run(problem, from, runs[i], deadline));
    });
    for (Member& m : results) {
      if (m.score < start.score) start = std::move(m);
    }
  }
  return start;
}

}  // namespace laminar::partition::multilevel
