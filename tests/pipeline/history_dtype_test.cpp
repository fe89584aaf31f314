/// Tables of history in fewer bytes: near native ones and no further than rounding, equal to them where values are
/// representable, in half the bytes, and the same bits after a checkpoint.
#include <cmath>

#include <doctest/doctest.h>

#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::Tensor;
using pipeline::HistoryGradient;
using pipeline::StoreType;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

constexpr Index kLayers = 4;

TrainOptions options_of(StoreType type, const Topology& topology = {.chunks = 6}) {
  TrainOptions o;
  o.epochs = 8;
  o.eval_every = 8;
  o.threads = 2;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  o.distribution.history.dtype = type;
  return o;
}

/// The tables' bytes between epochs, as they are kept.
std::size_t live_table_bytes(const layers::ModelOptions& net, const core::Dataset& data, const TrainOptions& o) {
  Trainer trainer(net, data, o);
  trainer.compute_gradients(0);
  trainer.compute_gradients(1);
  std::size_t bytes = 0;
  for (Index l = 0; l < net.layers; ++l) bytes += trainer.device(0).executor().history(l)->kept_bytes();
  return bytes;
}

}  // namespace

TEST_CASE("bfloat16 tables: gradients of frozen weights are exact but for their rounding") {
  const auto data = block_model_dataset({.vertices = 96, .directed = true});
  for (auto net : topology_nets(core::DType::kFloat32, kLayers)) {
    net.dropout = net.input_dropout = 0;
    net.layer_options.erase("attention_dropout");
    CAPTURE(name_of_net(net));
    for (const Topology& t : {Topology{.chunks = 6}, Topology{.stages = 2, .parts = 2, .chunks = 4}}) {
      Trainer native(net, *data, options_of(StoreType::kNative, t));
      Trainer rounded(net, *data, options_of(StoreType::kBfloat16, t));
      for (Index e = 0; e <= 2 * kLayers; ++e) {
        native.compute_gradients(e);
        rounded.compute_gradients(e);
      }
      const auto expected = gradients_of(native);
      double difference = 0;
      double scale = 0;
      for (const auto& [name, gradient] : gradients_of(rounded)) {
        difference += std::pow(relative_difference(gradient, expected.at(name)) * norm(expected.at(name)), 2);
        scale += std::pow(norm(expected.at(name)), 2);
      }
      CHECK(std::sqrt(difference / scale) > 0);
      CHECK(std::sqrt(difference / scale) <= 0.02);
    }
  }
}

TEST_CASE("where values are representable a table's type changes nothing") {
  // Sums of small integers, which bfloat16 holds.
  datasets::GraphData blocks = block_model({.vertices = 96, .directed = true});
  Tensor features(96, 4, core::DType::kFloat32);
  for (Index v = 0; v < 96; ++v) {
    for (Index c = 0; c < 4; ++c) features.set(v, c, (v + c) % 3 == 0 ? 1 : 0);
  }
  blocks.features = features;
  const auto data = datasets::from_memory(blocks);
  // Its one table holds the encoder's outputs.
  const layers::ModelOptions net{.layer = "gcnii", .layers = 1, .hidden = 4, .dropout = 0};
  const auto trained = [&](StoreType type, HistoryGradient gradient) {
    TrainOptions o = options_of(type);
    o.distribution.history.gradient = gradient;
    // Gradients are no small integers: those of history are left out, so that only rows are kept.
    o.distribution.history.mode = pipeline::GradientMode::kTruncated;
    Trainer trainer(net, *data, o);
    for (const auto& p : trainer.device(0).model().parameters()) {
      for (Index r = 0; r < p->value.rows(); ++r) {
        for (Index c = 0; c < p->value.cols(); ++c) p->value.set(r, c, r == c ? 1 : 0);
      }
    }
    trainer.compute_gradients(0);
    const double loss = trainer.compute_gradients(1);
    return std::pair{loss, gradients_of(trainer)};
  };
  for (const auto gradient : {HistoryGradient::kAuto, HistoryGradient::kLook}) {
    const auto [loss, gradients] = trained(StoreType::kNative, gradient);
    const auto [other_loss, other] = trained(StoreType::kBfloat16, gradient);
    CHECK(loss == other_loss);
    for (const auto& [name, g] : gradients) CHECK(same_bits(g, other.at(name)));
  }
}

TEST_CASE("bfloat16 tables take half the bytes, float32 ones half of float64's") {
  const auto data = block_model_dataset({.vertices = 96});
  for (const auto& net : topology_nets(core::DType::kFloat32, kLayers)) {
    CAPTURE(name_of_net(net));
    CHECK(live_table_bytes(net, *data, options_of(StoreType::kNative)) ==
          2 * live_table_bytes(net, *data, options_of(StoreType::kBfloat16)));
    layers::ModelOptions wide = net;
    wide.precision = core::DType::kFloat64;
    CHECK(live_table_bytes(wide, *data, options_of(StoreType::kNative)) ==
          2 * live_table_bytes(wide, *data, options_of(StoreType::kFloat32)));
  }
}

TEST_CASE("a training with bfloat16 tables goes on bit for bit") {
  const auto data = block_model_dataset({.vertices = 96});
  const TemporaryFolder folder;
  for (const auto& net : topology_nets(core::DType::kFloat32, kLayers)) {
    CAPTURE(name_of_net(net));
    TrainOptions o = options_of(StoreType::kBfloat16, {.stages = 2, .chunks = 6});
    const auto whole = Trainer(net, *data, o).run().epochs;
    o.stop_after = 4;
    o.checkpoint = folder.path() / "half.h5";
    Trainer(net, *data, o).run();
    const auto half = pipeline::read_checkpoint(o.checkpoint);
    CHECK(half.options.distribution.history.dtype == StoreType::kBfloat16);
    o.stop_after = 0;
    o.checkpoint.clear();
    Trainer second(net, *data, o);
    second.resume(half);
    const auto resumed = second.run().epochs;
    for (std::size_t e = 0; e < whole.size(); ++e) CHECK(resumed[e].loss == whole[e].loss);
    // Native tables can go on with what rounded ones have left.
    Trainer native(net, *data, options_of(StoreType::kNative, {.stages = 2, .chunks = 6}));
    native.resume(half);
    CHECK(native.run().epochs.back().loss == doctest::Approx(whole.back().loss).epsilon(0.05));
  }
}
