#include "laminar/pipeline/replay.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/trainer.hpp"
#include "laminar/pipeline/turns.hpp"
#include "laminar/tests/support/datasets.hpp"

using namespace laminar;
using namespace laminar::pipeline;

namespace {

// All chunks forward, then all back, each step `ms` long; some of it was spent waiting.
std::vector<std::vector<StepSpan>> equal_steps(Index stages, Index chunks, double ms) {
  std::vector<std::vector<StepSpan>> spans(static_cast<std::size_t>(stages));
  for (Index s = 0; s < stages; ++s) {
    double now = 0;
    const auto add = [&](Step::Kind kind, Index chunk) {
      spans[static_cast<std::size_t>(s)].push_back({{kind, chunk, s, s + 1}, now, now + ms + 3, 2, 1});
      now += ms + 3;
    };
    for (Index c = 0; c < chunks; ++c) add(Step::Kind::kForward, c);
    for (Index c = chunks; c-- > 0;) add(Step::Kind::kBackward, c);
  }
  return spans;
}

}  // namespace

TEST_CASE("a pipeline of equal steps has a bubble of (S - 1) / (K + S - 1)") {
  for (const Index stages : {1, 2, 4}) {
    for (const Index chunks : {1, 5, 32}) {
      const Replay r = replay(equal_steps(stages, chunks, 7));
      CHECK(r.epoch.epoch_ms == doctest::Approx(2 * 7 * static_cast<double>(chunks + stages - 1)));
      CHECK(r.bubble == doctest::Approx(static_cast<double>(stages - 1) / static_cast<double>(chunks + stages - 1)));
    }
  }
}

TEST_CASE("a slow stage is what the others wait for") {
  auto spans = equal_steps(2, 4, 10);
  for (StepSpan& s : spans[1]) s.end_ms += 10;
  const Replay r = replay(spans);
  CHECK(r.epoch.epoch_ms == doctest::Approx(10 + 8 * 20 + 10));
  CHECK(r.bubble == doctest::Approx(1 - (80.0 + 160.0) / (2 * 180.0)));
}

TEST_CASE("a median of epochs forgets an interruption, whatever the order of chunks was") {
  const auto plain = equal_steps(2, 3, 5);
  auto slow = plain;
  slow[1][2].end_ms += 100;
  auto other_order = plain;
  std::swap(other_order[0][0], other_order[0][1]);
  const std::vector<std::vector<std::vector<StepSpan>>> epochs = {slow, other_order, plain};
  const auto steps = median_steps(epochs);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].front().step == plain[0].front().step);
  CHECK(replay(steps).epoch.epoch_ms == doctest::Approx(2 * 5 * 4));
  CHECK(median_steps({}).empty());
  auto fewer = plain;
  fewer[0].pop_back();
  const std::vector<std::vector<std::vector<StepSpan>>> unequal = {fewer, plain};
  CHECK_THROWS_WITH_AS(median_steps(unequal), "[replay] epochs of different steps", Error);
  const std::vector<std::vector<std::vector<StepSpan>>> devices = {equal_steps(1, 3, 5), plain};
  CHECK_THROWS_WITH_AS(median_steps(devices), "[replay] epochs of different numbers of devices", Error);
}

TEST_CASE("steps of no pipeline are refused") {
  auto spans = equal_steps(2, 2, 1);
  spans[0][0].step.kind = Step::Kind::kPublish;
  CHECK_THROWS_WITH_AS(replay(spans), "[replay] there are half steps", Error);
  spans = equal_steps(2, 2, 1);
  spans[0].pop_back();
  spans[0].erase(spans[0].begin());
  CHECK_THROWS_AS(replay(spans), Error);
}

TEST_CASE("devices that take turns train the same, and never work at once") {
  const auto data = laminar::testing::block_model_dataset({.vertices = 60});
  TrainOptions options{.epochs = 3, .threads = 2};
  options.distribution.topology = {.stages = 3, .parts = 1, .chunks = 4};
  const layers::ModelOptions model{.layer = "gcn", .layers = 4, .hidden = 8};
  const TrainResult free = Trainer(model, *data, options).run();
  options.distribution.take_turns = true;
  const TrainResult turns = Trainer(model, *data, options).run();
  CHECK(turns.epochs.back().loss == free.epochs.back().loss);
  const Replay r = replay(turns.spans);
  CHECK(r.bubble > 0);
  CHECK(r.bubble < 1);
  REQUIRE(turns.spans.size() == 3);
}
