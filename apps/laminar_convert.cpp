// laminar-convert: makes a graph file from another source.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/apps/application.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/feature_storage.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/half_hop.hpp"
#include "laminar/datasets/importer.hpp"

namespace {

namespace po = boost::program_options;
using laminar::UsageError;

struct Request {
  std::string from;
  std::string input;
  std::string lists;
  std::string out;
  std::string name;
  std::string split;
  std::string feature_storage;
  std::optional<double> half_hop;
  std::optional<double> half_hop_alpha;
  std::uint64_t seed = 1;
  laminar::core::Index features_dim = 128;
  bool directed = false;
  int compression = 1;
};

po::options_description describe(Request& r) {
  po::options_description options("Options");
  auto add = options.add_options();
  add("from", po::value(&r.from)->value_name("SOURCE"), "what to make the graph from (see below)");
  add("out,o", po::value(&r.out)->value_name("FILE"), "the graph file to write (HDF5)");
  add("lists", po::value(&r.lists)->value_name("DIR"), "debian: the folder of package lists, the same as INPUT");
  add("features-dim", po::value(&r.features_dim)->default_value(128)->value_name("COLUMNS"),
      "debian: columns of the hashed bag of words");
  add("feature-storage", po::value(&r.feature_storage)->default_value("auto")->value_name("HOW"),
      "dense, sparse (only what is not zero), or auto: sparse if at least 90 % are zeros, which trains faster");
  add("half-hop", po::value<double>()->value_name("P")->notifier([&r](double p) { r.half_hop = p; }),
      "put a slow vertex into every in-edge of a vertex, with probability P for each vertex (0 to 1)");
  add("half-hop-alpha", po::value<double>()->value_name("A")->notifier([&r](double a) { r.half_hop_alpha = a; }),
      "the source's share of a slow vertex's features, the target's is 1 - A (default: 0.5)");
  add("directed", po::bool_switch(&r.directed), "edges: each line is one edge FROM -> TO, not both directions");
  add("seed", po::value(&r.seed)->default_value(1)->value_name("N"), "seed of a random split and of --half-hop");
  add("split", po::value(&r.split)->default_value("published")->value_name("SPLIT"),
      "published (those of the source, else random:60/20/20), none, or random:TRAIN/VAL/TEST in percent, added as "
      "'random'");
  add("name", po::value(&r.name)->value_name("NAME"), "the graph's name in the file (default: the source's)");
  add("compression", po::value(&r.compression)->default_value(1)->value_name("LEVEL"),
      "deflate level of the arrays, 0 (off) to 9");
  add("help,h", "print this text");
  add("version", "print the version");
  return options;
}

void print_help(const po::options_description& options) {
  fmt::print("Usage: laminar-convert --from SOURCE [INPUT] --out FILE [OPTIONS]\n\nSources:\n");
  for (const auto& importer : laminar::datasets::importers()) {
    fmt::print("  {:<8} {}", importer.name, importer.summary);
    if (!importer.default_input.empty()) fmt::print(" (default: {})", importer.default_input);
    fmt::print("\n");
  }
  std::ostringstream text;
  text << options;
  fmt::print("\n{}", text.str());
}

std::string describe_splits(const laminar::datasets::GraphData& data) {
  if (data.splits.empty()) return "none";
  const auto& first = data.splits.front();
  std::vector<std::string> names;
  for (const auto& split : data.splits) names.push_back(split.name);
  return fmt::format("{} ({}/{}/{} vertices{})", fmt::join(names, ", "), first.train.size(), first.val.size(),
                     first.test.size(), names.size() > 1 ? " in the first" : "");
}

std::string describe_features(const laminar::core::DatasetSchema& schema) {
  if (schema.num_features == 0) return "none";
  if (!schema.sparse_features) return fmt::format("{} columns, dense", schema.num_features);
  return fmt::format("{} columns, sparse with {} entries", schema.num_features, schema.feature_entries);
}

std::string describe_labels(const laminar::core::DatasetSchema& schema) {
  if (schema.task == laminar::core::Task::kNone) return "none";
  const bool classes = schema.task == laminar::core::Task::kClassification;
  return fmt::format("{}, {} {}", name_of(schema.task), schema.num_outputs, classes ? "classes" : "outputs");
}

std::filesystem::path choose_input(const Request& r, const laminar::datasets::Importer& importer) {
  if (!r.lists.empty() && r.from != "debian") throw UsageError("--lists goes with --from debian only");
  if (!r.lists.empty() && !r.input.empty()) throw UsageError("give --lists or INPUT, not both");
  if (!r.lists.empty()) return r.lists;
  if (!r.input.empty()) return r.input;
  if (importer.default_input.empty()) {
    throw UsageError(fmt::format("--from {} needs an INPUT; see --help", importer.name));
  }
  return std::filesystem::path(importer.default_input);
}

std::optional<laminar::datasets::HalfHop> choose_half_hop(const Request& r) {
  if (!r.half_hop) {
    if (r.half_hop_alpha) throw UsageError("--half-hop-alpha goes with --half-hop only");
    return std::nullopt;
  }
  const laminar::datasets::HalfHop settings{
      .probability = *r.half_hop, .alpha = r.half_hop_alpha.value_or(0.5), .seed = r.seed};
  laminar::datasets::check(settings);
  return settings;
}

void convert(const Request& r) {
  const auto started = std::chrono::steady_clock::now();
  if (r.from.empty()) throw UsageError("--from is missing: say what to make the graph from; see --help");
  if (r.out.empty()) throw UsageError("--out is missing: name the graph file to write");
  if (r.compression < 0 || r.compression > 9) {
    throw UsageError(fmt::format("--compression {}: expected 0 to 9", r.compression));
  }
  const auto& importer = laminar::datasets::find_importer(r.from);
  const laminar::datasets::ImportOptions options{.split = laminar::datasets::parse_split_request(r.split),
                                                 .seed = r.seed,
                                                 .features_dim = r.features_dim,
                                                 .directed = r.directed};
  const auto storage = laminar::datasets::parse_feature_storage(r.feature_storage);
  const auto half_hop = choose_half_hop(r);
  if (r.directed && r.from != "edges") throw UsageError("--directed goes with --from edges only");
  const std::filesystem::path input = choose_input(r, importer);
  const std::vector<laminar::apps::NamedFile> outputs = {{"out", r.out}};
  const std::vector<laminar::apps::NamedFile> inputs = {{"the input", input}};
  laminar::apps::check_outputs(outputs, inputs);
  auto [data, fingerprint, notes] = importer.run(input, options);
  if (!r.name.empty()) data.name = r.name;
  laminar::datasets::store_features(data, storage);
  if (half_hop) {
    const auto more = laminar::datasets::half_hop(data, *half_hop);
    notes.insert(notes.end(), more.begin(), more.end());
  }
  laminar::datasets::write(r.out, data, {.compression = r.compression});

  const auto schema = laminar::datasets::schema_of(data);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
  const double mib = static_cast<double>(std::filesystem::file_size(r.out)) / (1024.0 * 1024.0);
  fmt::print("{}: {}\n", r.out, schema.name);
  fmt::print("  vertices     {}\n", schema.num_vertices);
  fmt::print("  edges        {} ({}, {})\n", schema.num_edges, schema.directed ? "directed" : "both directions of each",
             schema.weighted ? "weighted" : "unweighted");
  fmt::print("  features     {}\n", describe_features(schema));
  fmt::print("  labels       {}\n", describe_labels(schema));
  fmt::print("  splits       {}\n", describe_splits(data));
  if (!fingerprint.empty()) fmt::print("  fingerprint  {}\n", fingerprint);
  for (const auto& note : notes) fmt::print("  note         {}\n", note);
  fmt::print("  written      {:.1f} MiB in {:.1f} s\n", mib, seconds.count());
}

int run(int argc, char** argv) {
  Request request;
  const auto visible = describe(request);
  po::options_description all;
  all.add(visible).add_options()("input", po::value(&request.input));
  po::positional_options_description positions;
  positions.add("input", 1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(argc, argv).options(all).positional(positions).run(), values);
    po::notify(values);
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}; see --help", error.what()));
  }
  if (values.count("help") > 0) {
    print_help(visible);
  } else if (values.count("version") > 0) {
    fmt::print("laminar-convert {}\n", LAMINAR_VERSION);
  } else {
    convert(request);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return laminar::apps::run_application("laminar-convert", argc, argv, run); }
