/// Graph parallelism with stale halos: exact in the first epoch, and when weights stand still again after L epochs
/// forward and 2 L backward, layer by layer; sends what plain graph parallelism sends; never waits for this epoch's
/// rows.
#include <cmath>
#include <thread>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/device_program.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::Tensor;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

constexpr Index kLayers = 5;

TrainOptions options_of(const Topology& topology, bool stale = true) {
  TrainOptions o;
  o.epochs = 10;
  o.eval_every = 4;
  o.threads = 2;
  o.clip_norm = 1;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  o.distribution.halo.stale = stale;
  return o;
}

std::vector<layers::ModelOptions> nets_without_dropout() {
  std::vector<layers::ModelOptions> nets = topology_nets(core::DType::kFloat64, kLayers);
  for (auto& net : nets) {
    net.dropout = net.input_dropout = 0;
    net.layer_options.erase("attention_dropout");
  }
  return nets;
}

/// Another set of weights, the same on all devices that share them.
void move_weights(Trainer& trainer) {
  for (Index d = 0; d < trainer.plan().num_devices(); ++d) {
    for (const auto& p : trainer.device(d).model().parameters()) {
      const Tensor step = random_tensor(p->value.rows(), p->value.cols(), p->value.dtype(), 11, 0.2);
      for (Index r = 0; r < step.rows(); ++r) {
        for (Index c = 0; c < step.cols(); ++c) p->value.set(r, c, p->value.at(r, c) + step.at(r, c));
      }
    }
  }
}

double largest_staleness(Trainer& trainer) {
  double largest = 0;
  for (Index d = 0; d < trainer.plan().num_devices(); ++d) {
    for (const auto& e : trainer.device(d).executor().staleness()) {
      if (e.norm > 0) largest = std::max(largest, std::sqrt(e.difference / e.norm));
    }
  }
  return largest;
}

}  // namespace

TEST_CASE("stale halos: exact at first, and after weights have moved exact forward in L epochs, backward in 2 L") {
  for (const bool directed : {false, true}) {
    CAPTURE(directed);
    const auto data = block_model_dataset({.vertices = 96, .directed = directed});
    for (const auto& net : nets_without_dropout()) {
      CAPTURE(name_of_net(net));
      for (const Topology& topology : {Topology{.parts = 3}, Topology{.stages = 2, .parts = 2}}) {
        CAPTURE(topology.stages);
        Trainer exact(net, *data, options_of({}, false));
        Trainer stale(net, *data, options_of(topology));
        double expected = exact.compute_gradients(0);
        CHECK(std::abs(stale.compute_gradients(0) - expected) <= 1e-11 * std::abs(expected));
        CHECK(largest_difference(gradients_of(exact), gradients_of(stale)) <= 1e-11);

        move_weights(exact);
        move_weights(stale);
        expected = exact.compute_gradients(0);
        // The first epoch reads what the other weights have made.
        CHECK(std::abs(stale.compute_gradients(1) - expected) > 1e-6 * std::abs(expected));
        double loss = 0;
        for (Index e = 2; e <= kLayers + 1; ++e) loss = stale.compute_gradients(e);
        CHECK(std::abs(loss - expected) <= 1e-11 * std::abs(expected));
        // Edges of the directed graph lead from lower to higher parts, so that nothing has to come back.
        CHECK((largest_difference(gradients_of(exact), gradients_of(stale)) > 1e-6) == !directed);
        for (Index e = kLayers + 2; e <= 2 * kLayers + 1; ++e) stale.compute_gradients(e);
        CHECK(largest_staleness(stale) <= 1e-12);
        CHECK(largest_difference(gradients_of(exact), gradients_of(stale)) <= 1e-11);
      }
    }
  }
}

TEST_CASE("smoothed stale halos come near the truth when weights stand still, and stay where it was before") {
  const auto data = block_model_dataset({.vertices = 96});
  const layers::ModelOptions net = nets_without_dropout()[4];
  Trainer exact(net, *data, options_of({}, false));
  exact.compute_gradients(0);
  TrainOptions options = options_of({.parts = 3});
  options.distribution.halo.row_smoothing = 0.5;
  options.distribution.halo.gradient_smoothing = 0.5;
  Trainer smooth(net, *data, options);
  smooth.compute_gradients(0);
  CHECK(largest_difference(gradients_of(exact), gradients_of(smooth)) <= 1e-11);
  move_weights(exact);
  move_weights(smooth);
  exact.compute_gradients(0);
  for (Index e = 1; e <= 2 * kLayers + 1; ++e) smooth.compute_gradients(e);
  CHECK(largest_difference(gradients_of(exact), gradients_of(smooth)) > 1e-5);
  for (Index e = 0; e < 80; ++e) smooth.compute_gradients(e);
  CHECK(largest_difference(gradients_of(exact), gradients_of(smooth)) <= 1e-9);
}

TEST_CASE("stale halos train, do not depend on threads, and are told apart from evaluation, which is exact") {
  const auto data = block_model_dataset({.vertices = 120});
  for (const auto& net : topology_nets(core::DType::kFloat32, 4)) {
    CAPTURE(name_of_net(net));
    TrainOptions options = options_of({.parts = 3});
    Trainer a(net, *data, options);
    const auto result = a.run();
    options.threads = 6;
    const auto other = Trainer(net, *data, options).run();
    REQUIRE(result.epochs.size() == other.epochs.size());
    for (std::size_t e = 0; e < result.epochs.size(); ++e) CHECK(result.epochs[e].loss == other.epochs[e].loss);
    CHECK(result.epochs.back().loss < result.epochs.front().loss);
    CHECK(result.epochs.front().staleness.back() == 0);
    CHECK(result.epochs.back().staleness.back() > 0);
    // The weights that it ended with give what one device makes of them.
    Trainer one(net, *data, options_of({}, false));
    one.resume(a.checkpoint());
    const auto expected = one.device(0).executor().predict().outputs;
    std::vector<Tensor> parts(3);
    std::vector<std::jthread> devices;
    for (Index d = 0; d < 3; ++d) devices.emplace_back([&, d] { parts[d] = a.device(d).executor().predict().outputs; });
    devices.clear();
    const partition::Layout& layout = a.plan().cut->layout;
    for (Index d = 0; d < 3; ++d) {
      for (Index r = 0; r < parts[d].rows(); ++r) {
        const Index v = layout.file_ids()[static_cast<std::size_t>(layout.part(d).begin + r)];
        for (Index c = 0; c < expected.cols(); ++c) {
          CHECK(parts[d].at(r, c) == doctest::Approx(expected.at(v, c)).epsilon(1e-4));
        }
      }
    }
  }
}

TEST_CASE("a training with stale halos goes on bit for bit, and on another topology begins with an exact epoch") {
  const auto data = block_model_dataset({.vertices = 96});
  const TemporaryFolder folder;
  for (const auto& net : topology_nets(core::DType::kFloat32, 4)) {
    CAPTURE(name_of_net(net));
    for (const Topology& topology : {Topology{.parts = 3}, Topology{.stages = 2, .parts = 2}}) {
      TrainOptions options = options_of(topology);
      options.distribution.halo.gradient_smoothing = 0.25;
      const auto whole = Trainer(net, *data, options).run();
      options.stop_after = 5;
      options.checkpoint = folder.path() / "half.h5";
      Trainer(net, *data, options).run();
      const pipeline::Checkpoint half = pipeline::read_checkpoint(options.checkpoint);
      options.stop_after = 0;
      options.checkpoint.clear();
      Trainer second(net, *data, options);
      second.resume(half);
      const auto resumed = second.run();
      REQUIRE(resumed.epochs.size() == whole.epochs.size());
      for (std::size_t e = 0; e < whole.epochs.size(); ++e) CHECK(resumed.epochs[e].loss == whole.epochs[e].loss);

      Trainer elsewhere(net, *data, options_of({.parts = topology.parts + 1}));
      elsewhere.resume(half);
      Trainer exact(net, *data, options_of({}, false));
      exact.resume(half);
      const double expected = exact.compute_gradients(5);
      CHECK(std::abs(elsewhere.compute_gradients(5) - expected) <= 1e-4 * std::abs(expected));
    }
  }
}

TEST_CASE("with stale halos a device waits for nothing of this epoch but sums of gradients") {
  const auto data = block_model_dataset({.vertices = 96});
  const layers::ModelOptions net = topology_nets(core::DType::kFloat32, 4)[1];
  const auto programs_of = [&](bool stale) {
    const TrainOptions o = options_of({.parts = 3}, stale);
    const auto plan = pipeline::make_plan(net, data->schema(), *data->graph(), o);
    pipeline::StepCosts costs;
    for (auto& ms : costs.ms_per_unit) ms.assign(4, 1.0);
    return pipeline::make_programs(plan, pipeline::traffic_shape(net, data->schema(), false), costs,
                                   pipeline::slice_costs(*plan.cut, 4), {}, plan.order_of(1, 0));
  };
  const auto halos_waited_for = [](const pipeline::EpochPrograms& programs) {
    Index count = 0;
    for (const auto& device : programs.devices) {
      for (const auto& op : device) {
        const bool halo =
            op.tag.kind == pipeline::Tag::Kind::kHalo || op.tag.kind == pipeline::Tag::Kind::kHaloGradient;
        count += op.kind == pipeline::Operation::Kind::kReceive && halo ? 1 : 0;
      }
    }
    return count;
  };
  const auto plain = programs_of(false);
  const auto stale = programs_of(true);
  CHECK(halos_waited_for(plain) > 0);
  CHECK(halos_waited_for(stale) == 0);
  CHECK(stale.ledger[pipeline::Cause::kHaloForward] == plain.ledger[pipeline::Cause::kHaloForward]);
}

TEST_CASE("stale halos are refused where they mean nothing") {
  const auto data = block_model_dataset({.vertices = 96});
  const auto refused = [&](const TrainOptions& o, const char* text, Index layers = 3) {
    CHECK_THROWS_WITH_AS(Trainer({.layer = "gcn", .layers = layers, .hidden = 4}, *data, o), doctest::Contains(text),
                         UsageError);
  };
  refused(options_of({}), "the graph is in one part");
  refused(options_of({.parts = 2, .chunks = 4}), "--chunks is 4");
  TrainOptions o = options_of({.parts = 2});
  o.distribution.schedule = pipeline::ScheduleKind::kSequential;
  refused(o, "--schedule sequential");
  refused(options_of({.parts = 2}), "at most 256 layers", 300);
  o = options_of({.parts = 2});
  o.distribution.halo.row_smoothing = 1;
  refused(o, "--halo-smoothing is 1");
  o.distribution.halo.row_smoothing = 0;
  o.distribution.halo.gradient_smoothing = -0.5;
  refused(o, "--halo-gradient-smoothing is -0.5");
  o = options_of({.parts = 2}, false);
  o.distribution.halo.row_smoothing = 0.5;
  refused(o, "is of --stale-halos");
}
