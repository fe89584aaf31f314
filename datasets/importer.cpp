#include "laminar/datasets/importer.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/import_debian.hpp"
#include "laminar/datasets/import_edge_list.hpp"
#include "laminar/datasets/import_metis.hpp"
#include "laminar/datasets/import_npz.hpp"

namespace laminar::datasets {

namespace {

// Of fewer vertices, a 60/20/20 split would leave one part empty.
constexpr std::ptrdiff_t kFewest = 4;

constexpr std::array kImporters = {
    Importer{"debian", "the packages of this machine's apt lists and their dependencies; INPUT is the folder of lists",
             kDefaultLists, import_debian},
    Importer{"edges", "a text file of edges, a line each: FROM TO [WEIGHT]; INPUT is the file, .gz if compressed", "",
             import_edge_list},
    Importer{"metis", "a graph in METIS's text format; INPUT is the file, .gz if compressed", "", import_metis},
    Importer{"npz", "a NumPy archive in the layout of the heterophilous graphs or of gnn-benchmark; INPUT is the file",
             "", import_npz},
};

}  // namespace

std::span<const Importer> importers() { return kImporters; }

const Importer& find_importer(std::string_view name) {
  const auto found =
      std::find_if(kImporters.begin(), kImporters.end(), [&](const Importer& i) { return i.name == name; });
  if (found != kImporters.end()) return *found;
  std::string known;
  for (const auto& importer : kImporters) known += (known.empty() ? "" : ", ") + std::string(importer.name);
  throw UsageError(fmt::format("there is no importer '{}'; there are: {}", name, known));
}

void add_splits(GraphData& data, const ImportOptions& options) {
  using Kind = SplitRequest::Kind;
  const bool published = !data.splits.empty();
  switch (options.split.kind) {
    case Kind::kNone:
      data.splits.clear();
      return;
    case Kind::kPublished: {
      if (published || data.labels.task == core::Task::kNone) return;
      const auto& classes = data.labels.classes;
      const auto labelled = data.labels.task == core::Task::kClassification
                                ? std::count_if(classes.begin(), classes.end(), [](std::int32_t c) { return c >= 0; })
                                : data.graph->num_vertices();
      if (labelled < kFewest) return;
      break;
    }
    case Kind::kRandom:
      break;
  }
  data.splits.push_back(
      random_split("random", data.labels, data.graph->num_vertices(), options.split.fractions, options.seed));
  data.provenance += fmt::format("; split 'random' drawn with seed {}", options.seed);
}

}  // namespace laminar::datasets
