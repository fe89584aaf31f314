// laminar-convert: makes a graph file from another source.
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/apps/application.hpp"
#include "laminar/apps/convert_options.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/datasets/export_graph.hpp"
#include "laminar/datasets/graph_file.hpp"

namespace {

namespace datasets = laminar::datasets;
using laminar::apps::ConvertRequest;

std::string describe_splits(const datasets::GraphData& data) {
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

std::string describe_edges(const laminar::core::DatasetSchema& schema) {
  std::string text =
      fmt::format("{} ({}, {}", schema.num_edges, schema.directed ? "directed" : "both directions of each",
                  schema.weighted ? "weighted" : "unweighted");
  if (schema.num_edge_features > 0) text += fmt::format(", {} features each", schema.num_edge_features);
  return text + ")";
}

/// All inputs there are, so that none of them is written over.
void check_files(const ConvertRequest& r) {
  const std::vector<laminar::apps::NamedFile> outputs = {{"out", r.out}};
  std::vector<laminar::apps::NamedFile> inputs;
  for (const auto& [name, path] : {laminar::apps::NamedFile{"the input", r.input},
                                   {"--features", r.features},
                                   {"--labels", r.labels},
                                   {"--splits", r.splits_file}}) {
    if (!path.empty()) inputs.push_back({name, path});
  }
  laminar::apps::check_outputs(outputs, inputs);
}

void append(std::vector<std::string>& notes, const std::vector<std::string>& more) {
  notes.insert(notes.end(), more.begin(), more.end());
}

void change(const ConvertRequest& r, datasets::GraphData& data, std::vector<std::string>& notes) {
  if (r.undirected) append(notes, datasets::make_undirected(data));
  if (r.self_loops) append(notes, datasets::change_self_loops(data, *r.self_loops));
  if (!r.subgraph.empty()) append(notes, datasets::keep_vertices(data, datasets::read_vertices(data, r.subgraph)));
  if (r.largest_component) append(notes, datasets::keep_vertices(data, datasets::largest_component(*data.graph)));
  if (r.relabel) append(notes, datasets::keep_vertices(data, datasets::locality_order(*data.graph, *r.relabel)));
}

datasets::ImportResult make(const ConvertRequest& r) {
  datasets::ImportResult result =
      r.generator != nullptr ? r.generator->run(r.generate) : r.importer->run(r.input, r.import);
  datasets::GraphData& data = result.data;
  if (!r.name.empty()) data.name = r.name;
  if (!r.features.empty()) datasets::attach_features(data, r.features, r.tables, result.notes);
  if (!r.labels.empty()) datasets::attach_labels(data, r.labels, r.task, r.tables, result.notes);
  if (!r.splits_file.empty()) datasets::attach_splits(data, r.splits_file, r.tables);
  change(r, data, result.notes);
  // Of the graph as it will stand in the file, but for slow vertices, which hear of their neighbours.
  if (!r.made_features.empty()) datasets::make_features(data, r.made_features, r.made);
  datasets::add_splits(data, r.splits, r.seed);
  datasets::store_features(data, r.storage);
  if (r.half_hop) append(result.notes, datasets::half_hop(data, *r.half_hop));
  return result;
}

void print(const ConvertRequest& r, const datasets::ImportResult& result, double seconds) {
  const auto schema = datasets::schema_of(result.data);
  const double mib = static_cast<double>(std::filesystem::file_size(r.out)) / (1024.0 * 1024.0);
  fmt::print("{}: {}\n", r.out.string(), schema.name);
  fmt::print("  vertices     {}\n", schema.num_vertices);
  fmt::print("  edges        {}\n", describe_edges(schema));
  fmt::print("  features     {}\n", describe_features(schema));
  fmt::print("  labels       {}\n", describe_labels(schema));
  fmt::print("  splits       {}\n", describe_splits(result.data));
  if (!result.fingerprint.empty()) fmt::print("  fingerprint  {}\n", result.fingerprint);
  for (const auto& note : result.notes) fmt::print("  note         {}\n", note);
  fmt::print("  written      {:.1f} MiB in {:.1f} s\n", mib, seconds);
}

int run(int argc, char** argv) {
  const auto request = laminar::apps::parse_convert_request(argc, argv);
  if (!request) return 0;
  const auto started = std::chrono::steady_clock::now();
  check_files(*request);
  datasets::ImportResult result = make(*request);
  if (datasets::is_export(request->out)) {
    append(result.notes, datasets::export_graph(result.data, request->out));
  } else {
    datasets::write(request->out, result.data, {.compression = request->compression});
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
  print(*request, result, seconds.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return laminar::apps::run_application("laminar-convert", argc, argv, run); }
