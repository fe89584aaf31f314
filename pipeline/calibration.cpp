#include "laminar/pipeline/calibration.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/executor.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/stage_cut.hpp"
#include "laminar/pipeline/stopwatch.hpp"

namespace laminar::pipeline {
namespace {

// Units of cost (edges, and rows by their dense work) of a sample: tens of milliseconds a layer.
constexpr double kSampleCost = 2e6;
// The first epoch warms up memory and caches, and has no history to read.
constexpr int kRuns = 3;
// Of few slices each has to be right; of many the one in the middle is.
constexpr int kRunsOfFew = 6;
constexpr Index kFewSlices = 4;

/// Layers whose times stand for those of all.
constexpr Index kMostLayers = 3;

layers::ModelOptions shallow(layers::ModelOptions model) {
  model.layers = std::min(model.layers, kMostLayers);
  return model;
}
/// Which of the shallow model's layers stands for layer l of `layers`.
Index stand_in(Index l, Index layers) {
  if (layers <= kMostLayers) return l;
  return l == 0 ? 0 : l == layers - 1 ? kMostLayers - 1 : 1;
}

/// Slices of a graph as the chunks of a smaller one.
struct Sample {
  std::shared_ptr<const CutGraph> cut;
  std::vector<core::VertexId> file_ids;
  /// Units of cost of each chunk.
  std::vector<double> units;
};

/// The first slices of `cut`, up to about kSampleCost units, with the edges among them.
Sample take_sample(const CutGraph& cut, std::span<const double> slices, double dense_cost,
                   const layers::ModelOptions& model, const core::DatasetSchema& schema) {
  const partition::Layout& layout = cut.layout;
  Index count = 0;
  double sum = 0;
  while (count < static_cast<Index>(slices.size()) && (count < 2 || sum < kSampleCost)) sum += slices[count++];
  const auto end_of = [&](Index slice) {
    return layout.slice(slice / layout.num_chunks(), slice % layout.num_chunks()).end;
  };
  // A single slice of a large graph is cut short.
  Index n = count == 0 ? 0 : end_of(count - 1);
  if (slices.size() == 1 && sum > kSampleCost)
    n = std::max<Index>(1, static_cast<Index>(static_cast<double>(n) * kSampleCost / sum));
  partition::Partition chunks{std::max<Index>(count, 1), {}};
  for (Index s = 0, v = 0; v < n; ++v) {
    while (s + 1 < count && v >= end_of(s)) ++s;
    chunks.part_of.push_back(static_cast<std::int32_t>(s));
  }
  std::vector<core::EdgeId> offsets{0};
  std::vector<core::VertexId> sources;
  std::vector<std::uint8_t> reversed;
  const auto marks = cut.graph.in_reversed();
  for (Index v = 0; v < n; ++v) {
    for (core::EdgeId e = cut.graph.in_offsets()[v]; e < cut.graph.in_offsets()[v + 1]; ++e) {
      if (cut.graph.in_sources()[e] >= n) continue;
      sources.push_back(cut.graph.in_sources()[e]);
      if (!marks.empty()) reversed.push_back(marks[e]);
    }
    offsets.push_back(static_cast<core::EdgeId>(sources.size()));
  }
  const auto graph = stand_in_graph(
      model, schema,
      core::Graph::from_in_csr(n, std::move(offsets), std::move(sources), {}, true, std::move(reversed)));
  const partition::Partition parts{1, std::vector<std::int32_t>(static_cast<std::size_t>(n), 0)};
  std::vector<Index> rank(static_cast<std::size_t>(n));
  for (Index v = 0; v < n; ++v) rank[v] = v;
  Sample sample;
  sample.cut = count <= 1 ? std::make_shared<CutGraph>(partition::Layout(n), graph)
                          : std::make_shared<CutGraph>(partition::Layout(parts, chunks, rank), graph);
  for (const core::VertexId v : sample.cut->layout.file_ids()) sample.file_ids.push_back(layout.file_ids()[v]);
  sample.units = slice_costs(*sample.cut, dense_cost);
  return sample;
}

using StepTimes = std::map<std::tuple<Step::Kind, Index, Index>, double>;

/// A shallow model on one device.
class Bench {
 public:
  Bench(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options, const Sample& sample,
        const HistoryOptions& history)
      : options_(options),
        history_(history),
        pool_(core::MemoryPool::create()),
        model_(shallow(model), data.schema(), pool_.get()) {
    const core::Graph& graph = sample.cut->graph;
    model_.initialize(options.seed, &graph);
    ExecutorSetup setup;
    setup.model = &model_;
    setup.place.layer_end = model_.num_layers();
    setup.cut = sample.cut;
    setup.features = load_features(data.features(), model_.options(), sample.file_ids, pool_.get());
    setup.history = history;
    setup.history.gradient = HistoryGradient::kAuto;
    setup.pool = pool_;
    setup.recompute = options.recompute == Recompute::kAlways;
    executor_ = std::make_unique<Executor>(std::move(setup));
  }

  /// The fastest of each step, in a few epochs.
  StepTimes run(bool half_steps) {
    const auto chunks = static_cast<Index>(executor_->slices().size());
    StepTimes best;
    const int epochs = chunks < kFewSlices ? kRunsOfFew : kRuns;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      const ChunkOrder order = chunk_order(chunks, options_.seed, epoch, history_.shuffle);
      core::zero_gradients(model_.parameters());
      executor_->run(steps(order, half_steps), options_.seed, epoch, order,
                     [](Index, const core::Tensor&, core::Tensor& gradient) {
                       gradient.fill(1e-3);
                       return 0.0;
                     });
      for (const StepSpan& span : executor_->spans()) {
        const auto key = std::tuple(span.step.kind, span.step.chunk, span.step.layer_begin);
        const double ms = span.end_ms - span.begin_ms;
        const auto [at, is_new] = best.emplace(key, ms);
        if (!is_new) at->second = std::min(at->second, ms);
      }
    }
    return best;
  }
  double table_bytes() const { return static_cast<double>(pool_->peak_bytes(core::MemoryPurpose::kTables)); }
  Index num_layers() const { return model_.num_layers(); }
  bool has_encoder() const { return model_.has_encoder(); }

 private:
  std::vector<Step> steps(const ChunkOrder& order, bool half_steps) const {
    using Kind = Step::Kind;
    std::vector<Step> steps;
    const Index layers = model_.num_layers();
    const auto all = [&](Kind kind, Index l, bool reversed) {
      const auto n = static_cast<Index>(order.chunks.size());
      for (Index i = 0; i < n; ++i) steps.push_back({kind, order.chunks[reversed ? n - 1 - i : i], l, l + 1});
    };
    for (Index l = 0; l < layers && half_steps; ++l) {
      all(Kind::kPublish, l, false);
      all(Kind::kRead, l, true);
    }
    for (Index l = layers - 1; l >= 0 && half_steps; --l) {
      all(Kind::kBackwardSources, l, false);
      all(Kind::kBackwardRest, l, true);
    }
    if (half_steps) return steps;
    for (const Index c : order.chunks) {
      for (Index l = 0; l < layers; ++l) steps.push_back({Kind::kForward, c, l, l + 1});
    }
    for (auto c = order.chunks.rbegin(); c != order.chunks.rend(); ++c) {
      for (Index l = layers - 1; l >= 0; --l) steps.push_back({Kind::kBackward, *c, l, l + 1});
    }
    return steps;
  }

  const TrainOptions& options_;
  HistoryOptions history_;
  std::shared_ptr<core::MemoryPool> pool_;
  layers::Model model_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace

Calibration calibrate(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                      const Plan& plan, std::span<const double> slices) {
  using Kind = Step::Kind;
  const Sample sample = take_sample(*plan.cut, slices, row_cost(model, data.schema()), model, data.schema());
  const bool history = plan.history.staleness > 0 && sample.units.size() > 1;
  const bool half_steps = !history && sample.units.size() > 1;
  HistoryOptions options_here = plan.history;
  if (!history) options_here.staleness = 0;
  Calibration result;
  StepTimes times;
  Index measured = 0;
  bool has_encoder = false;
  core::Arena arena(1);
  arena.execute([&] {
    Bench bench(model, data, options, sample, options_here);
    times = bench.run(half_steps);
    measured = bench.num_layers();
    has_encoder = bench.has_encoder();
    result.table_bytes_per_row =
        bench.table_bytes() / static_cast<double>(measured * std::max<Index>(sample.cut->graph.num_vertices(), 1));
  });
  // The slice in the middle, by units: a slice during which something else had the core does not count.
  const auto per_unit = [&](Kind kind, Index l) {
    std::vector<std::pair<double, double>> slices_seen;
    double half = 0;
    for (const auto& [key, ms] : times) {
      const double units = sample.units[static_cast<std::size_t>(std::get<1>(key))];
      if (std::get<0>(key) != kind || std::get<2>(key) != l || units <= 0) continue;
      slices_seen.emplace_back(ms / units, units);
      half += units / 2;
    }
    std::sort(slices_seen.begin(), slices_seen.end());
    for (const auto& [ms_per_unit, units] : slices_seen) {
      half -= units;
      if (half <= 0) return ms_per_unit;
    }
    return 0.0;
  };
  StepCosts& costs = result.costs;
  const Index num_layers = model.layers;
  for (std::size_t k = 0; k < costs.ms_per_unit.size(); ++k) {
    for (Index l = 0; l < num_layers; ++l) {
      costs.ms_per_unit[k].push_back(per_unit(static_cast<Kind>(k), stand_in(l, num_layers)));
    }
  }
  // Parts that wait for each other run whole steps where there is one chunk, and were measured by halves.
  const auto whole_from_halves = [&](Kind whole, Kind first, Kind second) {
    for (Index l = 0; l < num_layers; ++l) {
      costs.ms_per_unit[static_cast<std::size_t>(whole)][l] = costs.ms_per_unit[static_cast<std::size_t>(first)][l] +
                                                              costs.ms_per_unit[static_cast<std::size_t>(second)][l];
    }
  };
  if (half_steps) {
    whole_from_halves(Kind::kForward, Kind::kPublish, Kind::kRead);
    whole_from_halves(Kind::kBackward, Kind::kBackwardSources, Kind::kBackwardRest);
  }
  // What the first layer takes beyond a middle one is the encoder.
  if (has_encoder && num_layers >= kMostLayers) {
    const auto beyond = [&](Kind kind) {
      const auto& ms = costs.ms_per_unit[static_cast<std::size_t>(kind)];
      return std::max(0.0, ms[0] - ms[1]);
    };
    costs.encoder_forward_ms_per_unit = beyond(Kind::kForward);
    costs.encoder_backward_ms_per_unit = beyond(Kind::kBackward);
  }
  return result;
}

double measure_speedup(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                       int threads) {
  if (threads <= 1) return 1;
  const auto graph = model_graph(model, data);
  const CutGraph cut(partition::Layout(graph->num_vertices()), *graph);
  const double dense_cost = row_cost(model, data.schema());
  const Sample sample = take_sample(cut, slice_costs(cut, dense_cost), dense_cost, model, data.schema());
  HistoryOptions exact;
  exact.staleness = 0;
  const auto time_with = [&](int count) {
    double ms = 0;
    core::Arena arena(count);
    arena.execute([&] {
      Bench bench(model, data, options, sample, exact);
      for (const auto& [key, step_ms] : bench.run(false)) ms += step_ms;
    });
    return ms;
  };
  const double alone = time_with(1);
  const double together = time_with(threads);
  return together > 0 ? std::clamp(alone / together, 1.0, static_cast<double>(threads)) : 1;
}

MessageCosts measure_messages(Codec codec, core::DType dtype) {
  constexpr Index kColumns = 64;
  constexpr Index kRows = 2048;
  constexpr int kRepeats = 20;
  const auto transports = make_local_transports(2);
  const auto pool = core::MemoryPool::create();
  const CompressionOptions compression{codec, codec, codec, 1};
  Communicator from(*transports[0], compression, pool);
  Communicator to(*transports[1], compression, pool);
  // Half of what a message takes, as both ends do about as much.
  const auto half_ms = [&](Index rows) {
    core::Tensor sent(rows, kColumns, dtype, pool.get());
    core::Tensor received(rows, kColumns, dtype, pool.get());
    sent.fill(0.5);
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kRepeats; ++i) {
      Stopwatch watch;
      from.send(1, {}, sent, Cause::kStageForward);
      to.receive(0, {}, received, Cause::kStageForward);
      best = std::min(best, watch.lap_ms() / 2);
    }
    return best;
  };
  MessageCosts costs;
  core::Arena arena(1);
  arena.execute([&] {
    costs.message_ms = half_ms(1);
    costs.number_ms = std::max(0.0, half_ms(kRows) - costs.message_ms) / static_cast<double>(kRows * kColumns);
  });
  return costs;
}

}  // namespace laminar::pipeline
