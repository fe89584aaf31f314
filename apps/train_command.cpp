#include "laminar/apps/train_command.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/gemm.hpp"

namespace laminar::apps {
namespace {

constexpr int kLargestThreads = 1024;

Option with_scope(Option o, Scope scope, char letter = 0) {
  o.scope = scope;
  o.letter = letter;
  return o;
}

/// What other tools do and this one does not is told apart from what is misspelt.
std::string task_error(const std::string& task) {
  const auto any_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), task) != names.end();
  };
  const char* why = "";
  if (any_of({"graph", "graph-classification", "graph-regression"})) {
    why = "; graphs as wholes are not classified (README, \"What Laminar does not do\")";
  } else if (any_of({"hetero", "heterogeneous", "temporal", "knowledge-graph"})) {
    why = "; vertices and edges are of one kind, and have no times (README, \"What Laminar does not do\")";
  } else if (any_of({"node", "classification", "regression", "multi-label"})) {
    why = "; which kind of labels it is the graph file says";
  }
  return fmt::format("expected labels (of vertices) or link{}", why);
}

void add_training(CommandLine& line, TrainCommand& c) {
  pipeline::TrainOptions& t = c.training;
  line.group("Training");
  line.add({.name = "task",
            .placeholder = "NAME",
            .help = "what is predicted: labels (of vertices: the classes, labels or numbers of the graph file) or link "
                    "(whether an edge joins two vertices; needs no labels)",
            .set =
                [&c](const std::string& text) {
                  if (text != "labels" && text != "link") throw UsageError(task_error(text));
                  c.of_links = text == "link";
                },
            .get = [&c] { return std::string(c.of_links ? "link" : "labels"); }});
  line.add(option("epochs", t.epochs, "N", "the final total; learning-rate schedules run over it"));
  line.add(with_scope(
      option("stop-after", t.stop_after, "N", "end after this many epochs, as if interrupted; 0 = run to the end"),
      Scope::kConduct));
  line.add(option("seed", t.seed, "N", "of weights, dropout and all else that is random"));
  line.add(option("split", t.split, "NAME",
                  "train, validation and test sets to use, or all: a run on each split, with seeds SEED, SEED + 1, ... "
                  "(default: the file's first)"));
  line.add(option("runs", c.runs, "N", "repeat with seeds SEED .. SEED + N - 1 and give means"));
  line.add(option("optimizer", t.optimizer.kind, "NAME", "adam, adamw or sgd", core::optimizer_from_name));
  line.add(option("lr", t.learning_rate.base, "X", "learning rate, the highest of the schedule"));
  line.add(option("lr-schedule", t.learning_rate.schedule, "NAME", "constant, cosine or step",
                  core::learning_rate_schedule_from_name));
  line.add(option("warmup", t.learning_rate.warmup_epochs, "N", "first epochs of a linear rise"));
  line.add(option("lr-final", t.learning_rate.final_fraction, "X", "cosine: falls to this fraction of --lr, 0 to 1"));
  line.add(option("lr-step", t.learning_rate.step_epochs, "N", "step: epochs between two falls"));
  line.add(option("lr-gamma", t.learning_rate.gamma, "X", "step: factor of each fall"));
  line.add(option("momentum", t.optimizer.momentum, "X", "sgd: 0 <= X < 1"));
  line.add(flag("nesterov", t.optimizer.nesterov, "sgd: Nesterov's form of momentum"));
  line.add(option("beta1", t.optimizer.beta1, "X", "adam, adamw: decay of the mean gradient, 0 <= X < 1"));
  line.add(option("beta2", t.optimizer.beta2, "X", "adam, adamw: decay of its square, 0 <= X < 1"));
  line.add(option("epsilon", t.optimizer.epsilon, "X", "adam, adamw: added to the root of the mean square"));
  Option decay = option("weight-decay", c.weight_decay, "X", "of all layers; the next two override it");
  decay.set = [&c, set = decay.set](const std::string& text) {
    set(text);
    c.training.optimizer.weight_decay_convolution = c.training.optimizer.weight_decay_dense = c.weight_decay;
  };
  // Dumped as the two that it sets.
  decay.get = nullptr;
  line.add(std::move(decay));
  line.add(option("weight-decay-conv", t.optimizer.weight_decay_convolution, "X", "of convolutions"));
  line.add(option("weight-decay-dense", t.optimizer.weight_decay_dense, "X", "of dense encoders and heads"));
  line.add(option("clip-norm", t.clip_norm, "X", "largest norm of the whole gradient; 0 = no clipping"));
  line.add({.name = "class-weights",
            .placeholder = "WHICH",
            .help =
                "how classes count in the loss: none (all alike), balanced (rare ones more: n / (C n_c)), or a number "
                "a class, e.g. 1,2.5; of labels, how their positives count (balanced: negatives / positives)",
            .set = [&t](const std::string& text) { pipeline::set_class_weights(text, t.loss); },
            .get = [&t] { return pipeline::class_weights_text(t.loss); }});
  line.add(option("label-smoothing", t.loss.label_smoothing, "X",
                  "classes and labels: targets are moved this far towards no opinion, 0 <= X < 1"));
  Option metric;
  metric.name = "metric";
  metric.placeholder = "NAME";
  metric.help =
      "of classes accuracy, macro-f1, micro-f1, roc-auc or average-precision, the default accuracy; of labels the "
      "same, the default roc-auc; of numbers mse, rmse, mae or r2, the default mse; of links roc-auc, "
      "average-precision, "
      "mrr, hits@10, hits@20, hits@50 or hits@100, the default roc-auc";
  metric.set = [&t](const std::string& text) {
    t.metric.reset();
    if (text != "default") t.metric = core::metric_from_name(text);
  };
  metric.get = [&t] { return t.metric ? std::string(core::name_of(*t.metric)) : std::string("default"); };
  line.add(std::move(metric));
  line.add(
      option("eval-every", t.eval_every, "N", "epochs between evaluations; there is one after the last of --epochs"));
  line.add(option("select", t.select, "NAME",
                  "what makes an epoch the best on the validation set: metric (the lower loss among equals) or loss",
                  pipeline::selection_from_name));
  line.add(option("patience", t.patience, "N", "stop when the best epoch is this many epochs ago; 0 = never"));
  line.add(
      with_scope(option("threads", t.threads, "N", "0 = one a core; results don't depend on it"), Scope::kConduct));
  line.add(with_scope(
      option("recompute", t.recompute, "WHEN",
             "make activations again for the backward pass, at the cost of a second forward, rather than keep them: "
             "always, never, or auto (only if all would not fit into memory); results don't depend on it",
             pipeline::recompute_from_name),
      Scope::kConduct));
}

void add_links(CommandLine& line, TrainCommand& c) {
  pipeline::PairOptions& o = c.training.pairs;
  line.group("Link prediction (--task link)");
  const auto add = [&](Option option) {
    option.applies = [&c] { return c.of_links; };
    line.add(std::move(option));
  };
  add(option("decoder", c.decoder, "NAME",
             "what scores two vertices by their embeddings: dot (inner product) or mlp (a perceptron of their product, "
             "element by element)",
             layers::decoder_from_name));
  add(option("decoder-layers", c.model.decoder_layers, "N", "mlp: linear maps, of width --hidden up to the last"));
  add({.name = "link-split",
       .placeholder = "SHARES",
       .help =
           "training/validation/test pairs in percent, drawn with the run's seed; only training pairs pass messages",
       .set = [&o](const std::string& text) { pipeline::set_pair_split(text, o); },
       .get = [&o] { return pipeline::pair_split_text(o); }});
  add(option("negatives", o.negatives, "N", "pairs without an edge for each training pair, drawn anew in every epoch"));
  add(option("eval-negatives", o.eval_negatives, "N",
             "pairs without an edge for each validation and test pair, the same in every epoch"));
  add({.name = "hits",
       .placeholder = "K,...",
       .help = "the K of Hits@K that results tell of",
       .set = [&o](const std::string& text) { pipeline::set_hits(text, o); },
       .get = [&o] { return pipeline::hits_text(o); }});
  Option baselines = flag("link-baselines", c.link_baselines,
                          "also print test metrics of common neighbours and of the untrained model");
  baselines.scope = Scope::kConduct;
  add(std::move(baselines));
}

void add_output(CommandLine& line, TrainCommand& c) {
  const auto output = [&](Option o, char letter = 0) { line.add(with_scope(std::move(o), Scope::kConduct, letter)); };
  line.group("Output");
  output(option("checkpoint", c.training.checkpoint, "FILE", "write weights and all that --resume needs (HDF5)"));
  output(option("checkpoint-every", c.training.checkpoint_every, "N",
                "also write it every so many epochs; 0 = at the end only"));
  output(flag("resume", c.resume, "go on from --checkpoint; options that are not given are those it was made with"));
  output(option("report", c.report, "FILE", "write a page with curves, times and memory (HTML)"));
  output(option("json", c.json, "FILE", "write configuration, machine and all results (JSON)"));
  output(option("trace", c.trace, "FILE",
                "write a timeline of the last epoch, a track a device (JSON for ui.perfetto.dev)"));
  output(option("curves", c.curves, "FILE", "write a row for every epoch (CSV)"));
  output(option("predictions", c.predictions, "FILE",
                "write the best epoch's predictions for every vertex (.h5 or .csv)"));
  output(flag("dry-run", c.dry_run, "print how much memory the training would take, by purpose, and end"));
  output(flag("quiet", c.quiet, "print nothing but the RESULT line and errors"), 'q');
  output(flag("verbose", c.verbose, "print every evaluation, and where memory and time went"), 'v');

  line.group("General");
  line.add(with_scope(
      option("config", c.config, "FILE", "read options from a file, lines NAME = VALUE; the command line wins"),
      Scope::kOnce));
  line.add(with_scope(option("dump-config", c.dump_config, "FILE",
                             "write a configuration file that reproduces the run; - prints it and ends"),
                      Scope::kOnce));
  line.add(with_scope(flag("help", c.help, "print this text"), Scope::kOnce, 'h'));
  line.add(with_scope(flag("version", c.version, "print the version"), Scope::kOnce));
}

using Values = std::vector<std::pair<std::string, std::string>>;

std::string shown(const std::string& value) { return value.empty() ? "not set" : value; }

/// Throws Error unless what defines the run is the same in both; they list the same options.
void check_unchanged(const Values& made_with, const Values& asked, const std::filesystem::path& checkpoint) {
  const auto value_of = [](const Values& values, const std::string& name) {
    for (const auto& [n, v] : values) {
      if (n == name) return v;
    }
    return std::string();
  };
  for (const auto& [name, value] : asked) {
    const std::string before = value_of(made_with, name);
    if (value == before || name == "graph") continue;
    const char* why = name == "epochs" ? "; the learning-rate schedule runs over all epochs, so their number is fixed "
                                         "from the start (to end earlier use --stop-after)"
                                       : "; leave the option out, or start afresh without --resume";
    throw Error(fmt::format("--{} is {}, but {} was made with {}{}", name, shown(value), checkpoint.string(),
                            shown(before), why));
  }
}

void check(const TrainCommand& c) {
  if (c.graph.empty()) throw UsageError("a graph file is needed, e.g. laminar-train graph.h5");
  pipeline::validate(c.training);
  if (c.training.threads > kLargestThreads) {
    throw UsageError(fmt::format("--threads is {}, expected at most {}", c.training.threads, kLargestThreads));
  }
  check_model_options(c.model, c.given);
  if (c.runs < 1) throw UsageError(fmt::format("--runs is {}, expected 1 or more", c.runs));
  if (c.of_links && c.distribution.mode == "auto") {
    throw UsageError("--task link trains on one device or in a pipeline with --chunks 1; --mode auto has no choice");
  }
  for (const char* name :
       {"decoder", "decoder-layers", "link-split", "negatives", "eval-negatives", "hits", "link-baselines"}) {
    if (!c.of_links && c.given.contains(name)) throw UsageError(fmt::format("--{} is of --task link", name));
  }
  for (const char* name : {"class-weights", "label-smoothing", "split"}) {
    if (c.of_links && c.given.contains(name)) {
      throw UsageError(fmt::format("--{} is of labels, but the task is link", name));
    }
  }
  if (c.quiet && c.verbose) throw UsageError("--quiet and --verbose contradict each other");
  if (c.training.checkpoint_every > 0 && c.training.checkpoint.empty()) {
    throw UsageError("--checkpoint-every needs --checkpoint FILE");
  }
}

}  // namespace

TrainCommand::TrainCommand() {
  training.recompute = pipeline::Recompute::kAuto;
  line.group("Graph");
  line.add(option("graph", graph, "FILE", "the graph file"));
  add_model_options(line, model, layer_values);
  add_training(line, *this);
  add_links(line, *this);
  add_distribution_options(line, training.distribution, distribution);
  add_output(line, *this);
}

void TrainCommand::read(int argc, const char* const* argv) {
  given = line.parse(argc, argv);
  if (given.contains("help") || given.contains("version")) {
    line.apply({{given.contains("help") ? "help" : "version", "true"}});
    return;
  }
  GivenValues from_file;
  std::string origin;
  if (const auto file = given.find("config"); file != given.end()) {
    origin = file->second;
    from_file = line.parse_config(origin);
  }
  // Whether to resume must be known before the rest can be put on top of the checkpoint's.
  for (const GivenValues* values : {&std::as_const(from_file), &std::as_const(given)}) {
    for (const char* name : {"resume", "checkpoint"}) {
      if (const auto v = values->find(name); v != values->end()) line.apply({*v});
    }
  }
  Values made_with;
  if (resume) {
    if (training.checkpoint.empty()) throw UsageError("--resume needs --checkpoint FILE, the file to go on from");
    const std::filesystem::path path = training.checkpoint;
    checkpoint = pipeline::read_checkpoint(path);
    model = checkpoint->model;
    training = checkpoint->options;
    training.checkpoint = path;
    // What a checkpoint does not know, as it is none of the run's numbers.
    training.recompute = pipeline::Recompute::kAuto;
    of_links = model.decoder != layers::DecoderKind::kNone;
    if (of_links) decoder = model.decoder;
    layer_values = layer_values_of(model);
    made_with = line.values(Scope::kRun);
  }
  line.apply(from_file, origin);
  line.apply(given);
  if (resume) check_unchanged(made_with, line.values(Scope::kRun), training.checkpoint);
  set_layer_options(model, layer_values);
  model.decoder = of_links ? decoder : layers::DecoderKind::kNone;
  given.insert(from_file.begin(), from_file.end());
  check(*this);
}

void TrainCommand::settle(core::Index ranks) {
  resolve_topology(given, ranks, distribution, training.distribution);
  // A checkpoint's training goes on as it was.
  if (std::string note = resume ? "" : choose_training_defaults(given, training); !note.empty()) notes.push_back(note);
  if (model.precision == core::DType::kBfloat16 && !core::has_fast_bfloat16_gemm()) {
    notes.emplace_back(
        "--precision bf16: no AMX here, so dense products are no faster than in f32; what is gained is memory, and "
        "time where reading and writing it decides");
  }
  pipeline::validate(training);
}

std::vector<std::pair<std::string, std::string>> TrainCommand::configuration() const {
  Values all = line.values(Scope::kRun);
  const Values spread = line.values(Scope::kSpread);
  all.insert(all.end(), spread.begin(), spread.end());
  return all;
}

std::string TrainCommand::help_text() const {
  return fmt::format(R"(Usage: laminar-train GRAPH.h5 [OPTIONS]

Trains a graph neural network on the vertices of a graph file, or on pairs of them, and prints, as the last line,
  RESULT layer=... layers=... metric=... loss=... train_metric=... val_metric=... test_metric=... ...
with the metrics, as fractions, of the epoch that was best on the validation set.

{}
Ctrl-C ends after the present epoch and writes the checkpoint; a second one ends at once. Exit codes: 0 done,
1 failed, 2 a wrong option, 130 or 143 interrupted. Times are in milliseconds, memory in MiB = 2^20 bytes.

Examples:
  laminar-train cora.h5 --hidden 16 --input-dropout 0.5 --weight-decay 5e-4 --runs 10
  laminar-train debian.h5 --layer sage --layers 3 --hidden 128 --epochs 100 --report run.html --checkpoint run.ckpt.h5
  laminar-train debian.h5 --checkpoint run.ckpt.h5 --resume
  laminar-train web.h5 --layer gcnii --layers 64 --gcnii.alpha 0.2 --dry-run
  laminar-train bare.h5 --features learned --embedding-width 32
  laminar-train cora.h5 --task link --decoder mlp --epochs 100 --link-baselines
  laminar-train cora.h5 --layer gat --dump-config gat.cfg && laminar-train --config gat.cfg --seed 2
)",
                     line.help());
}

std::string TrainCommand::config_text(const std::vector<std::string>& splits) {
  const std::string asked = training.split;
  if (asked.empty() && !splits.empty()) training.split = splits.front();
  std::string text = "# laminar-train --config THIS_FILE\n" + line.config();
  training.split = asked;
  return text;
}

}  // namespace laminar::apps
