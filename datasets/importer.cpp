#include "laminar/datasets/importer.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/names.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/import_anndata.hpp"
#include "laminar/datasets/import_debian.hpp"
#include "laminar/datasets/import_edge_list.hpp"
#include "laminar/datasets/import_graphml.hpp"
#include "laminar/datasets/import_matrix_market.hpp"
#include "laminar/datasets/import_metis.hpp"
#include "laminar/datasets/import_npz.hpp"
#include "laminar/datasets/import_ogb.hpp"
#include "laminar/datasets/line_reader.hpp"

namespace laminar::datasets {

namespace {

// Of fewer vertices, a 60/20/20 split would leave one part empty.
constexpr std::ptrdiff_t kFewest = 4;

ImportResult import_laminar(const std::filesystem::path& path, const ImportOptions& /*options*/) {
  return {.data = read(path), .fingerprint = "", .notes = {}};
}

constexpr std::array kImporters = {
    Importer{"anndata", "an annotated matrix: obsp, X and obs; INPUT is the file", "", ".h5ad", import_anndata},
    Importer{"debian", "the packages of this machine's apt lists and their dependencies; INPUT is the folder of lists",
             kDefaultLists, "", import_debian},
    Importer{"edges", "a text file of edges, one a line, as CSV, TSV or in columns; INPUT is the file", "",
             ".csv .tsv .txt .edges .edgelist .el", import_edge_list},
    Importer{"graphml", "a graph in GraphML, as NetworkX, igraph and Gephi write it; INPUT is the file", "", ".graphml",
             import_graphml},
    Importer{"laminar", "a graph file, to be changed; INPUT is the file", "", ".h5 .hdf5", import_laminar},
    Importer{"metis", "a graph in METIS's text format; INPUT is the file", "", ".graph .metis", import_metis},
    Importer{"mtx", "a square sparse matrix in the Matrix Market format; INPUT is the file", "", ".mtx",
             import_matrix_market},
    Importer{"npz", "a NumPy archive in the layout of the heterophilous graphs or of gnn-benchmark; INPUT is the file",
             "", ".npz", import_npz},
    Importer{"ogb", "a node property dataset of the Open Graph Benchmark; INPUT is its folder, with raw/ and split/",
             "", "", import_ogb},
};

}  // namespace

std::span<const Importer> importers() { return kImporters; }

VertexIds parse_vertex_ids(std::string_view word) {
  constexpr std::array<std::string_view, 3> kNames = {"auto", "numbers", "names"};
  return core::detail::from_name<VertexIds>("kind of vertex ids", kNames, word);
}

std::uint64_t parse_max_memory(double gib) {
  if (!(gib > 0 && gib < 1e9)) throw UsageError(fmt::format("--max-memory {}: expected a number of GiB above 0", gib));
  return static_cast<std::uint64_t>(gib * 0x1p30);
}

const Importer& find_importer(std::string_view name) {
  const auto found =
      std::find_if(kImporters.begin(), kImporters.end(), [&](const Importer& i) { return i.name == name; });
  if (found != kImporters.end()) return *found;
  std::string known;
  for (const auto& importer : kImporters) known += (known.empty() ? "" : ", ") + std::string(importer.name);
  throw UsageError(fmt::format("there is no importer '{}'; there are: {}", name, known));
}

const Importer& importer_for(const std::filesystem::path& input, std::string_view option) {
  std::error_code ignored;
  if (!std::filesystem::exists(input, ignored)) throw Error(fmt::format("{}: there is no such file", input.string()));
  if (std::filesystem::is_directory(input, ignored)) {
    if (std::filesystem::is_directory(input / "raw", ignored)) return find_importer("ogb");
    for (const auto& entry : std::filesystem::directory_iterator(input, ignored)) {
      if (entry.path().filename().string().find("_Packages") != std::string::npos) return find_importer("debian");
    }
  }
  const std::string ending = extension_of(input);
  const auto has_ending = [&](const Importer& importer) {
    std::string_view rest = importer.endings;
    for (auto word = take_word(rest); !word.empty(); word = take_word(rest)) {
      if (word == ending) return true;
    }
    return false;
  };
  const auto found = std::find_if(kImporters.begin(), kImporters.end(), has_ending);
  if (found != kImporters.end()) return *found;
  std::string known;
  for (const auto& importer : kImporters) {
    if (!importer.endings.empty()) known += fmt::format("{}{}", known.empty() ? "" : " ", importer.endings);
  }
  throw UsageError(fmt::format("{}: what it is can't be told by its name; say {}, or name it with one of {}",
                               input.string(), option, known));
}

namespace {

bool worth_a_split(const GraphData& data) {
  if (!data.splits.empty() || data.labels.task == core::Task::kNone) return false;
  const auto& classes = data.labels.classes;
  const auto labelled = data.labels.task == core::Task::kClassification
                            ? std::count_if(classes.begin(), classes.end(), [](std::int32_t c) { return c >= 0; })
                            : data.graph->num_vertices();
  return labelled >= kFewest;
}

}  // namespace

void add_splits(GraphData& data, std::span<const SplitRequest> requests, std::uint64_t seed) {
  using Kind = SplitRequest::Kind;
  const auto add = [&](core::Split split) {
    if (std::any_of(data.splits.begin(), data.splits.end(), [&](const auto& s) { return s.name == split.name; })) {
      throw Error(
          fmt::format("there is a split '{}' already; leave out those of the source with --split none", split.name));
    }
    data.splits.push_back(std::move(split));
  };
  const auto note = [&](std::string_view what) {
    data.provenance += fmt::format("; {} drawn with seed {}", what, seed);
  };
  const core::Index n = data.graph->num_vertices();
  for (const SplitRequest& request : requests) {
    switch (request.kind) {
      case Kind::kNone:
        data.splits.clear();
        break;
      case Kind::kPublished:
        if (!worth_a_split(data)) break;
        [[fallthrough]];
      case Kind::kRandom:
        add(random_split("random", data.labels, n, request.fractions, seed));
        note("split 'random'");
        break;
      case Kind::kDegree:
        add(degree_split("degree", data.labels, *data.graph, request.fractions, seed));
        note("split 'degree'");
        break;
      case Kind::kFolds:
        for (auto& split : fold_splits(data.labels, n, request.folds, seed)) add(std::move(split));
        note(fmt::format("{} folds", request.folds));
        break;
    }
  }
}

}  // namespace laminar::datasets
