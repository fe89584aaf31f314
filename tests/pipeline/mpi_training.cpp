#include "laminar/tests/pipeline/mpi_training.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/hash.hpp"
#include "laminar/layers/plugins/dir_gnn.hpp"
#include "laminar/layers/registry.hpp"
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

/// A dataset whose graph is shown seven rows at a time, the last of which can't be read if it is damaged.
class RowByRow final : public core::Dataset {
 public:
  RowByRow(const core::Dataset& data, bool damaged) : data_(data), damaged_(damaged) {}
  const core::DatasetSchema& schema() const override { return data_.schema(); }
  std::shared_ptr<const core::Graph> graph() const override { return data_.graph(); }
  const core::RowSource& features() const override { return data_.features(); }
  core::Tensor edge_features() const override { return data_.edge_features(); }
  const core::Labels& labels() const override { return data_.labels(); }
  core::Split split(std::string_view name) const override { return data_.split(name); }
  std::vector<std::string> vertex_names() const override { return {}; }
  void visit_rows(const core::WantedRows& wanted,
                  const std::function<void(const core::GraphRows&)>& visit) const override {
    data_.visit_rows(wanted, [&](const core::GraphRows& all) {
      for (Index begin = 0; begin < all.end; begin += 7) {
        core::GraphRows rows = all;
        rows.begin = begin;
        rows.end = std::min<Index>(begin + 7, all.end);
        const core::EdgeId first = all.offsets[begin];
        const core::EdgeId count = all.offsets[rows.end] - first;
        rows.sources = all.sources.subspan(first, count);
        if (!all.weights.empty()) rows.weights = all.weights.subspan(first, count);
        if (all.edge_features) rows.edge_features = all.edge_features.slice_rows(first, first + count);
        if (damaged_ && rows.end == all.end) throw Error("g.h5: /graph/indices: entry 7 is 9999, expected 0..119");
        visit(rows);
      }
    });
  }

 private:
  const core::Dataset& data_;
  bool damaged_;
};

datasets::GraphData data_of(const TrainingSpec& spec, Index vertices) {
  const std::string words = spec.text("graph");
  const auto has = [&](const char* word) { return words.find(word) != std::string::npos; };
  datasets::GraphData data =
      block_model({.vertices = vertices, .directed = has("directed"), .edge_features = has("edges") ? 3 : 0});
  if (!has("weighted")) return data;
  const core::Graph& graph = *data.graph;
  std::vector<double> weights;
  for (Index v = 0; v < vertices; ++v) {
    for (core::EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      weights.push_back(0.1 + 0.3 * static_cast<double>((v + graph.in_sources()[e]) % 7));
    }
  }
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_in_csr(
      vertices, {graph.in_offsets().begin(), graph.in_offsets().end()},
      {graph.in_sources().begin(), graph.in_sources().end()}, std::move(weights), graph.directed()));
  return data;
}

/// A rank has the edges of its own part, and no others.
void check_held(const pipeline::Plan& plan, const core::Graph& whole, bool reversed, Index rank) {
  const pipeline::CutGraph& cut = *plan.cut;
  const Index part = plan.place(rank).part;
  core::EdgeId own = 0;
  for (Index v = 0; v < whole.num_vertices(); ++v) {
    if (cut.layout.part_of(cut.layout.new_ids()[v]) != part) continue;
    const auto vertex = static_cast<core::VertexId>(v);
    own += whole.in_degree(vertex) + (reversed ? whole.out_degree(vertex) : 0);
  }
  if (cut.held_part == part && cut.graph.num_edges() == own && own < whole.num_edges() * (reversed ? 2 : 1)) return;
  throw Error(fmt::format("rank {} holds {} edges, expected the {} of its part", rank, cut.graph.num_edges(), own));
}

layers::ModelOptions net_of(const TrainingSpec& spec) {
  layers::ModelOptions net{.layer = spec.text("net", "gcnii"), .layers = 4, .hidden = 8};
  net.precision = core::dtype_from_name(spec.text("precision", "f32"));
  if (net.layer == "gat") net.layer_options = {{"heads", "2"}, {"attention_dropout", "0.3"}};
  net.residual = net.layer == "sage";
  net.norm = layers::norm_from_name(spec.text("norm", "default"));
  net.input = layers::vertex_input_from_name(spec.text("features", "given"));
  net.embedding_width = 6;
  net.embedding_buckets = spec.number("buckets", 0);
  if (spec.text("init") == "virgo") net.initializer = core::Initializer::kVirgo;
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
  d.partition = spec.text("partition", "range");
  d.order = pipeline::vertex_order_from_name(spec.text("order", "file"));
  d.stage_cut.measured = spec.number("measured", 0) > 0;
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
  datasets::GraphData blocks = data_of(spec, differs == "graph" ? kVertices - 1 : kVertices);
  if (differs == "labels") blocks.labels.classes.front() = 1 - blocks.labels.classes.front();
  const layers::ModelOptions net = net_of(spec);
  const auto given = datasets::from_memory(blocks);
  const RowByRow by_rows(*given, differs == "damaged");
  const bool shows_rows = spec.text("graph").find("rows") != std::string::npos;
  const core::Dataset& file = shows_rows ? static_cast<const core::Dataset&>(by_rows) : *given;
  const auto learned = pipeline::with_learned_features(file, net);
  const core::Dataset& data = learned ? *learned : file;
  pipeline::TrainOptions options = options_of(spec, kVertices);
  if (differs == "options") options.learning_rate.base = 0.123;
  if (differs == "seed") options.seed = 77;
  if (differs == "topology") std::swap(options.distribution.topology.stages, options.distribution.topology.parts);
  if (differs == "parts") options.distribution.part_of = stripes(kVertices, options.distribution.topology.parts, 1);
  if (differs == "few_parts") {
    options.distribution.part_of = stripes(kVertices - 1, options.distribution.topology.parts, 0);
  }
  if (differs == "odd_parts") {
    options.distribution.part_of = stripes(kVertices, options.distribution.topology.parts + 1, 0);
  }
  pipeline::Trainer trainer(net, data, options, rank);
  if (rank != nullptr && options.distribution.topology.parts > 1 && spec.text("init").empty() &&
      spec.number("measured", 0) == 0) {
    const bool reversed = layers::Registry::instance().info(net.layer).reversed_edges;
    check_held(trainer.plan(), *given->graph(), reversed, rank->rank());
  }
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
