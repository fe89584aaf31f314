/// Schedules of the pipelined epoch. With one optimiser step an epoch, all-forward-all-backward and 1F1B (Narayanan et
/// al., PipeDream, SOSP 2019) have the same bubble, (S - 1) / (K + S - 1); the latter holds fewer tapes. The exact
/// kinds cut each layer in halves at its source rows.
#include "laminar/pipeline/schedule.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

using Kind = Step::Kind;

constexpr std::array<std::string_view, 6> kStepNames = {"forward", "backward",         "publish",
                                                        "read",    "backward_sources", "backward_rest"};
constexpr std::array<std::string_view, 4> kScheduleNames = {"sequential", "all-forward", "1f1b", "wavefront"};

void check(const ScheduleInput& in, bool exact) {
  const Topology& t = in.topology;
  const auto stages = static_cast<std::size_t>(t.stages);
  const auto chunks = static_cast<std::size_t>(t.chunks);
  if (t.stages < 1 || t.parts < 1 || t.chunks < 1) throw Error("[schedule] a topology without devices or chunks");
  if (in.stage_begin.size() != stages + 1 || in.stage_begin.front() != 0 ||
      !std::is_sorted(in.stage_begin.begin(), in.stage_begin.end(), std::less_equal<>())) {
    throw Error(fmt::format("[schedule] the layers of {} stages must be cut at {} ascending places from 0", t.stages,
                            t.stages + 1));
  }
  if (!in.chunk_order.empty()) {
    std::vector<Index> sorted = in.chunk_order;
    std::sort(sorted.begin(), sorted.end());
    bool permutation = sorted.size() == chunks;
    for (std::size_t i = 0; permutation && i < chunks; ++i) permutation = sorted[i] == static_cast<Index>(i);
    if (!permutation) throw Error(fmt::format("[schedule] the chunk order is no order of {} chunks", t.chunks));
  }
  if (exact && in.reads.size() != chunks) {
    throw Error(fmt::format("[schedule] {} lists of chunks that are read, for {} chunks", in.reads.size(), t.chunks));
  }
  if (!in.chunk_cost.empty() && in.chunk_cost.size() != chunks) {
    throw Error(fmt::format("[schedule] {} costs for {} chunks", in.chunk_cost.size(), t.chunks));
  }
}

std::vector<Index> order_of(const ScheduleInput& in) {
  if (!in.chunk_order.empty()) return in.chunk_order;
  std::vector<Index> order(static_cast<std::size_t>(in.topology.chunks));
  std::iota(order.begin(), order.end(), Index{0});
  return order;
}

/// Chunks that read rows of each chunk.
std::vector<std::vector<std::int32_t>> consumers(const ScheduleInput& in) {
  std::vector<std::vector<std::int32_t>> result(in.reads.size());
  for (std::size_t c = 0; c < in.reads.size(); ++c) {
    for (const std::int32_t source : in.reads[c]) {
      result[static_cast<std::size_t>(source)].push_back(static_cast<std::int32_t>(c));
    }
  }
  return result;
}

/// How far every chunk is in every layer: what a step needs, and whether it may run.
class Progress {
 public:
  explicit Progress(const ScheduleInput& in) : in_(in), consumers_(consumers(in)), num_layers_(in.stage_begin.back()) {
    const auto cells = static_cast<std::size_t>(num_layers_ * in.topology.chunks);
    for (auto& done : done_) done.assign(cells, false);
  }

  bool done(Kind kind, Index chunk, Index layer) const {
    return done_[static_cast<std::size_t>(kind)][at(chunk, layer)];
  }
  void finish(const Step& s) {
    for (Index l = s.layer_begin; l < s.layer_end; ++l) {
      done_[static_cast<std::size_t>(s.kind)][at(s.chunk, l)] = true;
      // A whole step is both halves.
      if (s.kind == Kind::kForward) set(Kind::kPublish, Kind::kRead, s.chunk, l);
      if (s.kind == Kind::kBackward) set(Kind::kBackwardSources, Kind::kBackwardRest, s.chunk, l);
    }
  }
  bool may_run(const Step& s) const {
    const Index l = s.layer_begin;
    const auto chunk = static_cast<std::size_t>(s.chunk);
    const auto all = [&](const std::vector<std::int32_t>& chunks, Kind kind) {
      return std::all_of(chunks.begin(), chunks.end(), [&](std::int32_t c) { return done(kind, c, l); });
    };
    switch (s.kind) {
      case Kind::kForward:
      case Kind::kPublish:
        return l == 0 || done(Kind::kRead, s.chunk, l - 1);
      case Kind::kRead:
        return done(Kind::kPublish, s.chunk, l) && all(in_.reads[chunk], Kind::kPublish);
      case Kind::kBackward:
        return came_back_to(s.chunk, s.layer_end);
      case Kind::kBackwardSources:
        return came_back_to(s.chunk, s.layer_end);
      case Kind::kBackwardRest:
        return done(Kind::kBackwardSources, s.chunk, l) && all(consumers_[chunk], Kind::kBackwardSources);
    }
    return false;
  }
  Index num_layers() const { return num_layers_; }

 private:
  std::size_t at(Index chunk, Index layer) const { return static_cast<std::size_t>(chunk * num_layers_ + layer); }
  void set(Kind a, Kind b, Index chunk, Index layer) {
    done_[static_cast<std::size_t>(a)][at(chunk, layer)] = true;
    done_[static_cast<std::size_t>(b)][at(chunk, layer)] = true;
  }
  bool came_back_to(Index chunk, Index layer_end) const {
    return layer_end == num_layers_ ? done(Kind::kRead, chunk, num_layers_ - 1)
                                    : done(Kind::kBackwardRest, chunk, layer_end);
  }

  const ScheduleInput& in_;
  std::vector<std::vector<std::int32_t>> consumers_;
  Index num_layers_;
  std::array<std::vector<bool>, 6> done_;
};

std::vector<Step> all_forward(const std::vector<Index>& order, Index begin, Index end) {
  std::vector<Step> steps;
  for (const Index c : order) steps.push_back({Kind::kForward, c, begin, end});
  for (auto c = order.rbegin(); c != order.rend(); ++c) steps.push_back({Kind::kBackward, *c, begin, end});
  return steps;
}

std::vector<Step> one_forward_one_backward(const std::vector<Index>& order, Index begin, Index end, Index ahead) {
  std::vector<Step> steps;
  std::size_t back = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    steps.push_back({Kind::kForward, order[i], begin, end});
    if (static_cast<Index>(i) >= ahead) steps.push_back({Kind::kBackward, order[back++], begin, end});
  }
  while (back < order.size()) steps.push_back({Kind::kBackward, order[back++], begin, end});
  return steps;
}

std::vector<Step> sequential(const std::vector<Index>& order, Index begin, Index end) {
  std::vector<Step> steps;
  // What was published first is read last: by then rows of other parts have come.
  const std::vector<Index> reversed(order.rbegin(), order.rend());
  const auto all = [&](Kind kind, Index l, const std::vector<Index>& chunks) {
    for (const Index c : chunks) steps.push_back({kind, c, l, l + 1});
  };
  for (Index l = begin; l < end; ++l) {
    all(Kind::kPublish, l, order);
    all(Kind::kRead, l, reversed);
  }
  for (Index l = end - 1; l >= begin; --l) {
    all(Kind::kBackwardSources, l, order);
    all(Kind::kBackwardRest, l, reversed);
  }
  return steps;
}

/// List scheduling: each stage, when it is free, runs the half step that could start first; of several the backward
/// one, then that of the deeper layer, then that of the earlier chunk.
Schedule wavefront(const ScheduleInput& in, const std::vector<Index>& order) {
  const Index stages = in.topology.stages;
  Schedule schedule;
  schedule.stages.resize(static_cast<std::size_t>(stages));
  Progress progress(in);
  std::vector<Index> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) position[order[i]] = static_cast<Index>(i);
  struct Waiting {
    Step step;
    int rank;
  };
  std::vector<std::vector<Waiting>> waiting(static_cast<std::size_t>(stages));
  for (Index s = 0; s < stages; ++s) {
    for (Index l = in.stage_begin[s]; l < in.stage_begin[s + 1]; ++l) {
      for (const Index c : order) {
        for (const Kind kind : {Kind::kPublish, Kind::kRead, Kind::kBackwardSources, Kind::kBackwardRest}) {
          waiting[s].push_back({{kind, c, l, l + 1}, kind == Kind::kPublish || kind == Kind::kRead ? 1 : 0});
        }
      }
    }
    std::sort(waiting[s].begin(), waiting[s].end(), [&](const Waiting& a, const Waiting& b) {
      if (a.rank != b.rank) return a.rank < b.rank;
      const Index la = a.rank == 1 ? -a.step.layer_begin : a.step.layer_begin;
      const Index lb = b.rank == 1 ? -b.step.layer_begin : b.step.layer_begin;
      if (la != lb) return la < lb;
      return position[a.step.chunk] < position[b.step.chunk];
    });
  }
  // Time goes from one completion to the next; what a stage runs counts as done only when it ends.
  struct Running {
    double end = 0;
    Step step;
    bool busy = false;
  };
  std::vector<Running> running(static_cast<std::size_t>(stages));
  double now = 0;
  for (;;) {
    for (Index s = 0; s < stages; ++s) {
      if (running[s].busy) continue;
      const auto next = std::find_if(waiting[s].begin(), waiting[s].end(),
                                     [&](const Waiting& w) { return progress.may_run(w.step); });
      if (next == waiting[s].end()) continue;
      const double cost = in.chunk_cost.empty() ? 1 : in.chunk_cost[next->step.chunk];
      running[s] = {now + cost, next->step, true};
      schedule.stages[s].push_back(next->step);
      waiting[s].erase(next);
    }
    double first = std::numeric_limits<double>::infinity();
    for (const Running& r : running) {
      if (r.busy) first = std::min(first, r.end);
    }
    if (first == std::numeric_limits<double>::infinity()) return schedule;
    now = first;
    for (Running& r : running) {
      if (!r.busy || r.end > now) continue;
      progress.finish(r.step);
      r.busy = false;
    }
  }
}

}  // namespace

std::string_view name_of(Step::Kind kind) { return kStepNames[static_cast<std::size_t>(kind)]; }
std::string_view name_of(ScheduleKind kind) { return kScheduleNames[static_cast<std::size_t>(kind)]; }

ScheduleKind schedule_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kScheduleNames.size(); ++i) {
    if (kScheduleNames[i] == name) return static_cast<ScheduleKind>(i);
  }
  throw UsageError(
      fmt::format("schedule '{}' is not known; there are sequential, all-forward, 1f1b and wavefront", name));
}

Schedule make_schedule(ScheduleKind kind, const ScheduleInput& in) {
  check(in, !uses_history(kind));
  const std::vector<Index> order = order_of(in);
  if (kind == ScheduleKind::kWavefront) return wavefront(in, order);
  Schedule schedule;
  for (Index s = 0; s < in.topology.stages; ++s) {
    const Index begin = in.stage_begin[s];
    const Index end = in.stage_begin[s + 1];
    if (kind == ScheduleKind::kSequential) schedule.stages.push_back(sequential(order, begin, end));
    if (kind == ScheduleKind::kAllForwardAllBackward) schedule.stages.push_back(all_forward(order, begin, end));
    if (kind == ScheduleKind::kOneForwardOneBackward) {
      schedule.stages.push_back(one_forward_one_backward(order, begin, end, in.topology.stages - 1 - s));
    }
  }
  return schedule;
}

Index live_chunks(std::span<const Step> steps) {
  Index largest = 0;
  std::vector<Index> live;
  for (const Step& s : steps) {
    const auto found = std::find(live.begin(), live.end(), s.chunk);
    if ((s.kind == Kind::kForward || s.kind == Kind::kPublish) && found == live.end()) live.push_back(s.chunk);
    largest = std::max(largest, static_cast<Index>(live.size()));
    if (s.kind == Kind::kBackward && found != live.end()) live.erase(found);
  }
  return largest;
}

void validate(const Schedule& schedule, const ScheduleInput& in, Index max_live) {
  check(in, !in.reads.empty());
  const Index stages = in.topology.stages;
  if (static_cast<Index>(schedule.stages.size()) != stages) {
    throw Error(fmt::format("[schedule] step lists for {} stages, expected {}", schedule.stages.size(), stages));
  }
  Progress progress(in);
  const auto fail = [&](Index stage, std::size_t i, const std::string& why) {
    const Step& s = schedule.stages[stage][i];
    throw Error(fmt::format("[schedule] stage {}, step {} ({} of chunk {}, layers {}..{}): {}", stage, i,
                            name_of(s.kind), s.chunk, s.layer_begin, s.layer_end, why));
  };
  for (Index stage = 0; stage < stages; ++stage) {
    const auto& steps = schedule.stages[stage];
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const Step& s = steps[i];
      if (s.chunk < 0 || s.chunk >= in.topology.chunks || s.layer_begin < in.stage_begin[stage] ||
          s.layer_begin >= s.layer_end || s.layer_end > in.stage_begin[stage + 1]) {
        fail(stage, i, "chunk or layers are out of the stage's range");
      }
      const bool half = s.kind != Kind::kForward && s.kind != Kind::kBackward;
      if (half && (s.layer_end != s.layer_begin + 1 || in.reads.empty())) {
        fail(stage, i, "a half step is of one layer, and needs to know which chunks read which");
      }
    }
    if (max_live > 0 && live_chunks(steps) > max_live) {
      throw Error(fmt::format("[schedule] stage {} holds tapes of {} chunks at once, allowed are {}", stage,
                              live_chunks(steps), max_live));
    }
  }
  // Each stage runs its list; a step that can't run yet waits for other stages.
  std::vector<std::size_t> next(static_cast<std::size_t>(stages), 0);
  for (bool moved = true; moved;) {
    moved = false;
    for (Index stage = 0; stage < stages; ++stage) {
      const auto& steps = schedule.stages[stage];
      while (next[stage] < steps.size() && progress.may_run(steps[next[stage]])) {
        const Step& s = steps[next[stage]];
        for (Index l = s.layer_begin; l < s.layer_end; ++l) {
          if (progress.done(s.kind, s.chunk, l)) fail(stage, next[stage], "it has been done already");
        }
        progress.finish(s);
        ++next[stage];
        moved = true;
      }
    }
  }
  for (Index stage = 0; stage < stages; ++stage) {
    if (next[stage] < schedule.stages[stage].size()) fail(stage, next[stage], "what it waits for never comes");
  }
  for (Index c = 0; c < in.topology.chunks; ++c) {
    for (Index l = 0; l < progress.num_layers(); ++l) {
      if (progress.done(Kind::kRead, c, l) && progress.done(Kind::kBackwardRest, c, l)) continue;
      throw Error(fmt::format("[schedule] chunk {} does not go forward and backward through layer {}", c, l));
    }
  }
}

}  // namespace laminar::pipeline
