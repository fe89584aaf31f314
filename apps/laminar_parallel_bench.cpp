// laminar-parallel-bench: which way of spreading a training over devices is the fastest.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/application.hpp"
#include "laminar/apps/auto_topology.hpp"
#include "laminar/apps/interrupt.hpp"
#include "laminar/apps/machine.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/parallel_bench.hpp"
#include "laminar/apps/parallel_bench_page.hpp"
#include "laminar/apps/partition_options.hpp"
#include "laminar/apps/plugins.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/pipeline/learned_features.hpp"
#include "laminar/pipeline/mpi_transport.hpp"

namespace {

namespace apps = laminar::apps;
namespace core = laminar::core;
namespace pipeline = laminar::pipeline;
using core::Index;
using laminar::UsageError;
using Clock = std::chrono::steady_clock;

constexpr Index kDevices = 4;
constexpr Index kEpochs = 20;
// The first one fills memory pools.
constexpr Index kReplayEpochs = 3;

struct Command {
  apps::TrainCommand train;
  std::string modes = "all";
  std::string target;
  bool replay = false;

  Command() {
    train.training.epochs = kEpochs;
    train.line.group("Benchmark");
    apps::Option m = apps::option("modes", modes, "NAME,...",
                                  "what to compare: single, pipeline, graph, hybrid, auto, topologies "
                                  "STAGESxPARTSxCHUNKS, or all (the first four)");
    m.scope = apps::Scope::kOnce;
    train.line.add(std::move(m));
    apps::Option t = apps::option("target", target, "X",
                                  "also tell when the validation metric first is this good, evaluations included");
    t.scope = apps::Scope::kOnce;
    train.line.add(std::move(t));
    apps::Option r =
        apps::flag("replay", replay,
                   "also time the steps of pipelines with one device computing at a time, and tell how long "
                   "devices with cores of their own would wait");
    r.scope = apps::Scope::kOnce;
    train.line.add(std::move(r));
  }
  std::optional<double> target_value() const {
    if (target.empty()) return std::nullopt;
    try {
      return apps::parse_number(target);
    } catch (const UsageError& e) {
      throw UsageError(fmt::format("--target is '{}': {}", target, e.what()));
    }
  }
};

std::string help_text(const Command& c) {
  return fmt::format(R"(Usage: laminar-parallel-bench GRAPH.h5 [OPTIONS]

Trains the same net in every mode, one after the other, on devices that are threads of this process (--devices, {} if
not given), and puts them side by side: the median epoch and the range of the middle 80 % (the first one left out), what
was predicted, the bytes that were sent against those of the formula, the share of time that devices compute, and with
--target how long it takes to reach a validation metric. --link-mbps and --link-latency-us put a network between the
devices. Devices that outnumber the cores share them. {} epochs if --epochs is not given.

The options are those of laminar-train; --mode, --runs, --checkpoint, --resume, --curves, --predictions, --trace,
--dump-config and --dry-run have no meaning here and are refused.

{}
Exit codes: 0 done, 1 failed, 2 a wrong option.

Examples:
  laminar-parallel-bench squirrel.h5 --layer gcnii --layers 32 --devices 4 --link-mbps 200 --report modes.html
  laminar-parallel-bench cora.h5 --layer gcnii --layers 16 --modes graph,4x1x16,4x1x32 --epochs 100 --target 0.75
)",
                     kDevices, kEpochs, c.train.line.help());
}

void refuse_what_is_of_one_run(const Command& c) {
  for (const char* name : {"mode", "runs", "checkpoint", "checkpoint-every", "resume", "curves", "predictions", "trace",
                           "dump-config", "dry-run"}) {
    if (c.train.given.contains(name)) throw UsageError(fmt::format("--{} has no meaning here", name));
  }
  if (c.train.training.split == "all") throw UsageError("--split all: modes are compared on one split; name it");
  if (pipeline::under_mpi()) {
    throw UsageError(
        "this compares threads of one process; under mpirun use laminar-train --mode, or "
        "scripts/bench_network.sh");
  }
}

/// One line on a terminal, else one when a mode begins and ends. What is left is judged by the predictions, scaled by
/// what epochs have taken so far.
class BenchProgress {
 public:
  BenchProgress(bool quiet, Index epochs, std::vector<double> predicted_ms)
      : quiet_(quiet), epochs_(epochs), predicted_ms_(std::move(predicted_ms)), terminal_(apps::is_terminal(stderr)) {}
  void epoch(std::size_t mode, const std::string& name, const pipeline::EpochRecord& record) {
    const double took_ms = std::chrono::duration<double, std::milli>(Clock::now() - started_).count();
    double all = 0;
    for (const double ms : predicted_ms_) all += ms * static_cast<double>(epochs_);
    double done = 0;
    for (std::size_t m = 0; m < mode; ++m) done += predicted_ms_[m] * static_cast<double>(epochs_);
    done += predicted_ms_[mode] * static_cast<double>(record.epoch);
    const double left_s = done > 0 ? took_ms * (all - done) / done / 1e3 : -1;
    if (quiet_ || (!terminal_ && record.epoch != 1 && record.epoch != epochs_)) return;
    const std::string text =
        fmt::format("[{}/{}] {}: epoch {}/{}, {} ms, ETA {}", mode + 1, predicted_ms_.size(), name, record.epoch,
                    epochs_, apps::ms_text(record.epoch_ms), apps::duration_text(left_s));
    if (!terminal_) {
      fmt::print(stderr, "{}\n", text);
      return;
    }
    fmt::print(stderr, "\r{:.{}}\x1b[K", text, std::max(apps::terminal_width(stderr) - 1, 20));
    std::fflush(stderr);
  }
  void clear() const {
    if (!quiet_ && terminal_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  bool quiet_;
  Index epochs_;
  std::vector<double> predicted_ms_;
  bool terminal_;
  Clock::time_point started_ = Clock::now();
};

/// What auto stands for, if it is asked for.
std::optional<apps::AutoChoice> choose(Command& c, const core::Dataset& data, Index devices) {
  const auto words = apps::split_at_commas(c.modes);
  if (std::find(words.begin(), words.end(), "auto") == words.end()) return std::nullopt;
  apps::TrainCommand& t = c.train;
  const auto before = std::pair(t.given, t.distribution);
  const pipeline::Topology topology = t.training.distribution.topology;
  t.distribution.mode = "auto";
  t.distribution.devices = devices;
  const auto choice = apps::choose_topology(t, data, nullptr);
  std::tie(t.given, t.distribution) = before;
  t.training.distribution.topology = topology;
  return choice;
}

std::vector<pipeline::CostPrediction> predict(const Command& c, const core::Dataset& data, Index devices,
                                              const std::vector<apps::BenchMode>& modes,
                                              const std::optional<apps::AutoChoice>& choice) {
  // Threads that wait for each other take longer on a busy machine, so devices are as many as any mode has.
  for (const apps::BenchMode& m : modes) devices = std::max(devices, m.options.distribution.topology.devices());
  std::optional<pipeline::CostModel> model;
  std::vector<pipeline::CostPrediction> predictions;
  for (const apps::BenchMode& m : modes) {
    const pipeline::Topology& topology = m.options.distribution.topology;
    // What was compared for auto is known.
    const auto is_it = [&](const pipeline::CostPrediction& p) { return p.topology == topology; };
    const auto known = choice ? choice->predictions : std::vector<pipeline::CostPrediction>{};
    if (const auto at = std::find_if(known.begin(), known.end(), is_it); at != known.end()) {
      predictions.push_back(*at);
      continue;
    }
    if (!model) {
      model.emplace(c.train.model, data, c.train.training, apps::find_devices(c.train, devices, nullptr));
    }
    predictions.push_back(model->predict(topology));
  }
  return predictions;
}

int run_bench(Command& c, const std::string& command_text) {
  refuse_what_is_of_one_run(c);
  apps::TrainCommand& t = c.train;
  const std::optional<double> target = c.target_value();
  if (t.distribution.devices < 0) throw UsageError(fmt::format("--devices is {}", t.distribution.devices));
  const Index devices = t.distribution.devices > 0 ? t.distribution.devices : kDevices;
  const std::vector<apps::NamedFile> outputs = {{"report", t.report}, {"json", t.json}};
  const std::vector<apps::NamedFile> inputs = {{"the graph file", t.graph}, {"the configuration file", t.config}};
  apps::check_outputs(outputs, inputs);
  const auto file = laminar::datasets::open(t.graph);
  const auto with_learned = pipeline::with_learned_features(*file, t.model);
  const core::Dataset& data = with_learned ? *with_learned : *file;
  const core::DatasetSchema& schema = data.schema();
  static_cast<void>(laminar::layers::Model(t.model, schema));  // refuses what does not go together
  // Names first: choosing takes a while.
  static_cast<void>(apps::bench_modes(t, c.modes, devices, pipeline::Topology{}));
  const auto choice = choose(c, data, devices);
  const auto modes = apps::bench_modes(t, c.modes, devices, choice ? std::optional(choice->topology) : std::nullopt);
  if (!t.quiet) {
    fmt::print(stderr, "{}: {} vertices, {} edges; {} modes, {} epochs each\n", schema.name,
               apps::count_text(schema.num_vertices), apps::count_text(schema.num_edges), modes.size(),
               t.training.epochs);
    for (const std::string& note : t.notes) fmt::print(stderr, "note: {}\n", note);
  }
  const auto predictions = predict(c, data, devices, modes, choice);
  std::vector<double> predicted_ms;
  for (const auto& p : predictions) predicted_ms.push_back(p.epoch_ms);

  apps::ParallelBench bench;
  bench.command = command_text;
  bench.graph_file = t.graph.string();
  bench.schema = schema;
  bench.configuration = t.configuration();
  bench.model = t.model;
  bench.target = target;
  bench.epochs = t.training.epochs;
  bench.devices = devices;
  bench.cores = core::Arena(0).threads();
  bench.link = t.training.distribution.link;
  bench.machine = apps::this_machine(t.training.threads);
  bench.metric = t.training.metric.value_or(core::default_metric(schema.task));
  apps::Interrupts interrupts;
  interrupts.arm();
  BenchProgress progress(t.quiet, t.training.epochs, std::move(predicted_ms));
  for (std::size_t m = 0; m < modes.size() && interrupts.signal() == 0; ++m) {
    apps::ModeRun run = apps::run_mode(modes[m], t.model, data, target,
                                       [&](const pipeline::EpochRecord& record, pipeline::Trainer& trainer) {
                                         progress.epoch(m, modes[m].name, record);
                                         if (interrupts.signal() != 0) trainer.request_stop();
                                       });
    run.predicted = predictions[m];
    if (c.replay && run.failure.empty() && interrupts.signal() == 0) {
      run.replayed_bubble = apps::replay_bubble(modes[m], t.model, data, std::min(t.training.epochs, kReplayEpochs));
    }
    bench.modes.push_back(std::move(run));
  }
  progress.clear();
  if (interrupts.signal() != 0) fmt::print(stderr, "interrupted: the figures are of what has run\n");
  fmt::print("{}", apps::parallel_bench_table(bench, apps::is_terminal(stdout)));
  if (static_cast<double>(devices) > bench.cores) {
    fmt::print("{} devices share {:.0f} cores, so computing does not get faster by them\n", devices, bench.cores);
  }
  if (!t.json.empty()) {
    core::write_file(t.json,
                     parallel_bench_json(bench).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  if (!t.report.empty()) core::write_file(t.report, apps::parallel_bench_page(bench));
  for (const auto& path : {t.json, t.report}) {
    if (!path.empty() && !t.quiet) fmt::print("written to {}\n", path.string());
  }
  const bool any = std::any_of(bench.modes.begin(), bench.modes.end(), [](const auto& r) { return r.failure.empty(); });
  if (!any) throw laminar::Error("no mode ran to its end; the reasons stand in the table");
  return interrupts.signal() == 0 ? 0 : 128 + interrupts.signal();
}

int run(int argc, char** argv) {
  apps::load_plugins(argc, argv);
  Command command;
  command.train.read(argc, argv);
  if (command.train.help) {
    fmt::print("{}", help_text(command));
    return 0;
  }
  if (command.train.version) {
    fmt::print("laminar-parallel-bench {}\n", LAMINAR_VERSION);
    return 0;
  }
  std::string text = "laminar-parallel-bench";
  for (int i = 1; i < argc; ++i) text += fmt::format(" {}", argv[i]);
  return run_bench(command, text);
}

}  // namespace

int main(int argc, char** argv) { return apps::run_application("laminar-parallel-bench", argc, argv, run); }
