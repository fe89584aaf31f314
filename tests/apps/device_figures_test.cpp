#include "laminar/apps/device_figures.hpp"

#include <doctest/doctest.h>

#include "laminar/tests/apps/report_data.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using pipeline::Cause;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A ring 0 <- 1 <- ... <- n-1 <- 0, cut into consecutive parts.
pipeline::Plan ring_plan(Index n, const pipeline::Topology& topology) {
  std::vector<core::EdgeId> offsets;
  std::vector<core::VertexId> sources;
  partition::Partition parts{topology.parts, {}};
  partition::Partition chunks{topology.chunks, {}};
  for (Index v = 0; v < n; ++v) {
    offsets.push_back(static_cast<core::EdgeId>(v));
    sources.push_back(static_cast<core::VertexId>((v + 1) % n));
    parts.part_of.push_back(static_cast<std::int32_t>(v * topology.parts / n));
    chunks.part_of.push_back(static_cast<std::int32_t>(v * topology.chunks / n));
  }
  offsets.push_back(static_cast<core::EdgeId>(n));
  pipeline::Plan plan;
  plan.topology = topology;
  plan.cut = std::make_shared<pipeline::CutGraph>(
      partition::Layout(parts, chunks),
      core::Graph::from_in_csr(n, std::move(offsets), std::move(sources), {}, /*directed=*/true));
  return plan;
}

layers::Model net(Index num_layers, bool residual) {
  core::DatasetSchema schema;
  schema.num_vertices = 40;
  schema.num_features = 5;
  schema.task = core::Task::kClassification;
  schema.num_outputs = 3;
  return layers::Model({.layer = "gcn", .layers = num_layers, .hidden = 8, .residual = residual}, schema);
}

}  // namespace

TEST_CASE("devices are called by what there are several of") {
  CHECK(device_name({1, 1, 8}, 0) == "device 0");
  CHECK(device_name({4, 1, 8}, 2) == "device 2: stage 2");
  CHECK(device_name({1, 4, 1}, 3) == "device 3: part 3");
  CHECK(device_name({2, 3, 4}, 4) == "device 4: stage 1, part 1");
}

TEST_CASE("medians over epochs, each cause and device on its own") {
  std::vector<pipeline::EpochRecord> epochs(3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto x = static_cast<double>(i);
    epochs[i].devices = {{10 + x, 2, 0.5}, {20, 9 - 4 * x, 1}};
    epochs[i].ledger.add(Cause::kWeights, 100 * (i + 1));
  }
  epochs[1].evaluated = true;
  epochs[1].ledger.add(Cause::kEvaluation, 5000);
  const auto times = typical_times(epochs);
  REQUIRE(times.size() == 2);
  CHECK(times[0].busy_ms == 11);
  CHECK(times[1].wait_ms == 5);
  CHECK(times[1].send_ms == 1);
  const pipeline::Ledger traffic = typical_traffic(epochs);
  CHECK(traffic[Cause::kWeights] == 200);
  CHECK(traffic[Cause::kEvaluation] == 5000);
  CHECK(traffic[Cause::kOther] == 0);
  // Records that a checkpoint brought along know of no devices.
  epochs[0].devices.clear();
  CHECK(typical_times(epochs)[0].busy_ms == 11.5);
  CHECK(typical_traffic(epochs)[Cause::kWeights] == 250);
  CHECK(typical_times({}).empty());
  CHECK(typical_traffic({}).training_bytes() == 0);
}

TEST_CASE("a pipeline without a gap idles as the formula says") {
  ReportShape shape = {.epochs = 2};
  for (const pipeline::Topology t : {pipeline::Topology{4, 1, 32}, {2, 1, 3}, {3, 2, 5}}) {
    shape.topology = t;
    const auto spans = make_report_data(shape).results.front().spans;
    CHECK(epoch_ms_of(spans) == doctest::Approx(6.0 * static_cast<double>(t.chunks + t.stages - 1)));
    // The last of the first stage to go backward ends the epoch; waiting is all that is idle.
    CHECK(idle_share(spans) == doctest::Approx(ideal_bubble(t)).epsilon(1e-9));
  }
  CHECK(ideal_bubble({4, 1, 32}) == doctest::Approx(3.0 / 35));
  CHECK(ideal_bubble({1, 4, 1}) == 0);
  CHECK(idle_share({}) == 0);
  CHECK(epoch_ms_of({{}, {}}) == 0);
}

TEST_CASE("which mode should win follows from the halo") {
  // Four parts of a directed ring: each receives one row forward and one backward.
  const pipeline::Plan graph = ring_plan(40, {1, 4, 1});
  const ModeComparison few = compare_modes(graph, net(3, true), "laminar", 1);
  CHECK(few.devices == 4);
  CHECK(few.aggregations == 3);
  CHECK(few.h_in == doctest::Approx(0.1));
  CHECK(few.h_out == doctest::Approx(0.1));
  CHECK(few.cut == "this run's cut");
  CHECK(few.graph_rows() == doctest::Approx(0.6));
  CHECK(few.pipeline_rows() == 6);
  const std::string text = modes_text(few);
  CAPTURE(text);
  CHECK(has(text, "L (h_in + h_out) = 3 x (0.10 + 0.10) = 0.6"));
  CHECK(has(text, "graph parallelism sends 10.0 times less and should win"));
  // Without an encoder the first aggregation is of the features, which never change.
  CHECK(compare_modes(graph, net(3, false), "laminar", 1).aggregations == 2);
  const ModeComparison deep = compare_modes(graph, net(60, true), "laminar", 1);
  CHECK(has(modes_text(deep), "a pipeline sends 2.0 times less and should win"));
  const ModeComparison none = compare_modes(graph, net(1, false), "laminar", 1);
  CHECK(has(modes_text(none), "nothing travels"));

  // A pipeline has no parts of its own: the graph is cut for the comparison.
  const ModeComparison cut = compare_modes(ring_plan(40, {4, 1, 8}), net(3, true), "laminar", 1);
  CHECK(cut.devices == 4);
  CHECK(cut.cut == "a cut by laminar");
  CHECK(cut.h_in >= 0.1);
  // It is the strategy that graph parallelism would take: every vertex of a ring dealt out in turn has its neighbour
  // elsewhere.
  const ModeComparison dealt = compare_modes(ring_plan(40, {4, 1, 8}), net(3, true), "hash", 1);
  CHECK(dealt.cut == "a cut by hash");
  CHECK(dealt.h_in > cut.h_in);
  const ModeComparison tiny = compare_modes(ring_plan(3, {4, 1, 1}), net(3, true), "laminar", 1);
  CHECK(tiny.cut.empty());
  CHECK(has(modes_text(tiny), "fewer vertices than devices"));
  CHECK(modes_text({}).empty());
}

TEST_CASE("the block for the terminal") {
  pipeline::Plan plan = ring_plan(40, {2, 1, 4});
  ReportShape shape = {.epochs = 3};
  shape.topology = plan.topology;
  const auto epochs = make_report_data(shape).results.front().epochs;
  const std::string text = devices_text(plan, epochs);
  CAPTURE(text);
  CHECK(has(text, "medians of epochs 1 to 3, ms"));
  CHECK(has(text, "device 1: stage 1"));
  CHECK(has(text, "stage_forward                  1.2 MiB"));
  CHECK(has(text, "(S - 1) / (K + S - 1) = 20 %"));
  CHECK(has(text, "waiting is 11 % of"));
  CHECK(!has(text, "halo"));
  CHECK(devices_text(plan, {}).empty());
}

}  // namespace laminar::apps
