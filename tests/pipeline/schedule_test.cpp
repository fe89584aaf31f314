/// Schedules are data: made and checked without devices.
#include "laminar/pipeline/schedule.hpp"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/chunk_order.hpp"

using namespace laminar;
using namespace laminar::pipeline;

namespace {

ScheduleInput input(Index stages, Index chunks, Index layers) {
  ScheduleInput in;
  in.topology = {.stages = stages, .parts = 1, .chunks = chunks};
  for (Index s = 0; s <= stages; ++s) in.stage_begin.push_back(layers * s / stages);
  return in;
}

/// Chunks that read their neighbours on a line, as strips of a mesh do.
std::vector<std::vector<std::int32_t>> line(Index chunks) {
  std::vector<std::vector<std::int32_t>> reads(static_cast<std::size_t>(chunks));
  for (std::int32_t c = 0; c < chunks; ++c) {
    if (c > 0) reads[c].push_back(c - 1);
    if (c + 1 < chunks) reads[c].push_back(c + 1);
  }
  return reads;
}

std::vector<std::vector<std::int32_t>> everyone(Index chunks) {
  std::vector<std::vector<std::int32_t>> reads(static_cast<std::size_t>(chunks));
  for (std::int32_t c = 0; c < chunks; ++c) {
    for (std::int32_t s = 0; s < chunks; ++s) {
      if (s != c) reads[c].push_back(s);
    }
  }
  return reads;
}

constexpr ScheduleKind kKinds[] = {ScheduleKind::kSequential, ScheduleKind::kAllForwardAllBackward,
                                   ScheduleKind::kOneForwardOneBackward, ScheduleKind::kWavefront};

/// Units of time until the last stage is done, if a step of a chunk takes one unit a layer and messages none.
double makespan(const Schedule& schedule, const ScheduleInput& in) {
  const Index stages = in.topology.stages;
  const Index layers = in.stage_begin.back();
  const auto cells = static_cast<std::size_t>(in.topology.chunks * layers);
  std::vector<double> forward(cells, -1), backward(cells, -1), free(static_cast<std::size_t>(stages), 0);
  std::vector<std::size_t> next(static_cast<std::size_t>(stages), 0);
  const auto at = [&](Index c, Index l) { return static_cast<std::size_t>(c * layers + l); };
  for (bool moved = true; moved;) {
    moved = false;
    for (Index s = 0; s < stages; ++s) {
      while (next[s] < schedule.stages[s].size()) {
        const Step& step = schedule.stages[s][next[s]];
        double ready = 0;
        if (step.kind == Step::Kind::kForward) {
          if (step.layer_begin > 0) ready = forward[at(step.chunk, step.layer_begin - 1)];
        } else {
          ready =
              step.layer_end == layers ? forward[at(step.chunk, layers - 1)] : backward[at(step.chunk, step.layer_end)];
        }
        if (ready < 0) break;
        const double end = std::max(ready, free[s]) + static_cast<double>(step.layer_end - step.layer_begin);
        free[s] = end;
        for (Index l = step.layer_begin; l < step.layer_end; ++l) {
          (step.kind == Step::Kind::kForward ? forward : backward)[at(step.chunk, l)] = end;
        }
        ++next[s];
        moved = true;
      }
    }
  }
  return *std::max_element(free.begin(), free.end());
}

}  // namespace

TEST_CASE("one device and one chunk: forward, then backward, through all layers") {
  const Schedule s = make_schedule(ScheduleKind::kAllForwardAllBackward, input(1, 1, 5));
  CHECK(s.stages.size() == 1);
  CHECK(s.stages[0] == std::vector<Step>{{Step::Kind::kForward, 0, 0, 5}, {Step::Kind::kBackward, 0, 0, 5}});
}

TEST_CASE("all schedules of all topologies are valid") {
  for (const ScheduleKind kind : kKinds) {
    CAPTURE(std::string(name_of(kind)));
    for (const Index stages : {1, 2, 4}) {
      for (const Index chunks : {1, 2, 5, 8}) {
        for (const auto& reads : {line(chunks), everyone(chunks)}) {
          ScheduleInput in = input(stages, chunks, 5);
          if (!uses_history(kind)) in.reads = reads;
          for (Index epoch = 0; epoch < 3; ++epoch) {
            in.chunk_order = chunk_order(chunks, 7, epoch, true).chunks;
            const Schedule s = make_schedule(kind, in);
            CHECK_NOTHROW(validate(s, in));
          }
        }
      }
    }
  }
}

TEST_CASE("1F1B holds fewer tapes: as many as stages follow, and one") {
  const ScheduleInput in = input(4, 16, 8);
  const Schedule all = make_schedule(ScheduleKind::kAllForwardAllBackward, in);
  const Schedule one = make_schedule(ScheduleKind::kOneForwardOneBackward, in);
  for (Index s = 0; s < 4; ++s) {
    CHECK(live_chunks(all.stages[s]) == 16);
    CHECK(live_chunks(one.stages[s]) == 4 - s);
  }
  CHECK_NOTHROW(validate(one, in, 4));
  CHECK_THROWS_WITH_AS(validate(all, in, 4), doctest::Contains("16 chunks"), Error);
}

TEST_CASE("the bubble is (S - 1) / (K + S - 1)") {
  for (const ScheduleKind kind : {ScheduleKind::kAllForwardAllBackward, ScheduleKind::kOneForwardOneBackward}) {
    const ScheduleInput in = input(4, 32, 8);
    const double total = makespan(make_schedule(kind, in), in);
    const double busy = 32 * 2 * 2;  // a stage's two layers, forward and backward
    CHECK(1 - busy / total == doctest::Approx(3.0 / 35.0));
  }
}

TEST_CASE("a wavefront on strips lets stages work at once; on a clique it can't") {
  const auto overlap = [](const std::vector<std::vector<std::int32_t>>& reads) {
    ScheduleInput in = input(2, 32, 2);
    in.reads = reads;
    const Schedule s = make_schedule(ScheduleKind::kWavefront, in);
    // Half steps that stage 0 does after stage 1 could begin.
    std::vector<Step> first(s.stages[0].begin(), s.stages[0].begin() + 8);
    Index reads_among_first = 0;
    for (const Step& step : first) reads_among_first += step.kind == Step::Kind::kRead ? 1 : 0;
    return reads_among_first;
  };
  CHECK(overlap(line(32)) > 0);
  CHECK(overlap(everyone(32)) == 0);
}

TEST_CASE("what is wrong with a schedule is named") {
  const ScheduleInput in = input(2, 2, 4);
  const Schedule good = make_schedule(ScheduleKind::kAllForwardAllBackward, in);
  const auto broken = [&](auto&& change) {
    Schedule s = good;
    change(s);
    CHECK_THROWS_AS(validate(s, in), Error);
  };
  broken([](Schedule& s) { s.stages.pop_back(); });
  broken([](Schedule& s) { s.stages[0].pop_back(); });                      // never goes back
  broken([](Schedule& s) { s.stages[1].erase(s.stages[1].begin()); });      // a chunk stays away
  broken([](Schedule& s) { std::swap(s.stages[1][0], s.stages[1][2]); });   // back before forth
  broken([](Schedule& s) { s.stages[0].push_back(s.stages[0].back()); });   // twice
  broken([](Schedule& s) { s.stages[0][0].chunk = 2; });                    // no such chunk
  broken([](Schedule& s) { s.stages[0][0].layer_end = 3; });                // another stage's layer
  broken([](Schedule& s) { s.stages[0][0].layer_end = 1; });                // a layer is left out
  broken([](Schedule& s) { s.stages[0][0].kind = Step::Kind::kPublish; });  // half a step of two layers
  // Stages that wait for each other's later steps.
  Schedule deadlock = good;
  std::rotate(deadlock.stages[0].begin(), deadlock.stages[0].begin() + 2, deadlock.stages[0].begin() + 3);
  CHECK_THROWS_WITH_AS(validate(deadlock, in), doctest::Contains("never comes"), Error);
  // Half steps in the wrong order.
  ScheduleInput exact = input(1, 2, 1);
  exact.reads = everyone(2);
  Schedule halves = make_schedule(ScheduleKind::kSequential, exact);
  CHECK_NOTHROW(validate(halves, exact));
  std::swap(halves.stages[0][1], halves.stages[0][2]);  // a chunk reads before the other has published
  CHECK_THROWS_WITH_AS(validate(halves, exact), doctest::Contains("never comes"), Error);
}

TEST_CASE("inputs that do not fit together are refused") {
  const auto refused = [](ScheduleInput in, ScheduleKind kind = ScheduleKind::kAllForwardAllBackward) {
    CHECK_THROWS_AS(make_schedule(kind, in), Error);
  };
  ScheduleInput in = input(2, 2, 4);
  in.stage_begin = {0, 4};
  refused(in);
  in.stage_begin = {0, 0, 4};
  refused(in);
  in.stage_begin = {1, 2, 4};
  refused(in);
  in = input(2, 2, 4);
  in.chunk_order = {0, 0};
  refused(in);
  in.chunk_order = {0};
  refused(in);
  refused(input(2, 2, 4), ScheduleKind::kWavefront);  // who reads whom is not said
  in = input(2, 2, 4);
  in.chunk_cost = {1};
  refused(in);
  in = input(1, 1, 1);
  in.topology.chunks = 0;
  refused(in);
  CHECK_THROWS_AS(schedule_from_name("fast"), UsageError);
  for (const ScheduleKind kind : kKinds) CHECK(schedule_from_name(name_of(kind)) == kind);
}

TEST_CASE("chunk orders are permutations, drawn anew every epoch, known to all") {
  for (const Index n : {1, 2, 7}) {
    for (Index e = 0; e < 5; ++e) {
      const ChunkOrder o = chunk_order(n, 3, e, true);
      for (Index i = 0; i < n; ++i) {
        CHECK(o.position[o.chunks[i]] == i);
        CHECK(o.backward[o.chunks[i]] == n - 1 - i);
        CHECK(chunk_order(n, 3, e, true, true).backward[o.chunks[i]] == i);
      }
      CHECK(o.next_backward == chunk_order(n, 3, e + 1, true).backward);
    }
  }
  CHECK(chunk_order(16, 3, 0, true).chunks != chunk_order(16, 3, 1, true).chunks);
  CHECK(chunk_order(16, 3, 0, true).chunks != chunk_order(16, 4, 0, true).chunks);
  std::vector<Index> fixed(16);
  std::iota(fixed.begin(), fixed.end(), Index{0});
  CHECK(chunk_order(16, 3, 5, false).chunks == fixed);
}
