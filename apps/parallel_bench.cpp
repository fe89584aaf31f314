#include "laminar/apps/parallel_bench.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/auto_topology.hpp"
#include "laminar/apps/device_figures.hpp"
#include "laminar/apps/partition_options.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/apps/result_line.hpp"
#include "laminar/core/error.hpp"
#include "laminar/pipeline/replay.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using nlohmann::ordered_json;
using pipeline::Cause;
using pipeline::Topology;

constexpr int kReplayRuns = 5;
constexpr std::array<Cause, 6> kTrainingCauses = {Cause::kStageForward, Cause::kStageBackward, Cause::kHaloForward,
                                                  Cause::kHaloBackward, Cause::kWeights,       Cause::kFraming};

/// "4x1x32", or nothing if it is no such thing.
std::optional<Topology> parse_topology(const std::string& word) {
  if (word.empty() || word.front() < '0' || word.front() > '9') return std::nullopt;
  std::vector<Index> numbers;
  for (std::size_t at = 0; at <= word.size();) {
    const std::size_t x = std::min(word.find('x', at), word.size());
    numbers.push_back(parse_integer(word.substr(at, x - at)));
    at = x + 1;
  }
  if (numbers.size() != 3 || *std::min_element(numbers.begin(), numbers.end()) < 1) {
    throw UsageError("expected STAGESxPARTSxCHUNKS, such as 4x1x32");
  }
  return Topology{numbers[0], numbers[1], numbers[2]};
}

/// The value below which `share` of the sorted values lie.
double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(place);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

/// A topology as if it had been asked for, with what trains well with it.
BenchMode settled(const TrainCommand& c, const std::string& name, const DistributionRequest& request,
                  const GivenValues& given, const Topology& topology) {
  BenchMode mode{name, c.training, {}};
  mode.options.distribution.topology = topology;
  resolve_topology(given, 0, request, mode.options.distribution);
  mode.note = choose_training_defaults(c.given, mode.options);
  pipeline::validate(mode.options);
  return mode;
}

GivenValues given_topology(const TrainCommand& c) {
  GivenValues given = c.given;
  for (const char* name : {"stages", "partitions", "chunks"}) given.emplace(name, "");
  return given;
}

BenchMode mode_from(const TrainCommand& c, const std::string& word, Index devices,
                    const std::optional<Topology>& chosen) {
  DistributionRequest request = c.distribution;
  request.devices = 0;
  if (word == "auto") {
    if (!chosen) throw UsageError("auto was not chosen");
    request.mode = mode_of(*chosen);
    return settled(c, word, request, given_topology(c), *chosen);
  }
  if (const auto topology = parse_topology(word)) {
    request.mode = mode_of(*topology);
    return settled(c, word, request, given_topology(c), *topology);
  }
  request.mode = word;
  GivenValues given = c.given;
  Topology asked = c.training.distribution.topology;
  const bool staged = word == "pipeline" || word == "hybrid";
  // --chunks, --stages and --partitions are for the modes that have them.
  if (!staged) {
    given.erase("chunks");
    given.erase("stages");
    asked.stages = asked.chunks = 1;
  }
  if (word != "hybrid") {
    if (word == "pipeline") given.erase("stages");
    given.erase("partitions");
    asked.parts = 1;
  }
  request.devices = word == "single" ? 1 : devices;
  return settled(c, word, request, given, asked);
}

}  // namespace

std::vector<BenchMode> bench_modes(const TrainCommand& c, const std::string& modes, Index devices,
                                   const std::optional<Topology>& chosen) {
  std::vector<BenchMode> result;
  const std::string words = modes == "all" ? "single,graph,hybrid,pipeline" : modes;
  for (const std::string& word : split_at_commas(words)) {
    try {
      BenchMode mode = mode_from(c, word, devices, chosen);
      const Topology& t = mode.options.distribution.topology;
      const bool known = std::any_of(result.begin(), result.end(),
                                     [&](const BenchMode& m) { return m.options.distribution.topology == t; });
      // Three devices, say, have no hybrid of their own.
      if (!known) result.push_back(std::move(mode));
    } catch (const UsageError& e) {
      throw UsageError(fmt::format("--modes: {}: {}", word, e.what()));
    }
  }
  if (result.empty()) throw UsageError("--modes names none");
  return result;
}

void take_figures(ModeRun& run, const std::optional<double>& target) {
  const auto& epochs = run.result.epochs;
  const std::span<const pipeline::EpochRecord> warm(epochs.data() + (epochs.size() > 1 ? 1 : 0),
                                                    epochs.size() - (epochs.size() > 1 ? 1 : 0));
  std::vector<double> times;
  std::vector<double> evaluations;
  for (const pipeline::EpochRecord& e : warm) {
    times.push_back(e.epoch_ms);
    if (e.evaluated) evaluations.push_back(e.evaluation_ms);
  }
  std::sort(times.begin(), times.end());
  std::sort(evaluations.begin(), evaluations.end());
  run.epoch_ms = quantile(times, 0.5);
  run.low_ms = quantile(times, 0.1);
  run.high_ms = quantile(times, 0.9);
  run.evaluation_ms = quantile(evaluations, 0.5);
  run.traffic = typical_traffic(warm);
  run.devices = typical_times(warm);
  double busy = 0;
  for (const pipeline::DeviceTimes& d : run.devices) busy += d.busy_ms;
  const double all = run.epoch_ms * static_cast<double>(run.devices.size());
  run.busy_share = run.devices.empty() ? 1 : all > 0 ? std::min(1.0, busy / all) : 0;
  run.target_s = std::numeric_limits<double>::quiet_NaN();
  run.target_epoch = 0;
  if (!target) return;
  double ms = 0;
  for (const pipeline::EpochRecord& e : epochs) {
    ms += e.epoch_ms + e.evaluation_ms;
    if (!e.evaluated) continue;
    const double value = e.evaluation.val_metric;
    const bool good = core::higher_is_better(run.result.metric) ? value >= *target : value <= *target;
    if (!good) continue;
    run.target_s = ms / 1e3;
    run.target_epoch = e.epoch;
    return;
  }
}

ModeRun run_mode(const BenchMode& mode, const layers::ModelOptions& model, const core::Dataset& data,
                 const std::optional<double>& target,
                 const std::function<void(const pipeline::EpochRecord&, pipeline::Trainer&)>& progress) {
  ModeRun run;
  run.name = mode.name;
  run.note = mode.note;
  run.topology = mode.options.distribution.topology;
  try {
    pipeline::Trainer trainer(model, data, mode.options);
    trainer.observe([&](const pipeline::EpochRecord& record) { progress(record, trainer); });
    run.result = trainer.run();
    take_figures(run, target);
  } catch (const Error& e) {
    run.failure = e.what();
  }
  return run;
}

double replay_bubble(const BenchMode& mode, const layers::ModelOptions& model, const core::Dataset& data,
                     Index epochs) {
  const pipeline::DistributionOptions& d = mode.options.distribution;
  if (d.topology.stages == 1 || d.topology.parts > 1 || d.history.staleness == 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  pipeline::TrainOptions options = mode.options;
  options.distribution.take_turns = true;
  std::vector<std::vector<std::vector<pipeline::StepSpan>>> last_epochs;
  for (int run = 0; run < kReplayRuns; ++run) {
    options.epochs = options.eval_every = epochs + run;
    last_epochs.push_back(pipeline::Trainer(model, data, options).run().spans);
  }
  return pipeline::replay(pipeline::median_steps(last_epochs)).bubble;
}

std::string parallel_bench_table(const ParallelBench& bench, bool bold) {
  const auto best_of = [&](auto value) {
    double best = std::numeric_limits<double>::infinity();
    for (const ModeRun& r : bench.modes) {
      if (r.failure.empty() && std::isfinite(value(r))) best = std::min(best, value(r));
    }
    return best;
  };
  const double best_ms = best_of([](const ModeRun& r) { return r.epoch_ms; });
  const double best_s = best_of([](const ModeRun& r) { return r.target_s; });
  const auto mark = [&](const std::string& text, int width, bool best) {
    const std::string cell = fmt::format(" {:>{}}{}", text, width, best ? '*' : ' ');
    return best && bold ? "\x1b[1m" + cell + "\x1b[0m" : cell;
  };
  std::size_t left = 8;
  for (const ModeRun& r : bench.modes) left = std::max(left, r.name.size() + topology_text(r.topology).size() + 2);
  std::string text = fmt::format("{:<{}}  {:>9}   {:>17} {:>10}  {:>10} {:>10}  {:>6} {:>10} {:>9}  {:>11}\n", "mode",
                                 left, "epoch ms", "80 % within", "predicted", "sent", "formula", "busy", "validation",
                                 "test", bench.target ? "s to target" : "");
  for (const ModeRun& r : bench.modes) {
    text += fmt::format("{:<{}} ", fmt::format("{}, {}", r.name, topology_text(r.topology)), left);
    if (!r.failure.empty()) {
      text += fmt::format(" failed: {}\n", r.failure);
      continue;
    }
    const auto sent = static_cast<double>(r.bytes());
    const auto formula = static_cast<double>(r.predicted.bytes());
    text += mark(ms_text(r.epoch_ms), 9, r.epoch_ms == best_ms);
    text += fmt::format(" {:>17} {:>10}  {:>10} {:>10}  {:>4.0f} % {:>10} {:>9}",
                        fmt::format("{} - {}", ms_text(r.low_ms), ms_text(r.high_ms)), ms_text(r.predicted.epoch_ms),
                        bytes_text(sent),
                        sent == formula ? "the same" : fmt::format("{:+.2f} %", 100 * (formula / sent - 1)),
                        100 * r.busy_share, metric_text(r.result.metric, r.result.best.val_metric),
                        metric_text(r.result.metric, r.result.best.test_metric));
    if (bench.target) {
      text += mark(std::isfinite(r.target_s) ? fmt::format("{:.2f}", r.target_s) : "never", 12, r.target_s == best_s);
    }
    text += "\n";
  }
  text += fmt::format("\n{:<{}}", "an epoch sends", left + 2);
  for (const Cause cause : kTrainingCauses) text += fmt::format("{:>15}", name_of(cause));
  text += fmt::format("{:>15}\n", "an evaluation");
  for (const ModeRun& r : bench.modes) {
    if (!r.failure.empty() || r.topology.devices() == 1) continue;
    text += fmt::format("{:<{}}", r.name, left + 2);
    for (const Cause cause : kTrainingCauses) {
      text += fmt::format("{:>15}", bytes_text(static_cast<double>(r.traffic[cause])));
    }
    text += fmt::format("{:>15}\n", bytes_text(static_cast<double>(r.traffic[Cause::kEvaluation])));
  }
  for (const ModeRun& r : bench.modes) {
    if (std::isnan(r.replayed_bubble)) continue;
    text += fmt::format(
        "{}, {}: with cores of their own, by steps measured one at a time, devices would wait {:.1f} % of the time; "
        "(S - 1) / (K + S - 1) = {:.1f} %\n",
        r.name, topology_text(r.topology), 100 * r.replayed_bubble, 100 * r.predicted.bubble);
  }
  for (const ModeRun& r : bench.modes) {
    if (!r.note.empty()) text += fmt::format("{}: {}\n", r.name, r.note);
  }
  return text;
}

ordered_json parallel_bench_json(const ParallelBench& b) {
  const auto number = [](double x) { return std::isfinite(x) ? ordered_json(x) : ordered_json(nullptr); };
  ordered_json j = {{"program", "laminar-parallel-bench"},
                    {"version", b.machine.version},
                    {"command", b.command},
                    {"graph",
                     {{"file", b.graph_file},
                      {"name", b.schema.name},
                      {"vertices", b.schema.num_vertices},
                      {"edges", b.schema.num_edges},
                      {"directed", b.schema.directed}}},
                    {"machine",
                     {{"cpu_model", b.machine.cpu_model},
                      {"cores", b.machine.cores},
                      {"threads", b.machine.threads},
                      {"os", b.machine.os},
                      {"compiler", b.machine.compiler},
                      {"time_utc", b.machine.time_utc}}},
                    {"devices", b.devices},
                    {"link_mbps", b.link.mbps},
                    {"link_latency_us", b.link.latency_us},
                    {"epochs", b.epochs},
                    {"metric", core::name_of(b.metric)}};
  j["target"] = b.target ? ordered_json(*b.target) : ordered_json(nullptr);
  for (const auto& [name, value] : b.configuration) j["configuration"][name] = value;
  j["modes"] = ordered_json::array();
  for (const ModeRun& r : b.modes) {
    ordered_json m = {{"name", r.name},
                      {"mode", mode_of(r.topology)},
                      {"stages", r.topology.stages},
                      {"parts", r.topology.parts},
                      {"chunks", r.topology.chunks}};
    if (!r.note.empty()) m["note"] = r.note;
    m["predicted"] = {{"epoch_ms", r.predicted.epoch_ms},
                      {"bytes_per_epoch", r.predicted.bytes()},
                      {"core_ms", r.predicted.core_ms},
                      {"bubble", r.predicted.bubble},
                      {"busy_share", r.predicted.busy_share()},
                      {"table_bytes", r.predicted.table_bytes},
                      {"h_in", r.predicted.h_in},
                      {"h_out", r.predicted.h_out}};
    if (!r.failure.empty()) {
      m["failure"] = r.failure;
      j["modes"].push_back(std::move(m));
      continue;
    }
    m["epoch_ms"] = {{"median", r.epoch_ms}, {"p10", r.low_ms}, {"p90", r.high_ms}};
    m["evaluation_ms"] = r.evaluation_ms;
    m["bytes_per_epoch"] = r.bytes();
    for (std::size_t c = 0; c < pipeline::kNumCauses; ++c) {
      m["bytes_by_cause"][std::string(name_of(static_cast<Cause>(c)))] = r.traffic.bytes[c];
    }
    m["busy_share"] = r.busy_share;
    m["replayed_bubble"] = number(r.replayed_bubble);
    m["devices"] = ordered_json::array();
    for (const pipeline::DeviceTimes& d : r.devices) {
      m["devices"].push_back({{"busy_ms", d.busy_ms}, {"wait_ms", d.wait_ms}, {"send_ms", d.send_ms}});
    }
    m["best_epoch"] = r.result.best_epoch;
    m["val_metric"] = number(r.result.best.val_metric);
    m["test_metric"] = number(r.result.best.test_metric);
    m["target_s"] = number(r.target_s);
    m["target_epoch"] = r.target_epoch;
    m["validation"] = ordered_json::array();
    double seconds = 0;
    for (const pipeline::EpochRecord& e : r.result.epochs) {
      seconds += (e.epoch_ms + e.evaluation_ms) / 1e3;
      if (!e.evaluated) continue;
      m["validation"].push_back(
          {{"epoch", e.epoch}, {"seconds", seconds}, {"val_metric", number(e.evaluation.val_metric)}});
    }
    j["modes"].push_back(std::move(m));
  }
  return j;
}

}  // namespace laminar::apps
