// laminar-train: trains a model on a graph file.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "laminar/apps/application.hpp"
#include "laminar/apps/auto_topology.hpp"
#include "laminar/apps/curves.hpp"
#include "laminar/apps/device_figures.hpp"
#include "laminar/apps/interrupt.hpp"
#include "laminar/apps/machine.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/pair_figures.hpp"
#include "laminar/apps/plugins.hpp"
#include "laminar/apps/prediction_file.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/apps/report.hpp"
#include "laminar/apps/result_line.hpp"
#include "laminar/apps/run_json.hpp"
#include "laminar/apps/saved_partition.hpp"
#include "laminar/apps/trace.hpp"
#include "laminar/apps/train_command.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/pipeline/experiment.hpp"
#include "laminar/pipeline/learned_features.hpp"
#include "laminar/pipeline/memory_estimate.hpp"
#include "laminar/pipeline/mpi_transport.hpp"
#include "laminar/pipeline/pair_baseline.hpp"
#include "laminar/pipeline/pair_objective.hpp"
#include "laminar/pipeline/pair_split.hpp"
#include "laminar/pipeline/recompute.hpp"
#include "laminar/pipeline/trainer.hpp"

namespace {

using namespace laminar;
using namespace laminar::apps;

constexpr double kMebibyte = 1024.0 * 1024.0;

/// What the runs gave.
struct Outcome {
  std::vector<pipeline::TrainResult> results;
  /// Of the last run.
  pipeline::TrainOptions options;
  pipeline::DataSignature data;
  /// Of the one run, if they were asked for.
  pipeline::Prediction predictions;
  /// By run, if they were asked for.
  std::vector<std::vector<PairBaseline>> baselines;
  /// Of models of pairs, how many there are.
  std::vector<SplitSize> pairs;
  /// The signal that ended it, or 0.
  int signal = 0;
};

/// A word as a shell reads it back.
std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-+=.,:/@%") == std::string::npos;
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

core::Metric metric_of(const TrainCommand& c, const core::DatasetSchema& schema) {
  if (c.training.metric) return *c.training.metric;
  return c.of_links ? core::Metric::kRocAuc : core::default_metric(schema.task);
}

/// Everything that must be right before time is spent.
void check_request(const TrainCommand& c, const core::Dataset& data, const std::vector<pipeline::Run>& runs) {
  const core::DatasetSchema& schema = data.schema();
  // Refuses a metric that doesn't go with the task.
  if (c.of_links) {
    static_cast<void>(pipeline::metric_of(metric_of(c, schema), {}));
  } else {
    std::set<std::string> splits;
    for (const pipeline::Run& r : runs) {
      if (splits.insert(r.split).second) static_cast<void>(data.split(r.split));
    }
    if (c.training.metric) core::MetricAccumulator(*c.training.metric, schema.task, schema.num_outputs);
  }
  const auto needs_one_run = [&](bool asked, const char* option) {
    if (asked && runs.size() > 1) {
      throw UsageError(
          fmt::format("--{} is of a single run, but {} were asked "
                      "for; leave it out, or train one split "
                      "with --runs 1",
                      option, runs.size()));
    }
  };
  needs_one_run(!c.training.checkpoint.empty(), "checkpoint");
  needs_one_run(!c.predictions.empty(), "predictions");
  check_prediction_name("predictions", c.predictions);
  const std::vector<NamedFile> outputs = {{"checkpoint", c.training.checkpoint},
                                          {"report", c.report},
                                          {"json", c.json},
                                          {"curves", c.curves},
                                          {"trace", c.trace},
                                          {"predictions", c.predictions},
                                          {"dump-config", c.dump_config == "-" ? "" : c.dump_config}};
  const std::vector<NamedFile> inputs = {{"the graph file", c.graph}, {"the configuration file", c.config}};
  check_outputs(outputs, inputs);
}

void print_header(const TrainCommand& c, const core::DatasetSchema& s, core::Index num_weights,
                  const pipeline::MemoryEstimate& estimate, const std::string& recompute) {
  const std::string task =
      c.of_links ? fmt::format("links by embeddings of width {} and {}", c.model.hidden,
                               c.decoder == layers::DecoderKind::kDot ? "their inner product" : "a perceptron")
                 : fmt::format("{} with {} outputs", name_of(s.task), s.num_outputs);
  const core::Index given = s.num_features - s.num_learned;
  std::string features = s.num_learned > 0 ? fmt::format("{} learned embeddings", count_text(s.num_learned)) : "";
  if (given > 0) features = fmt::format("{} features{}{}", count_text(given), features.empty() ? "" : ", ", features);
  fmt::print(stderr, "{}: {} vertices, {} edges, {}, {}\n", s.name, count_text(s.num_vertices), count_text(s.num_edges),
             features, task);
  fmt::print(stderr, "{}, {} layers of width {}: {} weights, about {} of memory\n", c.model.layer, c.model.layers,
             c.model.hidden, count_text(num_weights), bytes_text(static_cast<double>(estimate.total())));
  const auto installed = this_machine(c.training.threads).memory_bytes;
  if (installed > 0 && estimate.total() > installed) {
    fmt::print(stderr, "note: that is more than this machine has ({})\n", bytes_text(static_cast<double>(installed)));
  }
  for (const std::string& note : c.notes) fmt::print(stderr, "note: {}\n", note);
  if (!c.verbose) return;
  fmt::print(stderr, "configuration\n");
  for (const auto& [name, value] : c.configuration()) fmt::print(stderr, "  {} = {}\n", name, value);
  fmt::print(stderr, "memory, estimated\n{}recompute: {}\n", estimate_table(estimate), recompute);
}

Progress make_progress(const TrainCommand& c, const core::DatasetSchema& schema, std::size_t runs) {
  const auto& t = c.training;
  return Progress({.quiet = c.quiet,
                   .verbose = c.verbose,
                   .terminal = is_terminal(stderr),
                   .width = terminal_width(stderr),
                   .runs = static_cast<core::Index>(runs),
                   .epochs = t.epochs,
                   .last_epoch = t.stop_after > 0 ? std::min(t.stop_after, t.epochs) : t.epochs,
                   .metric = metric_of(c, schema)},
                  stderr);
}

/// For --verbose, of the first run: after its first epochs one block that says where time and bytes go.
class DevicesBlock {
 public:
  DevicesBlock(const TrainCommand& c, const pipeline::Trainer& trainer, bool first_run)
      : plan_(trainer.plan()), wanted_(c.verbose && !c.quiet && first_run && plan_.num_devices() > 1) {
    const core::Index done = c.checkpoint ? c.checkpoint->epoch : 0;
    const core::Index last =
        c.training.stop_after > 0 ? std::min(c.training.stop_after, c.training.epochs) : c.training.epochs;
    after_ = std::min<core::Index>(done + kFirstEpochs, last);
    // Before the training, so that the other devices do not wait for it.
    if (wanted_)
      modes_ = modes_text(compare_modes(plan_, trainer.model(), pipeline::partition_strategy(c.training.distribution),
                                        c.training.seed));
  }
  void epoch(const pipeline::EpochRecord& record, Progress& progress) {
    if (!wanted_ || record.epoch > after_) return;
    epochs_.push_back(record);
    if (record.epoch < after_) return;
    // The first one is slower than all that follow.
    const std::size_t skip = epochs_.size() > 1 ? 1 : 0;
    progress.clear();
    fmt::print(stderr, "{}{}", devices_text(plan_, std::span(epochs_).subspan(skip)), modes_);
  }

 private:
  static constexpr core::Index kFirstEpochs = 4;
  const pipeline::Plan& plan_;
  bool wanted_;
  core::Index after_ = 0;
  std::string modes_;
  std::vector<pipeline::EpochRecord> epochs_;
};

/// Trains all runs, or as many as come before a signal. What a signal cut short
/// counts only if it is all there is.
Outcome train(const TrainCommand& c, const core::Dataset& data, const std::vector<pipeline::Run>& runs,
              Interrupts& interrupts, pipeline::Transport* rank) {
  Progress progress = make_progress(c, data.schema(), runs.size());
  Outcome outcome;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    pipeline::TrainOptions options = c.training;
    options.split = runs[i].split;
    options.seed = runs[i].seed;
    pipeline::Trainer trainer(c.model, data, options, rank);
    if (c.checkpoint) trainer.resume(*c.checkpoint);
    if (c.checkpoint && !c.quiet) {
      fmt::print(stderr, "going on from {} after epoch {} of {}\n", c.training.checkpoint.string(), c.checkpoint->epoch,
                 c.training.epochs);
    }
    // From here on there is something to save.
    interrupts.arm();
    const WatchScope scope(interrupts, trainer);
    Progress::Standing standing;
    if (c.checkpoint) standing = {c.checkpoint->epoch, c.checkpoint->best_epoch, c.checkpoint->best.val_metric};
    progress.begin_run(static_cast<core::Index>(i), fmt::format("split {}, seed {}", options.split, options.seed),
                       standing);
    if (i == 0 && !c.quiet) {
      for (const std::string& remark : trainer.plan().remarks) fmt::print(stderr, "note: {}\n", remark);
    }
    if (trainer.links() != nullptr) {
      const pipeline::PairSplit& links = *trainer.links();
      if (i == 0 && !c.quiet) fmt::print(stderr, "{}\n", pairs_text(links, data.schema().num_edges));
      if (outcome.pairs.empty()) {
        outcome.pairs.push_back(
            {options.split, std::ssize(links.train), std::ssize(links.val), std::ssize(links.test)});
      }
      if (c.link_baselines && !c.checkpoint) {
        outcome.baselines.push_back({{"common neighbours", pipeline::common_neighbours(links, options.pairs)},
                                     {"untrained model", trainer.pair_figures()}});
      }
    }
    DevicesBlock block(c, trainer, i == 0);
    trainer.observe([&](const pipeline::EpochRecord& record) {
      progress.epoch(record);
      block.epoch(record, progress);
      if (!c.verbose || record.layer_fidelity.empty()) return;
      progress.clear();
      fmt::print(stderr, "{}", fidelity_text(record));
    });
    pipeline::TrainResult result;
    try {
      result = trainer.run();
    } catch (...) {
      progress.clear();
      throw;
    }
    progress.end_run(result);
    const bool cut_short = result.ending == pipeline::Ending::kInterrupted;
    if (!cut_short || outcome.results.empty()) {
      outcome.results.push_back(std::move(result));
      outcome.options = trainer.options();
      outcome.data = trainer.data();
      if (!c.predictions.empty()) outcome.predictions = trainer.predict();
    }
    // Ranks hear of signals at different times; what they agree on is that a run was cut short.
    if (cut_short || (rank == nullptr && interrupts.signal() != 0 && i + 1 < runs.size())) {
      outcome.signal = interrupts.signal();
      break;
    }
  }
  return outcome;
}

/// How a run that has not reached its last epoch can go on.
void print_continuation(const TrainCommand& c, const Outcome& outcome, std::size_t planned) {
  const pipeline::TrainResult& r = outcome.results.back();
  if (planned > 1 && outcome.signal != 0) {
    fmt::print(stderr, "interrupted: the figures below are of {} of {} runs\n", outcome.results.size(), planned);
    return;
  }
  const bool interrupted = r.ending == pipeline::Ending::kInterrupted;
  if (planned > 1 || (!interrupted && r.ending != pipeline::Ending::kStopAfter)) return;
  fmt::print(stderr, "{} after epoch {} of {}; ", interrupted ? "interrupted" : "stopped", r.epochs.size(),
             c.training.epochs);
  if (c.training.checkpoint.empty()) {
    fmt::print(stderr, "it can't go on, as there was no --checkpoint FILE\n");
  } else {
    fmt::print(stderr, "go on with: laminar-train {} --checkpoint {} --resume\n", shell_word(c.graph.string()),
               shell_word(c.training.checkpoint.string()));
  }
}

ReportData report_data(const TrainCommand& c, const core::Dataset& data, const Outcome& outcome,
                       core::Index num_weights, const std::string& recompute, const std::string& command) {
  ReportData report;
  report.command = command;
  for (const auto& [name, value] : c.configuration()) report.configuration.push_back({name, value});
  report.configuration.push_back({"recompute", recompute});
  report.model = c.model;
  report.options = outcome.options;
  report.num_weights = num_weights;
  report.schema = data.schema();
  report.dataset_file = c.graph.string();
  report.provenance = datasets::details(c.graph).provenance;
  report.fingerprint = fmt::format("{:016x}", outcome.data.graph_fingerprint);
  report.splits = outcome.pairs;
  for (const pipeline::TrainResult& r : outcome.results) {
    if (c.of_links) break;
    if (!report.splits.empty() && report.splits.back().name == r.split) continue;
    const core::Split split = data.split(r.split);
    const auto count = [](const auto& set) { return static_cast<core::Index>(set.size()); };
    report.splits.push_back({r.split, count(split.train), count(split.val), count(split.test)});
  }
  report.results = outcome.results;
  report.peak_rss_bytes = peak_rss_bytes();
  report.machine = this_machine(c.training.threads);
  return report;
}

/// Whether history of several parts has to be taken to other ones, for which their halos must be known.
bool moves_history(const TrainCommand& c) {
  if (!c.checkpoint || c.checkpoint->tables.empty()) return false;
  const pipeline::DistributionOptions& then = c.checkpoint->options.distribution;
  const pipeline::DistributionOptions& now = c.training.distribution;
  return then.topology.parts > 1 && (!(then.topology == now.topology) || then.partition != now.partition);
}

/// Everything after the file is open. `rank`: this process's end of MPI, or null.
int train_and_report(TrainCommand& c, const core::Dataset& data, pipeline::Transport* rank, int argc, char** argv) {
  pipeline::DistributionOptions& distribution = c.training.distribution;
  load_named_partition(c.graph, data, c.given.contains("partitions"), distribution);
  if (distribution.part_of != nullptr) c.given["partitions"] = std::to_string(distribution.topology.parts);
  const auto chosen = choose_topology(c, data, rank);
  distribution.whole_structure = moves_history(c);
  c.settle(rank == nullptr ? 0 : rank->size());
  const bool speaks = rank == nullptr || rank->rank() == 0;
  Interrupts interrupts;
  const core::DatasetSchema schema = c.of_links ? pipeline::pair_schema(data.schema(), c.model) : data.schema();
  // The model first: what a dataset lacks altogether is the clearer message.
  const bool decides = c.training.recompute == pipeline::Recompute::kAuto;
  const pipeline::RecomputeDecision recompute =
      pipeline::decide_recompute(c.model, schema, c.training, rank, pipeline::available_memory());
  c.training.recompute = recompute.recomputes ? pipeline::Recompute::kAlways : pipeline::Recompute::kNever;
  if (decides && recompute.recomputes && !c.verbose) c.notes.push_back("--recompute auto: " + recompute.why);
  const pipeline::MemoryEstimate estimate = pipeline::estimate_memory(c.model, schema, c.training);
  const core::Index num_weights = layers::Model(c.model, schema).num_weights();
  const auto runs = pipeline::plan_runs(schema, c.training.split, c.training.seed, c.runs);
  check_request(c, data, runs);
  if (c.dump_config == "-") {
    if (!speaks) return 0;
    fmt::print("{}", c.config_text(schema.split_names));
    return 0;
  }
  if (speaks && !c.dump_config.empty()) core::write_file(c.dump_config, c.config_text(schema.split_names));
  if (c.dry_run) {
    if (!speaks) return 0;
    fmt::print("memory that training would take, estimated\n{}recompute: {}\n", estimate_table(estimate),
               recompute.why);
    return 0;
  }
  if (!c.quiet) print_header(c, schema, num_weights, estimate, recompute.why);

  Outcome outcome = train(c, data, runs, interrupts, rank);
  if (!speaks) return outcome.signal == 0 ? 0 : 128 + outcome.signal;
  const pipeline::Summary summary = pipeline::summarize(outcome.results);

  // One that fails must not take the others, nor the result, with it.
  std::exception_ptr failure;
  const auto write = [&](const std::filesystem::path& path, const auto& writer) {
    if (path.empty()) return;
    try {
      writer();
    } catch (const std::exception&) {
      if (!failure) failure = std::current_exception();
    }
  };
  write(c.predictions,
        [&] { write_predictions(c.predictions, predictions_of(outcome.data, data, std::move(outcome.predictions))); });
  write(c.trace, [&] { core::write_file(c.trace, trace_json(outcome.results)); });
  write(c.curves, [&] { core::write_file(c.curves, curves_csv(outcome.results)); });
  const double peak_rss_mib = static_cast<double>(peak_rss_bytes()) / kMebibyte;
  write(c.json, [&] {
    core::write_file(c.json, run_json({.graph = c.graph,
                                       .schema = &schema,
                                       .model = &c.model,
                                       .options = &outcome.options,
                                       .num_weights = num_weights,
                                       .recompute = recompute,
                                       .machine = this_machine(c.training.threads),
                                       .results = &outcome.results,
                                       .summary = summary,
                                       .peak_rss_mib = peak_rss_mib,
                                       .baselines = outcome.baselines}));
  });
  write(c.report, [&] {
    std::string command = "laminar-train";
    for (int i = 1; i < argc; ++i) command += fmt::format(" {}", shell_word(argv[i]));
    write_report(c.report, report_data(c, data, outcome, num_weights, recompute.why, command));
  });

  if (!c.quiet) {
    if (c.verbose) fmt::print(stderr, "{}{}", memory_table(outcome.results.back()), time_table(outcome.results.back()));
    print_continuation(c, outcome, runs.size());
    std::fflush(stderr);
    fmt::print("{}", summary_table(outcome.results, summary, peak_rss_mib));
    fmt::print("{}{}", pair_table(summary, outcome.results.size() > 1), baseline_table(outcome.baselines, summary));
    if (chosen) fmt::print("{}", prediction_text(*chosen, summary.epoch_ms, summary.bytes_per_epoch));
  }
  fmt::print("{}\n", result_line(c.model, summary, peak_rss_mib, outcome.results.front()));
  if (failure) {
    std::fflush(stdout);
    std::rethrow_exception(failure);
  }
  return outcome.signal == 0 ? 0 : 128 + outcome.signal;
}

int run(int argc, char** argv) {
  load_plugins(argc, argv);
  TrainCommand c;
  c.read(argc, argv);
  if (c.help) {
    fmt::print("{}", c.help_text());
    return 0;
  }
  if (c.version) {
    fmt::print("laminar-train {}\n", LAMINAR_VERSION);
    return 0;
  }
  // Opened first: it checks the file in a child process, which is best made while there are no other threads.
  const auto file = datasets::open(c.graph);
  const auto with_learned = pipeline::with_learned_features(*file, c.model);
  const core::Dataset& data = with_learned ? *with_learned : *file;
  std::unique_ptr<pipeline::Transport> rank;
  if (pipeline::under_mpi()) rank = pipeline::make_mpi_transport();
  c.training.threads = pipeline::threads_of(c.training.threads, rank.get());
  if (rank == nullptr) return train_and_report(c, data, nullptr, argc, argv);
  return run_on_rank(std::move(rank), [&](pipeline::Transport& own) {
    if (own.rank() > 0) c.quiet = true;
    return train_and_report(c, data, &own, argc, argv);
  });
}
}  // namespace

int main(int argc, char** argv) { return run_application("laminar-train", argc, argv, run); }
