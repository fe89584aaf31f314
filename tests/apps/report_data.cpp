#include "laminar/tests/apps/report_data.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "laminar/core/random.hpp"

using namespace laminar;
using core::Index;

namespace {

/// Numbers of a seed, one after the other.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : seed_(seed) {}
  double normal() { return core::random_normal(core::random_key(seed_, "noise"), next_++); }

 private:
  std::uint64_t seed_;
  std::uint64_t next_ = 0;
};

pipeline::EpochRecord make_epoch(const ReportShape& shape, Index epoch, Noise& noise) {
  const bool regression = shape.task == core::Task::kRegression;
  const double t = static_cast<double>(epoch) / static_cast<double>(std::max<Index>(shape.epochs, 20));
  const double learnt = 1 - std::exp(-9 * t);
  pipeline::EpochRecord e;
  e.epoch = epoch;
  e.loss = (regression ? 4.0 : std::log(static_cast<double>(std::max<Index>(shape.classes, 2)))) *
           std::exp(-3.2 * learnt) * (1 + 0.06 * noise.normal());
  e.learning_rate = 0.005 * (1 + std::cos(3.14159265 * t));
  e.gradient_norm = shape.clipped ? 2.5 * std::exp(-2 * t) * std::exp(0.3 * noise.normal())
                                  : std::numeric_limits<double>::quiet_NaN();
  e.evaluated = epoch % shape.eval_every == 0 || epoch == shape.epochs;
  if (e.evaluated) {
    const auto metric = [&](double top) {
      return regression ? 3 * std::exp(-2.5 * learnt) + (1 - top) + 0.01 * noise.normal()
                        : std::min(1.0, 0.15 + (top - 0.15) * learnt + 0.006 * noise.normal());
    };
    e.evaluation = {metric(0.985), metric(0.80), metric(0.815), 0.62 + 1.3 * std::exp(-6 * t) + 0.35 * t * t};
    e.evaluation_ms = 1.9 + 0.1 * std::abs(noise.normal());
  }
  const double slow = epoch == 1 ? 9 : 1;
  e.forward_ms = slow * (2.1 + 0.15 * std::abs(noise.normal()));
  e.loss_ms = 0.12 + 0.01 * std::abs(noise.normal());
  e.backward_ms = slow * (3.4 + 0.3 * std::abs(noise.normal()));
  e.optimizer_ms = 0.45 + 0.03 * std::abs(noise.normal());
  e.epoch_ms = e.forward_ms + e.loss_ms + e.backward_ms + e.optimizer_ms;
  return e;
}

pipeline::Confusion make_confusion(Index classes, Noise& noise) {
  pipeline::Confusion counts(static_cast<std::size_t>(classes * classes));
  for (Index i = 0; i < classes; ++i) {
    const auto support = static_cast<double>(std::max<Index>(3, 1000 * 3 / (i + 3)));
    for (Index j = 0; j < classes; ++j) {
      const double share = i == j ? 0.8 : 0.2 * std::exp(-3 + 1.4 * noise.normal());
      counts[static_cast<std::size_t>(i * classes + j)] = std::llround(share * support * 0.9);
    }
  }
  return counts;
}

/// A pipeline of equal steps without a gap but those at both ends, backward twice as long as forward.
std::vector<std::vector<pipeline::StepSpan>> make_spans(const pipeline::Topology& t) {
  constexpr double kForwardMs = 2;
  std::vector<std::vector<pipeline::StepSpan>> spans;
  for (Index d = 0; d < t.devices(); ++d) {
    const Index stage = d / t.parts;
    spans.emplace_back();
    double end = 0;
    const auto add = [&](pipeline::Step::Kind kind, Index chunk, double begin, double length) {
      const double wait = begin - end;
      spans.back().push_back({{kind, chunk, stage, stage + 1}, end, begin + length, wait, 0.1});
      end = begin + length;
    };
    for (Index c = 0; c < t.chunks; ++c) {
      add(pipeline::Step::Kind::kForward, c, kForwardMs * static_cast<double>(stage + c), kForwardMs);
    }
    const double turn = kForwardMs * static_cast<double>(t.stages + t.chunks - 1);
    for (Index c = 0; c < t.chunks; ++c) {
      const double begin = turn + 2 * kForwardMs * static_cast<double>(t.stages - 1 - stage + c);
      add(pipeline::Step::Kind::kBackward, t.chunks - 1 - c, begin, 2 * kForwardMs);
    }
  }
  return spans;
}

void add_devices(const ReportShape& shape, pipeline::TrainResult& r) {
  const pipeline::Topology& t = shape.topology;
  r.topology = t;
  r.spans = make_spans(t);
  r.remarks = {"part 0 is heavier than <asked>"};
  for (Index d = 0; d < t.devices(); ++d) {
    r.device_memory.push_back({r.peak_bytes, 9'000'000 + 1024 * static_cast<std::size_t>(d)});
  }
  for (pipeline::EpochRecord& e : r.epochs) {
    for (Index d = 0; d < t.devices(); ++d) e.devices.push_back({30 + static_cast<double>(d), 4, 0.5});
    e.ledger.add(pipeline::Cause::kStageForward, 1'234'567);
    e.ledger.add(pipeline::Cause::kStageBackward, 1'234'567);
    e.ledger.add(pipeline::Cause::kEvaluation, e.evaluated ? 777'777 : 0);
    e.bytes = e.ledger.training_bytes();
    e.staleness = {0, 0.4 / std::sqrt(static_cast<double>(e.epoch)), 0.6 / std::sqrt(static_cast<double>(e.epoch))};
  }
}

pipeline::TrainResult make_result(const ReportShape& shape, Index run) {
  Noise noise(static_cast<std::uint64_t>(run) + 1);
  pipeline::TrainResult r;
  const bool regression = shape.task == core::Task::kRegression;
  r.metric = core::default_metric(shape.task);
  r.split = "0";
  r.seed = static_cast<std::uint64_t>(run) + 1;
  const Index last = shape.early_stop ? shape.epochs - 11 * run - 5 : shape.epochs;
  for (Index epoch = 1; epoch <= last; ++epoch) {
    r.epochs.push_back(make_epoch(shape, epoch, noise));
    const auto& e = r.epochs.back();
    const bool better =
        regression ? e.evaluation.val_metric < r.best.val_metric : e.evaluation.val_metric > r.best.val_metric;
    if (e.evaluated && (r.best_epoch == 0 || better)) {
      r.best_epoch = epoch;
      r.best = e.evaluation;
    }
  }
  r.loss = r.epochs.back().loss;
  r.epoch_ms = r.epochs.back().epoch_ms;
  r.ending = shape.early_stop ? pipeline::Ending::kEarlyStop : pipeline::Ending::kAllEpochs;
  if (shape.task == core::Task::kClassification) r.confusion = make_confusion(shape.classes, noise);
  r.peak_bytes = {368'640, 737'280, 1'966'080, 5'406'720, 2'703'360, 0, 131'072};
  r.peak_bytes_total = 10'223'616;
  r.graph_bytes = 196'608;
  if (shape.topology.devices() > 1) add_devices(shape, r);
  return r;
}

}  // namespace

apps::ReportData make_report_data(const ReportShape& shape) {
  apps::ReportData d;
  d.command = fmt::format("laminar-train graph.h5 --layer sage --layers 3 --hidden 128 --epochs {} --runs {} --seed 1",
                          shape.epochs, shape.runs);
  d.configuration = {{"layer", "sage"},
                     {"layers", "3"},
                     {"hidden", "128"},
                     {"dropout", "0.5"},
                     {"residual", "true"},
                     {"activation", "relu"},
                     {"precision", "f32"},
                     {"epochs", "200"},
                     {"optimizer", "adamw"},
                     {"lr", "0.01"},
                     {"weight-decay", "0.0005"},
                     {"schedule", "cosine"},
                     {"warmup-epochs", "10"},
                     {"clip-norm", "0"},
                     {"metric", ""},
                     {"eval-every", "1"},
                     {"patience", "0"},
                     {"seed", "1"}};
  d.model.layer = "sage";
  d.model.layers = 3;
  d.model.residual = true;
  d.options.epochs = shape.epochs;
  d.options.clip_norm = shape.clipped ? 1 : 0;
  d.num_weights = 92'231;
  d.schema = {.name = "debian",
              .num_vertices = 63'465,
              .num_edges = 311'204,
              .directed = true,
              .num_features = 2048,
              .sparse_features = true,
              .feature_entries = 1'322'119,
              .task = shape.task,
              .num_outputs = shape.classes,
              .output_names = {},
              .split_names = {"0"}};
  const char* const sections[] = {"admin", "database", "devel",  "doc",   "games", "gnome", "graphics", "libdevel",
                                  "libs",  "net",      "python", "sound", "text",  "utils", "x11"};
  for (Index c = 0; c < shape.classes; ++c) {
    const auto i = static_cast<std::size_t>(c);
    d.schema.output_names.push_back(i < std::size(sections) ? sections[i] : fmt::format("section-{}", i));
  }
  d.dataset_file = "debian.h5";
  d.provenance = "laminar-convert --from debian";
  d.fingerprint = "9e1c83a2b7d40f56";
  d.splits = {{"0", 38'079, 12'693, 12'693}};
  for (Index run = 0; run < shape.runs; ++run) d.results.push_back(make_result(shape, run));
  d.peak_rss_bytes = 148'897'792;
  d.machine = {.cpu_model = "Example CPU @ 2.10GHz",
               .cores = 2,
               .threads = 2,
               .memory_bytes = 24ULL << 30,
               .os = "Example Linux 12, Linux 6.1.0 (x86_64)",
               .compiler = "GCC 12.2.0, Release build",
               .gemm_library = "oneDNN 2.6.3",
               .version = "0.1.0",
               .time_utc = "2031-05-04 17:20:05 UTC"};
  return d;
}
