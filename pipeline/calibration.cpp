#include "laminar/pipeline/calibration.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/device_threads.hpp"
#include "laminar/pipeline/executor.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/stage_cut.hpp"
#include "laminar/pipeline/stopwatch.hpp"

namespace laminar::pipeline {
namespace {

// Units of cost (edges, and rows by their dense work) of a sample: tens of milliseconds a layer.
constexpr double kSampleCost = 2e6;
// Epochs that count, of all benches together; each has a first one before, to warm up memory and caches and to have a
// history to read.
constexpr int kRuns = 6;
// Of each bench.
constexpr int kFewestRuns = 2;

// An emulated link that costs no time but its own bookkeeping.
constexpr double kFastMbps = 1e6;

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

/// The first slices of `cut`, up to about kSampleCost units but two at least, with the edges among them.
Sample take_sample(const CutGraph& cut, std::span<const double> slices, double dense_cost,
                   const layers::ModelOptions& model, const core::DatasetSchema& schema) {
  const partition::Layout& layout = cut.layout;
  Index count = 0;
  double sum = 0;
  while (count < static_cast<Index>(slices.size()) && (count < 2 || sum < kSampleCost)) sum += slices[count++];
  // Slices of a large graph are cut short: one or two of them may be far more than the sample.
  const double most = static_cast<double>(count) * kSampleCost;
  const double kept = sum > most ? most / sum : 1;
  const auto end_of = [&](Index slice) {
    const Index end = layout.slice(slice / layout.num_chunks(), slice % layout.num_chunks()).end;
    return std::max(slice + 1, static_cast<Index>(static_cast<double>(end) * kept));
  };
  const Index n = count == 0 ? 0 : end_of(count - 1);
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

/// What some epochs took a core: the mean of each step, and of the rest of an epoch.
struct BenchTimes {
  std::map<std::tuple<Step::Kind, Index, Index>, double> steps;
  double rest_ms = 0;
  double optimizer_ms = 0;
};

/// A shallow model on one device.
class Bench {
 public:
  Bench(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options, const Sample& sample,
        const HistoryOptions& history, bool by_thread_time)
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
    setup.by_thread_time = by_thread_time;
    executor_ = std::make_unique<Executor>(std::move(setup));
  }

  /// The mean of some epochs. `benches`: that run at the same time.
  BenchTimes run(bool half_steps, std::size_t benches) {
    const auto chunks = static_cast<Index>(executor_->slices().size());
    const auto optimizer = core::make_optimizer(options_.optimizer, pool_);
    std::vector<core::Parameter*> parameters;
    for (const auto& p : model_.parameters()) parameters.push_back(p.get());
    BenchTimes times;
    const int epochs = std::max(kFewestRuns, kRuns / static_cast<int>(benches));
    for (int epoch = 0; epoch <= epochs; ++epoch) {
      const ChunkOrder order = chunk_order(chunks, options_.seed, epoch, history_.shuffle);
      StepClock clock;
      clock.start(true);
      core::zero_gradients(model_.parameters());
      executor_->run(steps(order, half_steps), options_.seed, epoch, order,
                     [](Index, const core::Tensor&, core::Tensor& gradient) {
                       gradient.fill(1e-3);
                       return 0.0;
                     });
      static_cast<void>(executor_->staleness());
      const double pass_ms = clock.elapsed_ms();
      optimizer->step(parameters, 0);
      if (epoch == 0) continue;
      times.optimizer_ms += (clock.elapsed_ms() - pass_ms) / epochs;
      times.rest_ms += pass_ms / epochs;
      for (const StepSpan& span : executor_->spans()) {
        const double ms = (span.end_ms - span.begin_ms) / epochs;
        times.steps[std::tuple(span.step.kind, span.step.chunk, span.step.layer_begin)] += ms;
        times.rest_ms -= ms;
      }
    }
    return times;
  }
  Index numbers() const {
    Index numbers = 0;
    for (const auto& p : model_.parameters()) numbers += p->value.size();
    return numbers;
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
    for (std::size_t at = order.chunks.size(); at-- > 0;) {
      for (Index l = layers - 1; l >= 0; --l) steps.push_back({Kind::kBackward, order.chunks[at], l, l + 1});
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
                      const Plan& plan, std::span<const double> slices, Index devices) {
  using Kind = Step::Kind;
  const Sample sample = take_sample(*plan.cut, slices, row_cost(model, data.schema()), model, data.schema());
  const bool history = plan.history.staleness > 0 && sample.units.size() > 1;
  const bool half_steps = !history && sample.units.size() > 1;
  HistoryOptions options_here = plan.history;
  if (!history) options_here.staleness = 0;
  Calibration result;
  std::vector<std::unique_ptr<core::Arena>> arenas;
  std::vector<std::unique_ptr<Bench>> benches;
  for (Index d = 0; d < devices; ++d) {
    arenas.push_back(std::make_unique<core::Arena>(1));
    arenas.back()->execute(
        [&] { benches.push_back(std::make_unique<Bench>(model, data, options, sample, options_here, true)); });
  }
  // All at once, as devices that share cores, caches and memory slow each other.
  std::vector<BenchTimes> times(benches.size());
  on_devices(benches.size(), make_local_transports(devices), [&](std::size_t d) {
    arenas[d]->execute([&] { times[d] = benches[d]->run(half_steps, benches.size()); });
  });
  const Bench& bench = *benches.front();
  const double layer_rows =
      static_cast<double>(bench.num_layers() * std::max<Index>(sample.cut->graph.num_vertices(), 1));
  result.table_bytes_per_row = bench.table_bytes() / layer_rows;
  const double sample_units = std::accumulate(sample.units.begin(), sample.units.end(), 0.0);
  const auto per_unit = [&](Kind kind, Index l) {
    double ms = 0;
    for (const BenchTimes& t : times) {
      for (const auto& [key, step_ms] : t.steps) {
        if (std::get<0>(key) == kind && std::get<2>(key) == l) ms += step_ms / static_cast<double>(times.size());
      }
    }
    return sample_units > 0 ? ms / sample_units : 0;
  };
  StepCosts& costs = result.costs;
  const Index num_layers = model.layers;
  for (const BenchTimes& t : times) {
    const double share = 1 / static_cast<double>(times.size());
    costs.optimizer_ms += share * t.optimizer_ms / static_cast<double>(std::max<Index>(bench.numbers(), 1));
    if (sample_units > 0) {
      costs.rest_ms_per_unit +=
          share * std::max(t.rest_ms, 0.0) / (sample_units * static_cast<double>(bench.num_layers()));
    }
  }
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
  if (bench.has_encoder() && num_layers >= kMostLayers) {
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
      Bench bench(model, data, options, sample, exact, false);
      for (const auto& [key, step_ms] : bench.run(false, 1).steps) ms += step_ms;
    });
    return ms;
  };
  const double alone = time_with(1);
  const double together = time_with(threads);
  return together > 0 ? std::clamp(alone / together, 1.0, static_cast<double>(threads)) : 1;
}

MessageCosts measure_messages(Codec codec, core::DType dtype, Index devices, bool emulated) {
  constexpr Index kColumns = 64;
  constexpr Index kRows = 512;
  constexpr int kRepeats = 48;
  // So many that they do not stay in a core's cache.
  constexpr std::size_t kTensors = 32;
  const LinkOptions link{emulated ? kFastMbps : 0, 0};
  const auto count = static_cast<std::size_t>(std::max<Index>(devices, 2));
  const auto transports = make_local_transports(static_cast<Index>(count), link);
  const CompressionOptions compression{codec, codec, codec, 1};
  std::vector<MessageCosts> of_device(count);
  on_devices(count, transports, [&](std::size_t d) {
    core::Arena arena(1);
    arena.execute([&] {
      const auto pool = core::MemoryPool::create();
      Communicator communicator(*transports[d], compression, pool);
      const auto next = static_cast<Index>((d + 1) % count);
      const auto previous = static_cast<Index>((d + count - 1) % count);
      // Half of what a message takes, as both ends do about as much.
      const auto half_ms = [&](Index rows) {
        std::vector<core::Tensor> tensors;
        for (std::size_t t = 0; t < kTensors; ++t) {
          tensors.emplace_back(rows, kColumns, dtype, pool.get());
          tensors.back().fill(0.5);
        }
        double begin_ms = 0;
        for (int i = -kRepeats / 4; i < kRepeats; ++i) {
          if (i == 0) begin_ms = thread_ms();
          const auto t = static_cast<std::size_t>(i) + kRepeats;
          communicator.send(next, {}, tensors[t % kTensors], Cause::kStageForward);
          communicator.receive(previous, {}, tensors[(t + kTensors / 2) % kTensors], Cause::kStageForward);
        }
        return (thread_ms() - begin_ms) / (2 * kRepeats);
      };
      of_device[d].message_ms = half_ms(1);
      of_device[d].number_ms =
          std::max(0.0, half_ms(kRows) - of_device[d].message_ms) / static_cast<double>(kRows * kColumns);
    });
  });
  MessageCosts mean;
  for (const MessageCosts& c : of_device) {
    mean.message_ms += c.message_ms / static_cast<double>(count);
    mean.number_ms += c.number_ms / static_cast<double>(count);
  }
  return mean;
}

}  // namespace laminar::pipeline
