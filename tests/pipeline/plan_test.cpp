#include "laminar/pipeline/plan.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/datasets.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::VertexId;
using pipeline::Plan;
using pipeline::ScheduleKind;
using pipeline::Topology;
using pipeline::TrainOptions;

namespace {

const core::Dataset& blocks() {
  static const auto data = block_model_dataset({.vertices = 60});
  return *data;
}

TrainOptions options_of(const Topology& topology) {
  TrainOptions o;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  return o;
}

Plan plan_of(const TrainOptions& options, const layers::ModelOptions& model = {.layer = "gcn", .layers = 4},
             const core::Dataset& data = blocks()) {
  return make_plan(model, data.schema(), *data.graph(), options);
}

using Labels = std::shared_ptr<const std::vector<std::int32_t>>;
Labels labels(Index count, std::int32_t of) {
  std::vector<std::int32_t> all;
  for (Index v = 0; v < count; ++v) all.push_back(static_cast<std::int32_t>(v % of));
  return std::make_shared<const std::vector<std::int32_t>>(std::move(all));
}

}  // namespace

TEST_CASE("devices stand stage by stage, part by part") {
  const Plan plan = plan_of(options_of({.stages = 2, .parts = 3, .chunks = 4}));
  CHECK(plan.num_devices() == 6);
  const pipeline::DevicePlace p = plan.place(4);
  CHECK(p.stage == 1);
  CHECK(p.part == 1);
  CHECK(p.num_stages == 2);
  CHECK(p.num_parts == 3);
  CHECK(p.layer_begin == plan.place(0).layer_end);
  CHECK(p.layer_end == 4);
  CHECK(p.device() == 4);
  CHECK(p.is_last());
  CHECK_FALSE(p.is_first());
  CHECK(plan.place(2).layer_begin == 0);
}

TEST_CASE("one device leaves the graph as it is") {
  const Plan plan = plan_of(options_of({}));
  CHECK(plan.cut->layout.is_identity());
  CHECK(plan.cut->graph.fingerprint() == blocks().graph()->fingerprint());
  CHECK(plan.history.staleness == 0);
  CHECK(plan_of(options_of({.stages = 4})).cut->layout.is_identity());
}

TEST_CASE("every slice has vertices, and the same options give the same plan") {
  const Plan plan = plan_of(options_of({.stages = 2, .parts = 2, .chunks = 5}));
  const partition::Layout& layout = plan.cut->layout;
  for (Index p = 0; p < 2; ++p) {
    for (Index c = 0; c < 5; ++c) CHECK(layout.slice(p, c).size() > 0);
  }
  const Plan again = plan_of(options_of({.stages = 2, .parts = 2, .chunks = 5}));
  CHECK(again.cut->layout.file_ids() == layout.file_ids());
  CHECK(again.cut->graph.fingerprint() == plan.cut->graph.fingerprint());
  CHECK(again.schedule_input.stage_begin == plan.schedule_input.stage_begin);
}

TEST_CASE("graph parallelism with overlap computes the boundary first") {
  const Plan plan = plan_of(options_of({.parts = 3}));
  const partition::Layout& layout = plan.cut->layout;
  CHECK(plan.topology.chunks == 1);
  REQUIRE(layout.num_chunks() == 2);
  CHECK(plan.history.staleness == 0);
  CHECK(plan.schedule == ScheduleKind::kSequential);
  const core::Graph& g = plan.cut->graph;
  for (VertexId v = 0; v < 60; ++v) {
    bool boundary = false;
    for (core::EdgeId e = g.in_offsets()[v]; e < g.in_offsets()[v + 1]; ++e) {
      boundary = boundary || layout.part_of(g.in_sources()[e]) != layout.part_of(v);
    }
    for (core::EdgeId e = g.out_offsets()[v]; e < g.out_offsets()[v + 1]; ++e) {
      boundary = boundary || layout.part_of(g.out_targets()[e]) != layout.part_of(v);
    }
    CHECK(layout.chunk_of(v) == (boundary ? 0 : 1));
  }
  TrainOptions without = options_of({.parts = 3});
  without.distribution.overlap = false;
  CHECK(plan_of(without).cut->layout.num_chunks() == 1);
}

TEST_CASE("history needs chunks, staleness and a schedule that uses it") {
  const auto staleness_of = [](Index chunks, Index staleness, ScheduleKind kind) {
    TrainOptions o = options_of({.stages = 2, .chunks = chunks});
    o.distribution.history.staleness = staleness;
    o.distribution.schedule = kind;
    const Plan plan = plan_of(o);
    return std::pair{plan.history.staleness, plan.schedule};
  };
  constexpr auto kAll = ScheduleKind::kAllForwardAllBackward;
  CHECK(staleness_of(4, 1, kAll) == std::pair{Index{1}, kAll});
  CHECK(staleness_of(4, 1, ScheduleKind::kOneForwardOneBackward) ==
        std::pair{Index{1}, ScheduleKind::kOneForwardOneBackward});
  CHECK(staleness_of(4, 0, kAll) == std::pair{Index{0}, ScheduleKind::kWavefront});
  CHECK(staleness_of(4, 1, ScheduleKind::kSequential) == std::pair{Index{0}, ScheduleKind::kSequential});
  CHECK(staleness_of(1, 1, kAll) == std::pair{Index{0}, kAll});
  CHECK(staleness_of(1, 1, ScheduleKind::kWavefront) == std::pair{Index{0}, kAll});
}

TEST_CASE("constant carried tensors are made again where that sends less") {
  const layers::ModelOptions gcnii{.layer = "gcnii", .layers = 4, .hidden = 8};
  // 12 features: an encoder's gradient is smaller than a row a vertex as soon as there are more than 12 of those.
  const auto few = block_model_dataset({.vertices = 12, .classes = 2});
  const auto more = block_model_dataset({.vertices = 13, .classes = 2});
  const TrainOptions two = options_of({.stages = 2});
  CHECK_FALSE(plan_of(two, gcnii, *few).recompute_carried);
  CHECK(plan_of(two, gcnii, *more).recompute_carried);
  CHECK_FALSE(plan_of(options_of({}), gcnii, *more).recompute_carried);
  CHECK_FALSE(plan_of(two, {.layer = "gcn", .layers = 4}, *more).recompute_carried);
}

TEST_CASE("parts and chunks can be given") {
  TrainOptions o = options_of({.stages = 2, .parts = 2, .chunks = 3});
  o.distribution.part_of = labels(60, 2);
  o.distribution.chunk_of = labels(60, 3);
  const Plan plan = plan_of(o);
  for (VertexId v = 0; v < 60; ++v) {
    const VertexId place = plan.cut->layout.new_ids()[static_cast<std::size_t>(v)];
    CHECK(plan.cut->layout.part_of(place) == v % 2);
    CHECK(plan.cut->layout.chunk_of(place) == v % 3);
  }
  o.distribution.part_of = labels(59, 2);
  CHECK_THROWS_WITH_AS(plan_of(o), doctest::Contains("--partition"), UsageError);
  o.distribution.part_of = labels(60, 3);
  CHECK_THROWS_WITH_AS(plan_of(o), doctest::Contains("--partition"), UsageError);
  o.distribution.part_of = labels(60, 2);
  o.distribution.chunk_of = labels(60, 4);
  CHECK_THROWS_WITH_AS(plan_of(o), doctest::Contains("chunks"), UsageError);
}

TEST_CASE("topologies that don't fit are refused") {
  CHECK_THROWS_WITH_AS(plan_of(options_of({.stages = 5})), doctest::Contains("--stages is 5"), UsageError);
  CHECK_THROWS_AS(plan_of(options_of({.parts = 61})), UsageError);
  CHECK_THROWS_WITH_AS(plan_of(options_of({.stages = 2, .chunks = 61})), doctest::Contains("--chunks is 61"),
                       UsageError);
  CHECK_THROWS_WITH_AS(plan_of(options_of({.stages = 2, .parts = 2, .chunks = 31})),
                       doctest::Contains("part 0 of 2 has 30 vertices"), UsageError);
  TrainOptions o = options_of({.parts = 2});
  o.distribution.partition = "scissors";
  CHECK_THROWS_AS(plan_of(o), UsageError);
  o = options_of({.stages = 2});
  o.distribution.stage_cut.at = {4};
  CHECK_THROWS_AS(plan_of(o), UsageError);
  // The gradients of consumers that `truncated` needs do not exist yet when 1F1B goes back.
  o = options_of({.stages = 2, .chunks = 4});
  o.distribution.schedule = ScheduleKind::kOneForwardOneBackward;
  o.distribution.history.mode = pipeline::GradientMode::kTruncated;
  CHECK_THROWS_AS(pipeline::validate(o), UsageError);
}
