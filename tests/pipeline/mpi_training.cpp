#include "laminar/tests/pipeline/mpi_training.hpp"

#include <utility>

#include <fmt/format.h>

#include "laminar/core/hash.hpp"
#include "laminar/pipeline/learned_features.hpp"
#include "laminar/pipeline/predictor.hpp"
#include "laminar/tests/support/datasets.hpp"

namespace laminar::testing {

using core::Index;

TrainingSpec::TrainingSpec(std::map<std::string, std::string> the_words) : words(std::move(the_words)) {}

std::string TrainingSpec::text(const std::string& key, const std::string& otherwise) const {
  const auto found = words.find(key);
  return found == words.end() ? otherwise : found->second;
}

Index TrainingSpec::number(const std::string& key, Index otherwise) const {
  const auto found = words.find(key);
  return found == words.end() ? otherwise : std::stoll(found->second);
}

namespace {

layers::ModelOptions net_of(const TrainingSpec& spec) {
  layers::ModelOptions net{.layer = spec.text("net", "gcnii"), .layers = 4, .hidden = 8};
  net.precision = core::dtype_from_name(spec.text("precision", "f32"));
  if (net.layer == "gat") net.layer_options = {{"heads", "2"}, {"attention_dropout", "0.3"}};
  net.residual = net.layer == "sage";
  net.norm = layers::norm_from_name(spec.text("norm", "default"));
  net.input = layers::vertex_input_from_name(spec.text("features", "given"));
  net.embedding_width = 6;
  net.embedding_buckets = spec.number("buckets", 0);
  return net;
}

std::shared_ptr<const std::vector<std::int32_t>> stripes(Index vertices, Index count, Index first) {
  std::vector<std::int32_t> of;
  for (Index v = 0; v < vertices; ++v) of.push_back(static_cast<std::int32_t>((v * 5 + first) % count));
  return std::make_shared<const std::vector<std::int32_t>>(std::move(of));
}

pipeline::TrainOptions options_of(const TrainingSpec& spec, Index vertices) {
  pipeline::TrainOptions o;
  o.epochs = spec.number("epochs", 6);
  o.stop_after = spec.number("stop_after", 0);
  o.eval_every = 3;
  o.clip_norm = 1;
  o.threads = static_cast<int>(spec.number("threads", 1));
  if (spec.number("recompute", 0) > 0) o.recompute = pipeline::Recompute::kAlways;
  o.checkpoint = spec.text("checkpoint");
  o.checkpoint_every = spec.number("every", 0);
  auto& d = o.distribution;
  d.topology = {spec.number("stages", 1), spec.number("parts", 1), spec.number("chunks", 1)};
  d.partition = "range";
  d.history.staleness = spec.number("staleness", 1);
  d.compression.stage = d.compression.halo = d.compression.weights =
      pipeline::codec_from_name(spec.text("codec", "native"));
  d.halo.stale = spec.number("stale", 0) > 0;
  d.halo.rate = std::stod(spec.text("rate", "1"));
  d.history.dtype = pipeline::store_type_from_name(spec.text("dtype", "native"));
  d.fidelity_every = spec.number("fidelity", 0);
  if (spec.number("stripes", 0) > 0) {
    d.part_of = stripes(vertices, d.topology.parts, 0);
    d.chunk_of = stripes(vertices, d.topology.chunks, 0);
  }
  return o;
}

}  // namespace

std::string train(const TrainingSpec& spec, pipeline::Transport* rank) {
  constexpr Index kVertices = 120;
  const std::string differs = rank != nullptr && rank->rank() == 1 ? spec.text("differs") : "";
  datasets::GraphData blocks = block_model({.vertices = differs == "graph" ? kVertices - 1 : kVertices});
  if (differs == "labels") blocks.labels.classes.front() = 1 - blocks.labels.classes.front();
  const layers::ModelOptions net = net_of(spec);
  const auto given = datasets::from_memory(blocks);
  const auto learned = pipeline::with_learned_features(*given, net);
  const core::Dataset& data = learned ? *learned : *given;
  pipeline::TrainOptions options = options_of(spec, kVertices);
  if (differs == "options") options.learning_rate.base = 0.123;
  if (differs == "seed") options.seed = 77;
  if (differs == "topology") std::swap(options.distribution.topology.stages, options.distribution.topology.parts);
  if (differs == "parts") options.distribution.part_of = stripes(kVertices, options.distribution.topology.parts, 1);
  pipeline::Trainer trainer(net, data, options, rank);
  if (spec.number("resume", 0) > 0) {
    pipeline::Checkpoint c = pipeline::read_checkpoint(options.checkpoint);
    if (differs == "checkpoint") c.weights.front().value.fill(0);
    trainer.resume(c);
  }
  const pipeline::TrainResult result = trainer.run();
  std::string line;
  for (const auto& e : result.epochs) {
    line += fmt::format(" {:a}/{}", e.loss, e.bytes);
    if (!e.layer_fidelity.empty()) line += fmt::format("[{:a}]", e.fidelity.cosine);
    if (e.evaluated) line += fmt::format("({:a} {:a})", e.evaluation.val_metric, e.evaluation.val_loss);
  }
  const pipeline::Prediction prediction = trainer.predict();
  // Device 0 has them all.
  const pipeline::Checkpoint c = trainer.checkpoint();
  if (rank != nullptr && rank->rank() > 0) return line;
  core::Fnv1a hash;
  for (const auto* list : {&c.weights, &c.best_weights, &c.tables}) {
    std::map<std::string, core::Tensor> sorted;
    for (const auto& t : *list) sorted[t.name] = t.value;
    for (const auto& [name, value] : sorted) hash.add(std::span(value.raw(), value.bytes()));
  }
  hash.add(std::span(prediction.outputs.raw(), prediction.outputs.bytes()));
  return line + fmt::format(" weights {:016x}", hash.value());
}

}  // namespace laminar::testing
