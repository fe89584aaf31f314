/// Trainings whose activations are kept in bfloat16: near those in float32, and as deterministic.
#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/gemm.hpp"
#include "laminar/layers/registry.hpp"
#include "laminar/pipeline/memory_estimate.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::DType;
using core::Index;
using pipeline::Topology;
using pipeline::TrainOptions;

namespace {

constexpr Index kLayers = 3;

TrainOptions exact(const Topology& topology, Index epochs = 10) {
  TrainOptions o = training_on(topology, epochs);
  o.distribution.history.staleness = 0;
  return o;
}

void check_same(const Numbers& found, const Numbers& expected) {
  CHECK(found.losses == expected.losses);
  REQUIRE(found.gradients.size() == expected.gradients.size());
  for (const auto& [name, gradient] : expected.gradients) {
    CAPTURE(name);
    CHECK(same_bits(found.gradients.at(name), gradient));
  }
}

void check_near(const Numbers& found, const Numbers& expected, double tolerance) {
  REQUIRE(found.losses.size() == expected.losses.size());
  for (std::size_t e = 0; e < found.losses.size(); ++e) {
    CAPTURE(e);
    CHECK(std::abs(found.losses[e] - expected.losses[e]) <= tolerance * std::abs(expected.losses[e]));
  }
}

}  // namespace

TEST_CASE("gradients and losses in bfloat16 are near those in float32, weights stay float32") {
  for (const bool sparse : {false, true}) {
    const auto data = block_model_dataset({.vertices = 120, .sparse_features = sparse});
    CAPTURE(sparse);
    const auto wide = topology_nets(DType::kFloat32, kLayers);
    const auto narrow = topology_nets(DType::kBfloat16, kLayers);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      CAPTURE(name_of_net(wide[i]));
      const Numbers expected = numbers_of(wide[i], *data, exact({}));
      const Numbers found = numbers_of(narrow[i], *data, exact({}));
      for (const auto& [name, gradient] : found.gradients) CHECK(gradient.dtype() == DType::kFloat32);
      // Of narrow nets on 120 vertices, the parameter that is furthest off. A processor that multiplies bfloat16 rounds
      // the weights, too.
      CHECK(largest_difference(expected.gradients, found.gradients) < (core::has_fast_bfloat16_gemm() ? 0.3 : 0.25));
      check_near(found, expected, 0.05);
    }
  }
}

TEST_CASE("a training in bfloat16 has the same bits on 1, 2 and 4 threads") {
  const auto data = block_model_dataset({.vertices = 600});
  for (const auto& net : topology_nets(DType::kBfloat16, kLayers)) {
    CAPTURE(name_of_net(net));
    TrainOptions o = exact({}, 3);
    o.threads = 1;
    const Numbers expected = numbers_of(net, *data, o);
    for (const int threads : {2, 4}) {
      o.threads = threads;
      check_same(numbers_of(net, *data, o), expected);
    }
  }
}

TEST_CASE("in bfloat16 a pipeline of one chunk has the bits of one device, and other topologies are near") {
  const auto data = block_model_dataset({.vertices = 120});
  for (const auto& net : topology_nets(DType::kBfloat16, kLayers)) {
    CAPTURE(name_of_net(net));
    const Numbers expected = numbers_of(net, *data, exact({}));
    const Numbers piped = numbers_of(net, *data, exact({.stages = 2}));
    // What gcnii's encoder is told by both stages is added up in float32, by one in bfloat16.
    if (net.layer == "gcnii") {
      check_near(piped, expected, 0.02);
    } else {
      check_same(piped, expected);
    }
    check_near(numbers_of(net, *data, exact({.parts = 2})), expected, 0.02);
    check_near(numbers_of(net, *data, exact({.stages = 2, .parts = 2, .chunks = 4})), expected, 0.02);
    TrainOptions history = training_on({.stages = 2, .chunks = 4}, 10);
    for (const double loss : numbers_of(net, *data, history).losses) CHECK(std::isfinite(loss));
  }
}

TEST_CASE("training in bfloat16 comes to the accuracy of float32") {
  const auto data = block_model_dataset();
  for (const char* layer : {"gcn", "gat", "gcnii", "gin"}) {
    CAPTURE(layer);
    const auto accuracy = [&](DType precision) {
      TrainOptions o = exact({}, 40);
      o.eval_every = 1;
      return pipeline::Trainer({.layer = layer, .hidden = 16, .precision = precision}, *data, o).run().best.test_metric;
    };
    CHECK(std::abs(accuracy(DType::kBfloat16) - accuracy(DType::kFloat32)) < 0.07);
  }
}

TEST_CASE("what bfloat16 saves is in the estimate") {
  const auto data = block_model_dataset({.vertices = 2000});
  const auto bytes = [&](DType precision) {
    return pipeline::estimate_memory({.layer = "gcnii", .layers = 8, .hidden = 32, .precision = precision},
                                     data->schema(), exact({}));
  };
  const auto wide = bytes(DType::kFloat32);
  const auto narrow = bytes(DType::kBfloat16);
  CHECK(static_cast<double>(narrow.activations_bytes) < 0.7 * static_cast<double>(wide.activations_bytes));
  CHECK(2 * narrow.features_bytes == wide.features_bytes);
  CHECK(narrow.parameters_bytes == wide.parameters_bytes);
  CHECK(narrow.optimizer_bytes == wide.optimizer_bytes);
}
