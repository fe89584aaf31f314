/// A checkpoint knows no topology: what one has trained, any other goes on with. Where nothing is stale the whole is
/// the uninterrupted training; with history the same topology goes on bit for bit.
#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::Tensor;
using pipeline::Checkpoint;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

constexpr Index kEpochs = 10;
constexpr Index kHalf = 5;

TrainOptions options_of(const Topology& topology, Index staleness) {
  TrainOptions o;
  o.epochs = kEpochs;
  o.eval_every = 2;
  o.threads = 2;
  o.clip_norm = 1;
  o.optimizer.beta1 = 0.5;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  o.distribution.history.staleness = staleness;
  return o;
}

std::vector<layers::ModelOptions> nets(core::DType precision) {
  return {{.layer = "gcnii", .layers = 4, .hidden = 8, .precision = precision},
          {.layer = "gat",
           .layers = 4,
           .hidden = 8,
           .residual = true,
           .precision = precision,
           .layer_options = {{"heads", "2"}, {"attention_dropout", "0.3"}}},
          {.layer = "gcn", .layers = 4, .hidden = 8, .input_dropout = 0.2, .precision = precision}};
}

struct Trained {
  std::vector<double> losses;
  std::vector<double> metrics;
  std::map<std::string, Tensor> weights;
  Index best_epoch = 0;
};

Trained trained(Trainer& trainer) {
  Trained t;
  const auto result = trainer.run();
  for (const auto& e : result.epochs) {
    t.losses.push_back(e.loss);
    if (e.evaluated) t.metrics.push_back(e.evaluation.val_metric);
  }
  for (const auto& w : trainer.checkpoint().weights) t.weights.emplace(w.name, w.value.clone());
  t.best_epoch = result.best_epoch;
  return t;
}

/// The first half; its checkpoint has been through a file.
Checkpoint half(const layers::ModelOptions& net, const core::Dataset& data, TrainOptions options) {
  const TemporaryFolder folder;
  options.stop_after = kHalf;
  options.checkpoint = folder.path() / "half.h5";
  Trainer(net, data, options).run();
  return pipeline::read_checkpoint(options.checkpoint);
}

Trained resumed(const layers::ModelOptions& net, const core::Dataset& data, const TrainOptions& options,
                const Checkpoint& from) {
  Trainer trainer(net, data, options);
  trainer.resume(from);
  return trained(trainer);
}

void check_close(const Trained& found, const Trained& expected, double tolerance) {
  REQUIRE(found.losses.size() == static_cast<std::size_t>(kEpochs));
  for (std::size_t e = 0; e < found.losses.size(); ++e) {
    CAPTURE(e);
    CHECK(std::abs(found.losses[e] - expected.losses[e]) <= tolerance * std::abs(expected.losses[e]));
  }
  CHECK(found.metrics == expected.metrics);
  CHECK(found.best_epoch == expected.best_epoch);
  CHECK(largest_difference(expected.weights, found.weights) <= tolerance);
}

void check_same_bits(const Trained& found, const Trained& expected) {
  CHECK(found.losses == expected.losses);
  CHECK(found.metrics == expected.metrics);
  CHECK(found.best_epoch == expected.best_epoch);
  REQUIRE(found.weights.size() == expected.weights.size());
  for (const auto& [name, value] : expected.weights) {
    CAPTURE(name);
    CHECK(same_bits(found.weights.at(name), value));
  }
}

std::shared_ptr<const std::vector<std::int32_t>> striped_chunks(Index vertices, Index chunks) {
  std::vector<std::int32_t> of;
  for (Index v = 0; v < vertices; ++v) of.push_back(static_cast<std::int32_t>((v * 5) % chunks));
  return std::make_shared<const std::vector<std::int32_t>>(std::move(of));
}

}  // namespace

TEST_CASE("where nothing is stale any topology goes on with what any other has trained") {
  const auto data = block_model_dataset({.vertices = 60});
  const std::vector<Topology> topologies = {
      {}, {.stages = 3}, {.parts = 2}, {.stages = 2, .chunks = 4}, {.stages = 2, .parts = 2, .chunks = 3}};
  for (const auto& net : nets(core::DType::kFloat64)) {
    CAPTURE(name_of_net(net));
    Trainer whole(net, *data, options_of({}, 0));
    const Trained expected = trained(whole);
    for (const Topology& first : topologies) {
      const Checkpoint checkpoint = half(net, *data, options_of(first, 0));
      for (const Topology& second : topologies) {
        CAPTURE(first.stages);
        CAPTURE(first.parts);
        CAPTURE(first.chunks);
        CAPTURE(second.stages);
        CAPTURE(second.parts);
        CAPTURE(second.chunks);
        check_close(resumed(net, *data, options_of(second, 0), checkpoint), expected, 1e-9);
      }
    }
  }
}

TEST_CASE("with history the same topology goes on bit for bit") {
  const auto data = block_model_dataset({.vertices = 60, .directed = true});
  for (const auto& net : nets(core::DType::kFloat32)) {
    CAPTURE(name_of_net(net));
    for (const Topology& t :
         {Topology{.chunks = 6}, {.stages = 2, .chunks = 6}, {.stages = 2, .parts = 2, .chunks = 4}}) {
      CAPTURE(t.stages);
      CAPTURE(t.parts);
      for (const bool special : {false, true}) {
        CAPTURE(special);
        TrainOptions o = options_of(t, 1);
        if (special) {
          o.distribution.schedule = pipeline::ScheduleKind::kOneForwardOneBackward;
          o.distribution.history.gradient = pipeline::HistoryGradient::kLook;
          o.distribution.history.smoothing = 0.25;
          auto& codecs = o.distribution.compression;
          codecs.stage = codecs.halo = codecs.weights = pipeline::Codec::kInt8;
        }
        Trainer whole(net, *data, o);
        const Trained expected = trained(whole);
        check_same_bits(resumed(net, *data, o, half(net, *data, o)), expected);
      }
    }
  }
}

TEST_CASE("history follows its vertices: on the same chunks other stages and parts go on as if nothing had been") {
  const auto data = block_model_dataset({.vertices = 60, .directed = true});
  const auto with = [&](const Topology& t) {
    TrainOptions o = options_of(t, 1);
    o.distribution.chunk_of = striped_chunks(60, t.chunks);
    // The pull keeps other tables than look-ahead, which several parts need.
    o.distribution.history.gradient = pipeline::HistoryGradient::kLook;
    return o;
  };
  const std::vector<Topology> topologies = {
      {.chunks = 4}, {.stages = 3, .chunks = 4}, {.stages = 2, .parts = 2, .chunks = 4}, {.parts = 3, .chunks = 4}};
  for (const auto& net : nets(core::DType::kFloat64)) {
    CAPTURE(name_of_net(net));
    Trainer whole(net, *data, with(topologies.front()));
    const Trained expected = trained(whole);
    for (const Topology& first : topologies) {
      const Checkpoint checkpoint = half(net, *data, with(first));
      for (const Topology& second : topologies) {
        CAPTURE(first.stages);
        CAPTURE(first.parts);
        CAPTURE(second.stages);
        CAPTURE(second.parts);
        check_close(resumed(net, *data, with(second), checkpoint), expected, 1e-9);
      }
    }
  }
}

TEST_CASE("with history and without, any topology takes over what there is") {
  const auto data = block_model_dataset({.vertices = 60});
  for (const auto& net : nets(core::DType::kFloat32)) {
    CAPTURE(name_of_net(net));
    const Checkpoint stale = half(net, *data, options_of({.stages = 2, .chunks = 6}, 1));
    const Checkpoint exact = half(net, *data, options_of({.parts = 2}, 1));
    CHECK_FALSE(stale.tables.empty());
    CHECK(exact.tables.empty());
    for (const Checkpoint* from : {&stale, &exact}) {
      for (const Topology& to :
           {Topology{.stages = 2, .parts = 2, .chunks = 3}, {.stages = 4, .chunks = 8}, {.parts = 3}, {}}) {
        const Trained t = resumed(net, *data, options_of(to, 1), *from);
        CHECK(t.losses.size() == static_cast<std::size_t>(kEpochs));
        for (const double loss : t.losses) CHECK(std::isfinite(loss));
        // No jump: not above where it came from by more than a start afresh would be.
        CHECK(t.losses[kHalf] < t.losses[0] * 1.2);
      }
    }
  }
}

TEST_CASE("tables that don't fit the graph or the layers are refused") {
  const auto data = block_model_dataset({.vertices = 60});
  const auto net = nets(core::DType::kFloat32).front();
  const TrainOptions o = options_of({.stages = 2, .chunks = 6}, 1);
  const Checkpoint good = half(net, *data, o);
  const auto refused = [&](const Checkpoint& bad) {
    Trainer trainer(net, *data, o);
    // A table's width is known when the first rows come.
    CHECK_THROWS_AS((trainer.resume(bad), trainer.run()), Error);
  };
  Checkpoint bad = good;
  bad.tables.front().value = Tensor::zeros(59, 8, core::DType::kFloat32);
  refused(bad);
  bad = good;
  bad.tables.front().value = Tensor::zeros(60, 9, core::DType::kFloat32);
  refused(bad);
  bad = good;
  bad.tables.front().value = Tensor::zeros(60, 8, core::DType::kFloat64);
  refused(bad);
  bad = good;
  bad.part_of.pop_back();
  refused(bad);
  bad = good;
  bad.place_of.clear();
  refused(bad);
}
