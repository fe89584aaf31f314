/// How near a training's gradients are to exact ones: 1 and 0 where nothing is stale, in epoch 2 L + 1 of frozen
/// weights under history, and below before; the training itself is the same bit for bit.
#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using pipeline::Cause;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

constexpr Index kLayers = 3;

TrainOptions options_of(const Topology& topology, Index every) {
  TrainOptions o;
  o.epochs = 2 * kLayers + 2;
  o.eval_every = o.epochs;
  o.threads = 2;
  o.clip_norm = 1;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  o.distribution.fidelity_every = every;
  return o;
}

}  // namespace

TEST_CASE("gradients are found exact where nothing is stale") {
  const auto data = block_model_dataset({.vertices = 96, .directed = true});
  for (const auto& net : topology_nets(core::DType::kFloat64, kLayers)) {
    CAPTURE(name_of_net(net));
    for (const Topology& t : {Topology{}, Topology{.parts = 2}, Topology{.stages = 2, .chunks = 4},
                              Topology{.stages = 2, .parts = 2, .chunks = 3}}) {
      TrainOptions o = options_of(t, 2);
      o.epochs = 3;
      o.distribution.history.staleness = 0;
      const auto epochs = Trainer(net, *data, o).run().epochs;
      CHECK(epochs[0].layer_fidelity.empty());
      CHECK(epochs[2].layer_fidelity.empty());
      REQUIRE(epochs[1].layer_fidelity.size() == kLayers);
      CHECK(epochs[1].fidelity.cosine == doctest::Approx(1).epsilon(1e-9));
      CHECK(epochs[1].fidelity.relative_error <= 1e-9);
      for (const auto& f : epochs[1].layer_fidelity) CHECK(f.relative_error <= 1e-8);
      CHECK((epochs[1].ledger[Cause::kEvaluation] > 0) == (t.devices() > 1));
      CHECK(epochs[1].bytes == epochs[0].bytes);
    }
  }
}

TEST_CASE("under history gradients become exact with frozen weights, and measuring changes no bit of a training") {
  const auto data = block_model_dataset({.vertices = 96});
  for (layers::ModelOptions net : topology_nets(core::DType::kFloat64, kLayers)) {
    CAPTURE(name_of_net(net));
    for (const Topology& t : {Topology{.stages = 2, .chunks = 6}, Topology{.stages = 2, .parts = 2, .chunks = 4}}) {
      TrainOptions o = options_of(t, 1);
      o.distribution.compression.weights = pipeline::Codec::kInt8;
      const auto with = Trainer(net, *data, o).run().epochs;
      o.distribution.fidelity_every = 0;
      const auto without = Trainer(net, *data, o).run().epochs;
      for (std::size_t e = 0; e < with.size(); ++e) CHECK(with[e].loss == without[e].loss);
      CHECK(with.back().ledger[Cause::kWeights] == without.back().ledger[Cause::kWeights]);
      CHECK(without.back().layer_fidelity.empty());

      o = options_of(t, 1);
      net.dropout = net.input_dropout = 0;
      net.layer_options.erase("attention_dropout");
      o.learning_rate.base = 1e-30;
      const auto frozen = Trainer(net, *data, o).run().epochs;
      CHECK(frozen.front().fidelity.relative_error > 1e-3);
      CHECK(frozen.front().fidelity.cosine < 1);
      CHECK(frozen[2 * kLayers].fidelity.relative_error <= 1e-10);
      CHECK(frozen[2 * kLayers].fidelity.cosine == doctest::Approx(1).epsilon(1e-12));
    }
  }
}

TEST_CASE("stale halos and sampled boundaries are compared with the exact gradient too") {
  const auto data = block_model_dataset({.vertices = 96});
  const layers::ModelOptions net{.layer = "sage", .layers = kLayers, .hidden = 8, .residual = true};
  TrainOptions stale = options_of({.parts = 3}, 1);
  stale.distribution.halo.stale = true;
  const auto a = Trainer(net, *data, stale).run().epochs;
  CHECK(a.front().fidelity.relative_error <= 1e-5);
  CHECK(a[3].fidelity.relative_error > 1e-3);
  TrainOptions sampled = options_of({.parts = 3}, 1);
  sampled.distribution.halo.rate = 0.3;
  CHECK(Trainer(net, *data, sampled).run().epochs.front().fidelity.relative_error > 1e-3);
  TrainOptions wrong = options_of({}, -1);
  CHECK_THROWS_WITH_AS(Trainer(net, *data, wrong), doctest::Contains("--gradient-fidelity is -1"), UsageError);
}
