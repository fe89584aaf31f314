// laminar-sweep: trains many configurations of laminar-train, each run in a process of its own.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/apps/application.hpp"
#include "laminar/apps/child_programs.hpp"
#include "laminar/apps/command_line.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/plugins.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/apps/sweep_grid.hpp"
#include "laminar/apps/sweep_runs.hpp"
#include "laminar/apps/train_command.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"

namespace {

using namespace laminar;
using namespace laminar::apps;
using core::Index;

volatile std::sig_atomic_t last_signal = 0;
extern "C" void remember_signal(int signal) { last_signal = signal; }

struct SweepCommand {
  std::filesystem::path graph;
  std::string grid;
  Index random = 0;
  std::string splits = "1";
  Index runs = 1;
  std::uint64_t seed = 1;
  Index jobs = 1;
  std::filesystem::path out;
  std::filesystem::path csv;
  std::filesystem::path json;
  std::filesystem::path train;
  bool dry_run = false;
  bool quiet = false;
  bool help = false;
  bool version = false;
  /// Behind "--".
  std::vector<std::string> fixed;
};

void add_options(CommandLine& line, SweepCommand& c) {
  line.group("Sweep");
  line.add(option("graph", c.graph, "FILE", "the graph file"));
  Option grid = option("grid", c.grid, "TEXT",
                       "options of laminar-train with their values, e.g. \"hidden=64,128 lr=.01,.003 residual=true\"; "
                       "with --random also ranges: lr=1e-4..1e-1:log, dropout=0..0.7, layers=2..8:int");
  grid.repeats = true;
  line.add(std::move(grid));
  line.add(option("random", c.random, "N", "draw so many configurations at random; 0 = all of the grid"));
  line.add(option("splits", c.splits, "WHICH",
                  "train every configuration on all splits, on the first N, or on those named, NAME,NAME; split i with "
                  "seed SEED + i"));
  line.add(option("runs", c.runs, "N", "on one split: with seeds SEED .. SEED + N - 1"));
  line.add(option("seed", c.seed, "N", "of the first run, and of --random"));
  line.add(
      option("jobs", c.jobs, "N", "runs at once; each gets its share of the cores, unless --threads is among OPTIONS"));
  line.group("Output");
  line.add(option("out", c.out, "FOLDER",
                  "a result a run; what is there is not trained again (default: GRAPH.sweep in this folder)"));
  line.add(option("csv", c.csv, "FILE", "write a row a run"));
  line.add(option("json", c.json, "FILE", "write configurations and runs"));
  line.add(option("train", c.train, "FILE", "the laminar-train to run (default: the one beside this program)"));
  line.add(flag("dry-run", c.dry_run, "print the commands that are left to run, and end"));
  Option quiet = flag("quiet", c.quiet, "print nothing but the table, the RESULT line and errors");
  quiet.letter = 'q';
  line.add(std::move(quiet));
  line.group("General");
  Option help = flag("help", c.help, "print this text");
  help.letter = 'h';
  line.add(std::move(help));
  line.add(flag("version", c.version, "print the version"));
}

std::string help_text(const CommandLine& line) {
  return fmt::format(R"(Usage: laminar-sweep GRAPH.h5 --grid TEXT [OPTIONS] [-- OPTIONS OF laminar-train]

Trains every configuration of a grid on one or several splits, each run as a laminar-train of its own, so that one that
crashes takes no other with it. Prints means and standard errors of the validation and test metric by configuration, the
best on validation first, and as the last line
  RESULT configurations=... runs=... failed=... metric=... val_metric=... test_metric=... best=...
Started again it goes on where it was: results are kept in a folder, and runs that failed are tried again.

{}
Ctrl-C ends the runs and prints the table of those that are done; a second one ends at once. Exit codes: 0 done, 1 some
run failed, 2 a wrong option, 130 or 143 interrupted.

Examples:
  laminar-sweep cora.h5 --grid "hidden=16,64 lr=.01,.003" --runs 5 -- --layer gcn --normalize-features
  laminar-sweep minesweeper.h5 --grid "layer=gcn,sage,gat layers=2,5" --splits all --jobs 2 -- --residual --metric roc-auc
  laminar-sweep debian.h5 --grid "lr=1e-4..1e-1:log dropout=0..0.7" --random 20 --csv runs.csv -- --layer sage
)",
                     line.help());
}

/// Throws UsageError unless laminar-train can be meant so; gives what it understood.
std::unique_ptr<TrainCommand> understood(const SweepCommand& c, const SweepPoint& point) {
  for (const auto& [name, value] : point) {
    if (std::find_if(c.fixed.begin(), c.fixed.end(), [&, &option = name](const std::string& w) {
          return w == fmt::format("--{}", option) || w.starts_with(fmt::format("--{}=", option));
        }) != c.fixed.end()) {
      throw UsageError(fmt::format("--{} stands in the grid and among the options of all runs", name));
    }
  }
  std::vector<std::string> words = {"laminar-train", c.graph.string()};
  words.insert(words.end(), c.fixed.begin(), c.fixed.end());
  for (const auto& [name, value] : point) words.push_back(fmt::format("--{}={}", name, value));
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  auto train = std::make_unique<TrainCommand>();
  train->read(static_cast<int>(argv.size()), argv.data());
  constexpr std::array kOwn = {"seed",    "split",  "runs",    "checkpoint", "checkpoint-every", "resume",
                               "json",    "report", "trace",   "curves",     "predictions",      "dump-config",
                               "dry-run", "quiet",  "verbose", "help",       "version"};
  for (const char* name : kOwn) {
    if (!train->given.contains(name)) continue;
    throw UsageError(
        fmt::format("--{} among the options of laminar-train: a sweep says that of each run itself", name));
  }
  return train;
}

/// What of its options is not the default, a line each.
std::string key_of(const TrainCommand& train) {
  static const auto defaults = TrainCommand().configuration();
  std::string text;
  for (const auto& option : train.configuration()) {
    const bool own = option.first == "graph" || option.first == "split" || option.first == "seed";
    if (own || std::find(defaults.begin(), defaults.end(), option) != defaults.end()) continue;
    text += fmt::format("{} = {}\n", option.first, option.second);
  }
  return text;
}

std::vector<std::string> splits_of(const SweepCommand& c, const std::vector<std::string>& there) {
  if (c.splits == "all") return there;
  std::vector<std::string> chosen;
  const bool is_number = c.splits.find_first_not_of("0123456789") == std::string::npos && c.splits.size() < 9;
  if (is_number && !c.splits.empty() && std::find(there.begin(), there.end(), c.splits) == there.end()) {
    const auto n = static_cast<std::size_t>(std::stoul(c.splits));
    if (n < 1 || n > there.size()) {
      throw UsageError(fmt::format("--splits is {}, but the graph has {} splits", n, there.size()));
    }
    chosen.assign(there.begin(), there.begin() + static_cast<std::ptrdiff_t>(n));
    return chosen;
  }
  std::istringstream names(c.splits);
  for (std::string name; std::getline(names, name, ',');) {
    if (std::find(there.begin(), there.end(), name) == there.end()) {
      throw UsageError(fmt::format("--splits: there is no split '{}'; there are {}", name, fmt::join(there, ", ")));
    }
    chosen.push_back(name);
  }
  if (chosen.empty()) throw UsageError("--splits names no split; expected all, a number, or names");
  return chosen;
}

/// All runs, the first run of each configuration first, so that a sweep that is cut short has seen them all.
std::vector<SweepRun> planned_runs(const SweepCommand& c, const std::vector<SweepPoint>& points,
                                   const std::vector<std::string>& options, const std::vector<std::string>& splits) {
  if (c.runs > 1 && splits.size() > 1) throw UsageError("--runs repeats on one split; leave it out, or --splits");
  const std::size_t repeats = std::max(splits.size(), static_cast<std::size_t>(c.runs));
  std::vector<SweepRun> runs;
  for (std::size_t r = 0; r < repeats; ++r) {
    for (std::size_t p = 0; p < points.size(); ++p) {
      runs.push_back({points[p], p, options[p], splits.empty() ? "" : splits[r % splits.size()], c.seed + r});
    }
  }
  return runs;
}

std::string run_text(const SweepRun& run) {
  const std::string split = run.split.empty() ? "" : fmt::format(", split {}", run.split);
  return fmt::format("{}{}, seed {}", point_text(run.point), split, run.seed);
}

std::vector<std::string> words_of(const SweepCommand& c, const SweepRun& run) {
  std::vector<std::string> words = {c.train.string(), c.graph.string()};
  words.insert(words.end(), c.fixed.begin(), c.fixed.end());
  for (const auto& [name, value] : run.point) words.push_back(fmt::format("--{}={}", name, value));
  if (!run.split.empty()) words.insert(words.end(), {"--split", run.split});
  words.insert(words.end(), {"--seed", std::to_string(run.seed), "--quiet"});
  const bool has_threads =
      std::any_of(c.fixed.begin(), c.fixed.end(), [](const std::string& w) { return w.starts_with("--threads"); });
  if (!has_threads && c.jobs > 1) {
    const auto cores = static_cast<Index>(std::max(1U, std::thread::hardware_concurrency()));
    words.insert(words.end(), {"--threads", std::to_string(std::max<Index>(1, cores / c.jobs))});
  }
  return words;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The last line of a text that is not empty.
std::string last_line(const std::string& text) {
  std::string last;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

/// Runs what has no result yet.
class Sweep {
 public:
  Sweep(const SweepCommand& c, const SweepFolder& folder, const std::vector<SweepRun>& runs,
        std::vector<std::optional<SweepResult>>& results)
      : c_(c), folder_(folder), runs_(runs), results_(results) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (!results[i] || !results[i]->done) left_.push_back(i);
    }
  }
  const std::vector<std::size_t>& left() const { return left_; }

  /// Gives the signal that ended it, or 0.
  int run() {
    struct sigaction action {};
    action.sa_handler = remember_signal;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    int ended_by = 0;
    std::size_t next = 0;
    while (children_.running() > 0 || (next < left_.size() && ended_by == 0)) {
      while (ended_by == 0 && next < left_.size() && children_.running() < static_cast<std::size_t>(c_.jobs)) {
        const std::size_t i = left_[next++];
        const std::string stem = folder_.stem(runs_[i]).string();
        children_.start(i, words_of(c_, runs_[i]), stem + ".out", stem + ".err");
      }
      for (const ChildPrograms::Ended& e : children_.ended()) take(e, ended_by != 0);
      if (last_signal != 0) {
        ended_by = last_signal;
        last_signal = 0;
        children_.send(ended_by);
      }
    }
    return ended_by;
  }

 private:
  void take(const ChildPrograms::Ended& e, bool ending) {
    const SweepRun& run = runs_[e.number];
    const std::string stem = folder_.stem(run).string();
    SweepResult result{.exit_code = e.code, .wall_s = e.wall_s};
    result.values = result_values(text_of(stem + ".out"));
    result.done = e.code == 0 && result.values.contains("val_metric");
    // A run that was asked to end has failed in nothing.
    const bool cut_short = ending && !result.done;
    if (!result.done) {
      result.error = last_line(text_of(stem + ".err"));
      if (e.code > 128) result.error = fmt::format("ended by signal {}; {}", e.code - 128, result.error);
    }
    std::error_code ignored;
    std::filesystem::remove(stem + ".out", ignored);
    std::filesystem::remove(stem + ".err", ignored);
    if (cut_short) return;
    folder_.store(run, result);
    ++done_;
    seconds_ += e.wall_s;
    if (!c_.quiet) report(run, result);
    results_[e.number] = std::move(result);
  }

  void report(const SweepRun& run, const SweepResult& result) const {
    const auto left = static_cast<double>(left_.size() - done_);
    const double eta_s = seconds_ / static_cast<double>(done_) * left / static_cast<double>(c_.jobs);
    const std::string what = result.done ? fmt::format("validation {:.4f}  test {:.4f}", result.number("val_metric"),
                                                       result.number("test_metric"))
                                         : fmt::format("failed: {}", result.error);
    fmt::print(stderr, "[{}/{}] {}: {}  {:.1f} s  ETA {}\n", done_, left_.size(), run_text(run), what, result.wall_s,
               duration_text(eta_s));
  }

  const SweepCommand& c_;
  const SweepFolder& folder_;
  const std::vector<SweepRun>& runs_;
  std::vector<std::optional<SweepResult>>& results_;
  std::vector<std::size_t> left_;
  ChildPrograms children_;
  std::size_t done_ = 0;
  double seconds_ = 0;
};

void check(SweepCommand& c) {
  if (c.graph.empty()) throw UsageError("a graph file is needed, e.g. laminar-sweep graph.h5 --grid \"lr=.01,.003\"");
  if (c.random < 0) throw UsageError(fmt::format("--random is {}, expected 0 or more", c.random));
  if (c.runs < 1) throw UsageError(fmt::format("--runs is {}, expected 1 or more", c.runs));
  if (c.jobs < 1 || c.jobs > 1024) throw UsageError(fmt::format("--jobs is {}, expected 1 to 1024", c.jobs));
  if (c.out.empty()) c.out = c.graph.stem().string() + ".sweep";
  if (c.train.empty()) c.train = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "laminar-train";
  if (!std::filesystem::exists(c.train)) {
    throw UsageError(
        fmt::format("{} is not there; say which laminar-train to run with --train FILE", c.train.string()));
  }
  const std::vector<NamedFile> outputs = {{"csv", c.csv}, {"json", c.json}};
  const std::vector<NamedFile> inputs = {{"the graph file", c.graph}};
  check_outputs(outputs, inputs);
}

int sweep(SweepCommand& c) {
  check(c);
  const std::vector<SweepAxis> axes = parse_grid(c.grid);
  if (axes.empty()) throw UsageError("--grid TEXT is needed, e.g. --grid \"hidden=64,128 lr=.01,.003\"");
  const std::vector<SweepPoint> points = c.random > 0 ? random_points(axes, c.random, c.seed) : all_points(axes);
  // Every configuration must be one before the first is trained.
  bool of_links = false;
  std::optional<core::Metric> metric;
  std::vector<std::string> options;
  for (const SweepPoint& point : points) {
    const auto train = understood(c, point);
    if (&point != &points.front() && (train->of_links != of_links || train->training.metric != metric)) {
      throw UsageError("--grid: task and metric must be the same in all configurations, or they can't be compared");
    }
    options.push_back(key_of(*train));
    of_links = train->of_links;
    metric = train->training.metric;
  }
  const auto data = datasets::open(c.graph);
  const core::DatasetSchema& schema = data->schema();
  if (!metric) metric = of_links ? core::Metric::kRocAuc : core::default_metric(schema.task);
  if (!of_links && schema.split_names.empty()) {
    throw UsageError(
        fmt::format("'{}' has no split; make one, e.g. with laminar-convert --split random:60/20/20", schema.name));
  }
  const std::vector<SweepRun> runs =
      planned_runs(c, points, options, of_links ? std::vector<std::string>() : splits_of(c, schema.split_names));
  const SweepFolder folder(c.out, fmt::format("{:016x}", data->graph_fingerprint()));
  std::vector<std::optional<SweepResult>> results;
  for (const SweepRun& run : runs) results.push_back(folder.find(run));
  Sweep work(c, folder, runs, results);
  if (c.dry_run) {
    for (const std::size_t i : work.left()) fmt::print("{}\n", fmt::join(words_of(c, runs[i]), " "));
    return 0;
  }
  if (!c.quiet) {
    fmt::print(stderr, "{} configurations, {} runs of which {} are done; results are in {}\n", points.size(),
               runs.size(), runs.size() - work.left().size(), c.out.string());
  }
  const int signal = work.run();

  const std::vector<SweepRow> rows = sweep_rows(runs, results, *metric);
  if (!c.csv.empty()) core::write_file(c.csv, sweep_csv(runs, results));
  if (!c.json.empty()) core::write_file(c.json, sweep_json(runs, results, rows, *metric, c.graph.string(), c.fixed));
  std::size_t done = 0;
  std::size_t failed = 0;
  for (const auto& r : results) {
    done += r && r->done ? 1 : 0;
    failed += r && !r->done ? 1 : 0;
  }
  if (signal != 0) fmt::print(stderr, "interrupted; the same command goes on\n");
  std::fflush(stderr);
  fmt::print("{}", sweep_table(rows, *metric, runs.size() / points.size()));
  fmt::print("RESULT configurations={} runs={} failed={} metric={} val_metric={:.6f} test_metric={:.6f} best={}\n",
             points.size(), done, failed, core::name_of(*metric), rows.front().val, rows.front().test, [&] {
               std::string text = point_text(rows.front().point);
               std::replace(text.begin(), text.end(), ' ', ';');
               return text;
             }());
  if (signal != 0) return 128 + signal;
  return failed > 0 ? 1 : 0;
}

int run(int argc, char** argv) {
  SweepCommand c;
  const auto end = std::find_if(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--"; });
  for (char** word = end; word < argv + argc; ++word) {
    if (word != end) c.fixed.emplace_back(*word);
  }
  std::vector<const char*> fixed = {"laminar-train"};
  for (const std::string& word : c.fixed) fixed.push_back(word.c_str());
  load_plugins(static_cast<int>(fixed.size()), fixed.data());
  CommandLine line({"graph"});
  add_options(line, c);
  line.apply(line.parse(static_cast<int>(end - argv), argv));
  if (c.help) {
    fmt::print("{}", help_text(line));
    return 0;
  }
  if (c.version) {
    fmt::print("laminar-sweep {}\n", LAMINAR_VERSION);
    return 0;
  }
  return sweep(c);
}

}  // namespace

int main(int argc, char** argv) { return run_application("laminar-sweep", argc, argv, run); }
