/// Oracles of history: with frozen weights and no dropout it becomes exact, layer by layer, and so do the gradients; a
/// look-ahead equals the pull; `truncated` is the derivative of the loss with history held constant.
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/layers/registry.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::Tensor;
using pipeline::GradientMode;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

/// As a plugin's author would write it: a forward and nothing else. The largest projected neighbour beside a self term.
class OnlyForward final : public layers::Layer {
 public:
  static layers::LayerInfo info() { return {.name = "only_forward", .summary = "for tests"}; }
  explicit OnlyForward(layers::LayerSetup& s)
      : self_(s.linear("self")), projected_(s.linear("projected", {.bias = false})) {}
  layers::State forward(core::Tape& tape, const core::Block& block, layers::State in) const override {
    const core::Sources z =
        block.sources(tape, in.x, core::vertex_dropout(in.rate) | core::projection(projected_.weight()));
    in.x = core::add(tape, self_(tape, in.x), core::max(tape, block, core::src(z)));
    return in;
  }

 private:
  layers::Linear self_, projected_;
};
LAMINAR_LAYER(OnlyForward)

constexpr Index kLayers = 8;
constexpr Index kChunks = 16;

std::vector<layers::ModelOptions> oracle_nets() {
  std::vector<layers::ModelOptions> nets = topology_nets(core::DType::kFloat64, kLayers);
  nets.push_back(
      {.layer = "only_forward", .layers = kLayers, .hidden = 8, .residual = true, .precision = core::DType::kFloat64});
  for (auto& net : nets) {
    net.dropout = net.input_dropout = 0;
    net.layer_options.erase("attention_dropout");
  }
  return nets;
}

TrainOptions options_of(Index chunks, GradientMode mode = GradientMode::kCompensated) {
  TrainOptions o;
  o.epochs = 40;
  o.threads = 2;
  o.distribution.topology.chunks = chunks;
  o.distribution.history.mode = mode;
  return o;
}

std::map<std::string, Tensor> exact_gradients(const layers::ModelOptions& net, const core::Dataset& data) {
  Trainer exact(net, data, options_of(1));
  exact.compute_gradients(0);
  return gradients_of(exact);
}

double largest_staleness(Trainer& trainer) {
  double largest = 0;
  for (const auto& e : trainer.device(0).executor().staleness()) {
    if (e.norm > 0) largest = std::max(largest, std::sqrt(e.difference / e.norm));
  }
  return largest;
}

using State = std::map<Index, std::vector<core::NamedTensor>>;

State state_of(Trainer& trainer) {
  State state;
  for (Index l = 0; l < trainer.model().num_layers(); ++l) {
    for (const auto& t : trainer.device(0).executor().history(l)->state()) {
      state[l].push_back({t.name, t.value.clone()});
    }
  }
  return state;
}

void load(Trainer& trainer, const State& state) {
  for (const auto& [l, tensors] : state) trainer.device(0).executor().history(l)->load_state(tensors);
}

template <class F>
void for_all_oracles(F&& f) {
  for (const bool directed : {false, true}) {
    CAPTURE(directed);
    const auto data = block_model_dataset({.vertices = 96, .directed = directed});
    for (const auto& net : oracle_nets()) {
      CAPTURE(name_of_net(net));
      f(net, *data);
    }
  }
}

}  // namespace

TEST_CASE("with frozen weights history is exact in epoch L + 1, compensated gradients in epoch 2 L + 1") {
  for_all_oracles([](const layers::ModelOptions& net, const core::Dataset& data) {
    const auto exact = exact_gradients(net, data);
    for (const auto schedule :
         {pipeline::ScheduleKind::kAllForwardAllBackward, pipeline::ScheduleKind::kOneForwardOneBackward}) {
      TrainOptions options = options_of(kChunks);
      options.distribution.schedule = schedule;
      Trainer trainer(net, data, options);
      // A plain net's first layer reads constants, so that it has no history: those behind it are exact sooner.
      for (Index e = 0; e <= kLayers; ++e) trainer.compute_gradients(e);
      CHECK(largest_staleness(trainer) <= 1e-12);
      for (Index e = kLayers + 1; e <= 2 * kLayers; ++e) trainer.compute_gradients(e);
      CHECK(largest_difference(exact, gradients_of(trainer)) <= 1e-11);

      // What has become exact, given to a new training, makes its first epoch exact.
      Trainer preloaded(net, data, options);
      preloaded.device(0).compute_gradients(2 * kLayers + 1);
      load(preloaded, state_of(trainer));
      preloaded.compute_gradients(2 * kLayers + 1);
      CHECK(largest_difference(exact, gradients_of(preloaded)) <= 1e-11);
    }
  });
}

TEST_CASE("a refresh makes the history exact at once") {
  for_all_oracles([](const layers::ModelOptions& net, const core::Dataset& data) {
    TrainOptions options = options_of(kChunks);
    options.distribution.history.refresh_every = 1;
    Trainer trainer(net, data, options);
    trainer.compute_gradients(0);
    CHECK(largest_staleness(trainer) <= 1e-12);
  });
}

TEST_CASE("the other gradient modes never become exact; with one chunk, all are") {
  const auto data = block_model_dataset({.vertices = 96});
  const layers::ModelOptions net = oracle_nets()[4];
  const auto exact = exact_gradients(net, *data);
  for (const auto mode : {GradientMode::kTruncated, GradientMode::kDetached, GradientMode::kRescaled}) {
    Trainer trainer(net, *data, options_of(kChunks, mode));
    for (Index e = 0; e <= 3 * kLayers; ++e) trainer.compute_gradients(e);
    CHECK(largest_difference(exact, gradients_of(trainer)) > 1e-3);
    Trainer whole(net, *data, options_of(1, mode));
    whole.compute_gradients(0);
    CHECK(largest_difference(exact, gradients_of(whole)) == 0);
  }
}

TEST_CASE("look-ahead and pull agree on linear aggregations while training goes on") {
  for (const bool directed : {false, true}) {
    const auto data = block_model_dataset({.vertices = 96, .directed = directed});
    for (const auto& net : topology_nets(core::DType::kFloat64, 4)) {
      if (net.layer == "gat" || !net.layer_options.empty()) continue;
      CAPTURE(name_of_net(net));
      for (const auto mode :
           {GradientMode::kCompensated, GradientMode::kTruncated, GradientMode::kDetached, GradientMode::kRescaled}) {
        CAPTURE(std::string(name_of(mode)));
        TrainOptions look = options_of(8, mode);
        look.epochs = 10;
        look.distribution.history.gradient = pipeline::HistoryGradient::kLook;
        TrainOptions pull = look;
        // A plain net's first layer has constant sources, where there is nothing to pull.
        pull.distribution.history.gradient = pipeline::HistoryGradient::kPull;
        // Dropout masks of two epochs meet differently: the pull applies this epoch's to last epoch's Z, as look-ahead
        // does to last epoch's sums.
        Trainer a(net, *data, look), b(net, *data, pull);
        const auto x = a.run(), y = b.run();
        for (std::size_t e = 0; e < x.epochs.size(); ++e) {
          CHECK(std::abs(x.epochs[e].loss - y.epochs[e].loss) <= 1e-10 * std::abs(x.epochs[e].loss));
        }
        CHECK(b.device(0).executor().history(3)->pulls());
        CHECK_FALSE(a.device(0).executor().history(3)->pulls());
      }
    }
  }
}

TEST_CASE("truncated is the derivative of the loss with history held constant") {
  const auto data = block_model_dataset({.vertices = 96, .directed = true});
  for (layers::ModelOptions net : oracle_nets()) {
    net.layers = 3;
    net.activation = core::Activation::kElu;                                                // without kinks
    if (net.layer == "only_forward" || net.layer_options.contains("aggregator")) continue;  // maxima have kinks
    CAPTURE(name_of_net(net));
    Trainer trainer(net, *data, options_of(4, GradientMode::kTruncated));
    trainer.compute_gradients(0);
    trainer.compute_gradients(1);
    const State before = state_of(trainer);
    load(trainer, before);
    trainer.compute_gradients(2);
    const auto analytic = gradients_of(trainer);
    for (const auto& p : trainer.device(0).model().parameters()) {
      CAPTURE(p->name);
      // One direction a parameter, with elements of both signs.
      const Tensor direction = random_tensor(p->value.rows(), p->value.cols(), core::DType::kFloat64, 5);
      const Tensor start = p->value.clone();
      const auto loss_at = [&](double step) {
        for (Index r = 0; r < start.rows(); ++r) {
          for (Index c = 0; c < start.cols(); ++c) p->value.set(r, c, start.at(r, c) + step * direction.at(r, c));
        }
        load(trainer, before);
        return trainer.compute_gradients(2);
      };
      constexpr double kStep = 1e-5;
      const double numeric = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
      p->value.copy_from(start);
      double expected = 0;
      for (Index r = 0; r < start.rows(); ++r) {
        for (Index c = 0; c < start.cols(); ++c) expected += analytic.at(p->name).at(r, c) * direction.at(r, c);
      }
      CHECK(std::abs(numeric - expected) <= 1e-6 * std::max(1e-2, std::abs(expected)));
    }
  }
}

TEST_CASE("a training with history does not depend on the number of threads") {
  const auto data = block_model_dataset({.vertices = 96});
  for (const auto& net : topology_nets(core::DType::kFloat32, 4)) {
    CAPTURE(name_of_net(net));
    TrainOptions options = options_of(8);
    options.epochs = 6;
    options.distribution.topology.stages = 2;
    options.threads = 2;
    const auto a = Trainer(net, *data, options).run();
    options.threads = 8;
    const auto b = Trainer(net, *data, options).run();
    for (std::size_t e = 0; e < a.epochs.size(); ++e) CHECK(a.epochs[e].loss == b.epochs[e].loss);
    CHECK(a.epochs.back().staleness.size() == 4);
    CHECK(a.epochs.back().staleness[3] > 0);
  }
}

TEST_CASE("options of history out of range are refused") {
  pipeline::HistoryOptions o;
  const auto refused = [](const pipeline::HistoryOptions& bad) {
    CHECK_THROWS_AS(pipeline::validate(bad), UsageError);
  };
  o.staleness = 2;
  refused(o);
  o = {};
  o.refresh_every = -1;
  refused(o);
  o = {};
  o.smoothing = 1;
  refused(o);
  o = {};
  o.freeze = -1;
  refused(o);
  CHECK_THROWS_AS(pipeline::gradient_mode_from_name("best"), UsageError);
  CHECK_THROWS_AS(pipeline::history_gradient_from_name("best"), UsageError);
  const auto data = block_model_dataset({.vertices = 96});
  TrainOptions pull = options_of(8);
  pull.distribution.history.gradient = pipeline::HistoryGradient::kPull;
  Trainer attention({.layer = "gat", .layers = 3, .hidden = 8}, *data, pull);
  CHECK_THROWS_WITH_AS(attention.run(), doctest::Contains("--history-gradient pull"), Error);
  TrainOptions impossible = options_of(8, GradientMode::kTruncated);
  impossible.distribution.schedule = pipeline::ScheduleKind::kOneForwardOneBackward;
  CHECK_THROWS_AS(Trainer({.layer = "gcn"}, *data, impossible), UsageError);
}
