/// What "exactness is a mode" promises: on any topology a training gives the numbers of one device, and with history a
/// hybrid those of a pipeline on the same chunks.
#include <cmath>

#include <doctest/doctest.h>

#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using pipeline::ScheduleKind;
using pipeline::Topology;
using pipeline::TrainOptions;

namespace {

constexpr Index kLayers = 4;

TrainOptions options_of(const Topology& topology, Index epochs = 20) {
  TrainOptions o = training_on(topology, epochs);
  o.clip_norm = 1;
  return o;
}

TrainOptions exact(const Topology& topology, ScheduleKind kind = ScheduleKind::kAllForwardAllBackward) {
  TrainOptions o = options_of(topology);
  o.distribution.history.staleness = 0;
  o.distribution.schedule = kind;
  return o;
}

void check_equal(const Numbers& found, const Numbers& expected, core::DType precision) {
  REQUIRE(found.losses.size() == expected.losses.size());
  const bool is_double = precision == core::DType::kFloat64;
  for (std::size_t e = 0; e < found.losses.size(); ++e) {
    CAPTURE(e);
    CHECK(std::abs(found.losses[e] - expected.losses[e]) <= (is_double ? 1e-9 : 1e-4) * std::abs(expected.losses[e]));
  }
  CHECK(largest_difference(expected.gradients, found.gradients) <= (is_double ? 1e-9 : 1e-3));
}

/// Every net, on a directed and an undirected graph, dense and sparse features.
template <class F>
void for_all_nets(core::DType precision, F&& f) {
  for (const bool directed : {false, true}) {
    const auto data = block_model_dataset({.vertices = 120, .sparse_features = directed, .directed = directed});
    CAPTURE(directed);
    for (const auto& net : topology_nets(precision, kLayers)) {
      CAPTURE(name_of_net(net));
      f(net, *data);
    }
  }
}

}  // namespace

TEST_CASE("graph parallelism equals one device") {
  for (const auto precision : {core::DType::kFloat64, core::DType::kFloat32}) {
    for_all_nets(precision, [&](const layers::ModelOptions& net, const core::Dataset& data) {
      const Numbers expected = numbers_of(net, data, options_of({}));
      for (const Index parts : {2, 3, 4}) {
        for (const bool overlap : {false, true}) {
          CAPTURE(parts);
          CAPTURE(overlap);
          TrainOptions o = options_of({.parts = parts});
          o.distribution.overlap = overlap;
          check_equal(numbers_of(net, data, o), expected, precision);
        }
      }
    });
  }
}

TEST_CASE("a pipeline of one chunk equals one device") {
  for_all_nets(core::DType::kFloat64, [&](const layers::ModelOptions& net, const core::Dataset& data) {
    const Numbers expected = numbers_of(net, data, options_of({}));
    for (const Index stages : {2, 3}) {
      check_equal(numbers_of(net, data, options_of({.stages = stages})), expected, core::DType::kFloat64);
    }
  });
}

TEST_CASE("a pipeline without staleness equals one device") {
  for_all_nets(core::DType::kFloat64, [&](const layers::ModelOptions& net, const core::Dataset& data) {
    const Numbers expected = numbers_of(net, data, options_of({}));
    for (const Index chunks : {4, 16}) {
      CAPTURE(chunks);
      check_equal(numbers_of(net, data, exact({.stages = 2, .chunks = chunks})), expected, core::DType::kFloat64);
    }
    check_equal(numbers_of(net, data, exact({.stages = 1, .chunks = 4}, ScheduleKind::kSequential)), expected,
                core::DType::kFloat64);
  });
}

TEST_CASE("a hybrid without staleness equals one device") {
  for_all_nets(core::DType::kFloat64, [&](const layers::ModelOptions& net, const core::Dataset& data) {
    const Numbers expected = numbers_of(net, data, options_of({}));
    check_equal(numbers_of(net, data, exact({.stages = 2, .parts = 2, .chunks = 4})), expected, core::DType::kFloat64);
    check_equal(numbers_of(net, data, options_of({.stages = 2, .parts = 2})), expected, core::DType::kFloat64);
  });
}

TEST_CASE("a hybrid with history equals the pipeline on the same chunks, under every gradient mode and schedule") {
  for_all_nets(core::DType::kFloat64, [&](const layers::ModelOptions& net, const core::Dataset& data) {
    TrainOptions hybrid = options_of({.stages = 2, .parts = 2, .chunks = 8}, 8);
    // Chunks that are spread over both parts, so that slices read remote rows of their own and of other chunks.
    auto chunk_of = std::make_shared<std::vector<std::int32_t>>();
    for (Index v = 0; v < data.schema().num_vertices; ++v) chunk_of->push_back(static_cast<std::int32_t>((v * 5) % 8));
    hybrid.distribution.chunk_of = chunk_of;
    for (const auto mode : {pipeline::GradientMode::kCompensated, pipeline::GradientMode::kTruncated,
                            pipeline::GradientMode::kDetached, pipeline::GradientMode::kRescaled}) {
      for (const auto schedule : {ScheduleKind::kAllForwardAllBackward, ScheduleKind::kOneForwardOneBackward}) {
        if (schedule == ScheduleKind::kOneForwardOneBackward && mode == pipeline::GradientMode::kTruncated) continue;
        CAPTURE(std::string(name_of(mode)));
        CAPTURE(std::string(name_of(schedule)));
        hybrid.distribution.history.mode = mode;
        hybrid.distribution.schedule = schedule;
        TrainOptions pipe = hybrid;
        pipe.distribution.topology.parts = 1;
        check_equal(numbers_of(net, data, hybrid), numbers_of(net, data, pipe), core::DType::kFloat64);
        if (mode != pipeline::GradientMode::kCompensated) break;
      }
    }
  });
}
