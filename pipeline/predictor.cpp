#include "laminar/pipeline/predictor.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/hash.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/rows.hpp"
#include "laminar/layers/registry.hpp"
#include "laminar/pipeline/device_features.hpp"
#include "laminar/pipeline/device_threads.hpp"
#include "laminar/pipeline/learned_features.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/rank_plan.hpp"

namespace laminar::pipeline {

using core::Tensor;

namespace {

// Tags of what is gathered, of part `chunk`.
constexpr std::uint8_t kShapes = 100;
constexpr std::uint8_t kOutputs = 101;
constexpr std::uint8_t kEmbedding = 102;

/// What the model was made for, on this graph, which may have no labels.
core::DatasetSchema schema_of(const Checkpoint& checkpoint, const core::Dataset& data) {
  const DataSignature& trained_on = checkpoint.data;
  core::DatasetSchema schema = data.schema();
  check_learned_features(checkpoint.model, schema);
  if (schema.num_features != trained_on.num_features) {
    throw Error(fmt::format("'{}' has {} features a vertex, but the model was trained on '{}' with {}", schema.name,
                            schema.num_features, trained_on.name, trained_on.num_features));
  }
  const bool reads_edges = layers::Registry::instance().info(checkpoint.model.layer).edge_features;
  if (reads_edges && trained_on.num_edge_features >= 0 && schema.num_edge_features != trained_on.num_edge_features) {
    throw Error(fmt::format("'{}' has {} features an edge, but the model was trained on '{}' with {}", schema.name,
                            schema.num_edge_features, trained_on.name, trained_on.num_edge_features));
  }
  schema.task = trained_on.task;
  schema.num_outputs = trained_on.num_outputs;
  return schema;
}

struct Input {
  const Checkpoint& checkpoint;
  const core::Dataset& data;
  const PredictorOptions& options;
  core::DatasetSchema schema;
  Plan plan;
};

PredictedRows predict_device(const Input& in, Index device, int threads, Transport* transport) {
  const Plan& plan = in.plan;
  const DevicePlace place = plan.place(device);
  core::Arena arena(threads);
  PredictedRows result;
  arena.execute([&] {
    const auto pool = core::MemoryPool::create();
    layers::Model model(in.checkpoint.model, in.schema, pool.get(),
                        {place.layer_begin, place.layer_end, plan.recompute_carried});
    const Checkpoint& c = in.checkpoint;
    std::vector<core::NamedTensor> held =
        in.options.last_weights || c.best_weights.empty() ? c.weights : c.best_weights;
    // One device has them all, or the checkpoint is of another model.
    if (plan.num_devices() > 1) {
      std::erase_if(held, [&](const core::NamedTensor& t) {
        const auto& all = model.parameters();
        return std::none_of(all.begin(), all.end(), [&](const auto& p) { return p->name == t.name; });
      });
    }
    load_weights(held, model.parameters());
    std::unique_ptr<Communicator> communicator;
    if (transport != nullptr) communicator = std::make_unique<Communicator>(*transport, CompressionOptions{}, pool);
    ExecutorSetup setup;
    setup.model = &model;
    setup.place = place;
    setup.cut = plan.cut;
    setup.features = load_device_features(in.data.features(), model, *plan.cut, place,
                                          needs_features(model, place, plan.recompute_carried), pool.get());
    setup.history = plan.history;
    setup.recompute_carried = plan.recompute_carried;
    setup.communicator = communicator.get();
    setup.pool = pool;
    Executor executor(std::move(setup));
    result.rows = gather_prediction(communicator.get(), plan, place, executor.predict(in.options.embeddings));
    if (communicator == nullptr) return;
    const Ledger& sent = communicator->ledger();
    std::vector<double> counts(sent.bytes.begin(), sent.bytes.end());
    counts = communicator->sum(counts);
    for (std::size_t i = 0; i < kNumCauses; ++i) result.sent.bytes[i] = static_cast<std::uint64_t>(counts[i]);
  });
  return result;
}

/// Ranks must apply the same model to the same graph.
void compare_ranks(Transport& rank, const Input& in) {
  Communicator communicator(rank, {}, core::MemoryPool::create());
  verify_same(communicator, "the version of Laminar", LAMINAR_VERSION);
  verify_same(communicator, "the graph",
              fmt::format("{} (fingerprint {:016x})", in.schema.name, in.data.graph_fingerprint()));
  core::Fnv1a hash;
  for (const auto* tensors : {&in.checkpoint.weights, &in.checkpoint.best_weights}) {
    for (const core::NamedTensor& t : *tensors) hash.add(std::span(t.value.raw(), t.value.bytes()));
  }
  const Topology& t = in.options.distribution.topology;
  verify_same(communicator, "the model, or which weights and topology",
              fmt::format("{:016x}, {} weights{}, {} x {}", hash.value(), in.options.last_weights ? "last" : "best",
                          in.options.embeddings ? ", embeddings" : "", t.stages, t.parts));
}

void compare_parts(Transport& rank, const Plan& plan) {
  Communicator communicator(rank, {}, core::MemoryPool::create());
  core::Fnv1a places;
  places.add(std::as_bytes(std::span(plan.cut->layout.file_ids())));
  verify_same(communicator, "the fingerprint of parts", fmt::format("{:016x}", places.value()));
}

}  // namespace

Prediction gather_prediction(Communicator* communicator, const Plan& plan, const DevicePlace& place,
                             const Prediction& own) {
  const partition::Layout& layout = plan.cut->layout;
  // What a part gives, and where its rows go.
  const auto put = [&](const Tensor& rows, Index part, Tensor& all) {
    if (!rows || rows.cols() == 0) return;
    if (!all) all = Tensor(layout.num_vertices(), rows.cols(), rows.dtype());
    const partition::Range range = layout.part(part);
    for (Index r = 0; r < rows.rows(); ++r) {
      const Index v = layout.file_ids()[static_cast<std::size_t>(range.begin + r)];
      all.slice_rows(v, v + 1).copy_from(rows.slice_rows(r, r + 1));
    }
  };
  Prediction all;
  if (communicator == nullptr) {
    put(own.outputs, place.part, all.outputs);
    put(own.embedding, place.part, all.embedding);
    return all;
  }
  const auto tag = [](std::uint8_t item, Index part) {
    return Tag{.kind = Tag::Kind::kControl, .item = item, .chunk = static_cast<std::int32_t>(part)};
  };
  constexpr Cause kCause = Cause::kEvaluation;
  if (place.is_last() && place.device() != 0) {
    Tensor shapes = Tensor::zeros(1, 2, core::DType::kFloat64);
    shapes.set(0, 0, static_cast<double>(own.outputs.cols()));
    shapes.set(0, 1, own.embedding ? static_cast<double>(own.embedding.cols()) : 0);
    communicator->send(0, tag(kShapes, place.part), shapes, kCause);
    communicator->send(0, tag(kOutputs, place.part), own.outputs, kCause);
    if (own.embedding) communicator->send(0, tag(kEmbedding, place.part), own.embedding, kCause);
  }
  if (place.device() != 0) return all;
  const Index last = (place.num_stages - 1) * place.num_parts;
  for (Index part = 0; part < place.num_parts; ++part) {
    if (last + part == 0) {
      put(own.outputs, part, all.outputs);
      put(own.embedding, part, all.embedding);
      continue;
    }
    Tensor shapes(1, 2, core::DType::kFloat64);
    communicator->receive(last + part, tag(kShapes, part), shapes, kCause);
    const auto receive = [&](std::uint8_t item, double cols, Tensor& into) {
      Tensor rows(layout.part(part).size(), static_cast<Index>(cols), plan.dtype);
      communicator->receive(last + part, tag(item, part), rows, kCause);
      put(rows, part, into);
    };
    receive(kOutputs, shapes.at(0, 0), all.outputs);
    if (shapes.at(0, 1) > 0) receive(kEmbedding, shapes.at(0, 1), all.embedding);
  }
  return all;
}

layers::Model make_decoder(const Checkpoint& c, bool last, core::MemoryPool* pool) {
  core::DatasetSchema schema;
  schema.name = c.data.name;
  schema.num_features = c.data.num_features;
  schema.num_edge_features = std::max<Index>(c.data.num_edge_features, 1);
  layers::Model model(c.model, schema, pool, {c.model.layers, c.model.layers});
  std::vector<core::NamedTensor> held = last || c.best_weights.empty() ? c.weights : c.best_weights;
  std::erase_if(held, [&](const core::NamedTensor& t) {
    const auto& all = model.parameters();
    return std::none_of(all.begin(), all.end(), [&](const auto& p) { return p->name == t.name; });
  });
  load_weights(held, model.parameters());
  return model;
}

PredictedRows predict(const Checkpoint& checkpoint, const core::Dataset& data, const PredictorOptions& options,
                      Transport* rank) {
  Input in{checkpoint, data, options, schema_of(checkpoint, data), {}};
  TrainOptions training;
  training.seed = checkpoint.options.seed;
  training.distribution = options.distribution;
  training.distribution.topology.chunks = 1;
  training.distribution.chunk_of = nullptr;
  training.distribution.history.staleness = 0;
  training.distribution.halo = {};
  training.distribution.overlap = false;
  // A single pass pays for no other.
  training.distribution.order = VertexOrder::kFile;
  training.distribution.schedule = ScheduleKind::kAllForwardAllBackward;
  validate(training);
  core::Arena arena(threads_of(options.threads, rank));
  if (rank != nullptr) compare_ranks(*rank, in);
  arena.execute([&] {
    in.plan = rank != nullptr && holds_part_only(checkpoint.model, training)
                  ? make_rank_plan(checkpoint.model, in.schema, data, training, *rank)
                  : make_plan(checkpoint.model, in.schema, *model_graph(checkpoint.model, data), training);
  });
  const Index num_devices = in.plan.num_devices();
  if (rank != nullptr) {
    check_num_ranks(in.plan.topology, *rank);
    compare_parts(*rank, in.plan);
    return predict_device(in, rank->rank(), arena.threads(), rank);
  }
  std::vector<std::unique_ptr<Transport>> transports;
  if (num_devices > 1) transports = make_local_transports(num_devices, options.distribution.link);
  const int threads = std::max(1, arena.threads() / static_cast<int>(num_devices));
  std::vector<PredictedRows> results(static_cast<std::size_t>(num_devices));
  on_devices(results.size(), transports, [&](std::size_t d) {
    results[d] = predict_device(in, static_cast<Index>(d), threads, transports.empty() ? nullptr : transports[d].get());
  });
  return std::move(results.front());
}

}  // namespace laminar::pipeline
