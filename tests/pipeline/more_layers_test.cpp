/// The layers beyond those of topology_test.cpp, in trainings small enough to hold a suite's time: chunks, parts,
/// stages and history change none of their numbers.
#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/layers/plugins/dir_gnn.hpp"
#include "laminar/layers/plugins/fa_conv.hpp"
#include "laminar/layers/plugins/pna_no_scalers.hpp"
#include "laminar/layers/plugins/tide.hpp"
#include "laminar/pipeline/config.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar::testing;
using pipeline::ScheduleKind;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

constexpr Index kLayers = 3;

std::vector<layers::ModelOptions> nets() {
  std::vector<layers::ModelOptions> all = {
      {.layer = "gin", .hidden = 8, .layer_options = {{"learn_eps", "true"}}},
      {.layer = "gine", .hidden = 8, .residual = true},
      {.layer = "gine", .hidden = 8},
      {.layer = "gatv2", .hidden = 8, .layer_options = {{"heads", "2"}, {"attention_dropout", "0.3"}}},
      {.layer = "sage", .hidden = 8, .layer_options = {{"aggregator", "pool"}}},
      {.layer = "pna", .hidden = 8},
      {.layer = "appnp", .hidden = 8, .layer_options = {{"step_dropout", "0.2"}}},
      {.layer = "sgc", .hidden = 8},
      {.layer = "dir_gnn", .hidden = 8},
      {.layer = "fa_conv", .hidden = 8},
      {.layer = "tide", .hidden = 8},
      {.layer = "pna_no_scalers", .hidden = 8},
      {.layer = "gcn", .hidden = 8, .jumping = layers::Jumping::kCat},
      {.layer = "sage", .hidden = 8, .jumping = layers::Jumping::kMax},
      {.layer = "gcnii", .hidden = 8, .jumping = layers::Jumping::kSum}};
  for (auto& net : all) {
    net.layers = kLayers;
    net.precision = core::DType::kFloat64;
  }
  return all;
}

TrainOptions options_of(const Topology& topology, Index epochs = 4) { return training_on(topology, epochs); }

TrainOptions exact(const Topology& topology) {
  TrainOptions o = options_of(topology);
  o.distribution.history.staleness = 0;
  return o;
}

void check_equal(const Numbers& found, const Numbers& expected) {
  REQUIRE(found.losses.size() == expected.losses.size());
  for (std::size_t e = 0; e < found.losses.size(); ++e) {
    CAPTURE(e);
    CHECK(std::abs(found.losses[e] - expected.losses[e]) <= 1e-9 * std::abs(expected.losses[e]));
  }
  CHECK(largest_difference(expected.gradients, found.gradients) <= 1e-9);
}

template <class F>
void for_all_nets(F&& f) {
  const auto data =
      block_model_dataset({.vertices = 90, .sparse_features = true, .directed = true, .edge_features = 2});
  for (const auto& net : nets()) {
    CAPTURE(name_of_net(net));
    f(net, *data);
  }
}

}  // namespace

TEST_CASE("more layers: parts, and chunks that wait, equal one device") {
  for_all_nets([](const layers::ModelOptions& net, const core::Dataset& data) {
    const Numbers expected = numbers_of(net, data, options_of({}));
    check_equal(numbers_of(net, data, options_of({.parts = 3})), expected);
    check_equal(numbers_of(net, data, options_of({.stages = 2})), expected);
    check_equal(numbers_of(net, data, exact({.stages = 2, .parts = 2, .chunks = 4})), expected);
  });
}

TEST_CASE("more layers: a hybrid with history equals the pipeline on the same chunks") {
  for_all_nets([](const layers::ModelOptions& net, const core::Dataset& data) {
    TrainOptions hybrid = options_of({.stages = 2, .parts = 2, .chunks = 5});
    auto chunk_of = std::make_shared<std::vector<std::int32_t>>();
    for (Index v = 0; v < data.schema().num_vertices; ++v) chunk_of->push_back(static_cast<std::int32_t>((v * 3) % 5));
    hybrid.distribution.chunk_of = chunk_of;
    TrainOptions pipe = hybrid;
    pipe.distribution.topology.parts = 1;
    check_equal(numbers_of(net, data, hybrid), numbers_of(net, data, pipe));
  });
}

TEST_CASE("more layers: with frozen weights gradients under history are exact in epoch 2 L + 1") {
  for_all_nets([](layers::ModelOptions net, const core::Dataset& data) {
    net.dropout = net.input_dropout = 0;
    net.layer_options.erase("attention_dropout");
    net.layer_options.erase("step_dropout");
    Trainer whole(net, data, options_of({}));
    whole.compute_gradients(0);
    Trainer trainer(net, data, options_of({.chunks = 6}));
    for (Index e = 0; e <= 2 * kLayers; ++e) trainer.compute_gradients(e);
    CHECK(largest_difference(gradients_of(whole), gradients_of(trainer)) <= 1e-11);
  });
}

TEST_CASE("batch norm adds its statistics up over parts; chunks are refused") {
  const auto data = block_model_dataset({.vertices = 90, .edge_features = 2});
  for (const bool residual : {false, true}) {
    const layers::ModelOptions net{.layer = "sage",
                                   .layers = kLayers,
                                   .hidden = 8,
                                   .residual = residual,
                                   .norm = layers::Norm::kBatch,
                                   .precision = core::DType::kFloat64};
    const Numbers expected = numbers_of(net, *data, options_of({}));
    for (const Topology& t : {Topology{.parts = 3}, Topology{.stages = 2}, Topology{.stages = 2, .parts = 2}}) {
      check_equal(numbers_of(net, *data, options_of(t)), expected);
    }
    // Predictions too: of the parts together.
    TrainOptions one = options_of({}), three = options_of({.parts = 3});
    const auto a = Trainer(net, *data, one).run(), b = Trainer(net, *data, three).run();
    CHECK(a.best.test_metric == b.best.test_metric);
    CHECK_THROWS_WITH_AS(Trainer(net, *data, options_of({.chunks = 4})), doctest::Contains("--norm layer"), UsageError);
    CHECK_THROWS_WITH_AS(Trainer(net, *data, exact({.chunks = 4})), doctest::Contains("--chunks 1"), UsageError);
  }
}

TEST_CASE("more layers: float32 trainings have the same bits on any number of threads") {
  for_all_nets([](layers::ModelOptions net, const core::Dataset& data) {
    net.precision = core::DType::kFloat32;
    TrainOptions options = options_of({}, 3);
    const auto a = Trainer(net, data, options).run();
    options.threads = 7;
    const auto b = Trainer(net, data, options).run();
    for (std::size_t e = 0; e < a.epochs.size(); ++e) CHECK(a.epochs[e].loss == b.epochs[e].loss);
    CHECK(std::isfinite(a.epochs.back().loss));
  });
}

TEST_CASE("norm and jumping knowledge stand in a configuration; an older one has neither") {
  layers::ModelOptions net{.layer = "gcn", .norm = layers::Norm::kBatch, .jumping = layers::Jumping::kCat};
  TrainOptions options = options_of({});
  const std::string text = pipeline::to_json(net, options);
  layers::ModelOptions read;
  pipeline::from_json(text, read, options);
  CHECK(read.jumping == layers::Jumping::kCat);
  CHECK(read.norm == layers::Norm::kBatch);
  std::string older = text;
  for (const char* line : {"\"norm\": \"batch\",", "\"jumping\": \"cat\","}) {
    const auto at = older.find(line);
    REQUIRE(at != std::string::npos);
    older.erase(at, std::string(line).size());
  }
  pipeline::from_json(older, read, options);
  CHECK(read.jumping == layers::Jumping::kNone);
  CHECK(read.norm == layers::Norm::kDefault);
}

TEST_CASE("edge features change what is learnt, and are part of a checkpoint's data") {
  const layers::ModelOptions net{.layer = "gine", .layers = 2, .hidden = 8};
  auto changed = block_model({.vertices = 60, .edge_features = 2});
  changed.edge_features.data<float>()[0] += 1;
  const auto a = block_model_dataset({.vertices = 60, .edge_features = 2});
  const auto b = datasets::from_memory(changed);
  Trainer first(net, *a, options_of({})), second(net, *b, options_of({}));
  CHECK(first.checkpoint().data.content_fingerprint != second.checkpoint().data.content_fingerprint);
  CHECK(first.run().epochs.back().loss != second.run().epochs.back().loss);
  // A layer that doesn't read them doesn't see them.
  Trainer third({.layer = "gcn", .layers = 2, .hidden = 8}, *a, options_of({}));
  Trainer fourth({.layer = "gcn", .layers = 2, .hidden = 8}, *b, options_of({}));
  CHECK(third.checkpoint().data.content_fingerprint == fourth.checkpoint().data.content_fingerprint);
}

TEST_CASE("a layer that reads edge features refuses data without") {
  const auto data = block_model_dataset({.vertices = 30});
  CHECK_THROWS_WITH_AS(Trainer({.layer = "gine", .hidden = 8}, *data, options_of({})),
                       doctest::Contains("edge features"), UsageError);
}
