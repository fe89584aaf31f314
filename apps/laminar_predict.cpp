// laminar-predict: applies a trained model to a graph file.
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "laminar/apps/application.hpp"
#include "laminar/apps/command_line.hpp"
#include "laminar/apps/distribution_options.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/pair_figures.hpp"
#include "laminar/apps/pair_file.hpp"
#include "laminar/apps/plugins.hpp"
#include "laminar/apps/prediction.hpp"
#include "laminar/apps/prediction_file.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/apps/result_line.hpp"
#include "laminar/apps/saved_partition.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/learned_features.hpp"
#include "laminar/pipeline/mpi_transport.hpp"
#include "laminar/pipeline/pair_objective.hpp"
#include "laminar/pipeline/pair_scorer.hpp"
#include "laminar/pipeline/pair_split.hpp"

namespace {

using namespace laminar;
using namespace laminar::apps;

constexpr int kLargestThreads = 1024;

struct PredictCommand {
  std::filesystem::path graph;
  std::filesystem::path model;
  std::filesystem::path out;
  pipeline::PredictorOptions options;
  DistributionRequest distribution;
  GivenValues given;
  std::string split;
  bool ignore_labels = false;
  /// For models of pairs.
  std::filesystem::path pairs;
  bool all_edges = false;
  bool quiet = false;
  bool help = false;
  bool version = false;
};

Option weights_option(PredictCommand& c) {
  return {.name = "weights",
          .placeholder = "WHICH",
          .help = "those of the epoch that was best on validation, or of the last epoch: best or last",
          .set =
              [&c](const std::string& text) {
                if (text != "best" && text != "last") throw UsageError("expected best or last");
                c.options.last_weights = text == "last";
              },
          .get = [&c] { return std::string(c.options.last_weights ? "last" : "best"); }};
}

void add_options(CommandLine& line, PredictCommand& c) {
  line.group("Options");
  line.add(option("graph", c.graph, "FILE", "the graph file"));
  line.add(option("model", c.model, "FILE", "the checkpoint that laminar-train --checkpoint wrote"));
  line.add(option("out", c.out, "FILE", "where predictions go, .h5 or .csv"));
  line.add(plugin_option());
  line.add(weights_option(c));
  line.add(flag("embeddings", c.options.embeddings, "also write what the output layer or head reads, a row a vertex"));
  line.add(option("split", c.split, "NAME", "sets to give the metric on (default: the one trained on, or the first)"));
  line.add(flag("ignore-labels", c.ignore_labels, "pay no heed to the graph's labels: no metric, and they may differ"));
  line.add(
      option("pairs", c.pairs, "FILE",
             "models of links: score these pairs, a line each with two vertices (numbers or names) and a tab, comma "
             "or blank between them; then --out gets pairs, not embeddings"));
  line.add(flag("all-edges", c.all_edges,
                "models of links: let the edges held out for validation and test pass messages too, on the graph "
                "trained on; no metrics then"));
  line.add(
      option("threads", c.options.threads, "N", "0 = one a core, of a rank its share; results don't depend on it"));
  Option quiet = flag("quiet", c.quiet, "print nothing but the RESULT line and errors");
  quiet.letter = 'q';
  line.add(std::move(quiet));
  add_prediction_devices(line, c.options.distribution, c.distribution);
  line.group("General");
  Option help = flag("help", c.help, "print this text");
  help.letter = 'h';
  line.add(std::move(help));
  line.add(flag("version", c.version, "print the version"));
}

void check(const PredictCommand& c) {
  if (c.graph.empty()) throw UsageError("a graph file is needed, e.g. laminar-predict graph.h5 --model run.ckpt.h5");
  if (c.model.empty()) throw UsageError("--model FILE is needed: a checkpoint of laminar-train");
  if (c.out.empty()) throw UsageError("--out FILE is needed: where predictions go, .h5 or .csv");
  check_prediction_name("out", c.out);
  const int threads = c.options.threads;
  if (threads < 0 || threads > kLargestThreads) {
    throw UsageError(fmt::format("--threads is {}, expected 0 to {}", threads, kLargestThreads));
  }
}

bool is_trained_on(const pipeline::Checkpoint& checkpoint, const core::Dataset& data) {
  return data.graph_fingerprint() == checkpoint.data.graph_fingerprint;
}

void print_notes(const PredictCommand& c, const pipeline::Checkpoint& checkpoint, const core::Dataset& data) {
  const bool best = !c.options.last_weights && !checkpoint.best_weights.empty();
  fmt::print(stderr, "{}, {} layers, trained on '{}', weights of epoch {}\n", checkpoint.model.layer,
             checkpoint.model.layers, checkpoint.data.name, best ? checkpoint.best_epoch : checkpoint.epoch);
  if (!is_trained_on(checkpoint, data)) {
    fmt::print(stderr, "note: this is not the graph that the model was trained on ('{}', {} vertices)\n",
               checkpoint.data.name, checkpoint.data.num_vertices);
  }
}

/// The split that the metric is given on, or empty if there is none.
std::string choose_split(const PredictCommand& c, const pipeline::Checkpoint& checkpoint,
                         const core::DatasetSchema& schema) {
  if (!c.split.empty()) return c.split;
  for (const std::string& name : schema.split_names) {
    if (name == checkpoint.options.split) return name;
  }
  return schema.split_names.empty() ? std::string() : schema.split_names.front();
}

/// Refuses what does not go with the model's task.
void check_task(const PredictCommand& c, const pipeline::Checkpoint& checkpoint) {
  const bool of_links = checkpoint.model.decoder != layers::DecoderKind::kNone;
  const auto refuse = [&](bool given, const char* option) {
    if (!given) return;
    throw UsageError(fmt::format("--{} is of models of {}, but {} is of {}", option, of_links ? "labels" : "links",
                                 c.model.string(), of_links ? "links" : "labels"));
  };
  refuse(!of_links && !c.pairs.empty(), "pairs");
  refuse(!of_links && c.all_edges, "all-edges");
  refuse(of_links && !c.split.empty(), "split");
  if (of_links && c.options.embeddings) {
    throw UsageError("--embeddings: a model of links gives nothing but embeddings; leave the option out");
  }
}

std::string metrics_text(core::Metric metric, const pipeline::Evaluation& e) {
  return fmt::format("train_metric={} val_metric={} test_metric={}", metric_text(metric, e.train_metric),
                     metric_text(metric, e.val_metric), metric_text(metric, e.test_metric));
}

/// What follows the forward pass of a model of links. `split`: how the graph's pairs were split in training, or null.
int predict_links(const PredictCommand& c, const pipeline::Checkpoint& checkpoint, const core::Dataset& data,
                  const std::shared_ptr<const pipeline::PairSplit>& split, pipeline::Prediction rows,
                  const std::string& tail) {
  const pipeline::Checkpoint& k = checkpoint;
  core::Arena arena(c.options.threads);
  std::string metrics = "metric=none";
  arena.execute([&] {
    const auto pool = core::MemoryPool::create();
    const layers::Model model = pipeline::make_decoder(k, c.options.last_weights, pool.get());
    if (split != nullptr) {
      std::vector<core::VertexId> ids(static_cast<std::size_t>(rows.outputs.rows()));
      std::iota(ids.begin(), ids.end(), 0);
      const pipeline::PairObjective objective(split, k.options.pairs, k.options.seed, model, ids, pool);
      const core::Metric metric = k.options.metric.value_or(core::Metric::kRocAuc);
      metrics = fmt::format("metric={} split=random {}", name_of(metric),
                            metrics_text(metric, objective.evaluate(metric, rows.outputs)));
    }
    if (c.pairs.empty()) return;
    ScoredPairs scored;
    scored.names = data.vertex_names();
    scored.pairs = read_pairs(c.pairs, data.schema().num_vertices, scored.names);
    scored.scores = pipeline::PairScorer(*model.decoder(), pool).scores(rows.outputs, scored.pairs);
    const auto graph = data.graph();
    const pipeline::PairSet joined(graph->num_vertices(), pipeline::pairs_of(*graph));
    for (const pipeline::Pair& p : scored.pairs) scored.joined.push_back(joined.contains(p.u, p.v) ? 1 : 0);
    write_pairs(c.out, scored);
    if (!c.quiet) fmt::print("scores of {} pairs are in {}\n", scored.pairs.size(), c.out.string());
  });
  if (c.pairs.empty()) {
    write_predictions(c.out, predictions_of(k.data, data, std::move(rows)));
    if (!c.quiet) fmt::print("embeddings of {} vertices are in {}\n", data.schema().num_vertices, c.out.string());
  }
  fmt::print("RESULT {} {}\n", metrics, tail);
  return 0;
}

/// Everything after the files are open. `rank`: this process's end of MPI, or null.
int predict(PredictCommand& c, const core::Dataset& file, pipeline::Transport* rank) {
  const pipeline::Checkpoint checkpoint = pipeline::read_checkpoint(c.model);
  const auto with_learned = pipeline::with_learned_features(file, checkpoint);
  const core::Dataset& data = with_learned ? *with_learned : file;
  const core::DatasetSchema& schema = data.schema();
  const std::vector<NamedFile> outputs = {{"out", c.out}};
  const std::vector<NamedFile> inputs = {{"the graph file", c.graph}, {"the model", c.model}, {"the pairs", c.pairs}};
  check_outputs(outputs, inputs);
  check_task(c, checkpoint);
  const bool of_links = checkpoint.model.decoder != layers::DecoderKind::kNone;
  check_fits(checkpoint.data, schema, c.ignore_labels || of_links);
  // Before any time is spent.
  if (!c.pairs.empty()) static_cast<void>(read_pairs(c.pairs, schema.num_vertices, data.vertex_names()));
  pipeline::DistributionOptions& distribution = c.options.distribution;
  load_named_partition(c.graph, data, c.given.contains("partitions"), distribution);
  if (distribution.part_of != nullptr) c.given["partitions"] = std::to_string(distribution.topology.parts);
  if (c.distribution.mode == "auto") {
    throw UsageError("--mode auto is of laminar-train, which measures; expected single, pipeline, graph or hybrid");
  }
  resolve_topology(c.given, rank == nullptr ? 0 : rank->size(), c.distribution, distribution);
  distribution.topology.chunks = 1;
  const bool labelled = !of_links && !c.ignore_labels && schema.task != core::Task::kNone;
  const std::string split_name = labelled ? choose_split(c, checkpoint, schema) : std::string();
  core::Split split;
  if (!split_name.empty()) split = data.split(split_name);
  if (!c.quiet) print_notes(c, checkpoint, data);

  // What was held out stays out of the messages, so that metrics are those of the training.
  std::shared_ptr<const pipeline::PairSplit> pairs;
  std::optional<pipeline::PairDataset> with_messages;
  if (of_links && !c.all_edges && is_trained_on(checkpoint, data)) {
    pairs = std::make_shared<pipeline::PairSplit>(
        pipeline::split_links(*data.graph(), checkpoint.options.pairs, checkpoint.options.seed));
    with_messages.emplace(data, checkpoint.model, pairs);
    if (!c.quiet) {
      fmt::print(stderr, "{}; --all-edges lets all pass\n", pairs_text(*pairs, schema.num_edges));
    }
  }
  const core::Dataset& applied = with_messages ? *with_messages : data;
  pipeline::PredictedRows predicted = pipeline::predict(checkpoint, applied, c.options, rank);
  if (rank != nullptr && rank->rank() > 0) return 0;
  check_embeddings(predicted.rows, c.options.embeddings);
  const bool best = !c.options.last_weights && !checkpoint.best_weights.empty();
  const std::string tail =
      fmt::format("vertices={} epoch={}", schema.num_vertices, best ? checkpoint.best_epoch : checkpoint.epoch);
  if (of_links) return predict_links(c, checkpoint, data, pairs, std::move(predicted.rows), tail);
  const Predictions predictions = predictions_of(checkpoint.data, data, std::move(predicted.rows));
  write_predictions(c.out, predictions);
  if (!c.quiet) {
    fmt::print("predictions of {} vertices are in {}\n", schema.num_vertices, c.out.string());
    const core::Index devices = distribution.topology.devices();
    const auto sent = predicted.sent[pipeline::Cause::kEvaluation];
    if (devices > 1) fmt::print("{} devices have sent {}\n", devices, bytes_text(static_cast<double>(sent)));
  }
  if (!labelled) {
    fmt::print("RESULT metric=none {}\n", tail);
    return 0;
  }
  const core::Metric metric = checkpoint.options.metric.value_or(core::default_metric(predictions.task));
  const auto on = [&](const std::vector<core::VertexId>& set) {
    return metric_text(metric, metric_on(predictions, metric, data.labels(), set));
  };
  // On another graph every vertex is new to the model, whatever sets the file names.
  if (c.split.empty() && !is_trained_on(checkpoint, data)) {
    std::vector<core::VertexId> all(static_cast<std::size_t>(schema.num_vertices));
    std::iota(all.begin(), all.end(), 0);
    fmt::print("RESULT metric={} all_metric={} {}\n", name_of(metric), on(all), tail);
    return 0;
  }
  if (split_name.empty()) {
    fmt::print("RESULT metric=none {}\n", tail);
    return 0;
  }
  fmt::print("RESULT metric={} split={} train_metric={} val_metric={} test_metric={} {}\n", name_of(metric), split_name,
             on(split.train), on(split.val), on(split.test), tail);
  return 0;
}

int run(int argc, char** argv) {
  load_plugins(argc, argv);
  PredictCommand c;
  CommandLine line({"graph"});
  add_options(line, c);
  c.given = line.parse(argc, argv);
  line.apply(c.given);
  if (c.help) {
    fmt::print(R"(Usage: laminar-predict GRAPH.h5 --model CHECKPOINT --out FILE [OPTIONS]

Predicts class and probabilities (or labels, or values) of every vertex of a graph file, by a model that laminar-train
has saved; by a model of links it gives embeddings of vertices, or scores of --pairs. The last line is
  RESULT metric=... split=... train_metric=... val_metric=... test_metric=... vertices=... epoch=...
The graph may be another one with the same features; where it has labels, the last line is then, of all its vertices,
  RESULT metric=... all_metric=... vertices=... epoch=...
and without labels RESULT metric=none vertices=... epoch=...

{}
Examples:
  laminar-predict debian.h5 --model run.ckpt.h5 --out predictions.h5
  laminar-predict tomorrow.h5 --model run.ckpt.h5 --out predictions.csv --embeddings --ignore-labels
  laminar-predict debian.h5 --model links.ckpt.h5 --pairs wanted.txt --out scores.csv
)",
               line.help());
    return 0;
  }
  if (c.version) {
    fmt::print("laminar-predict {}\n", LAMINAR_VERSION);
    return 0;
  }
  check(c);
  // Opened first: it checks the file in a child process, which is best made while there are no other threads.
  const auto data = datasets::open(c.graph);
  std::unique_ptr<pipeline::Transport> rank;
  if (pipeline::under_mpi()) rank = pipeline::make_mpi_transport();
  if (rank == nullptr) return predict(c, *data, nullptr);
  return run_on_rank(std::move(rank), [&](pipeline::Transport& own) {
    if (own.rank() > 0) c.quiet = true;
    return predict(c, *data, &own);
  });
}

}  // namespace

int main(int argc, char** argv) { return run_application("laminar-predict", argc, argv, run); }
