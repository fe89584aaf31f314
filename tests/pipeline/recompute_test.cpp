/// Activations that are made again rather than kept: not a bit of any number changes, on any topology, and what falls
/// is the memory.
#include "laminar/pipeline/recompute.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/memory_estimate.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::DType;
using core::Index;
using core::MemoryPurpose;
using pipeline::Recompute;
using pipeline::ScheduleKind;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;
using pipeline::TrainResult;

namespace {

constexpr Index kEpochs = 3;

/// All that a training gives but times and memory.
struct Training {
  std::vector<double> figures;
  std::vector<std::uint64_t> sent;
  std::map<std::string, core::Tensor> tensors;
  TrainResult result;
};

Training trained(Trainer& trainer) {
  Training n;
  n.result = trainer.run();
  for (const auto& e : n.result.epochs) {
    n.figures.insert(n.figures.end(), {e.loss, e.fidelity.cosine, e.evaluation.val_metric, e.evaluation.val_loss});
    n.figures.insert(n.figures.end(), e.staleness.begin(), e.staleness.end());
    n.sent.insert(n.sent.end(), e.ledger.bytes.begin(), e.ledger.bytes.end());
    n.sent.insert(n.sent.end(), e.ledger.messages.begin(), e.ledger.messages.end());
  }
  const pipeline::Checkpoint c = trainer.checkpoint();
  for (const auto* list : {&c.weights, &c.optimizer, &c.tables}) {
    for (const auto& t : *list) n.tensors.emplace(t.name, t.value.clone());
  }
  return n;
}

Training trained(const layers::ModelOptions& net, const core::Dataset& data, TrainOptions options,
                 Recompute recompute) {
  options.recompute = recompute;
  Trainer trainer(net, data, options);
  return trained(trainer);
}

void check_same(const Training& found, const Training& expected) {
  CHECK(found.figures == expected.figures);
  CHECK(found.sent == expected.sent);
  REQUIRE(found.tensors.size() == expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    CAPTURE(name);
    CHECK(same_bits(found.tensors.at(name), tensor));
  }
}

std::vector<layers::ModelOptions> nets() {
  return {{.layer = "gcn", .hidden = 8, .input_dropout = 0.2},
          {.layer = "gat", .hidden = 8, .layer_options = {{"heads", "2"}, {"attention_dropout", "0.3"}}},
          {.layer = "gcnii", .hidden = 8, .input_dropout = 0.2},
          {.layer = "sage", .hidden = 8, .residual = true, .layer_options = {{"aggregator", "max"}}},
          {.layer = "sage", .hidden = 8, .residual = true},
          {.layer = "sage", .hidden = 8, .norm = layers::Norm::kBatch},
          // A plugin, which more_layers_test.cpp has brought into this program.
          {.layer = "dir_gnn", .hidden = 8},
          {.layer = "gcn", .hidden = 8, .jumping = layers::Jumping::kMax}};
}

/// Ways to spread a training, by name.
std::map<std::string, TrainOptions> spreads() {
  std::map<std::string, TrainOptions> all;
  const auto add = [&](const std::string& name, const Topology& topology) -> pipeline::DistributionOptions& {
    TrainOptions& o = all[name] = training_on(topology, kEpochs);
    o.clip_norm = 1;
    o.distribution.fidelity_every = 2;
    return o.distribution;
  };
  add("single", {});
  add("pipeline of one chunk", {.stages = 2});
  add("graph", {.parts = 3});
  add("stale halos", {.parts = 2}).halo.stale = true;
  add("history", {.stages = 2, .chunks = 4});
  add("history, look-ahead", {.chunks = 3}).history.gradient = pipeline::HistoryGradient::kLook;
  add("history, 1f1b", {.stages = 3, .chunks = 6}).schedule = ScheduleKind::kOneForwardOneBackward;
  auto& kept = add("history that is rounded, smoothed and frozen", {.stages = 2, .chunks = 4}).history;
  kept.dtype = pipeline::StoreType::kBfloat16;
  kept.smoothing = 0.3;
  kept.freeze = 2;
  add("hybrid, history", {.stages = 2, .parts = 2, .chunks = 4});
  add("wavefront", {.stages = 2, .chunks = 4}).history.staleness = 0;
  add("hybrid, wavefront", {.stages = 2, .parts = 2, .chunks = 3}).history.staleness = 0;
  auto& sequential = add("sequential", {.chunks = 3});
  sequential.history.staleness = 0;
  sequential.schedule = ScheduleKind::kSequential;
  return all;
}

double peak(const TrainResult& r, MemoryPurpose purpose) {
  return static_cast<double>(r.peak_bytes[static_cast<std::size_t>(purpose)]);
}

}  // namespace

TEST_CASE("activations that are made again have the bits of those that were kept, on all topologies") {
  std::map<std::string, std::size_t> recomputed;
  for (const bool directed : {false, true}) {
    const auto data = block_model_dataset({.vertices = 90, .sparse_features = directed, .directed = directed});
    DType precision = DType::kFloat64;
    for (auto net : nets()) {
      if (!directed) precision = precision == DType::kFloat32 ? DType::kBfloat16 : DType::kFloat32;
      net.precision = precision;
      net.layers = 3;
      CAPTURE(name_of_net(net));
      CAPTURE(std::string(core::name_of(precision)));
      for (auto [name, options] : spreads()) {
        const bool in_pieces = options.distribution.topology.chunks > 1 || options.distribution.halo.stale;
        if (net.norm == layers::Norm::kBatch && in_pieces) continue;
        CAPTURE(name);
        const Training kept = trained(net, *data, options, Recompute::kNever);
        options.threads = directed ? 1 : 4;
        const Training again = trained(net, *data, options, Recompute::kAlways);
        check_same(again, kept);
        CHECK(kept.result.epochs.back().recompute_ms == 0);
        for (const auto& device : kept.result.recomputed) CHECK(device.empty());
        for (const auto& device : again.result.recomputed) recomputed[name] += device.size();
        if (net.norm == layers::Norm::kBatch && name == "graph") CHECK_FALSE(again.result.recomputed[0].empty());
      }
    }
  }
  for (const auto& [name, times] : recomputed) {
    CAPTURE(name);
    CHECK(times > 0);
  }
}

TEST_CASE("of sampled halos the same rows are read again") {
  const auto data = block_model_dataset({.vertices = 90});
  for (const bool overlap : {false, true}) {
    TrainOptions options = training_on({.parts = 2}, kEpochs);
    options.distribution.halo.rate = 0.3;
    options.distribution.overlap = overlap;
    const layers::ModelOptions net{.layer = "sage", .layers = 4, .hidden = 8, .residual = true};
    const Training again = trained(net, *data, options, Recompute::kAlways);
    CHECK_FALSE(again.result.recomputed[0].empty());
    check_same(again, trained(net, *data, options, Recompute::kNever));
  }
}

TEST_CASE("chunks that no edge joins may be through before others begin") {
  datasets::GraphData blocks = block_model({.vertices = 90});
  std::vector<core::VertexId> sources, targets;
  auto chunk_of = std::make_shared<std::vector<std::int32_t>>();
  for (Index v = 0; v < blocks.graph->num_vertices(); ++v) {
    chunk_of->push_back(static_cast<std::int32_t>(v % 3));
    for (core::EdgeId e = blocks.graph->in_offsets()[v]; e < blocks.graph->in_offsets()[v + 1]; ++e) {
      const core::VertexId u = blocks.graph->in_sources()[e];
      if (u % 3 != v % 3) continue;
      sources.push_back(u);
      targets.push_back(static_cast<core::VertexId>(v));
    }
  }
  blocks.graph = std::make_shared<core::Graph>(core::Graph::from_edges(90, sources, targets, {}, false));
  const auto data = datasets::from_memory(std::move(blocks));
  for (const Index stages : {1, 2}) {
    for (const char* layer : {"gat", "pna"}) {
      TrainOptions options = training_on({.stages = stages, .chunks = 3}, kEpochs);
      options.distribution.history.staleness = 0;
      options.distribution.chunk_of = chunk_of;
      const layers::ModelOptions net{.layer = layer, .layers = 3, .hidden = 8};
      const Training again = trained(net, *data, options, Recompute::kAlways);
      CHECK_FALSE(again.result.recomputed[0].empty());
      check_same(again, trained(net, *data, options, Recompute::kNever));
    }
  }
}

TEST_CASE("a layer is recorded again once for each slice, but for the tape that is read next") {
  const auto data = block_model_dataset({.vertices = 90});
  const layers::ModelOptions net{.layer = "gat", .layers = 4, .hidden = 8};
  const auto recomputed = [&](const Topology& topology) {
    const Training n = trained(net, *data, training_on(topology, kEpochs), Recompute::kAlways);
    CHECK(n.result.epochs.back().recompute_ms > 0);
    return n.result.recomputed;
  };
  const auto single = recomputed({});
  REQUIRE(single.size() == 1);
  REQUIRE(single[0].size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& span = single[0][i];
    CHECK(span.step ==
          pipeline::Step{pipeline::Step::Kind::kForward, 0, 2 - static_cast<Index>(i), 3 - static_cast<Index>(i)});
    CHECK(span.begin_ms <= span.end_ms);
  }
  // Of two stages of two layers and four chunks each, the last chunk's second layer is read at once.
  for (const auto& device : recomputed({.stages = 2, .chunks = 4})) CHECK(device.size() == 2 * 4 - 1);
}

TEST_CASE("each further layer costs its input and no more") {
  constexpr Index kVertices = 640;
  constexpr Index kHidden = 16;
  const auto data = block_model_dataset({.vertices = kVertices});
  /// Rows of its part that a further layer takes activations for, as many bytes as a state has a row being 1.
  const auto rows_of_a_layer = [&](const char* layer, const TrainOptions& options, Recompute recompute) {
    const auto activations = [&](Index layers) {
      const layers::ModelOptions net{.layer = layer, .layers = layers, .hidden = kHidden};
      return peak(trained(net, *data, options, recompute).result, MemoryPurpose::kActivations);
    };
    return (activations(12) - activations(8)) / (4 * kHidden * sizeof(float));
  };
  const TrainOptions parts = training_on({.parts = 2}, 2);
  const layers::ModelOptions any{.hidden = kHidden};
  const Trainer on_parts(any, *data, parts);
  const partition::Layout& layout = on_parts.plan().cut->layout;
  const auto largest_part = static_cast<double>(std::max(layout.part(0).size(), layout.part(1).size()));
  for (const char* layer : {"gat", "sage", "pna"}) {
    CAPTURE(std::string(layer));
    CHECK(rows_of_a_layer(layer, training_on({}, 2), Recompute::kAlways) == kVertices);
    CHECK(rows_of_a_layer(layer, training_on({}, 2), Recompute::kNever) >= 1.9 * kVertices);
  }
  // These keep what their weights are multiplied with and a bit an element, no more than their input would take: then
  // nothing is made again.
  for (const char* layer : {"gcn", "gcnii"}) {
    CAPTURE(std::string(layer));
    for (const Recompute recompute : {Recompute::kAlways, Recompute::kNever}) {
      CHECK(rows_of_a_layer(layer, training_on({}, 2), recompute) == kVertices + kVertices / 32);
    }
  }
  // What a layer hands on besides its state, here what all layers' states come to, is none of what it keeps.
  for (const layers::Jumping jumping : {layers::Jumping::kSum, layers::Jumping::kCat}) {
    const auto activations = [&](Recompute recompute) {
      const layers::ModelOptions net{.layer = "gcn", .layers = 12, .hidden = kHidden, .jumping = jumping};
      return peak(trained(net, *data, training_on({}, 2), recompute).result, MemoryPurpose::kActivations);
    };
    CHECK(activations(Recompute::kAlways) <= activations(Recompute::kNever));
  }
  // Sums that are linear keep as little as the halo's rows are.
  for (const char* layer : {"gat", "sage", "pna"}) {
    CAPTURE(std::string(layer));
    CHECK(rows_of_a_layer(layer, parts, Recompute::kAlways) == doctest::Approx(largest_part).epsilon(.05));
    CHECK(rows_of_a_layer(layer, parts, Recompute::kNever) >= 1.9 * largest_part);
  }
}

TEST_CASE("where rows of others must be kept, no mode takes more than all activations and a layer's table") {
  constexpr Index kVertices = 640;
  constexpr Index kHidden = 16;
  const auto data = block_model_dataset({.vertices = kVertices});
  const std::size_t table_bytes = kVertices * kHidden * sizeof(float);
  for (const char* layer : {"gcn", "gat", "gcnii", "sage"}) {
    CAPTURE(std::string(layer));
    const layers::ModelOptions net{.layer = layer, .layers = 8, .hidden = kHidden};
    for (const char* name : {"graph", "stale halos", "history", "wavefront", "sequential"}) {
      CAPTURE(std::string(name));
      const TrainOptions options = spreads().at(name);
      const TrainResult kept = trained(net, *data, options, Recompute::kNever).result;
      const TrainResult again = trained(net, *data, options, Recompute::kAlways).result;
      for (std::size_t d = 0; d < kept.device_memory.size(); ++d) {
        CHECK(again.device_memory[d].peak_bytes_total <= kept.device_memory[d].peak_bytes_total + table_bytes);
      }
    }
  }
}

TEST_CASE("with history a layer is recorded again where it keeps more than rows that were overwritten") {
  const auto data = block_model_dataset({.vertices = 640});
  const auto bytes = [&](const char* layer, Recompute recompute) {
    const layers::ModelOptions net{.layer = layer, .layers = 8, .hidden = 16};
    return trained(net, *data, training_on({.chunks = 4}, 3), recompute).result;
  };
  const TrainResult gat = bytes("gat", Recompute::kAlways);
  CHECK(gat.recomputed[0].size() == 8 * 4 - 1);
  CHECK(gat.peak_bytes_total < bytes("gat", Recompute::kNever).peak_bytes_total);
  // Where the gradient is pulled, what a tape keeps is as large as the overwritten rows; but for encoder and head.
  const TrainResult gcnii = bytes("gcnii", Recompute::kAlways);
  for (const auto& span : gcnii.recomputed[0]) CHECK((span.step.layer_begin == 0 || span.step.layer_end == 8));
  CHECK(gcnii.peak_bytes_total <= bytes("gcnii", Recompute::kNever).peak_bytes_total);
}

TEST_CASE("the estimate knows of activations that are made again") {
  const auto data = block_model_dataset({.vertices = 1200});
  for (const layers::ModelOptions& model :
       {layers::ModelOptions{.layer = "gcn", .layers = 6, .hidden = 32},
        layers::ModelOptions{.layer = "sage", .layers = 8, .hidden = 32, .residual = true},
        layers::ModelOptions{.layer = "gat", .layers = 4, .hidden = 32},
        layers::ModelOptions{.layer = "gcnii", .layers = 16}}) {
    CAPTURE(model.layer);
    TrainOptions options = training_on({}, 3);
    options.recompute = Recompute::kAlways;
    const auto e = pipeline::estimate_memory(model, data->schema(), options);
    const TrainResult r = trained(model, *data, options, Recompute::kAlways).result;
    CHECK(static_cast<double>(e.activations_bytes) ==
          doctest::Approx(peak(r, MemoryPurpose::kActivations)).epsilon(.1));
    CHECK(static_cast<double>(e.gradients_bytes) == doctest::Approx(peak(r, MemoryPurpose::kGradients)).epsilon(.15));
    options.recompute = Recompute::kNever;
    CHECK(e.total() < pipeline::estimate_memory(model, data->schema(), options).total());
  }
}

TEST_CASE("a checkpoint goes on either way, to the same bits") {
  const auto data = block_model_dataset({.vertices = 90});
  const layers::ModelOptions net{.layer = "gat", .layers = 4, .hidden = 8, .residual = true};
  const TemporaryFolder folder;
  const TrainOptions options = training_on({.stages = 2, .chunks = 4}, kEpochs);
  const Training whole = trained(net, *data, options, Recompute::kNever);
  for (const Recompute first : {Recompute::kNever, Recompute::kAlways}) {
    TrainOptions half = options;
    half.stop_after = 1;
    half.checkpoint = folder.path() / "half.h5";
    trained(net, *data, half, first);
    TrainOptions rest = options;
    rest.recompute = first == Recompute::kNever ? Recompute::kAlways : Recompute::kNever;
    Trainer trainer(net, *data, rest);
    trainer.resume(pipeline::read_checkpoint(half.checkpoint));
    const Training found = trained(trainer);
    CHECK(found.result.loss == whole.result.loss);
    for (const auto& [name, tensor] : whole.tensors) CHECK(same_bits(found.tensors.at(name), tensor));
  }
}

TEST_CASE("auto recomputes where all activations would not fit") {
  const auto data = block_model_dataset({.vertices = 1200});
  const layers::ModelOptions net{.layer = "gcnii", .layers = 16};
  const core::DatasetSchema& schema = data->schema();
  TrainOptions options = training_on({}, 1);
  const auto decide = [&](Recompute asked, std::uint64_t available, const pipeline::Transport* rank = nullptr) {
    options.recompute = asked;
    return pipeline::decide_recompute(net, schema, options, rank, available);
  };
  const auto total = pipeline::estimate_memory(net, schema, options).total();
  constexpr auto kAuto = Recompute::kAuto;
  CHECK_FALSE(decide(kAuto, 2 * total).recomputes);
  CHECK(decide(kAuto, total).recomputes);
  CHECK(decide(kAuto, 1).recomputes);
  CHECK_FALSE(decide(kAuto, 0).recomputes);
  CHECK(decide(Recompute::kAlways, 2 * total).recomputes);
  CHECK_FALSE(decide(Recompute::kNever, 1).recomputes);
  CHECK(decide(Recompute::kNever, 1).why == "never, as asked");
  CHECK(decide(kAuto, 3ULL << 30U).why.find("3 GiB are available") != std::string::npos);
  // Two processes on two hosts have half of the activations each.
  const auto ranks = pipeline::make_local_transports(2);
  CHECK_FALSE(decide(kAuto, total, ranks[0].get()).recomputes);
  CHECK(decide(kAuto, total / 2, ranks[0].get()).recomputes);
  CHECK(pipeline::available_memory() > 0);
  // A training decides for itself.
  CHECK(trained(net, *data, options, kAuto).result.recomputed[0].empty());
}

TEST_CASE("ways to recompute have names") {
  for (const Recompute recompute : {Recompute::kAuto, Recompute::kNever, Recompute::kAlways}) {
    CHECK(pipeline::recompute_from_name(name_of(recompute)) == recompute);
  }
  CHECK_THROWS_WITH_AS(pipeline::recompute_from_name("maybe"),
                       "'maybe' is no way to recompute; use auto, never or always", UsageError);
}
