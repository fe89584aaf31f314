#include "laminar/apps/partition_input.hpp"

#include <algorithm>
#include <array>
#include <fstream>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/import_edge_list.hpp"
#include "laminar/datasets/import_metis.hpp"

namespace laminar::apps {
namespace {

GraphFormat format_of(const std::filesystem::path& path) {
  std::filesystem::path name = path.filename();
  if (name.extension() == ".gz") name = name.stem();
  const std::string extension = name.extension().string();
  const auto is_one_of = [&](auto... known) { return ((extension == known) || ...); };
  if (is_one_of(".h5", ".hdf5")) return GraphFormat::kLaminar;
  if (is_one_of(".graph", ".metis")) return GraphFormat::kMetis;
  if (is_one_of(".txt", ".edges", ".el", ".csv", ".tsv")) return GraphFormat::kEdges;
  std::array<char, 4> start = {};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  if (std::string_view(start.data(), start.size()) == "\x89HDF") return GraphFormat::kLaminar;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw Error(fmt::format("{}: there is no such file", path.string()));
  throw UsageError(
      fmt::format("{}: what kind of graph this is can't be told by its name; say --format laminar, metis "
                  "or edges",
                  path.string()));
}

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

}  // namespace

std::string_view name_of(GraphFormat format) {
  switch (format) {
    case GraphFormat::kAuto:
      return "auto";
    case GraphFormat::kLaminar:
      return "laminar";
    case GraphFormat::kMetis:
      return "metis";
    case GraphFormat::kEdges:
      break;
  }
  return "edges";
}

GraphFormat graph_format_from_name(std::string_view name) {
  for (const auto f : {GraphFormat::kAuto, GraphFormat::kLaminar, GraphFormat::kMetis, GraphFormat::kEdges}) {
    if (name_of(f) == name) return f;
  }
  throw UsageError("expected auto, laminar, metis or edges");
}

PartitionInput read_partition_input(const std::filesystem::path& path, GraphFormat format, bool directed,
                                    const std::string& split) {
  PartitionInput input;
  input.format = format == GraphFormat::kAuto ? format_of(path) : format;
  if (directed && input.format != GraphFormat::kEdges) {
    throw UsageError("--directed is for edge lists; other files say themselves whether they are directed");
  }
  if (!split.empty() && input.format != GraphFormat::kLaminar) {
    throw UsageError(fmt::format("--split is '{}', but only graph files have splits", split));
  }
  input.name = path.stem().string();
  switch (input.format) {
    case GraphFormat::kAuto:
    case GraphFormat::kLaminar:
      read_graph_file(path, split, input);
      break;
    case GraphFormat::kMetis: {
      datasets::MetisGraph metis = datasets::read_metis(path);
      input.graph = std::move(metis.graph);
      input.vertex_weights = std::move(metis.vertex_weights);
      input.notes = std::move(metis.notes);
      break;
    }
    case GraphFormat::kEdges: {
      datasets::EdgeListGraph list = datasets::read_edge_list(path, directed);
      input.graph = std::move(list.graph);
      input.notes = std::move(list.notes);
      break;
    }
  }
  return input;
}

}  // namespace laminar::apps
