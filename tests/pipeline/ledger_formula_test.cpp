/// What travels in an epoch, by cause and to the byte, against formulas that know the graph, the parts and the widths
/// only. N vertices; h = pairs (part, vertex of another part that it reads); boundaries b of stages:
///   stage forward = stage backward = sum_b N (d_b + what is carried and not made again),
///   halo forward = halo backward = sum over aggregations of learnt rows of h d_l,
///   weights = 2 (P - 1) W, and 2 (S P - 1) W_encoder where every stage has the encoder.
#include <set>

#include <doctest/doctest.h>

#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::DType;
using core::Index;
using core::VertexId;
using pipeline::Cause;
using pipeline::Codec;
using pipeline::Plan;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

constexpr Index kLayers = 4;
constexpr Index kHidden = 8;
constexpr Index kClasses = 3;
constexpr Index kHeads = 2;

layers::ModelOptions net_of(const std::string& layer, bool residual, DType precision) {
  layers::ModelOptions net{.layer = layer, .layers = kLayers, .hidden = kHidden, .residual = residual};
  net.precision = precision;
  if (layer == "gat") net.layer_options["heads"] = std::to_string(kHeads);
  return net;
}

/// Widths of what layer l reads of others and of the gradient that it sends back; 0 for input features, which every
/// part has of its halo.
std::pair<Index, Index> halo_widths(const layers::ModelOptions& net, Index l, bool history, bool stale) {
  const bool plain = !net.residual && net.layer != "gcnii";
  if (plain && l == 0) return {0, 0};
  const bool output = plain && l == kLayers - 1;
  // Stale rows are projected by those who read them.
  if (stale) return {kHidden, kHidden};
  // What is projected before it is aggregated travels where that is narrower; history holds rows before the projection,
  // their gradients are those of projected rows.
  if (net.layer == "gcn" && output && !history) return {kClasses, kClasses};
  if (net.layer == "gat" && output) return {history ? kHidden : kClasses, kClasses};
  return {kHidden, kHidden};
}

struct Expected {
  std::array<std::uint64_t, pipeline::kNumCauses> bytes = {};
  std::uint64_t messages = 0;
  Codec stage, halo, weights;
  std::uint64_t native = 4;

  std::uint64_t size_of(Codec codec) const {
    return codec == Codec::kNative ? native : codec == Codec::kBfloat16 ? 2 : 1;
  }
  std::uint64_t& of(Cause cause) { return bytes[static_cast<std::size_t>(cause)]; }
  void rows(Cause cause, Codec codec, Index count, Index width) {
    of(cause) += static_cast<std::uint64_t>(count * width) * size_of(codec);
    if (codec == Codec::kInt8) of(Cause::kFraming) += 4 * static_cast<std::uint64_t>(count);
  }
  void sent(Index count) {
    messages += static_cast<std::uint64_t>(count);
    of(Cause::kFraming) += 20 * static_cast<std::uint64_t>(count);
  }
  /// `numbers` over `devices`, a segment each; rows of 256 share a scale.
  void all_reduce(Index numbers, Index devices) {
    for (Index d = 0; d < devices && devices > 1; ++d) {
      const Index segment = numbers / devices + (d < numbers % devices ? 1 : 0);
      if (segment == 0) continue;
      const Index times = 2 * (devices - 1);
      of(Cause::kWeights) += static_cast<std::uint64_t>(times * segment) * size_of(weights);
      if (weights == Codec::kInt8)
        of(Cause::kFraming) += static_cast<std::uint64_t>(times * ((segment + 255) / 256)) * 4;
      sent(times);
    }
  }
};

/// h, and how many (part, other part, chunk) share something.
std::pair<Index, Index> halo_of(const core::Graph& file_graph, const Plan& plan) {
  const partition::Layout& layout = plan.cut->layout;
  std::set<std::pair<Index, VertexId>> read;
  std::set<std::tuple<Index, Index, Index>> messages;
  const auto place = [&](Index v) { return layout.new_ids()[static_cast<std::size_t>(v)]; };
  for (Index v = 0; v < file_graph.num_vertices(); ++v) {
    for (core::EdgeId e = file_graph.in_offsets()[v]; e < file_graph.in_offsets()[v + 1]; ++e) {
      const VertexId source = file_graph.in_sources()[e];
      const Index reader = layout.part_of(place(v));
      const Index owner = layout.part_of(place(source));
      if (reader == owner) continue;
      read.insert({reader, source});
      messages.insert({reader, owner, layout.chunk_of(place(source))});
    }
  }
  return {static_cast<Index>(read.size()), static_cast<Index>(messages.size())};
}

Expected expected_of(const layers::ModelOptions& net, const core::Dataset& data, const TrainOptions& options,
                     const Plan& plan, const layers::Model& whole) {
  const Topology& t = plan.topology;
  const auto& compression = options.distribution.compression;
  Expected e{.stage = compression.stage, .halo = compression.halo, .weights = compression.weights};
  e.native = core::size_of(net.precision);
  const Index n = data.schema().num_vertices;
  const bool carries = net.layer == "gcnii";
  const Index tensors = carries && !plan.recompute_carried ? 2 : 1;
  for (Index boundary = 1; boundary < t.stages; ++boundary) {
    for (Index i = 0; i < tensors; ++i) {
      e.rows(Cause::kStageForward, e.stage, n, kHidden);
      e.rows(Cause::kStageBackward, e.stage, n, kHidden);
      e.sent(2 * t.parts * plan.cut->layout.num_chunks());
    }
  }
  const bool history = plan.history.staleness > 0;
  const auto [halo, messages] = halo_of(*data.graph(), plan);
  for (Index l = 0; l < kLayers && t.parts > 1; ++l) {
    const auto [forward, backward] = halo_widths(net, l, history, plan.halo.stale);
    if (forward == 0) continue;
    e.rows(Cause::kHaloForward, e.halo, halo, forward);
    e.rows(Cause::kHaloBackward, e.halo, halo, backward);
    e.sent(2 * messages);
  }
  // One bucket a layer, one for the encoder, one for the head.
  std::map<Index, Index> buckets;
  for (std::size_t i = 0; i < whole.parameters().size(); ++i) {
    const auto index = static_cast<Index>(i);
    const Index bucket = whole.layer_of(index) >= 0 ? whole.layer_of(index) : whole.is_of_encoder(index) ? -1 : -2;
    buckets[bucket] += whole.parameters()[i]->value.size();
  }
  for (const auto& [bucket, numbers] : buckets) {
    e.all_reduce(numbers, bucket == -1 && plan.recompute_carried ? t.devices() : t.parts);
  }
  return e;
}

void check(const layers::ModelOptions& net, const core::Dataset& data, const TrainOptions& options) {
  CAPTURE(name_of_net(net));
  CAPTURE(options.distribution.topology.stages);
  CAPTURE(options.distribution.topology.parts);
  CAPTURE(options.distribution.topology.chunks);
  Trainer trainer(net, data, options);
  const auto result = trainer.run();
  const layers::Model whole(net, data.schema());
  Expected e = expected_of(net, data, options, trainer.plan(), whole);
  // The first epoch has no history yet, the last one is evaluated: in none does training send more or less.
  for (const auto& record : result.epochs) {
    CAPTURE(record.epoch);
    for (const Cause cause : {Cause::kStageForward, Cause::kStageBackward, Cause::kHaloForward, Cause::kHaloBackward,
                              Cause::kWeights, Cause::kFraming}) {
      CAPTURE(std::string(name_of(cause)));
      CHECK(record.ledger[cause] == e.of(cause));
    }
    std::uint64_t messages = 0;
    for (std::size_t cause = 0; cause <= static_cast<std::size_t>(Cause::kWeights); ++cause) {
      messages += record.ledger.messages[cause];
    }
    CHECK(messages == e.messages);
    CHECK(record.bytes == record.ledger.training_bytes());
    CHECK((record.ledger[Cause::kEvaluation] > 0) == record.evaluated);
  }
  CHECK(result.bytes_per_epoch == result.epochs.front().bytes);
}

TrainOptions options_of(const Topology& topology, Index staleness = 1, Codec codec = Codec::kNative) {
  TrainOptions o;
  o.epochs = o.eval_every = 3;
  o.threads = 2;
  o.clip_norm = 1;
  auto& d = o.distribution;
  d.topology = topology;
  d.partition = "range";
  d.history.staleness = staleness;
  d.compression.stage = d.compression.halo = d.compression.weights = codec;
  return o;
}

/// More features than vertices, so that what is carried is sent.
std::unique_ptr<core::Dataset> wide_features() {
  datasets::GraphData data = block_model({.vertices = 60});
  data.features = random_tensor(60, 61, DType::kFloat32, 4);
  return datasets::from_memory(data);
}

}  // namespace

TEST_CASE("the ledger equals the formulas in every mode, for every kind of net") {
  for (const bool directed : {false, true}) {
    const auto data = block_model_dataset({.vertices = 120, .sparse_features = directed, .directed = directed});
    CAPTURE(directed);
    for (const auto& [layer, residual] :
         {std::pair{"gcn", false}, {"sage", false}, {"gat", false}, {"gcnii", false}, {"sage", true}, {"gat", true}}) {
      const auto net = net_of(layer, residual, DType::kFloat32);
      check(net, *data, options_of({.stages = 3, .chunks = 4}));
      check(net, *data, options_of({.stages = 2}));
      check(net, *data, options_of({.stages = 2, .chunks = 4}, 0));
      check(net, *data, options_of({.parts = 3}));
      TrainOptions plain = options_of({.parts = 3});
      plain.distribution.overlap = false;
      check(net, *data, plain);
      for (const Index stages : {1, 2}) {
        TrainOptions stale = options_of({.stages = stages, .parts = 3});
        stale.distribution.halo.stale = true;
        check(net, *data, stale);
      }
      check(net, *data, options_of({.stages = 2, .parts = 2, .chunks = 4}));
      check(net, *data, options_of({.stages = 2, .parts = 2, .chunks = 4}, 0));
    }
  }
}

TEST_CASE("carried tensors that are not made again are sent with their gradients") {
  const auto data = wide_features();
  const auto net = net_of("gcnii", false, DType::kFloat32);
  check(net, *data, options_of({.stages = 3, .chunks = 4}));
  check(net, *data, options_of({.stages = 2, .parts = 2, .chunks = 2}));
  check(net, *data, options_of({.parts = 2}));
}

TEST_CASE("float64, bfloat16 and int8 count as what they are") {
  const auto data = block_model_dataset({.vertices = 120});
  for (const auto& [layer, precision, codec] : {std::tuple{"gcnii", DType::kFloat64, Codec::kNative},
                                                {"gcnii", DType::kFloat32, Codec::kBfloat16},
                                                {"gcnii", DType::kFloat64, Codec::kInt8},
                                                {"gat", DType::kFloat32, Codec::kInt8},
                                                {"gat", DType::kFloat64, Codec::kBfloat16}}) {
    CAPTURE(std::string(name_of(codec)));
    const auto net = net_of(layer, false, precision);
    check(net, *data, options_of({.stages = 3, .chunks = 4}, 1, codec));
    check(net, *data, options_of({.parts = 3}, 1, codec));
    check(net, *data, options_of({.stages = 2, .parts = 2, .chunks = 4}, 1, codec));
  }
}

TEST_CASE("each kind of traffic has a codec of its own") {
  const auto data = block_model_dataset({.vertices = 120});
  TrainOptions o = options_of({.stages = 2, .parts = 2, .chunks = 4});
  o.distribution.compression = {.stage = Codec::kInt8, .halo = Codec::kBfloat16, .weights = Codec::kNative};
  check(net_of("sage", true, DType::kFloat32), *data, o);
}

TEST_CASE("slices and parts without vertices send empty messages between stages and nothing between parts") {
  const auto data = block_model_dataset({.vertices = 120});
  const auto labels = [](auto&& of) {
    std::vector<std::int32_t> all;
    for (Index v = 0; v < 120; ++v) all.push_back(static_cast<std::int32_t>(of(v)));
    return std::make_shared<const std::vector<std::int32_t>>(std::move(all));
  };
  for (const auto& net : {net_of("gcnii", false, DType::kFloat32), net_of("gat", true, DType::kFloat32)}) {
    for (const Index staleness : {0, 1}) {
      TrainOptions o = options_of({.stages = 2, .parts = 3, .chunks = 4}, staleness, Codec::kInt8);
      // Part 1 has no vertices, and part 0 none of chunks 2 and 3.
      o.distribution.part_of = labels([](Index v) { return v < 60 ? 0 : 2; });
      o.distribution.chunk_of = labels([](Index v) { return v < 60 ? v % 2 : v % 4; });
      check(net, *data, o);
      o.distribution.topology.chunks = 1;
      o.distribution.chunk_of = nullptr;
      check(net, *data, o);
    }
  }
}

TEST_CASE("one device sends nothing; 1F1B, gradient modes and the pull send what the default does") {
  const auto data = block_model_dataset({.vertices = 120});
  const auto net = net_of("sage", true, DType::kFloat32);
  Trainer alone(net, *data, options_of({.chunks = 4}));
  for (const auto& record : alone.run().epochs) CHECK(record.bytes == 0);
  TrainOptions o = options_of({.stages = 2, .parts = 2, .chunks = 4});
  o.distribution.schedule = pipeline::ScheduleKind::kOneForwardOneBackward;
  check(net, *data, o);
  for (const auto mode :
       {pipeline::GradientMode::kTruncated, pipeline::GradientMode::kDetached, pipeline::GradientMode::kRescaled}) {
    o = options_of({.stages = 2, .parts = 2, .chunks = 4});
    o.distribution.history.mode = mode;
    check(net, *data, o);
  }
  for (const auto gradient : {pipeline::HistoryGradient::kLook, pipeline::HistoryGradient::kPull}) {
    o = options_of({.stages = 2, .chunks = 4});
    o.distribution.history.gradient = gradient;
    check(net, *data, o);
  }
}
