#include "laminar/apps/plugin_check.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <memory>

#include "laminar/core/block.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/graph_data.hpp"
#include "laminar/layers/check_data.hpp"
#include "laminar/layers/layer_checks.hpp"
#include "laminar/pipeline/device_trainer.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/trainer.hpp"

namespace laminar::apps {
namespace {

namespace checks = layers::checks;
using core::Index;
using core::Tensor;
using Clock = std::chrono::steady_clock;

constexpr Index kLayers = 4;
constexpr Index kChunks = 8;
constexpr Index kVertices = 96;
constexpr Index kEdgeFeatures = 3;

std::unique_ptr<core::Dataset> small_dataset() {
  datasets::GraphData data;
  data.name = "random graph";
  data.graph = std::make_shared<core::Graph>(checks::directed_random(kVertices, 5 * kVertices, false, 7));
  data.edge_features = checks::random_tensor(data.graph->num_edges(), kEdgeFeatures, core::DType::kFloat32, 5);
  data.features = checks::random_tensor(kVertices, 12, core::DType::kFloat32, 8);
  data.labels.task = core::Task::kClassification;
  data.labels.num_outputs = 3;
  core::Split split;
  split.name = "all";
  for (Index v = 0; v < kVertices; ++v) {
    data.labels.classes.push_back(static_cast<std::int32_t>(v % 3));
    auto& set = v % 5 == 0 ? split.val : v % 5 == 1 ? split.test : split.train;
    set.push_back(static_cast<core::VertexId>(v));
  }
  data.splits.push_back(std::move(split));
  return datasets::from_memory(std::move(data));
}

std::map<std::string, Tensor> gradients_of(pipeline::Trainer& trainer) {
  std::map<std::string, Tensor> all;
  for (const auto& p : trainer.device(0).model().parameters()) all.emplace(p->name, p->gradient.clone());
  return all;
}

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// `degree` in-edges for each vertex from anywhere, the same on every run.
core::Graph random_graph(Index vertices, Index degree) {
  const core::RandomKey key = core::random_key(3, "edges");
  std::vector<core::VertexId> sources;
  std::vector<core::VertexId> targets;
  for (Index e = 0; e < vertices * degree; ++e) {
    sources.push_back(static_cast<core::VertexId>(core::random_below(key, static_cast<std::uint64_t>(e), vertices)));
    targets.push_back(static_cast<core::VertexId>(e % vertices));
  }
  return core::Graph::from_edges(vertices, sources, targets, {}, true);
}

}  // namespace

double history_gradient_error(const std::string& layer) {
  const auto data = small_dataset();
  const layers::ModelOptions net{.layer = layer,
                                 .layers = kLayers,
                                 .hidden = 8,
                                 .dropout = 0,
                                 .residual = !layers::Registry::instance().info(layer).propagates,
                                 .precision = core::DType::kFloat64};
  pipeline::TrainOptions options;
  options.epochs = 4 * kLayers;
  pipeline::Trainer exact(net, *data, options);
  exact.compute_gradients(0);
  const auto expected = gradients_of(exact);
  options.distribution.topology.chunks = kChunks;
  pipeline::Trainer trainer(net, *data, options);
  for (Index e = 0; e <= 2 * kLayers; ++e) trainer.compute_gradients(e);
  const auto found = gradients_of(trainer);
  double scale = 0;
  for (const auto& [name, gradient] : expected) scale = std::max(scale, checks::norm(gradient));
  double worst = 0;
  for (const auto& [name, gradient] : expected) {
    // A gradient that is 0 to rounding has no direction.
    const double size = std::max(checks::norm(gradient), checks::norm(found.at(name)));
    if (size <= 1e-13 * scale) continue;
    const double error = checks::relative_difference(gradient, found.at(name));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

std::vector<LayerCost> layer_costs(const std::vector<std::string>& names) {
  constexpr Index kRows = 20'000;
  constexpr Index kDegree = 10;
  constexpr Index kWidth = 64;
  constexpr int kPasses = 7;
  constexpr double kMebibyte = 1024.0 * 1024.0;
  const core::DType dtype = core::DType::kFloat32;
  const core::Graph graph = random_graph(kRows, kDegree);
  // With what each layer reads beside edges.
  core::DatasetSchema schema;
  schema.num_edge_features = kEdgeFeatures;
  std::vector<core::Block> blocks;
  const Tensor x = checks::random_tensor(kRows, kWidth, dtype, 1);
  const Tensor dy = checks::random_tensor(kRows, kWidth, dtype, 2);
  std::vector<checks::MadeLayer> made;
  std::vector<core::TapeContext> contexts;
  for (const std::string& name : names) {
    blocks.push_back(core::Block::whole(pipeline::stand_in_graph({.layer = name}, schema, graph)));
    made.push_back(checks::make_layer(name,
                                      {.in_width = kWidth,
                                       .out_width = kWidth,
                                       .index = 1,
                                       .num_layers = 3,
                                       .edge_width = kEdgeFeatures,
                                       .dtype = dtype},
                                      {}, 1));
    contexts.push_back(checks::context(dtype, true));
  }
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<LayerCost> costs(names.size(), {kNever, kNever, 0});
  core::Arena arena(0);
  arena.execute([&] {
    // The first pass fills memory pools and makes matrices.
    for (int pass = 0; pass <= kPasses; ++pass) {
      for (std::size_t i = 0; i < names.size(); ++i) {
        core::Tape tape(contexts[i]);
        const core::Var input = tape.input(x, true);
        const std::size_t num_carried = layers::Registry::instance().info(names[i]).carried.size();
        Clock::time_point start = Clock::now();
        const core::Var y =
            made[i].layer->forward(tape, blocks[i], {input, std::vector<core::Var>(num_carried, input), 0}).x;
        const std::vector<core::Var> outputs = {y};
        tape.finish_forward(outputs);
        const double forward_ms = milliseconds_since(start);
        start = Clock::now();
        tape.add_gradient(y, dy);
        tape.backward();
        const double backward_ms = milliseconds_since(start);
        if (pass == 0) continue;
        costs[i].forward_ms = std::min(costs[i].forward_ms, forward_ms);
        costs[i].backward_ms = std::min(costs[i].backward_ms, backward_ms);
      }
    }
  });
  for (std::size_t i = 0; i < names.size(); ++i) {
    costs[i].peak_mib = static_cast<double>(contexts[i].pool->peak_bytes()) / kMebibyte;
  }
  return costs;
}

}  // namespace laminar::apps
