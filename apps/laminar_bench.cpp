// laminar-bench: how fast kernels and epochs are beside what this machine can do.
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/application.hpp"
#include "laminar/apps/bench_epoch.hpp"
#include "laminar/apps/bench_load.hpp"
#include "laminar/apps/bench_ops.hpp"
#include "laminar/apps/command_line.hpp"
#include "laminar/apps/machine.hpp"
#include "laminar/apps/model_options.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/plugins.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/pipeline/learned_features.hpp"

namespace {

namespace apps = laminar::apps;
namespace fs = std::filesystem;
using laminar::UsageError;
using laminar::core::Index;

constexpr const char* kUsage = R"(Usage: laminar-bench ops [OPTIONS]
       laminar-bench epoch GRAPH.h5 [OPTIONS]
       laminar-bench load GRAPH.h5 [OPTIONS]

Measures how fast this machine computes, and how near Laminar's kernels come to that.
  ops     the limits (reading and copying memory, dense products), then each kernel on a block model of its own, checked
          against a plain loop: median and spread, its rate, and the share of the limit that binds it
  epoch   trains on one device without evaluation and tells where an epoch's time goes, kernel by kernel, beside the
          time that its limit allows; the last line of the table is the epoch and the sum of all limits
  load    reads a graph file into memory, part by part, beside reading its bytes from the system's cache, and makes the
          matrix that GCN trains with

Limits are measured in the same run, each the best of several tries:
  product   a dense product of that shape, by the library, of operands that stay in a core's cache
  gather    a kernel that reads the same rows in the same order, adds them up and writes nothing
  stream    copying as many bytes, in arrays as large as what the training (or, of ops, the kernel) works on
Rates are of 10^9 operations or bytes a second; times are in milliseconds.

laminar-bench ops --help, epoch --help and load --help list the options. Exit codes: 0 done, 1 failed, 2 a wrong option.
)";

/// What both commands know.
struct Common {
  fs::path json;
  int threads = 0;
  bool help = false;

  void add_to(apps::CommandLine& line) {
    line.add(apps::option("threads", threads, "N", "0 = one a core"));
    line.group("Output");
    line.add(apps::option("json", json, "FILE", "write the machine and all figures (JSON)"));
    line.group("General");
    apps::Option h = apps::flag("help", help, "print this text");
    h.letter = 'h';
    line.add(std::move(h));
  }
  /// `inputs` must not be written over.
  void check(const std::vector<apps::NamedFile>& inputs = {}) const {
    if (threads < 0 || threads > 1024) throw UsageError(fmt::format("--threads is {}, expected 0 to 1024", threads));
    const std::vector<apps::NamedFile> outputs = {{"json", json}};
    apps::check_outputs(outputs, inputs);
  }
  void write(const char* command, nlohmann::ordered_json figures) const {
    if (json.empty()) return;
    const apps::Machine machine = apps::this_machine(threads);
    nlohmann::ordered_json all = {{"program", "laminar-bench"},
                                  {"command", command},
                                  {"version", machine.version},
                                  {"machine",
                                   {{"cpu", machine.cpu_model},
                                    {"cores", machine.cores},
                                    {"threads", machine.threads},
                                    {"memory_bytes", machine.memory_bytes},
                                    {"gemm_library", machine.gemm_library},
                                    {"time_utc", machine.time_utc}}}};
    all.update(figures);
    laminar::core::write_file(json, all.dump(1) + "\n");
  }
};

void in_range(const char* name, Index value, Index least, Index most) {
  if (value < least || value > most) {
    throw UsageError(fmt::format("--{} is {}, expected {} to {}", name, value, least, most));
  }
}

int run_ops(int argc, const char* const* argv) {
  Common common;
  apps::OpsBenchOptions o;
  apps::CommandLine line({});
  line.group("Kernels");
  line.add(apps::option("width", o.width, "N", "columns of the rows"));
  line.add(apps::option("vertices", o.vertices, "N", "of the block model"));
  line.add(apps::option("degree", o.degree, "X", "neighbours of a vertex on average"));
  line.add(apps::option("repeats", o.repeats, "N", "times that each kernel runs, after once to warm up"));
  line.add(apps::option("seed", o.seed, "N", "of the graph and the numbers"));
  line.add(apps::option("stream-mib", o.stream_mib, "N",
                        "MiB of the arrays that memory's speed is measured with; 0 = four times the last-level cache, "
                        "an eighth of the memory at most"));
  common.add_to(line);
  line.apply(line.parse(argc, argv));
  if (common.help) {
    fmt::print("Usage: laminar-bench ops [OPTIONS]\n\n{}\nExample:\n  laminar-bench ops --threads 2 --json ops.json\n",
               line.help());
    return 0;
  }
  common.check();
  in_range("width", o.width, 1, 65'536);
  in_range("vertices", o.vertices, 64, Index{1} << 30);
  in_range("repeats", o.repeats, 1, 10'000);
  in_range("stream-mib", o.stream_mib, 0, Index{1} << 20);
  if (!(o.degree >= 1 && o.degree <= static_cast<double>(o.vertices) / 4)) {
    throw UsageError(fmt::format("--degree is {}, expected 1 to a quarter of --vertices", o.degree));
  }
  o.threads = common.threads;
  const apps::Machine machine = apps::this_machine(common.threads);
  fmt::print("{}, {} threads, {}\n", machine.cpu_model, machine.threads, machine.gemm_library);
  std::fflush(stdout);
  const apps::OpsFigures figures = apps::measure_ops(o);
  fmt::print("\n{}\n{}", apps::limits_table(figures), apps::ops_table(figures));
  common.write("ops", apps::ops_json(figures));
  fmt::print("{}\n", apps::ops_result_line(figures));
  return 0;
}

int run_epoch(int argc, const char* const* argv) {
  Common common;
  fs::path graph;
  apps::EpochBenchOptions o;
  apps::LayerValues layer_values;
  apps::CommandLine line({"graph"});
  line.group("Graph");
  line.add(apps::option("graph", graph, "FILE", "the graph file"));
  line.add(apps::option("split", o.split, "NAME", "whose training vertices count (default: the file's first)"));
  line.add(apps::option("order", o.order, "NAME", "how vertices stand in memory: auto, file, rcm or community",
                        laminar::pipeline::vertex_order_from_name));
  apps::add_model_options(line, o.model, layer_values);
  line.group("Measurement");
  line.add(apps::option("epochs", o.epochs, "N", "epochs that are timed; the table is of the one of median time"));
  line.add(apps::option("warmup", o.warmup, "N", "epochs before these"));
  line.add(apps::option("seed", o.seed, "N", "of weights and dropout"));
  common.add_to(line);
  const apps::GivenValues given = line.parse(argc, argv);
  if (given.contains("help")) {
    fmt::print(
        "Usage: laminar-bench epoch GRAPH.h5 [OPTIONS]\n\n{}\nExample:\n"
        "  laminar-bench epoch debian.h5 --layer gat --layers 3 --hidden 128 --gat.heads 8 --threads 2\n",
        line.help());
    return 0;
  }
  line.apply(given);
  if (graph.empty()) throw UsageError("a graph file is needed, e.g. laminar-bench epoch graph.h5");
  common.check({{"the graph file", graph}});
  apps::set_layer_options(o.model, layer_values);
  apps::check_model_options(o.model, given);
  in_range("epochs", o.epochs, 1, 1'000'000);
  in_range("warmup", o.warmup, 1, 1'000'000);
  o.threads = common.threads;
  const auto file = laminar::datasets::open(graph);
  const auto with_learned = laminar::pipeline::with_learned_features(*file, o.model);
  const laminar::core::Dataset& data = with_learned ? *with_learned : *file;
  const auto schema = data.schema();
  const apps::EpochFigures figures = apps::measure_epochs(o, data);
  fmt::print(
      "{}: {} vertices, {} edges; {}, {} layers of width {}, {} threads\n"
      "order: {}; ready to train after {} ms\n"
      "{} epochs of {} ms ({} to {}); copying at {:.1f} GB/s\n\n{}",
      schema.name, apps::count_text(schema.num_vertices), apps::count_text(schema.num_edges), o.model.layer,
      o.model.layers, o.model.hidden, figures.threads, figures.order_why, apps::ms_text(figures.setup_ms), o.epochs,
      apps::ms_text(figures.epoch_ms), apps::ms_text(figures.least_ms), apps::ms_text(figures.largest_ms),
      figures.copy_gbps, apps::epoch_table(figures));
  nlohmann::ordered_json j = apps::epoch_json(figures);
  j["graph"] = schema.name;
  j["layer"] = o.model.layer;
  j["layers"] = o.model.layers;
  j["hidden"] = o.model.hidden;
  common.write("epoch", std::move(j));
  fmt::print("{}\n", apps::epoch_result_line(figures, o.model));
  return 0;
}

int run_load(int argc, const char* const* argv) {
  Common common;
  fs::path graph;
  apps::LoadBenchOptions o;
  apps::CommandLine line({"graph"});
  line.group("Load");
  line.add(apps::option("graph", graph, "FILE", "the graph file"));
  line.add(apps::option("repeats", o.repeats, "N", "times that it is loaded, after once to warm up"));
  common.add_to(line);
  line.apply(line.parse(argc, argv));
  if (common.help) {
    fmt::print("Usage: laminar-bench load GRAPH.h5 [OPTIONS]\n\n{}\nExample:\n  laminar-bench load debian.h5\n",
               line.help());
    return 0;
  }
  if (graph.empty()) throw UsageError("a graph file is needed, e.g. laminar-bench load graph.h5");
  common.check({{"the graph file", graph}});
  in_range("repeats", o.repeats, 1, 10'000);
  o.threads = common.threads;
  const apps::LoadFigures figures = apps::measure_load(graph, o);
  fmt::print("{}: {} vertices, {} edges, a file of {:.1f} MB, {} threads\n\n{}\n", figures.name,
             apps::count_text(figures.vertices), apps::count_text(figures.edges), figures.file_bytes / 1e6,
             figures.threads, apps::load_table(figures));
  common.write("load", apps::load_json(figures));
  fmt::print("{}\n", apps::load_result_line(figures));
  return 0;
}

int run(int argc, char** argv) {
  apps::load_plugins(argc, argv);
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "ops") return run_ops(argc - 1, argv + 1);
  if (command == "epoch") return run_epoch(argc - 1, argv + 1);
  if (command == "load") return run_load(argc - 1, argv + 1);
  if (command == "--help" || command == "-h") {
    fmt::print("{}", kUsage);
    return 0;
  }
  if (command == "--version") {
    fmt::print("laminar-bench {}\n", LAMINAR_VERSION);
    return 0;
  }
  if (command.empty()) throw UsageError("expected ops, epoch or load");
  throw UsageError(fmt::format("'{}' is not known, expected ops, epoch or load{}", command,
                               apps::suggestion(command, {"ops", "epoch", "load"})));
}

}  // namespace

int main(int argc, char** argv) { return laminar::apps::run_application("laminar-bench", argc, argv, run); }
