/// What `--mode auto` rests on: simulated epochs against goldens by hand, predicted bytes against the ledger of real
/// trainings.
#include "laminar/pipeline/cost_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"
#include "laminar/partition/predicted_traffic.hpp"
#include "laminar/pipeline/calibration.hpp"
#include "laminar/pipeline/device_program.hpp"
#include "laminar/pipeline/link_probe.hpp"
#include "laminar/pipeline/rehearsal.hpp"
#include "laminar/pipeline/stopwatch.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using pipeline::Cause;
using pipeline::Codec;
using pipeline::DeviceProgram;
using pipeline::Operation;
using pipeline::Topology;
using pipeline::TrainOptions;

namespace {

pipeline::SimulatedMachine machine(Index devices, double cores, double mbps = 0, double latency_us = 0) {
  pipeline::SimulatedMachine m;
  m.host_of.assign(static_cast<std::size_t>(devices), 0);
  m.cores = cores;
  m.link = {mbps, latency_us};
  return m;
}

pipeline::Tag tag(std::int32_t chunk) { return {.chunk = chunk}; }

TrainOptions options_of(const Topology& topology) {
  TrainOptions o;
  o.epochs = 3;
  o.eval_every = 3;
  o.threads = 2;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  return o;
}

/// Unit costs, so that programs can be made without a measurement.
pipeline::StepCosts unit_costs(Index layers) {
  pipeline::StepCosts costs;
  for (auto& ms : costs.ms_per_unit) ms.assign(static_cast<std::size_t>(layers), 1.0);
  return costs;
}

pipeline::EpochPrograms programs_of(const layers::ModelOptions& net, const core::Dataset& data, const TrainOptions& o) {
  const pipeline::Plan plan = pipeline::make_plan(net, data.schema(), *data.graph(), o);
  const auto shape = pipeline::traffic_shape(net, data.schema(), plan.history.staleness > 0);
  const auto slices = pipeline::slice_costs(*plan.cut, 4);
  return pipeline::make_programs(plan, shape, unit_costs(net.layers), slices, o.distribution.compression,
                                 plan.order_of(o.seed, 2));
}

/// The ledger of the third epoch of a training, evaluation left out.
pipeline::Ledger ledger_of(const layers::ModelOptions& net, const core::Dataset& data, const TrainOptions& o) {
  TrainOptions without = o;
  without.epochs = 4;
  without.stop_after = 3;
  without.eval_every = 4;
  return pipeline::Trainer(net, data, without).run().epochs.back().ledger;
}

void check_ledger(const layers::ModelOptions& net, const core::Dataset& data, const TrainOptions& o) {
  const pipeline::Ledger found = programs_of(net, data, o).ledger;
  const pipeline::Ledger expected = ledger_of(net, data, o);
  for (const Cause cause : {Cause::kStageForward, Cause::kStageBackward, Cause::kHaloForward, Cause::kHaloBackward,
                            Cause::kWeights, Cause::kFraming}) {
    CAPTURE(std::string(name_of(cause)));
    CHECK(found[cause] == expected[cause]);
  }
}

}  // namespace

TEST_CASE("a message arrives when its last byte has left, and later by the latency") {
  // 8 Mbit/s are 1000 bytes a millisecond.
  const std::vector<DeviceProgram> programs = {
      {Operation::compute(10), Operation::send(1, 5000, tag(0)), Operation::compute(2)},
      {Operation::receive(0, tag(0)), Operation::compute(3)}};
  const auto epoch = pipeline::simulate(programs, machine(2, 2, 8));
  CHECK(epoch.epoch_ms == doctest::Approx(18));
  CHECK(epoch.devices[0].busy_ms == doctest::Approx(12));
  CHECK(epoch.devices[0].wait_ms == doctest::Approx(6));
  CHECK(epoch.devices[1].busy_ms == doctest::Approx(3));
  CHECK(epoch.devices[1].wait_ms == doctest::Approx(15));
  CHECK(pipeline::simulate(programs, machine(2, 2, 8, 1000)).epoch_ms == doctest::Approx(19));
  CHECK(pipeline::simulate(programs, machine(2, 2)).epoch_ms == doctest::Approx(13));
}

TEST_CASE("devices of one host share its cores, those of several do not") {
  const std::vector<DeviceProgram> programs = {{Operation::compute(10)}, {Operation::compute(4)}};
  // On one core: both until 8 ms, then the first alone.
  auto m = machine(2, 1);
  CHECK(pipeline::simulate(programs, m).epoch_ms == doctest::Approx(14));
  m.host_of = {0, 1};
  CHECK(pipeline::simulate(programs, m).epoch_ms == doctest::Approx(10));
  m = machine(2, 4);
  m.speedup = 2;
  CHECK(pipeline::simulate(programs, m).epoch_ms == doctest::Approx(5));
  CHECK(pipeline::simulate(std::vector<DeviceProgram>{}, machine(0, 1)).epoch_ms == 0);
}

TEST_CASE("messages under one tag are taken in the order in which they were sent") {
  const std::vector<DeviceProgram> programs = {
      {Operation::send(1, 1000, tag(1)), Operation::send(1, 2000, tag(0)), Operation::send(1, 4000, tag(1))},
      {Operation::receive(0, tag(1)), Operation::receive(0, tag(1)), Operation::receive(0, tag(0))}};
  CHECK(pipeline::simulate(programs, machine(2, 2, 8)).epoch_ms == doctest::Approx(7));
}

TEST_CASE("a program that waits for ever is refused, and so are devices on no host") {
  const std::vector<DeviceProgram> waiting = {{Operation::receive(1, tag(0))}, {Operation::compute(1)}};
  CHECK_THROWS_WITH_AS(pipeline::simulate(waiting, machine(2, 2)),
                       "[simulate] device 0 waits for a message of device 1 that is never sent", Error);
  CHECK_THROWS_AS(pipeline::simulate(waiting, machine(1, 2)), Error);
}

TEST_CASE("a pipeline of equal stages and chunks is idle for (S - 1) / (K + S - 1)") {
  constexpr Index kStages = 4;
  constexpr Index kChunks = 32;
  std::vector<DeviceProgram> programs(kStages);
  for (Index s = 0; s < kStages; ++s) {
    for (std::int32_t c = 0; c < kChunks; ++c) {
      if (s > 0) programs[s].push_back(Operation::receive(s - 1, tag(c)));
      programs[s].push_back(Operation::compute(1));
      if (s + 1 < kStages) programs[s].push_back(Operation::send(s + 1, 8, tag(c)));
    }
  }
  const auto epoch = pipeline::simulate(programs, machine(kStages, kStages));
  CHECK(epoch.epoch_ms == doctest::Approx(kChunks + kStages - 1));
  CHECK(epoch.devices[2].busy_ms / epoch.epoch_ms == doctest::Approx(32.0 / 35));
}

TEST_CASE("a rehearsed epoch takes no less than its computing and its messages") {
  // With a message back, so that the next epoch can't begin before the end of this one.
  const std::vector<DeviceProgram> programs = {
      {Operation::compute(10), Operation::send(1, 5000, tag(0)), Operation::compute(2), Operation::receive(1, tag(1))},
      {Operation::receive(0, tag(0)), Operation::compute(3), Operation::send(0, 100, tag(1))}};
  const auto over_memory = pipeline::rehearse(programs, {});
  CHECK(over_memory.epoch_ms >= 13);
  REQUIRE(over_memory.devices.size() == 2);
  for (const auto& device : over_memory.devices) {
    CHECK(device.busy_ms + device.wait_ms == doctest::Approx(over_memory.epoch_ms));
  }
  CHECK(over_memory.devices[0].busy_ms >= 12);
  // 8 Mbit/s are 1000 bytes a millisecond.
  CHECK(pipeline::rehearse(programs, {8, 1000}).epoch_ms >= 10 + 5 + 1 + 3);
  // The same of an epoch that is rehearsed in a third of its time.
  CHECK(pipeline::rehearse(programs, {}, 5).epoch_ms >= 13);
  CHECK(pipeline::rehearse(programs, {8, 0}, 7).epoch_ms >= 10 + 5 + 3);
  CHECK(pipeline::rehearse(std::vector<DeviceProgram>{}, {}).epoch_ms == 0);
  // What would hang is refused before it runs.
  const std::vector<DeviceProgram> waiting = {{Operation::receive(1, tag(0))}, {Operation::compute(1)}};
  CHECK_THROWS_AS(pipeline::rehearse(waiting, {}), Error);
}

TEST_CASE("a thread's time is not that of others, and no more than what has passed") {
  pipeline::StepClock by_clock, by_thread;
  by_clock.start(false);
  by_thread.start(true);
  std::thread other([] {
    const double begin_ms = pipeline::thread_ms();
    while (pipeline::thread_ms() - begin_ms < 20) {
    }
  });
  other.join();
  const double thread_ms = by_thread.elapsed_ms();
  const double clock_ms = by_clock.elapsed_ms();
  CHECK(clock_ms >= 20);
  CHECK(thread_ms >= 0);
  CHECK(thread_ms <= clock_ms);
}

TEST_CASE("the optimizer and what is not in steps are computed by the device that holds the numbers") {
  const auto data = block_model_dataset({.vertices = 90});
  const layers::ModelOptions net{.layer = "gcnii", .layers = 4, .hidden = 8};
  const auto core_ms = [](const DeviceProgram& program) {
    double ms = 0;
    for (const Operation& op : program) ms += op.core_ms;
    return ms;
  };
  for (const Topology& t : {Topology{1, 1, 1}, Topology{2, 1, 4}, Topology{1, 3, 1}}) {
    CAPTURE(t.stages);
    CAPTURE(t.parts);
    const TrainOptions o = options_of(t);
    const pipeline::Plan plan = pipeline::make_plan(net, data->schema(), *data->graph(), o);
    const auto shape = pipeline::traffic_shape(net, data->schema(), plan.history.staleness > 0);
    const auto slices = pipeline::slice_costs(*plan.cut, 4);
    const auto all_of = [&](const pipeline::StepCosts& costs) {
      const auto programs = pipeline::make_programs(plan, shape, costs, slices, {}, plan.order_of(1, 0));
      double ms = 0;
      for (const DeviceProgram& program : programs.devices) ms += core_ms(program);
      return ms;
    };
    pipeline::StepCosts costs = unit_costs(net.layers);
    const double without = all_of(costs);
    costs.rest_ms_per_unit = 0.5;
    const double units = std::accumulate(slices.begin(), slices.end(), 0.0);
    CHECK(all_of(costs) - without == doctest::Approx(0.5 * units * static_cast<double>(net.layers)));
    costs.rest_ms_per_unit = 0;
    costs.optimizer_ms = 2;
    double numbers = static_cast<double>(shape.encoder_weights + shape.head_weights);
    for (const Index w : shape.weights) numbers += static_cast<double>(w);
    // Parts have all weights, stages their own and, where h0 is made again, the encoder's.
    numbers *= static_cast<double>(t.parts);
    if (plan.recompute_carried) numbers += static_cast<double>(shape.encoder_weights * (t.stages - 1) * t.parts);
    CHECK(all_of(costs) - without == doctest::Approx(2 * numbers));
  }
}

TEST_CASE("messages and layers are timed on as many threads as there are devices") {
  const auto costs = pipeline::measure_messages(Codec::kInt8, core::DType::kFloat32, 3, true);
  CHECK(costs.message_ms > 0);
  CHECK(costs.number_ms >= 0);
  const auto data = block_model_dataset({.vertices = 90});
  const layers::ModelOptions net{.layer = "gcnii", .layers = 5, .hidden = 8};
  for (const Topology& t : {Topology{2, 1, 4}, Topology{1, 2, 1}}) {
    const TrainOptions o = options_of(t);
    const pipeline::Plan plan = pipeline::make_plan(net, data->schema(), *data->graph(), o);
    const auto slices = pipeline::slice_costs(*plan.cut, 4);
    const auto found = pipeline::calibrate(net, *data, o, plan, slices, 2).costs;
    for (const auto kind : {pipeline::Step::Kind::kForward, pipeline::Step::Kind::kBackward}) {
      const auto& ms = found.ms_per_unit[static_cast<std::size_t>(kind)];
      REQUIRE(ms.size() == 5);
      CHECK(std::all_of(ms.begin(), ms.end(), [](double x) { return x > 0; }));
    }
    CHECK(found.optimizer_ms > 0);
    CHECK(found.rest_ms_per_unit >= 0);
  }
}

TEST_CASE("what a net asks its sources for") {
  const auto data = block_model_dataset({.vertices = 60});
  const Index features = data->schema().num_features;
  const Index classes = data->schema().num_outputs;
  const auto gcn = pipeline::traffic_shape({.layer = "gcn", .layers = 3, .hidden = 8}, data->schema(), true);
  // The first layer gathers the features, which are constant.
  CHECK(gcn.halo_forward == std::vector<Index>{0, 8, 8});
  CHECK(gcn.width_after == std::vector<Index>{8, 8, classes});
  CHECK(gcn.weights[1] == 8 * 8 + 8);
  CHECK(gcn.encoder_weights == 0);
  const auto gcnii = pipeline::traffic_shape({.layer = "gcnii", .layers = 3, .hidden = 8}, data->schema(), false);
  CHECK(gcnii.halo_forward == std::vector<Index>{8, 8, 8});
  CHECK(gcnii.halo_backward == gcnii.halo_forward);
  CHECK(gcnii.carried_widths.size() == 1);
  CHECK(gcnii.encoder_weights == features * 8 + 8);
  CHECK(gcnii.head_weights == 8 * classes + classes);
  // Historical rows travel before the projection, their gradients after it.
  const layers::ModelOptions gat{.layer = "gat", .layers = 2, .hidden = 8, .layer_options = {{"heads", "2"}}};
  CHECK(pipeline::traffic_shape(gat, data->schema(), true).halo_forward[1] == 8);
  CHECK(pipeline::traffic_shape(gat, data->schema(), true).halo_backward[1] == classes);
  CHECK(pipeline::traffic_shape(gat, data->schema(), false).halo_forward[1] == classes);
}

TEST_CASE("predicted bytes are those of the ledger, in every mode") {
  for (const bool directed : {false, true}) {
    const auto data = block_model_dataset({.vertices = 90, .sparse_features = directed, .directed = directed});
    CAPTURE(directed);
    for (const auto& net : topology_nets(core::DType::kFloat32, 4)) {
      CAPTURE(name_of_net(net));
      for (const Topology& t : {Topology{2, 1, 4}, Topology{1, 3, 1}, Topology{2, 2, 4}, Topology{2, 2, 1}}) {
        CAPTURE(t.stages);
        CAPTURE(t.parts);
        CAPTURE(t.chunks);
        check_ledger(net, *data, options_of(t));
      }
      TrainOptions exact = options_of({2, 2, 4});
      exact.distribution.history.staleness = 0;
      check_ledger(net, *data, exact);
      TrainOptions plain = options_of({1, 2, 1});
      plain.distribution.overlap = false;
      check_ledger(net, *data, plain);
      plain.distribution.halo.stale = true;
      check_ledger(net, *data, plain);
    }
  }
}

TEST_CASE("the traffic that partition metrics predict is that of the ledger") {
  for (const bool directed : {false, true}) {
    CAPTURE(directed);
    const auto data = block_model_dataset({.vertices = 90, .directed = directed});
    const layers::ModelOptions net{.layer = "sage", .layers = 4, .hidden = 8};
    const auto shape = pipeline::traffic_shape(net, data->schema(), true);
    const Index parameters = std::accumulate(shape.weights.begin(), shape.weights.end(), Index{0});
    CHECK(shape.encoder_weights + shape.head_weights == 0);
    for (const Topology& t : {Topology{4, 1, 4}, Topology{1, 3, 1}, Topology{2, 2, 1}}) {
      CAPTURE(t.stages);
      CAPTURE(t.parts);
      const auto parts =
          partition::Partitioners::instance().run("range", *data->graph(), {.parts = t.parts, .seed = 1});
      const std::vector<Index> inside(3, net.hidden);  // the first aggregation is of constant inputs
      const std::vector<Index> between(static_cast<std::size_t>(t.stages - 1), net.hidden);
      const auto predicted =
          partition::predict_traffic(partition::measure(*data->graph(), parts), {inside, between, parameters});
      const double floats = t.parts == 1    ? predicted.pipeline_floats
                            : t.stages == 1 ? predicted.graph_parallel_floats
                                            : predicted.hybrid_floats;
      const pipeline::Ledger ledger = ledger_of(net, *data, options_of(t));
      CHECK(static_cast<double>(ledger.training_bytes() - ledger[Cause::kFraming]) == 4 * floats);
    }
  }
}

TEST_CASE("predicted bytes of compressed messages") {
  const auto data = block_model_dataset({.vertices = 90});
  for (const Codec codec : {Codec::kBfloat16, Codec::kInt8}) {
    CAPTURE(std::string(name_of(codec)));
    for (const Topology& t : {Topology{2, 1, 4}, Topology{1, 3, 1}, Topology{2, 2, 4}}) {
      TrainOptions o = options_of(t);
      o.distribution.compression = {codec, codec, codec, 1};
      check_ledger({.layer = "gcnii", .layers = 4, .hidden = 8}, *data, o);
    }
  }
}

TEST_CASE("a simulated epoch of every mode ends, and takes as long as the work on one core") {
  const auto data = block_model_dataset({.vertices = 90});
  const layers::ModelOptions net{.layer = "sage", .layers = 4, .hidden = 8, .residual = true};
  const auto slices = pipeline::slice_costs(pipeline::CutGraph(partition::Layout(90), *data->graph()), 4);
  // Forward and backward, of 4 layers, at 1 ms a unit.
  const double work = 2 * 4 * slices.front();
  for (const Topology& t : {Topology{1, 1, 1}, Topology{2, 1, 4}, Topology{1, 3, 1}, Topology{2, 2, 4}}) {
    CAPTURE(t.stages);
    CAPTURE(t.parts);
    const auto programs = programs_of(net, *data, options_of(t));
    const auto shared = pipeline::simulate(programs.devices, machine(t.devices(), 1));
    const bool halves = t.parts > 1 && t.stages == 1;
    CHECK(shared.epoch_ms == doctest::Approx(halves ? 2 * work : work));
    const auto own = pipeline::simulate(programs.devices, machine(t.devices(), static_cast<double>(t.devices())));
    CHECK(own.epoch_ms <= shared.epoch_ms * (1 + 1e-9));
    CHECK(own.epoch_ms >= shared.epoch_ms / static_cast<double>(t.devices()) * (1 - 1e-9));
  }
}

TEST_CASE("candidates") {
  const auto has = [](const std::vector<Topology>& all, const Topology& t) {
    return std::find(all.begin(), all.end(), t) != all.end();
  };
  const auto four = pipeline::candidate_topologies({.devices = 4}, 32, 5000);
  CHECK(has(four, {1, 4, 1}));
  CHECK(has(four, {4, 1, 32}));
  CHECK(has(four, {2, 2, 16}));
  for (const Topology& t : four) CHECK(t.devices() == 4);
  const auto fewer = pipeline::candidate_topologies({.devices = 4, .fewer = true}, 32, 5000);
  CHECK(has(fewer, {1, 1, 1}));
  CHECK(has(fewer, {2, 1, 16}));
  // Not more stages than layers, nor slices of a vertex or two.
  for (const Topology& t : pipeline::candidate_topologies({.devices = 4}, 2, 5000)) CHECK(t.stages <= 2);
  for (const Topology& t : pipeline::candidate_topologies({.devices = 4}, 32, 100)) CHECK(t.chunks * t.parts <= 25);
  const auto fixed = pipeline::candidate_topologies({.devices = 4, .stages = 2, .chunks = 6}, 32, 5000);
  CHECK(fixed == std::vector<Topology>{{2, 2, 6}});
  CHECK(pipeline::candidate_topologies({.devices = 4, .parts = 3}, 32, 5000).empty());
}

TEST_CASE("the best is the fastest, and of equals the one that sends least") {
  std::vector<pipeline::CostPrediction> all(3);
  all[0].epoch_ms = 10.1;
  all[1].epoch_ms = 10;
  all[1].ledger.add(Cause::kHaloForward, 100);
  all[2].epoch_ms = 12;
  CHECK(&pipeline::best_of(all) == all.data());
  all[0].messages = 5;
  CHECK(&pipeline::best_of(all) == &all[1]);
  all[1].messages = 6;
  CHECK(&pipeline::best_of(all) == all.data());
  all[0].epoch_ms = 10.6;
  CHECK(&pipeline::best_of(all) == &all[1]);
  CHECK_THROWS_AS(pipeline::best_of({}), Error);
}

TEST_CASE("a prediction on this machine is complete") {
  const auto data = block_model_dataset();
  const layers::ModelOptions net{.layer = "gcnii", .layers = 6, .hidden = 16};
  TrainOptions options = options_of({});
  pipeline::DeviceSetting setting;
  setting.host_of = {0, 0, 0, 0};
  setting.cores_per_host = 2;
  setting.link = {100, 50};
  pipeline::CostModel model(net, *data, options, setting);
  for (const Topology& t : {Topology{1, 1, 1}, Topology{4, 1, 8}, Topology{1, 4, 1}, Topology{2, 2, 8}}) {
    CAPTURE(std::string(mode_of(t)));
    const pipeline::CostPrediction p = model.predict(t);
    CHECK(p.topology == t);
    CHECK(p.epoch_ms > 0);
    CHECK(p.core_ms > 0);
    CHECK(p.epoch_ms * setting.cores_per_host >= p.core_ms * (1 - 1e-9));
    CHECK(p.busy_share() > 0);
    CHECK(p.busy_share() <= 1 + 1e-9);
    CHECK((p.bytes() > 0) == (t.devices() > 1));
    CHECK((p.h_in > 0) == (t.parts > 1));
    CHECK(static_cast<Index>(p.devices.size()) == t.devices());
    CHECK((p.table_bytes > 0) == (t.devices() > 1));
    options.distribution.topology = t;
    CHECK(p.bytes() == ledger_of(net, *data, options).training_bytes());
  }
  CHECK(model.predict({4, 1, 8}).bubble == doctest::Approx(3.0 / 11));
  CHECK_THROWS_AS(model.predict({5, 1, 8}), Error);
  CHECK_THROWS_AS(model.predict({1, 2, 500}), UsageError);
}

TEST_CASE("modes by their topology") {
  CHECK(mode_of(Topology{1, 1, 1}) == "single");
  CHECK(mode_of(Topology{4, 1, 8}) == "pipeline");
  CHECK(mode_of(Topology{1, 4, 1}) == "graph");
  CHECK(mode_of(Topology{2, 2, 8}) == "hybrid");
}

TEST_CASE("all devices see the same network") {
  auto ends = pipeline::make_local_transports(3, {1000, 100});
  std::vector<pipeline::MeasuredNetwork> seen(3);
  std::vector<std::thread> threads;
  for (std::size_t d = 0; d < 3; ++d) {
    threads.emplace_back([&, d] { seen[d] = pipeline::measure_network(*ends[d]); });
  }
  for (std::thread& t : threads) t.join();
  for (const auto& network : seen) {
    CHECK(network.host_of == std::vector<Index>{0, 0, 0});
    CHECK(network.link.mbps > 0);
    CHECK(network.link.mbps == seen[0].link.mbps);
    CHECK(network.link.latency_us >= 100);
    CHECK(network.link.latency_us == seen[0].link.latency_us);
  }
  auto alone = pipeline::make_local_transports(1);
  CHECK(pipeline::measure_network(*alone[0]).link.mbps == 0);
}
