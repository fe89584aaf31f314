#include "laminar/apps/partition_input.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/import_metis.hpp"

namespace laminar::apps {
namespace {

constexpr std::string_view kGraphFile = "laminar";

bool is_hdf5(const std::filesystem::path& path) {
  std::array<char, 4> start = {};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  return std::string_view(start.data(), start.size()) == "\x89HDF";
}

const datasets::Importer& choose_importer(const std::filesystem::path& path, const std::string& format) {
  if (format != "auto") return datasets::find_importer(format);
  try {
    return datasets::importer_for(path, "--format NAME");
  } catch (const UsageError&) {
    if (is_hdf5(path)) return datasets::find_importer(kGraphFile);
    throw;
  }
}

std::string no_split(const std::string& split, const std::vector<std::string>& names, const std::string& path) {
  return fmt::format("--split is '{}', but {} has {}", split, path,
                     names.empty() ? "no splits" : fmt::format("{}", fmt::join(names, ", ")));
}

/// What a graph file has beside the graph is read only where it is asked for.
void read_graph_file(const std::filesystem::path& path, const std::string& split, PartitionInput& input) {
  const auto data = datasets::open(path);
  input.name = data->schema().name;
  input.graph = data->graph();
  const auto& splits = data->schema().split_names;
  if (!split.empty() || !splits.empty()) {
    input.split = split.empty() ? splits.front() : split;
    input.train = data->split(input.split).train;
  }
  input.partition_names = datasets::details(path).partition_names;
}

void take_dataset(datasets::ImportResult imported, const std::filesystem::path& path, const std::string& split,
                  PartitionInput& input) {
  input.name = imported.data.name;
  input.graph = imported.data.graph;
  input.notes = std::move(imported.notes);
  const auto& splits = imported.data.splits;
  if (split.empty() && splits.empty()) return;
  const auto found = std::find_if(splits.begin(), splits.end(),
                                  [&](const core::Split& s) { return split.empty() || s.name == split; });
  if (found == splits.end()) {
    std::vector<std::string> names;
    for (const core::Split& s : splits) names.push_back(s.name);
    throw UsageError(no_split(split, names, path.string()));
  }
  input.split = found->name;
  input.train = found->train;
}

}  // namespace

PartitionInput read_partition_input(const std::filesystem::path& path, const std::string& format,
                                    const datasets::ImportOptions& options, const std::string& split) {
  const datasets::Importer& importer = choose_importer(path, format);
  PartitionInput input;
  input.format = importer.name;
  if (options.directed && input.format != "edges") {
    throw UsageError("--directed is for edge lists; other files say themselves whether they are directed");
  }
  if (input.format == kGraphFile) {
    read_graph_file(path, split, input);
  } else if (input.format == "metis") {
    if (!split.empty()) throw UsageError(no_split(split, {}, path.string()));
    datasets::MetisGraph metis = datasets::read_metis(path);
    input.name = path.stem().string();
    input.graph = std::move(metis.graph);
    input.vertex_weights = std::move(metis.vertex_weights);
    input.notes = std::move(metis.notes);
  } else {
    take_dataset(importer.run(path, options), path, split, input);
  }
  return input;
}

}  // namespace laminar::apps
