#include "laminar/pipeline/trainer.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/hash.hpp"
#include "laminar/pipeline/config.hpp"
#include "laminar/pipeline/device_threads.hpp"
#include "laminar/pipeline/device_trainer.hpp"
#include "laminar/pipeline/learned_features.hpp"
#include "laminar/pipeline/measured_cut.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/rank_plan.hpp"
#include "laminar/pipeline/recompute.hpp"
#include "laminar/pipeline/turns.hpp"

namespace laminar::pipeline {

namespace {

DataSignature signature(const core::DatasetSchema& schema, std::uint64_t graph_fingerprint) {
  return {schema.name,
          schema.num_vertices,
          schema.num_features,
          schema.task,
          schema.num_outputs,
          schema.output_names,
          graph_fingerprint,
          0,
          schema.num_edge_features};
}

/// Adds the length and the bytes of an array.
template <class T>
void add_array(core::Fnv1a& hash, std::span<const T> values) {
  hash.add(std::uint64_t{values.size()});
  hash.add(std::as_bytes(values));
}

core::Fnv1a hash_of(const Targets& targets) {
  core::Fnv1a hash;
  for (const auto* set : {&targets.train, &targets.val, &targets.test}) {
    add_array(hash, std::span<const core::VertexId>(*set));
  }
  add_array(hash, std::span<const std::int32_t>(targets.labels.classes));
  add_array(hash, std::span<const std::uint8_t>(targets.labels.multi_label));
  add_array(hash, std::span<const float>(targets.labels.targets));
  return hash;
}

/// A hash of labels, split and features (of edges too, if they are read), which are read in panels of the file.
std::uint64_t content_fingerprint(const core::Dataset& data, const Targets& targets,
                                  const core::PartContents& contents) {
  core::Fnv1a hash = hash_of(targets);
  if (contents.edge_features) {
    const core::DatasetSchema& schema = data.schema();
    hash.add(static_cast<std::uint64_t>(schema.num_edges * schema.num_edge_features) * sizeof(float));
    data.visit_rows({.edge_features = true}, [&](const core::GraphRows& rows) {
      hash.add(std::span<const std::byte>(rows.edge_features.raw(), rows.edge_features.bytes()));
    });
  }
  if (data.schema().num_features == 0) return hash.value();  // the model will say so
  const core::RowSource& features = data.features();
  constexpr Index kPanelRows = 16384;
  for (Index begin = 0; begin < features.rows(); begin += kPanelRows) {
    const Index end = std::min(begin + kPanelRows, features.rows());
    if (features.sparse()) {
      const core::SparseMatrix rows = features.read_sparse(begin, end);
      add_array(hash, rows.offsets());
      add_array(hash, rows.columns());
      add_array(hash, rows.values());
    } else {
      const core::Tensor rows = features.read_dense(begin, end);
      add_array(hash, std::span<const std::byte>(rows.raw(), rows.bytes()));
    }
  }
  return hash.value();
}

/// Compares a text that has one option a line on all ranks, which all call this. Throws Error with the first line that
/// differs.
void verify_same_options(Communicator& communicator, const std::string& text) {
  const std::vector<std::string> texts = communicator.gather_text(text);
  const auto line_at = [](const std::string& all, std::size_t at) {
    const std::size_t begin = at == 0 ? 0 : all.rfind('\n', at - 1) + 1;
    std::string line = all.substr(begin, std::min(all.find('\n', at), all.size()) - begin);
    line.erase(0, line.find_first_not_of(' '));
    if (line.ends_with(',')) line.pop_back();
    return line;
  };
  const Transport& transport = communicator.transport();
  for (std::size_t r = 1; r < texts.size(); ++r) {
    if (texts[r] == texts[0]) continue;
    const auto [here, there] = std::mismatch(texts[0].begin(), texts[0].end(), texts[r].begin(), texts[r].end());
    const auto at = static_cast<std::size_t>(here - texts[0].begin());
    throw Error(fmt::format("the options are not the same on all devices: {} has {}, {} has {}",
                            transport.device_name(0), line_at(texts[0], at),
                            transport.device_name(static_cast<Index>(r)), line_at(texts[r], at)));
  }
}

std::uint64_t fingerprint(const Plan& plan) {
  core::Fnv1a hash;
  const partition::Layout& layout = plan.cut->layout;
  add_array(hash, std::span<const core::VertexId>(layout.file_ids()));
  std::vector<Index> ends = plan.schedule_input.stage_begin;
  for (Index p = 0; p < layout.num_parts(); ++p) {
    for (Index c = 0; c < layout.num_chunks(); ++c) ends.push_back(layout.slice(p, c).end);
  }
  add_array(hash, std::span<const Index>(ends));
  return hash.value();
}

std::string choose_split(const core::Dataset& data, const TrainOptions& options) {
  if (!options.split.empty()) return options.split;
  const auto& names = data.schema().split_names;
  if (names.empty()) {
    throw UsageError(fmt::format("'{}' has no split; make one, e.g. with laminar-convert --split random:60/20/20",
                                 data.schema().name));
  }
  return names.front();
}

/// The loss of pairs wants all vertices' embeddings on one device.
void check_links(const TrainOptions& options) {
  const Topology& t = options.distribution.topology;
  if (t.parts == 1 && t.chunks == 1) return;
  throw UsageError(
      fmt::format("a model of pairs can't train on {} parts and {} chunks, as a pair's vertices would be on several "
                  "devices or come at different times; use --mode single, or a pipeline with --stages S --chunks 1",
                  t.parts, t.chunks));
}

}  // namespace

struct Trainer::Impl {
  Impl(const layers::ModelOptions& model, const core::Dataset& whole, const TrainOptions& options, Transport* of_mpi)
      : rank(of_mpi) {
    validate(options);
    check_learned_features(model, whole.schema());
    input.model = model;
    input.options = options;
    std::optional<PairDataset> of_links;
    if (model.decoder != layers::DecoderKind::kNone) {
      check_links(options);
      core::Arena(threads_of(options.threads, rank)).execute([&] {
        input.links = std::make_shared<PairSplit>(split_links(*whole.graph(), options.pairs, options.seed));
      });
      of_links.emplace(whole, model, input.links);
    }
    const core::Dataset& data = of_links ? *of_links : whole;
    input.options.split = choose_split(data, options);
    if (input.links == nullptr) {
      set_targets(data, options);
    } else {
      static_cast<void>(data.split(input.options.split));
      input.metric = options.metric.value_or(core::Metric::kRocAuc);
      static_cast<void>(metric_of(input.metric, {}));
    }
    contents = part_contents(model, data.schema());
    // A rank that does with its part lets go of the graph before it has it; the others, once it is cut.
    const bool by_part = rank != nullptr && holds_part_only(model, options);
    std::shared_ptr<const core::Graph> graph = by_part ? nullptr : model_graph(model, data);
    input.signature = signature(data.schema(), whole.graph_fingerprint());
    if (rank != nullptr) {
      compare_ranks(data);
    } else {
      input.signature.content_fingerprint = content_fingerprint(data, input.targets, contents);
    }
    if (options.recompute == Recompute::kAuto) {
      const bool recomputes = decide_recompute(model, data.schema(), options, rank, available_memory()).recomputes;
      input.options.recompute = recomputes ? Recompute::kAlways : Recompute::kNever;
    }
    core::Arena arena(threads_of(options.threads, rank));
    DistributionOptions& distribution = input.options.distribution;
    StageCut& cut = distribution.stage_cut;
    const bool measures = cut.measured && static_cast<Index>(cut.at.size()) + 1 != distribution.topology.stages;
    if (measures) cut.at.clear();
    arena.execute([&] {
      input.plan = by_part ? make_rank_plan(model, data.schema(), data, input.options, *rank)
                           : make_plan(model, data.schema(), *graph, input.options);
    });
    graph.reset();
    if (distribution.topology.chunks == 1) distribution.order = input.plan.order;
    const Index num_devices = input.plan.num_devices();
    if (rank != nullptr) {
      check_num_ranks(input.plan.topology, *rank);
      if (measures) cut_by_measure(model, data, input.options, rank, input.plan);
      compare_plans();
      devices.push_back(std::make_unique<DeviceTrainer>(input, data, rank->rank(), arena.threads(), rank));
      return;
    }
    if (measures) cut_by_measure(model, data, input.options, nullptr, input.plan);
    if (num_devices > 1) transports = make_local_transports(num_devices, options.distribution.link);
    if (options.distribution.take_turns) {
      turn = std::make_shared<std::mutex>();
      transports = take_turns(std::move(transports), turn);
    }
    const int threads = std::max(1, arena.threads() / static_cast<int>(num_devices));
    for (Index d = 0; d < num_devices; ++d) {
      Transport* transport = transports.empty() ? nullptr : transports[static_cast<std::size_t>(d)].get();
      devices.push_back(std::make_unique<DeviceTrainer>(input, data, d, threads, transport));
    }
  }

  void set_targets(const core::Dataset& data, const TrainOptions& options) {
    input.targets = targets_of(data, input.options.split);
    for (const auto& [set, name] :
         {std::pair{&input.targets.train, "training"}, std::pair{&input.targets.val, "validation"}}) {
      if (set->empty()) {
        throw Error(fmt::format("split '{}' has no labelled {} vertices", input.options.split, name));
      }
    }
    set_loss(options.loss, input.targets);
    const core::Labels& labels = input.targets.labels;
    input.metric = options.metric.value_or(core::default_metric(labels.task));
    static_cast<void>(
        core::MetricAccumulator(input.metric, labels.task, labels.num_outputs));  // refuses what does not go together
  }

  /// Every rank has read its own copy.
  void compare_checkpoints(const Checkpoint& c) {
    core::Fnv1a hash;
    for (const auto* tensors : {&c.weights, &c.optimizer, &c.tables}) {
      for (const core::NamedTensor& t : *tensors) {
        add_array(hash, std::span<const std::byte>(t.value.raw(), t.value.bytes()));
      }
    }
    Communicator communicator(*rank, {}, core::MemoryPool::create());
    verify_same(communicator, "the checkpoint", fmt::format("epoch {} (fingerprint {:016x})", c.epoch, hash.value()));
  }

  /// A partition may come from a file, or from a library of another version.
  void compare_plans() {
    Communicator communicator(*rank, {}, core::MemoryPool::create());
    verify_same(communicator, "the fingerprint of parts, chunks and stages",
                fmt::format("{:016x}", fingerprint(input.plan)));
  }

  /// All ranks must train the same on the same; the features are read whole by rank 0 only.
  void compare_ranks(const core::Dataset& data) {
    Communicator communicator(*rank, {}, core::MemoryPool::create());
    verify_same(communicator, "the version of Laminar", LAMINAR_VERSION);
    verify_same_options(communicator, to_json(input.model, input.options));
    verify_same(communicator, "the graph",
                fmt::format("{} (fingerprint {:016x})", input.signature.name, input.signature.graph_fingerprint));
    verify_same(communicator, "the fingerprint of labels and split",
                fmt::format("{:016x}", hash_of(input.targets).value()));
    const std::string own = rank->rank() == 0 ? std::to_string(content_fingerprint(data, input.targets, contents)) : "";
    input.signature.content_fingerprint = std::stoull(communicator.broadcast_text(own));
  }

  /// Calls `work(device)` for every device of this process; see on_devices().
  template <class F>
  void on_all(F&& work) {
    on_devices(devices.size(), transports, [&](std::size_t d) {
      std::unique_lock<std::mutex> lock;
      if (turn != nullptr) lock = std::unique_lock(*turn);
      work(*devices[d]);
    });
  }

  /// This process's end of MPI, or null.
  Transport* rank;
  TrainingInput input;
  core::PartContents contents;
  std::vector<std::unique_ptr<Transport>> transports;
  /// Held by the device that works, if they take turns.
  std::shared_ptr<std::mutex> turn;
  std::vector<std::unique_ptr<DeviceTrainer>> devices;
  std::vector<std::function<void(const EpochRecord&)>> observers;
  std::atomic<bool> stop_requested{false};
};

Trainer::Trainer(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                 Transport* rank)
    : impl_(std::make_unique<Impl>(model, data, options, rank)) {}

Trainer::~Trainer() = default;

void Trainer::observe(std::function<void(const EpochRecord&)> observer) {
  impl_->observers.push_back(std::move(observer));
}

void Trainer::request_stop() noexcept { impl_->stop_requested = true; }

void Trainer::resume(const Checkpoint& c) {
  Impl& t = *impl_;
  if (!same_training(t.input.model, t.input.options, c.model, c.options)) {
    throw Error("the checkpoint was made with other options; continue with those it holds, or start afresh");
  }
  const DataSignature& here = t.input.signature;
  if (c.data.graph_fingerprint != here.graph_fingerprint || c.data.num_features != here.num_features ||
      c.data.num_outputs != here.num_outputs || c.data.task != here.task) {
    throw Error(
        fmt::format("the checkpoint was made on another graph ('{}', {} vertices), not this one ('{}', {} vertices)",
                    c.data.name, c.data.num_vertices, here.name, here.num_vertices));
  }
  if (c.data.content_fingerprint != here.content_fingerprint) {
    throw Error(
        fmt::format("the checkpoint was made with other features, labels or another split of '{}'", c.data.name));
  }
  if (t.rank != nullptr) t.compare_checkpoints(c);
  for (const auto& device : t.devices) device->resume(c);
}

TrainResult Trainer::run() {
  Impl& t = *impl_;
  std::vector<TrainResult> results(t.devices.size());
  t.on_all([&](DeviceTrainer& device) {
    const auto i =
        static_cast<std::size_t>(&device == t.devices.front().get() ? 0 : device.executor().place().device());
    results[i] = device.train(t.observers, t.stop_requested);
  });
  // Device 0 knows it of all.
  return std::move(results.front());
}

double Trainer::compute_gradients(Index epoch) {
  std::vector<double> losses(impl_->devices.size(), 0);
  impl_->on_all([&](DeviceTrainer& device) {
    const auto i = &device == impl_->devices.front().get() ? 0 : device.executor().place().device();
    losses[static_cast<std::size_t>(i)] = device.compute_gradients(epoch);
  });
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum;
}

Checkpoint Trainer::checkpoint() const {
  Checkpoint result;
  impl_->on_all([&](DeviceTrainer& device) {
    Checkpoint c = device.checkpoint();
    if (&device == impl_->devices.front().get()) result = std::move(c);
  });
  return result;
}

const TrainOptions& Trainer::options() const { return impl_->input.options; }
const DataSignature& Trainer::data() const { return impl_->input.signature; }

Prediction Trainer::predict(bool embedding) {
  std::vector<Prediction> results(impl_->devices.size());
  impl_->on_all([&](DeviceTrainer& device) {
    const auto i = &device == impl_->devices.front().get() ? 0 : device.executor().place().device();
    results[static_cast<std::size_t>(i)] = device.predict(embedding);
  });
  return std::move(results.front());
}

std::vector<PairFigure> Trainer::pair_figures() {
  std::vector<std::vector<PairFigure>> results(impl_->devices.size());
  impl_->on_all([&](DeviceTrainer& device) {
    const auto i = &device == impl_->devices.front().get() ? 0 : device.executor().place().device();
    results[static_cast<std::size_t>(i)] = device.pair_figures();
  });
  return std::move(results.front());
}

std::shared_ptr<const PairSplit> Trainer::links() const { return impl_->input.links; }
const layers::Model& Trainer::model() const { return impl_->devices.front()->model(); }
const Plan& Trainer::plan() const { return impl_->input.plan; }
DeviceTrainer& Trainer::device(Index d) { return *impl_->devices.at(static_cast<std::size_t>(d)); }

}  // namespace laminar::pipeline
