#include "laminar/pipeline/memory_estimate.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "laminar/core/tape.hpp"
#include "laminar/pipeline/executor.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/pair_scorer.hpp"

namespace laminar::pipeline {
namespace {

constexpr Index kSampleVertices = 256;

/// Vertex i has in-edges from the `degree` vertices before it.
core::Graph ring(Index n, Index degree) {
  std::vector<core::EdgeId> offsets{0};
  std::vector<core::VertexId> sources;
  for (Index v = 0; v < n; ++v) {
    for (Index k = 1; k <= degree; ++k) sources.push_back(static_cast<core::VertexId>((v + n - k) % n));
    offsets.push_back(static_cast<core::EdgeId>(sources.size()));
  }
  return core::Graph::from_in_csr(n, std::move(offsets), std::move(sources), {}, true);
}

core::SparseMatrix sparse_rows(Index n, Index cols, Index a_row) {
  std::vector<core::EdgeId> offsets{0};
  std::vector<std::int32_t> columns;
  for (Index v = 0; v < n; ++v) {
    for (Index k = 0; k < a_row; ++k) columns.push_back(static_cast<std::int32_t>((v + k) % cols));
    offsets.push_back(static_cast<core::EdgeId>(columns.size()));
  }
  std::vector<float> ones(columns.size(), 1.0F);
  return {n, cols, std::move(offsets), std::move(columns), std::move(ones)};
}

/// Of an epoch's pairs: their ends, scores and places, and of a perceptron the values of a panel and their gradients.
std::size_t pair_bytes(const layers::Model& model, const core::DatasetSchema& schema, const PairOptions& options) {
  constexpr double kBytesOfPair = 64;
  const double joined = static_cast<double>(schema.num_edges) * (schema.directed ? 1 : 0.5);
  const double pairs = joined * (1 - options.val - options.test) * static_cast<double>(1 + options.negatives);
  const layers::ModelOptions& o = model.options();
  double values = 0;
  if (o.decoder == layers::DecoderKind::kMlp) {
    const double panel = std::min(pairs, static_cast<double>(PairScorer::kPanelPairs));
    values = panel * static_cast<double>(o.hidden * 3 * o.decoder_layers *
                                         static_cast<Index>(core::size_of(core::computed(o.precision))));
  }
  return static_cast<std::size_t>(pairs * kBytesOfPair + values);
}

}  // namespace

MemoryEstimate estimate_memory(const layers::ModelOptions& model_options, const core::DatasetSchema& schema,
                               const TrainOptions& options) {
  const Index n = std::max<Index>(schema.num_vertices, 1);
  const double scale = static_cast<double>(n) / kSampleVertices;
  const std::size_t computed_width = core::size_of(core::computed(model_options.precision));
  const auto width = static_cast<double>(computed_width);
  const auto pool = core::MemoryPool::create();
  layers::Model model(model_options, schema, pool.get());
  MemoryEstimate e;
  // Values, gradients and the best weights; the optimizer's own state by its kind.
  const auto weights = static_cast<std::size_t>(model.num_weights()) * computed_width;
  const bool is_sgd = options.optimizer.kind == core::OptimizerKind::kSgd;
  const std::size_t slots = is_sgd ? (options.optimizer.momentum > 0 ? 1 : 0) : 2;
  e.parameters_bytes = 2 * weights;
  e.optimizer_bytes = slots * weights;

  const auto edges = static_cast<double>(schema.num_edges);
  const auto vertices = static_cast<double>(n);
  // The graph, and one weighted matrix both ways, with its entries' places in one another.
  e.graph_bytes = static_cast<std::size_t>(edges * (4 + (schema.weighted ? 8 : 0)) + 8 * vertices +
                                           edges * (2 * 4 + 2 * 8 + 2 * width) + 16 * vertices);
  const Index degree = std::clamp<Index>(std::lround(edges / vertices), 0, kSampleVertices - 1);
  ExecutorSetup setup;
  setup.model = &model;
  setup.place.layer_end = model.num_layers();
  setup.cut = std::make_shared<CutGraph>(partition::Layout(kSampleVertices),
                                         stand_in_graph(model_options, schema, ring(kSampleVertices, degree)));
  setup.pool = pool;
  setup.recompute = options.recompute == Recompute::kAlways;
  if (schema.sparse_features) {
    const Index a_row =
        std::clamp<Index>(std::lround(static_cast<double>(schema.feature_entries) / vertices), 1, schema.num_features);
    setup.features.sparse = sparse_rows(kSampleVertices, schema.num_features, a_row);
  } else {
    setup.features.dense = core::Tensor::zeros(kSampleVertices, schema.num_features, model_options.precision,
                                               pool.get(), core::MemoryPurpose::kFeatures);
  }
  const auto parameter_gradients = pool->live_bytes(core::MemoryPurpose::kGradients);
  Executor executor(std::move(setup));
  const std::vector<Step> steps = {{Step::Kind::kForward, 0, 0, model.num_layers()},
                                   {Step::Kind::kBackward, 0, 0, model.num_layers()}};
  executor.run(steps, options.seed, 0, chunk_order(1, options.seed, 0, false),
               [](Index, const core::Tensor&, core::Tensor& gradient) {
                 gradient.fill(0);
                 return 0.0;
               });
  const auto scaled = [&](std::size_t bytes) { return static_cast<std::size_t>(static_cast<double>(bytes) * scale); };
  // A sum of dense features that is kept is in the peak.
  e.features_bytes = schema.sparse_features
                         ? static_cast<std::size_t>(20.0 * static_cast<double>(schema.feature_entries) +
                                                    8 * (vertices + static_cast<double>(schema.num_features)))
                         : scaled(pool->peak_bytes(core::MemoryPurpose::kFeatures));
  e.activations_bytes = scaled(pool->peak_bytes(core::MemoryPurpose::kActivations));
  if (model.decoder() != nullptr) e.activations_bytes += pair_bytes(model, schema, options.pairs);
  e.gradients_bytes =
      parameter_gradients + scaled(pool->peak_bytes(core::MemoryPurpose::kGradients) - parameter_gradients);
  return e;
}

}  // namespace laminar::pipeline
