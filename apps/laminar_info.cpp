// laminar-info: what is in a graph file, and which layers there are.
#include <algorithm>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/application.hpp"
#include "laminar/apps/layer_list.hpp"
#include "laminar/apps/machine.hpp"
#include "laminar/apps/plugins.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/gemm.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/statistics.hpp"
#include "laminar/partition/metis.hpp"
#include "laminar/pipeline/mpi_transport.hpp"

namespace {

namespace po = boost::program_options;
namespace core = laminar::core;
namespace datasets = laminar::datasets;
using laminar::UsageError;
using nlohmann::ordered_json;

ordered_json to_json(const datasets::DegreeRange& range) {
  return {{"min", range.min}, {"mean", range.mean}, {"max", range.max}};
}

/// Everything that is printed, as JSON; the readable summary is made from it too, so that both say the same.
ordered_json summarise(const std::string& path) {
  const auto data = datasets::open(path);
  const auto& schema = data->schema();
  const auto details = datasets::details(path);
  const auto graph = data->graph();
  const auto& labels = data->labels();
  const auto statistics = datasets::statistics_of(*graph);
  ordered_json j;
  j["file"] = path;
  j["file_bytes"] = details.file_bytes;
  j["name"] = schema.name;
  j["provenance"] = details.provenance;
  j["vertices"] = schema.num_vertices;
  j["edges"] = schema.num_edges;
  j["directed"] = schema.directed;
  j["weighted"] = schema.weighted;
  j["in_degree"] = to_json(statistics.in_degree);
  j["out_degree"] = to_json(statistics.out_degree);
  j["isolated_vertices"] = statistics.isolated_vertices;
  j["self_loops"] = statistics.self_loops;
  j["parallel_edges"] = statistics.parallel_edges;
  j["graph_fingerprint"] = fmt::format("{:016x}", graph->fingerprint());
  j["features"] = {
      {"columns", schema.num_features}, {"sparse", schema.sparse_features}, {"entries", schema.feature_entries}};
  j["edge_features"] = details.num_edge_features;
  j["vertex_names"] = schema.has_vertex_names;
  j["task"] = name_of(schema.task);
  j["outputs"] = schema.num_outputs;
  const auto homophily = datasets::edge_homophily(*graph, labels);
  j["edge_homophily"] = homophily ? ordered_json(*homophily) : ordered_json(nullptr);
  const auto counts = datasets::class_counts(labels);
  j["classes"] = ordered_json::array();
  for (std::size_t c = 0; c + 1 < counts.size(); ++c) {
    j["classes"].push_back(
        {{"name", labels.names.empty() ? std::to_string(c) : labels.names[c]}, {"vertices", counts[c]}});
  }
  j["unlabelled_vertices"] = counts.empty() ? 0 : counts.back();
  j["splits"] = ordered_json::array();
  for (const auto& name : schema.split_names) {
    const auto split = data->split(name);
    j["splits"].push_back(
        {{"name", name}, {"train", split.train.size()}, {"val", split.val.size()}, {"test", split.test.size()}});
  }
  j["partitions"] = ordered_json::array();
  for (const auto& name : details.partition_names) {
    const auto partition = datasets::read_partition(path, name);
    j["partitions"].push_back({{"name", name},
                               {"strategy", partition.strategy},
                               {"parts", partition.parts},
                               {"seed", partition.seed},
                               {"of_this_graph", partition.graph_fingerprint == graph->fingerprint()}});
  }
  return j;
}

std::string text_of(const ordered_json& degree) {
  return fmt::format("{} / {:.2f} / {}", degree["min"].get<core::Index>(), degree["mean"].get<double>(),
                     degree["max"].get<core::Index>());
}

void print_line(std::string_view what, std::string_view value) { fmt::print("  {:<20} {}\n", what, value); }

void print_graph(const ordered_json& j) {
  fmt::print("{}: {} ({:.1f} MiB)\n", j["file"].get<std::string>(), j["name"].get<std::string>(),
             j["file_bytes"].get<double>() / (1024.0 * 1024.0));
  if (const auto provenance = j["provenance"].get<std::string>(); !provenance.empty()) {
    print_line("provenance", provenance);
  }
  const bool directed = j["directed"].get<bool>();
  print_line("vertices", fmt::format("{}", j["vertices"].get<core::Index>()));
  print_line("edges", fmt::format("{} ({}, {})", j["edges"].get<core::Index>(),
                                  directed ? "directed" : "both directions of each",
                                  j["weighted"].get<bool>() ? "weighted" : "unweighted"));
  if (directed) print_line("out-degree", text_of(j["out_degree"]) + " (min / mean / max)");
  print_line(directed ? "in-degree" : "degree", text_of(j["in_degree"]) + " (min / mean / max)");
  print_line("isolated vertices", fmt::format("{}", j["isolated_vertices"].get<core::Index>()));
  print_line("self-loops", fmt::format("{}", j["self_loops"].get<core::Index>()));
  print_line("parallel edges", fmt::format("{}", j["parallel_edges"].get<core::Index>()));
  print_line("graph fingerprint", j["graph_fingerprint"].get<std::string>());
}

void print_vertices(const ordered_json& j) {
  const auto& features = j["features"];
  const auto columns = features["columns"].get<core::Index>();
  const auto entries = features["entries"].get<core::Index>();
  if (columns == 0) {
    print_line("features", "none");
  } else if (features["sparse"].get<bool>()) {
    const double full =
        100.0 * static_cast<double>(entries) / (j["vertices"].get<double>() * static_cast<double>(columns));
    print_line("features", fmt::format("{} columns, sparse with {} entries ({:.2g} % full)", columns, entries, full));
  } else {
    print_line("features", fmt::format("{} columns, dense", columns));
  }
  if (const auto edge = j["edge_features"].get<core::Index>(); edge > 0) {
    print_line("edge features", fmt::format("{} columns", edge));
  }
  print_line("vertex names", j["vertex_names"].get<bool>() ? "yes" : "no");
  const auto task = j["task"].get<std::string>();
  print_line("labels", task == "none" ? task : fmt::format("{}, {} outputs", task, j["outputs"].get<core::Index>()));
  if (!j["edge_homophily"].is_null()) {
    print_line("edge homophily", fmt::format("{:.4f}", j["edge_homophily"].get<double>()));
  }
  for (const auto& c : j["classes"]) {
    print_line("  class " + c["name"].get<std::string>(), fmt::format("{}", c["vertices"].get<core::Index>()));
  }
  if (const auto unknown = j["unlabelled_vertices"].get<core::Index>(); unknown > 0) {
    print_line("  without a class", fmt::format("{}", unknown));
  }
}

void print_rest(const ordered_json& j) {
  for (const auto& s : j["splits"]) {
    print_line("split " + s["name"].get<std::string>(),
               fmt::format("{} / {} / {} (train / val / test)", s["train"].get<core::Index>(),
                           s["val"].get<core::Index>(), s["test"].get<core::Index>()));
  }
  if (j["splits"].empty()) print_line("splits", "none");
  for (const auto& p : j["partitions"]) {
    print_line(
        "partition " + p["name"].get<std::string>(),
        fmt::format("{}, {} parts, seed {}{}", p["strategy"].get<std::string>(), p["parts"].get<core::Index>(),
                    p["seed"].get<std::uint64_t>(), p["of_this_graph"].get<bool>() ? "" : " (of another graph)"));
  }
}

void print_json(const ordered_json& j) {
  // Names come from the file and may be no valid UTF-8.
  fmt::print("{}\n", j.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

/// Returns the exit code: 1 if there are errors.
int check(const std::string& path, bool json) {
  const auto findings = datasets::validate(path);
  const auto is_error = [](const datasets::Finding& f) { return f.severity == datasets::Finding::Severity::kError; };
  const auto errors = std::count_if(findings.begin(), findings.end(), is_error);
  if (json) {
    ordered_json j = {{"file", path}, {"valid", errors == 0}, {"findings", ordered_json::array()}};
    for (const auto& f : findings) {
      j["findings"].push_back({{"severity", is_error(f) ? "error" : "warning"}, {"text", f.text}});
    }
    print_json(j);
  } else {
    for (const auto& f : findings) fmt::print("{}: {}\n", is_error(f) ? "error" : "warning", f.text);
    if (errors == 0) fmt::print("{}: valid\n", path);
  }
  if (errors == 0) return 0;
  std::fflush(stdout);
  fmt::print(stderr, "laminar-info: error: {}: {} {}\n", path, errors, errors == 1 ? "error" : "errors");
  return 1;
}

void print_build() {
  const auto machine = laminar::apps::this_machine(0);
  print_line("laminar", machine.version);
  print_line("compiler", machine.compiler);
  print_line("dense products", core::gemm_library());
  print_line("of bfloat16", core::has_fast_bfloat16_gemm() ? "by AMX" : "in float32, as there is no AMX");
  print_line("ranks", laminar::pipeline::mpi_library());
  const auto metis = laminar::partition::metis_version();
  print_line("partitioning", metis.empty() ? "without METIS" : "with METIS " + metis);
  print_line("system", machine.os);
}

int run(int argc, char** argv) {
  laminar::apps::load_plugins(argc, argv);
  std::string path;
  po::options_description visible("Options");
  auto add = visible.add_options();
  add("check", "read and check everything in the file; exit code 1 if something is wrong");
  add("layers", "print every layer with its options, defaults and source, and end");
  add("plugin", po::value<std::vector<std::string>>(),
      "load layers from a header (.hpp) or a shared library (.so); may be given several times");
  add("build", "print what this installation was built with, and end");
  add("json", "print JSON; sizes are in bytes, degrees in edges, homophily a fraction");
  add("help,h", "print this text");
  add("version", "print the version");
  po::options_description all;
  all.add(visible).add_options()("file", po::value(&path));
  po::positional_options_description positions;
  positions.add("file", 1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(argc, argv).options(all).positional(positions).run(), values);
    po::notify(values);
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}; see --help", error.what()));
  }
  if (values.count("help") > 0) {
    std::ostringstream text;
    text << visible;
    fmt::print(
        "Usage: laminar-info FILE [OPTIONS]\n\nPrints what is in a graph file, or with --layers which layers there "
        "are.\n\n{}",
        text.str());
    return 0;
  }
  if (values.count("version") > 0) {
    fmt::print("laminar-info {}\n", LAMINAR_VERSION);
    return 0;
  }
  if (values.count("build") > 0) {
    print_build();
    return 0;
  }
  const bool json = values.count("json") > 0;
  if (values.count("layers") > 0) {
    if (json) {
      print_json(laminar::apps::layers_json());
    } else {
      fmt::print("{}", laminar::apps::layers_text());
    }
    return 0;
  }
  if (path.empty()) throw UsageError("a graph file is needed; see --help");
  if (values.count("check") > 0) return check(path, json);
  const ordered_json summary = summarise(path);
  if (json) {
    print_json(summary);
  } else {
    print_graph(summary);
    print_vertices(summary);
    print_rest(summary);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return laminar::apps::run_application("laminar-info", argc, argv, run); }
