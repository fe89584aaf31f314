// laminar-partition: cuts a graph into parts.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/application.hpp"
#include "laminar/apps/command_line.hpp"
#include "laminar/apps/machine.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/partition_options.hpp"
#include "laminar/apps/partition_stream.hpp"
#include "laminar/apps/partition_summary.hpp"
#include "laminar/apps/partition_two_level.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/file_edge_stream.hpp"
#include "laminar/datasets/partitions.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"

namespace {

namespace apps = laminar::apps;
namespace datasets = laminar::datasets;
namespace partition = laminar::partition;
using laminar::UsageError;
using laminar::core::Index;

/// Up to which a line is printed for each part.
constexpr Index kFewParts = 16;

struct Command {
  apps::PartitionRequest request;
  std::string parts;
  std::string strategy = apps::default_strategy();
  std::string refine;
  std::string start;
  std::string save_as;
  bool overwrite = false;
  bool stream = false;
  std::filesystem::path out;
  std::filesystem::path json;
  bool quiet = false;
  bool verbose = false;
  bool list = false;
  bool help = false;
  bool version = false;
  apps::CommandLine line{{"graph"}};

  Command();
  std::string help_text() const;
};

Command::Command() {
  const auto letter = [](apps::Option o, char c) {
    o.letter = c;
    return o;
  };
  apps::add_partition_options(line, request);
  line.add(
      letter(apps::option("parts", parts, "K", "number of parts, or HxD: H hosts first, then D devices on each"), 'k'));
  line.add(letter(apps::option("strategy", strategy, "NAME", "how to partition; --list tells all"), 's'));
  line.add(apps::option("refine", refine, "NAME|FILE",
                        "improve this partition, one in the graph file or in a file of its own"));
  line.add(apps::option("start", start, "STRATEGY", "partition by this strategy first, and improve that"));
  line.add(
      apps::flag("stream", stream,
                 "graph file: read its edges row by row and never hold them all; for fennel, ldg and restreaming"));
  line.group("Output");
  line.add(apps::option("save-as", save_as, "NAME", "keep the partition in the graph file, as /partitions/NAME"));
  line.add(apps::flag("overwrite", overwrite, "replace a partition of that name"));
  line.add(letter(
      apps::option("out", out, "FILE", "write the partition: HDF5 (.h5), else text, one part number a line"), 'o'));
  line.add(apps::option("json", json, "FILE", "write all figures (JSON)"));
  line.add(letter(apps::flag("quiet", quiet, "print nothing but the RESULT line and errors"), 'q'));
  line.add(letter(apps::flag("verbose", verbose, "print a line for every part, however many there are"), 'v'));
  line.group("General");
  line.add(apps::flag("list", list, "print all strategies, and end"));
  line.add(letter(apps::flag("help", help, "print this text"), 'h'));
  line.add(apps::flag("version", version, "print the version"));
}

std::string Command::help_text() const {
  return fmt::format(R"(Usage: laminar-partition GRAPH --parts K [OPTIONS]

Cuts a graph into K parts so that little has to be sent between them, and prints, as the last line,
  RESULT strategy=... parts=... edge_cut=... total_volume=... max_receive_volume=... max_send_volume=...
         vertex_balance=... edge_balance=... seconds=... peak_rss_mib=...
Volumes are in rows: a vertex counts once for each other part that holds a neighbour of it; on a directed graph in-
and out-neighbours count each on their own (h_in, h_out). Balances are largest / mean. Seconds are the strategy's own.

{}
Exit codes: 0 done, 1 failed, 2 a wrong option.

Examples:
  laminar-partition graph.h5 --parts 8 --save-as mine
  laminar-partition graph.h5 --parts 8 --objective max --edge-imbalance 0.1 --preset best --out parts.txt
  laminar-partition web.graph --parts 4x8 --strategy metis_vol --out web.parts.txt
  laminar-partition graph.h5 --refine mine --time-limit 60 --save-as better
)",
                     line.help());
}

/// Before any work: names that can't be saved under, files that can't be written.
void check_targets(const Command& c) {
  const std::vector<apps::NamedFile> outputs = {{"out", c.out}, {"json", c.json}};
  const std::vector<apps::NamedFile> inputs = {{"the graph", c.request.graph}, {"--refine", c.refine}};
  apps::check_outputs(outputs, inputs);
  if (c.save_as.empty()) {
    if (c.overwrite) throw UsageError("--overwrite goes with --save-as");
    return;
  }
  const auto names = partition::Partitioners::instance().names();
  if (std::find(names.begin(), names.end(), c.save_as) != names.end()) {
    throw UsageError(fmt::format("--save-as is '{}', which is the name of a strategy; choose another", c.save_as));
  }
  if (c.save_as.find('/') != std::string::npos || c.save_as == "." || c.save_as == "..") {
    throw UsageError(fmt::format("--save-as is '{}', expected a name without slashes", c.save_as));
  }
}

void check_save(const Command& c, const apps::PartitionInput& input) {
  if (c.save_as.empty()) return;
  if (input.format != "laminar") {
    throw UsageError(
        "--save-as needs a graph file (HDF5); laminar-convert makes one, and --out writes a file of its own");
  }
  const auto& names = input.partition_names;
  if (!c.overwrite && std::find(names.begin(), names.end(), c.save_as) != names.end()) {
    throw UsageError(fmt::format("{} has a partition '{}' already; choose another name, or --overwrite",
                                 c.request.graph.string(), c.save_as));
  }
  const laminar::core::AtomicFile probe(c.request.graph);
}

/// The partition that --refine names.
datasets::SavedPartition read_start(const Command& c, const apps::PartitionInput& input) {
  const auto& names = input.partition_names;
  if (std::find(names.begin(), names.end(), c.refine) != names.end()) {
    return datasets::load_partition(c.request.graph, c.refine, *input.graph);
  }
  std::error_code ignored;
  if (!std::filesystem::exists(c.refine, ignored)) {
    throw UsageError(fmt::format("--refine is '{}', which is neither a file nor a partition in {}; there are: {}",
                                 c.refine, c.request.graph.string(),
                                 names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  }
  return datasets::read_partition_file(c.refine, *input.graph);
}

struct Outcome {
  partition::Partition partition;
  double seconds = 0;
};

/// The work itself, inside the arena.
Outcome partition_graph(const Command& c, const apps::PartsShape& shape, const apps::PartitionInput& input,
                        partition::PartitionOptions options) {
  const auto& registry = partition::Partitioners::instance();
  const auto started = std::chrono::steady_clock::now();
  Outcome outcome;
  std::vector<std::string> remarks;
  if (!c.start.empty()) {
    // What the first strategy does not heed is the second one's to mend.
    partition::PartitionOptions first = options;
    const partition::PartitionerInfo& info = registry.info(c.start);
    if (!info.edge_balance) first.edge_imbalance.reset();
    if (!info.train_balance) first.train_imbalance.reset();
    if (!info.capacity) first.capacity.clear();
    if (!info.vertex_weights) first.vertex_weights.clear();
    partition::Partition start = registry.run(c.start, *input.graph, first);
    options.start = std::move(start.part_of);
    for (std::string& remark : start.remarks) remarks.push_back(fmt::format("{}: {}", c.start, remark));
  }
  outcome.partition = shape.second > 1
                          ? apps::partition_two_levels(c.strategy, *input.graph, options, shape.first, shape.second)
                          : registry.run(c.strategy, *input.graph, options);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  outcome.partition.remarks.insert(outcome.partition.remarks.begin(), remarks.begin(), remarks.end());
  return outcome;
}

void print_graph(const apps::PartitionInput& input) {
  const auto& graph = *input.graph;
  fmt::print("{}: {} vertices, {} edges ({})\n", input.name, apps::count_text(graph.num_vertices()),
             apps::count_text(graph.num_edges()), graph.directed() ? "directed" : "both directions of each");
  for (const std::string& note : input.notes) fmt::print("note: {}\n", note);
}

void write_outputs(const Command& c, std::uint64_t fingerprint, const Outcome& outcome,
                   const partition::PartitionMetrics& metrics, double peak_rss_mib) {
  const bool refined = !c.refine.empty() || !c.start.empty();
  const datasets::SavedPartition saved = {
      c.save_as,
      refined ? fmt::format("{} after {}", c.strategy, c.refine.empty() ? c.start : c.refine) : c.strategy,
      outcome.partition.num_parts,
      c.request.options.seed,
      fingerprint,
      outcome.partition.part_of};
  if (!c.save_as.empty()) {
    datasets::save_partition(c.request.graph, saved, c.overwrite);
    if (!c.quiet) fmt::print("saved as '{}' in {}\n", c.save_as, c.request.graph.string());
  }
  if (!c.out.empty()) {
    datasets::write_partition_file(c.out, saved);
    if (!c.quiet) fmt::print("written to {}\n", c.out.string());
  }
  if (!c.json.empty()) {
    nlohmann::ordered_json j = {
        {"program", "laminar-partition"},      {"graph", c.request.graph.string()}, {"strategy", c.strategy},
        {"seed", c.request.options.seed},      {"seconds", outcome.seconds},        {"peak_rss_mib", peak_rss_mib},
        {"remarks", outcome.partition.remarks}};
    j["metrics"] = apps::to_json(metrics);
    laminar::core::write_file(c.json, j.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
}

/// Without the graph in memory: the edges are read once a pass of the strategy, and once to measure.
int run_stream(const Command& c, const apps::PartsShape& shape) {
  if (c.request.graph.extension() != ".h5" && c.request.graph.extension() != ".hdf5") {
    throw UsageError("--stream needs a graph file (.h5); laminar-convert makes one");
  }
  if (!c.save_as.empty() || c.out.extension() == ".h5" || c.out.extension() == ".hdf5") {
    throw UsageError("--stream writes text only (--out FILE.txt): other files keep a hash of the whole graph");
  }
  if (shape.second > 1 || !c.refine.empty() || !c.start.empty()) {
    throw UsageError("--stream goes with one level of --parts, and neither with --refine nor with --start");
  }
  if (shape.first > partition::PartitionMetrics::kMostTrafficParts) {
    throw UsageError(fmt::format("--parts is {}, but --stream goes up to {}", shape.first,
                                 partition::PartitionMetrics::kMostTrafficParts));
  }
  datasets::FileEdgeStream stream(c.request.graph);
  partition::PartitionOptions options = c.request.options;
  options.parts = shape.first;
  const auto& splits = stream.schema().split_names;
  if (!c.request.split.empty() || !splits.empty()) {
    options.train = stream.split(c.request.split.empty() ? splits.front() : c.request.split).train;
  }
  const auto started = std::chrono::steady_clock::now();
  Outcome outcome;
  outcome.partition = apps::partition_stream(c.strategy, stream, options);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const double peak_rss_mib = static_cast<double>(apps::peak_rss_bytes()) / (1024.0 * 1024.0);
  const auto metrics = apps::measure_stream(
      stream, stream.schema().directed, outcome.partition,
      {.train = options.train, .vertex_weights = {}, .capacity = options.capacity, .width = c.request.width});
  if (!c.quiet) {
    fmt::print("{}: {} vertices, {} edges, read row by row\n{}, {} parts, seed {}: {:.3g} s\n{}", stream.schema().name,
               apps::count_text(stream.num_vertices()), apps::count_text(stream.num_entries()), c.strategy, shape.first,
               options.seed, outcome.seconds,
               apps::metrics_text(metrics, c.request.width, c.verbose ? shape.first : kFewParts));
    for (const std::string& remark : outcome.partition.remarks) fmt::print("note: {}\n", remark);
  }
  write_outputs(c, 0, outcome, metrics, peak_rss_mib);
  fmt::print("{}\n", apps::partition_result_line(c.strategy, metrics, outcome.seconds, peak_rss_mib));
  return 0;
}

int run_command(Command& c) {
  check(c.request);
  if (c.quiet && c.verbose) throw UsageError("--quiet and --verbose contradict each other");
  const auto& info = partition::Partitioners::instance().info(c.strategy);
  if (!c.refine.empty() && !c.start.empty()) throw UsageError("give --refine or --start, not both");
  if (!c.start.empty()) partition::Partitioners::instance().info(c.start);
  if (!(c.refine.empty() && c.start.empty()) && !info.refines) {
    throw UsageError(fmt::format("--strategy {} can't start from a partition; --list tells which can", c.strategy));
  }
  if (c.parts.empty() && c.refine.empty()) throw UsageError("--parts is missing: say how many parts to make");
  apps::PartsShape shape;
  if (!c.parts.empty()) {
    try {
      shape = apps::parse_parts(c.parts);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("--parts is '{}': {}", c.parts, error.what()));
    }
  }
  check_targets(c);
  if (c.stream) return run_stream(c, shape);

  laminar::core::Arena arena(c.request.threads);
  apps::PartitionInput input;
  Outcome outcome;
  partition::PartitionMetrics metrics;
  double peak_rss_mib = 0;
  const auto measure_options = [&] {
    return partition::MeasureOptions{.train = c.request.options.train,
                                     .vertex_weights = c.request.options.vertex_weights,
                                     .capacity = c.request.options.capacity,
                                     .width = c.request.width};
  };
  arena.execute([&] {
    input = apps::read_input(c.request);
    partition::PartitionOptions options = c.request.options;
    if (!c.refine.empty()) {
      const datasets::SavedPartition start = read_start(c, input);
      if (shape.first == 0) shape.first = start.parts;
      options.start = start.assignment;
    }
    options.parts = shape.first * shape.second;
    check_save(c, input);
    partition::validate(options, *input.graph);
    if (!c.quiet) {
      print_graph(input);
      std::fflush(stdout);
    }
    outcome = partition_graph(c, shape, input, options);
    peak_rss_mib = static_cast<double>(apps::peak_rss_bytes()) / (1024.0 * 1024.0);
    metrics = partition::measure(*input.graph, outcome.partition, measure_options());
  });
  if (!c.quiet) {
    fmt::print("{}, {} parts, seed {}: {:.3g} s on {} threads\n", c.strategy,
               c.parts.empty() ? fmt::format("{}", shape.first) : c.parts, c.request.options.seed, outcome.seconds,
               arena.threads());
    fmt::print("{}", apps::metrics_text(metrics, c.request.width, c.verbose ? metrics.num_parts : kFewParts));
    if (shape.second > 1) {
      const auto hosts = partition::measure(*input.graph, apps::hosts_of(outcome.partition, shape.second));
      fmt::print("between the {} hosts\n{}", shape.first, apps::metrics_text(hosts, c.request.width, 0));
    }
    for (const std::string& remark : outcome.partition.remarks) fmt::print("note: {}\n", remark);
  }
  write_outputs(c, input.graph->fingerprint(), outcome, metrics, peak_rss_mib);
  fmt::print("{}\n", apps::partition_result_line(c.strategy, metrics, outcome.seconds, peak_rss_mib));
  return 0;
}

int run(int argc, char** argv) {
  Command command;
  const apps::GivenValues given = command.line.parse(argc, argv);
  command.line.apply(given);
  if (command.help) {
    fmt::print("{}", command.help_text());
  } else if (command.version) {
    fmt::print("laminar-partition {}\n", LAMINAR_VERSION);
  } else if (command.list) {
    fmt::print("{}", apps::strategies_text());
  } else {
    return run_command(command);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return laminar::apps::run_application("laminar-partition", argc, argv, run); }
