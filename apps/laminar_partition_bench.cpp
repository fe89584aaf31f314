// laminar-partition-bench: which strategy partitions a graph best.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/application.hpp"
#include "laminar/apps/command_line.hpp"
#include "laminar/apps/machine.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/partition_bench.hpp"
#include "laminar/apps/partition_bench_page.hpp"
#include "laminar/apps/partition_bench_table.hpp"
#include "laminar/apps/partition_options.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/partition/vertex_cut.hpp"

namespace {

namespace apps = laminar::apps;
namespace partition = laminar::partition;
using laminar::UsageError;
using laminar::core::Index;
using Clock = std::chrono::steady_clock;

struct Command {
  apps::PartitionRequest request;
  std::string parts = "2,4,8,16";
  std::string strategies = "all";
  Index seeds = 3;
  std::string compare;
  bool no_vertex_cuts = false;
  std::filesystem::path report;
  std::filesystem::path json;
  bool quiet = false;
  bool list = false;
  bool help = false;
  bool version = false;
  apps::CommandLine line{{"graph"}};

  Command();
  std::string help_text() const;
};

Command::Command() {
  apps::add_partition_options(line, request);
  line.group("Benchmark");
  line.add(apps::option("parts", parts, "K,...", "numbers of parts"));
  line.add(apps::option("strategies", strategies, "NAME,...",
                        "strategies to run, or all; NAME:OPTION=VALUE:... gives one options of its own"));
  line.add(apps::option("seeds", seeds, "N", "runs of each, with seeds SEED .. SEED + N - 1; tables show medians"));
  line.add(apps::option("compare", compare, "FILE,...",
                        "assignments made elsewhere, one part number a line; NAME=FILE names one, and files of the "
                        "same name and number of parts count as seeds"));
  line.add(apps::flag("no-vertex-cuts", no_vertex_cuts, "leave out vertex cuts (DBH, HDRF)"));
  line.group("Output");
  line.add(apps::option("report", report, "FILE", "write a page with tables and plots (HTML)"));
  line.add(apps::option("json", json, "FILE", "write the figures of every run (JSON)"));
  apps::Option q = apps::flag("quiet", quiet, "print the tables only, no progress");
  q.letter = 'q';
  line.add(std::move(q));
  line.group("General");
  line.add(apps::flag("list", list, "print all strategies, and end"));
  apps::Option h = apps::flag("help", help, "print this text");
  h.letter = 'h';
  line.add(std::move(h));
  line.add(apps::flag("version", version, "print the version"));
}

std::string Command::help_text() const {
  return fmt::format(R"(Usage: laminar-partition-bench GRAPH [OPTIONS]

Runs partition strategies on a graph, each in a process of its own, and compares what their partitions cost. The best
value of a column is marked "*"; of all columns less is better:
  cut               edges between parts
  total             volume in rows: a vertex counts once for each other part that holds a neighbour of it
  max recv, send    of the part that receives or sends most
  copies            of a vertex on average (replication factor)
  vertices, edges, train, memory   largest part / mean
  seconds, MiB      of the strategy alone, and its process at its peak, the graph included

{}
Exit codes: 0 done, 1 failed, 2 a wrong option.

Examples:
  laminar-partition-bench graph.h5 --parts 8 --seeds 10 --report bench.html --json bench.json
  laminar-partition-bench graph.h5 --parts 4,8 --strategies laminar,metis_vol --objective max
  laminar-partition-bench graph.h5 --strategies laminar:preset=fast,laminar:preset=best,metis_balanced:edge-imbalance=.1
  laminar-partition-bench web.graph --parts 8 --compare web.graph.part.8,kaminpar=other.txt
)",
                     line.help());
}

/// What goes on, on stderr: one line that is rewritten on a terminal, else about 20 lines.
class BenchProgress {
 public:
  BenchProgress(bool quiet, std::size_t runs) : quiet_(quiet), runs_(runs), terminal_(apps::is_terminal(stderr)) {}
  void begin(const std::string& what) {
    if (quiet_ || !terminal_) return;
    // Runs differ by orders of magnitude, so the estimate is by strategy: see expect().
    const std::string left = done_ == 0 ? "" : "  ETA " + apps::duration_text(left_);
    std::string text = fmt::format("[{}/{}] {}{}", done_ + 1, runs_, what, left);
    text.resize(std::min<std::size_t>(text.size(), static_cast<std::size_t>(apps::terminal_width(stderr)) - 1));
    fmt::print(stderr, "\r{}\x1b[K", text);
    std::fflush(stderr);
  }
  /// `left`: seconds that are expected for what remains.
  void end(const std::string& what, double seconds, double left) {
    ++done_;
    left_ = left;
    if (quiet_ || terminal_ || (done_ % std::max<std::size_t>(1, runs_ / 20) != 0 && done_ != runs_)) return;
    fmt::print(stderr, "[{}/{}] {}: {:.2f} s, ETA {}\n", done_, runs_, what, seconds, apps::duration_text(left));
  }
  void clear() const {
    if (!quiet_ && terminal_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  bool quiet_;
  std::size_t runs_;
  bool terminal_;
  std::size_t done_ = 0;
  double left_ = 0;
};

/// Times seen, to tell what is left: of the same strategy if it has run, else the mean of all.
class Expectation {
 public:
  void saw(const std::string& strategy, double seconds) {
    auto& [sum, count] = by_strategy_[strategy];
    sum += seconds;
    ++count;
    all_sum_ += seconds;
    ++all_count_;
  }
  double of(const std::string& strategy) const {
    const auto found = by_strategy_.find(strategy);
    if (found != by_strategy_.end()) return found->second.first / found->second.second;
    return all_count_ > 0 ? all_sum_ / all_count_ : 0;
  }

 private:
  std::map<std::string, std::pair<double, double>> by_strategy_;
  double all_sum_ = 0;
  double all_count_ = 0;
};

std::vector<Index> parts_of(const Command& c) {
  std::vector<Index> parts;
  try {
    for (const std::string& word : apps::split_at_commas(c.parts)) {
      const apps::PartsShape shape = apps::parse_parts(word);
      if (shape.second != 1) throw UsageError("expected numbers of parts, such as 2,4,8");
      if (std::find(parts.begin(), parts.end(), shape.first) == parts.end()) parts.push_back(shape.first);
    }
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("--parts is '{}': {}", c.parts, error.what()));
  }
  return parts;
}

std::vector<apps::StrategyVariant> strategies_of(const Command& c) {
  if (c.strategies == "none") return {};
  const std::vector<std::string> texts =
      c.strategies == "all" ? partition::Partitioners::instance().names() : apps::split_at_commas(c.strategies);
  std::vector<apps::StrategyVariant> variants;
  for (const std::string& text : texts) variants.push_back(apps::parse_variant(text, c.request.options));
  return variants;
}

/// All strategies by all numbers of parts and seeds, each in a process of its own.
void run_strategies(const Command& c, const laminar::core::Graph& graph, const partition::MeasureOptions& measure,
                    apps::BenchResults& results) {
  const std::vector<apps::StrategyVariant> strategies = strategies_of(c);
  BenchProgress progress(c.quiet, results.parts.size() * strategies.size() * static_cast<std::size_t>(c.seeds));
  Expectation expectation;
  // Seeds outermost would give a better estimate; parts outermost keep a table's runs together in time.
  for (std::size_t k = 0; k < results.parts.size(); ++k) {
    for (std::size_t s = 0; s < strategies.size(); ++s) {
      apps::BenchEntry entry{.name = strategies[s].text,
                             .parts = results.parts[k],
                             .compared = false,
                             .runs = {},
                             .remarks = {},
                             .failure = {}};
      for (Index i = 0; i < c.seeds; ++i) {
        const auto started = Clock::now();
        apps::BenchTask task{strategies[s].strategy, strategies[s].options, c.request.threads};
        task.options.parts = results.parts[k];
        task.options.seed += static_cast<std::uint64_t>(i);
        const std::string what =
            fmt::format("{}, {} parts, seed {}", strategies[s].text, results.parts[k], task.options.seed);
        progress.begin(what);
        if (entry.failure.empty()) {
          try {
            entry.runs.push_back(run_in_child(graph, task, measure, entry.remarks));
          } catch (const laminar::Error& error) {
            entry.failure = error.what();
          }
        }
        const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
        expectation.saw(strategies[s].text, seconds);
        double left = expectation.of(strategies[s].text) * static_cast<double>(c.seeds - i - 1);
        for (std::size_t later = k * strategies.size() + s + 1; later < results.parts.size() * strategies.size();
             ++later) {
          left += expectation.of(strategies[later % strategies.size()].text) * static_cast<double>(c.seeds);
        }
        progress.end(what, seconds, left);
      }
      apps::add_entry(results.entries, std::move(entry));
    }
  }
  progress.clear();
}

void compare(const Command& c, const laminar::core::Graph& graph, const partition::MeasureOptions& measure,
             apps::BenchResults& results) {
  if (c.compare.empty()) return;
  for (const std::string& word : apps::split_at_commas(c.compare)) {
    apps::BenchEntry entry = apps::read_compared(apps::parse_compared(word), graph, measure);
    if (std::find(results.parts.begin(), results.parts.end(), entry.parts) == results.parts.end()) {
      results.parts.push_back(entry.parts);
    }
    apps::add_entry(results.entries, std::move(entry));
  }
}

void cut_vertices(const Command& c, const laminar::core::Graph& graph, apps::BenchResults& results) {
  if (c.no_vertex_cuts) return;
  for (const Index parts : results.parts) {
    for (const auto strategy : {partition::VertexCutStrategy::kDbh, partition::VertexCutStrategy::kHdrf}) {
      const auto started = Clock::now();
      const partition::VertexCut cut = partition::cut_vertices(graph, strategy, parts, c.request.options.seed);
      results.vertex_cuts.push_back({std::string(name_of(strategy)), parts, cut.replication_factor, cut.edge_balance,
                                     std::chrono::duration<double>(Clock::now() - started).count()});
    }
  }
}

std::string shell_words(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) {
    std::string word = i == 0 ? "laminar-partition-bench" : argv[i];
    if (word.find_first_of(" '\"$`\\*?;&|<>()#~") != std::string::npos) {
      std::string quoted = "'";
      for (const char letter : word) quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
      word = quoted + "'";
    }
    words.push_back(std::move(word));
  }
  return fmt::format("{}", fmt::join(words, " "));
}

int run_bench(Command& c, const std::string& command_text) {
  check(c.request);
  if (c.seeds < 1 || c.seeds > 10'000) throw UsageError(fmt::format("--seeds is {}, expected 1 to 10000", c.seeds));
  apps::BenchResults results;
  results.parts = parts_of(c);
  if (strategies_of(c).empty() && c.compare.empty()) throw UsageError("--strategies none needs --compare");
  std::vector<apps::NamedFile> inputs = {{"the graph", c.request.graph}};
  if (!c.compare.empty()) {
    for (const std::string& word : apps::split_at_commas(c.compare)) {
      inputs.push_back({"a file of --compare", apps::parse_compared(word).path});
    }
  }
  const std::vector<apps::NamedFile> outputs = {{"report", c.report}, {"json", c.json}};
  apps::check_outputs(outputs, inputs);

  apps::PartitionInput input;
  partition::MeasureOptions measure;
  // One thread until the last child has been started: other threads would not come along into the children.
  laminar::core::Arena single(1);
  single.execute([&] {
    input = apps::read_input(c.request);
    measure = {.train = c.request.options.train,
               .vertex_weights = c.request.options.vertex_weights,
               .capacity = c.request.options.capacity,
               .width = c.request.width};
    const auto& graph = *input.graph;
    fmt::print("{}: {} vertices, {} edges ({})\n", input.name, apps::count_text(graph.num_vertices()),
               apps::count_text(graph.num_edges()), graph.directed() ? "directed" : "both directions of each");
    for (const std::string& note : input.notes) fmt::print("note: {}\n", note);
    std::fflush(stdout);
    for (const Index parts : results.parts) {
      partition::PartitionOptions options = c.request.options;
      options.parts = parts;
      partition::validate(options, graph);
      for (apps::StrategyVariant& variant : strategies_of(c)) {
        apps::require_training_vertices(variant.options, c.request.graph);
        variant.options.parts = parts;
        partition::validate(variant.options, graph);
      }
    }
    // Before hours of work: a file that doesn't fit.
    compare(c, graph, measure, results);
    std::sort(results.parts.begin(), results.parts.end());
    run_strategies(c, graph, measure, results);
    cut_vertices(c, graph, results);
  });
  const bool bold = apps::is_terminal(stdout);
  for (const Index parts : results.parts) fmt::print("\n{}", apps::bench_table(results.entries, parts, bold));
  if (!results.vertex_cuts.empty()) fmt::print("\n{}", apps::vertex_cut_table(results.vertex_cuts, bold));

  results.graph_name = input.name;
  results.graph_file = c.request.graph.string();
  results.graph = input.graph.get();
  results.command = command_text;
  results.seeds = c.seeds;
  results.machine = apps::this_machine(c.request.threads);
  laminar::core::Arena arena(c.request.threads);
  arena.execute([&] {
    if (!c.json.empty()) {
      laminar::core::write_file(
          c.json, bench_json(results).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    }
    if (!c.report.empty()) laminar::core::write_file(c.report, bench_page(results));
  });
  for (const auto& path : {c.json, c.report}) {
    if (!path.empty() && !c.quiet) fmt::print("\nwritten to {}", path.string());
  }
  if (!c.quiet && !(c.json.empty() && c.report.empty())) fmt::print("\n");
  const bool any =
      std::any_of(results.entries.begin(), results.entries.end(), [](const auto& e) { return e.usable(); });
  if (!any) throw laminar::Error("no strategy gave a partition; the reasons stand in the tables");
  return 0;
}

int run(int argc, char** argv) {
  Command command;
  command.line.apply(command.line.parse(argc, argv));
  if (command.help) {
    fmt::print("{}", command.help_text());
  } else if (command.version) {
    fmt::print("laminar-partition-bench {}\n", LAMINAR_VERSION);
  } else if (command.list) {
    fmt::print("{}", apps::strategies_text());
  } else {
    return run_bench(command, shell_words(argc, argv));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return laminar::apps::run_application("laminar-partition-bench", argc, argv, run); }
