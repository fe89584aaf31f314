#include "laminar/datasets/import_anndata.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/graph_reader.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

constexpr std::array<const char*, 9> kLabelColumns = {"cell_type", "celltype", "label",    "labels", "class",
                                                      "leiden",    "louvain",  "clusters", "cluster"};

std::string encoding_of(const Hdf5Reader& file, const std::string& object) {
  return file.has_attribute(object, "encoding-type") ? file.string_attribute(object, "encoding-type") : "";
}

/// A column of `obs` that holds categories: a code for each observation, -1 = none.
struct Categories {
  std::vector<std::int32_t> codes;
  std::vector<std::string> names;
};

bool is_categorical(const Hdf5Reader& file, const std::string& object) {
  return file.has_group(object) && file.has_array(object + "/codes") && file.has_array(object + "/categories");
}

Categories read_categories(const Hdf5Reader& file, const std::string& object, Index n) {
  Categories result;
  const auto names = file.array_info(object + "/categories");
  if (names.shape.size() != 1) file.fail(object + "/categories", fmt::format("is {}, expected a list", names.text));
  if (names.kind == ElementKind::kString) {
    result.names = file.read_strings(object + "/categories");
  } else if (names.kind == ElementKind::kInteger) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(names.shape[0]));
    file.read_rows(object + "/categories", 0, names.shape[0], numbers.data());
    for (const auto number : numbers) result.names.push_back(std::to_string(number));
  } else {
    file.fail(object + "/categories", fmt::format("is {}, expected text or integers", names.text));
  }
  const auto codes = file.array_info(object + "/codes");
  if (codes.kind != ElementKind::kInteger || codes.shape != std::vector<Index>{n}) {
    file.fail(object + "/codes", fmt::format("is {}, expected integers [{}]", codes.text, n));
  }
  result.codes = read_integers(file, object + "/codes", 0, n, -1, static_cast<std::int64_t>(result.names.size()));
  return result;
}

/// The name of the matrix of edges.
std::string choose_matrix(const Hdf5Reader& file) {
  if (!file.has_group("/obsp")) {
    file.fail("/obsp", "is missing: there is no graph in the file; make one with scanpy.pp.neighbors(adata)");
  }
  const auto names = file.children("/obsp");
  if (std::find(names.begin(), names.end(), "connectivities") != names.end()) return "/obsp/connectivities";
  if (names.size() == 1) return "/obsp/" + names.front();
  file.fail("/obsp", fmt::format("holds {}; expected 'connectivities', or one matrix alone",
                                 names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "))));
}

std::shared_ptr<const core::Graph> read_graph(const Hdf5Reader& file, Index& n) {
  const std::string object = choose_matrix(file);
  const CsrGroup csr = inspect_csr(file, object);
  if (csr.rows != csr.cols || csr.rows < 1) {
    file.fail(object, fmt::format("shape is [{}, {}], expected a square matrix", csr.rows, csr.cols));
  }
  n = csr.rows;
  std::vector<double> weights;
  if (csr.has_data) {
    std::vector<float> stored(static_cast<std::size_t>(csr.entries));
    read_numbers(file, csr.data(), 0, csr.entries, 1, stored.data());
    const bool plain = std::all_of(stored.begin(), stored.end(), [](float w) { return w == 1; });
    if (!plain) weights.assign(stored.begin(), stored.end());
  }
  const auto offsets = read_offsets(file, csr, 0, n);
  const auto sources = read_integers(file, csr.indices(), 0, csr.entries, 0, n);
  auto directed = core::Graph::from_in_csr(n, offsets, sources, std::move(weights), true);
  // Symmetric if each vertex's in-edges are its out-edges, weights included.
  bool symmetric =
      std::equal(directed.in_offsets().begin(), directed.in_offsets().end(), directed.out_offsets().begin()) &&
      std::equal(directed.in_sources().begin(), directed.in_sources().end(), directed.out_targets().begin());
  for (EdgeId e = 0; symmetric && directed.weighted() && e < directed.num_edges(); ++e) {
    symmetric = directed.in_weights()[e] == directed.in_weights()[directed.out_edges()[e]];
  }
  if (!symmetric) return std::make_shared<const core::Graph>(std::move(directed));
  return std::make_shared<const core::Graph>(
      core::Graph::from_in_csr(n, offsets, {directed.in_sources().begin(), directed.in_sources().end()},
                               {directed.in_weights().begin(), directed.in_weights().end()}, false));
}

void read_features(const Hdf5Reader& file, GraphData& data, Index n) {
  if (file.has_group("/X")) {
    if (encoding_of(file, "/X") == "csc_matrix") {
      file.fail("/X", "is a csc_matrix, expected csr_matrix or an array; write it with adata.X = adata.X.tocsr()");
    }
    const CsrGroup csr = inspect_csr(file, "/X");
    if (csr.rows != n) file.fail("/X", fmt::format("has {} rows, expected {}, one an observation", csr.rows, n));
    if (csr.cols > 0) data.sparse_features = FileRows(file, csr).read_sparse(0, n);
  } else if (file.has_array("/X")) {
    const auto info = file.array_info("/X");
    const bool numbers = info.kind == ElementKind::kFloat || info.kind == ElementKind::kInteger;
    if (!numbers || info.shape.size() != 2 || info.shape[0] != n) {
      file.fail("/X", fmt::format("is {}, expected numbers [{}, 1 or more]", info.text, n));
    }
    if (info.shape[1] > 0) data.features = FileRows(file, "/X", n, info.shape[1]).read_dense(0, n);
  }
}

void read_labels(const Hdf5Reader& file, GraphData& data, Index n, std::vector<std::string>& notes) {
  std::vector<std::string> columns;
  for (const auto& name : file.children("/obs")) {
    if (name != "split" && is_categorical(file, "/obs/" + name)) columns.push_back(name);
  }
  std::string chosen = columns.size() == 1 ? columns.front() : "";
  for (const char* known : kLabelColumns) {
    if (chosen.empty() && std::find(columns.begin(), columns.end(), known) != columns.end()) chosen = known;
  }
  if (chosen.empty()) {
    notes.push_back(columns.empty()
                        ? "obs has no categorical column; there are no labels"
                        : fmt::format("obs has the categorical columns {}, none of them named like labels (cell_type, "
                                      "label, ...); there are no labels",
                                      fmt::join(columns, ", ")));
    return;
  }
  Categories categories = read_categories(file, "/obs/" + chosen, n);
  if (categories.names.empty()) return;
  data.labels.task = core::Task::kClassification;
  data.labels.num_outputs = static_cast<Index>(categories.names.size());
  data.labels.names = std::move(categories.names);
  data.labels.classes = std::move(categories.codes);
  notes.push_back(fmt::format("labels are obs['{}']", chosen));
}

void read_split(const Hdf5Reader& file, GraphData& data, Index n) {
  if (!is_categorical(file, "/obs/split")) return;
  const Categories categories = read_categories(file, "/obs/split", n);
  core::Split split;
  split.name = "split";
  for (Index v = 0; v < n; ++v) {
    if (categories.codes[v] < 0) continue;
    const std::string& name = categories.names[categories.codes[v]];
    auto* const set = name == "train"                                            ? &split.train
                      : name == "val" || name == "valid" || name == "validation" ? &split.val
                      : name == "test"                                           ? &split.test
                                                                                 : nullptr;
    if (set != nullptr) set->push_back(static_cast<VertexId>(v));
  }
  data.splits.push_back(std::move(split));
}

}  // namespace

bool is_anndata(const std::filesystem::path& path) { return extension_of(path) == ".h5ad"; }

ImportResult import_anndata(const std::filesystem::path& path, const ImportOptions& /*options*/) {
  const Hdf5Reader file(path);
  ImportResult result;
  GraphData& data = result.data;
  Index n = 0;
  data.graph = read_graph(file, n);
  read_features(file, data, n);
  if (file.has_group("/obs")) {
    if (file.has_attribute("/obs", "_index")) {
      const std::string index = "/obs/" + file.string_attribute("/obs", "_index");
      const auto info = file.array_info(index);
      if (info.shape != std::vector<Index>{n}) file.fail(index, fmt::format("is {}, expected text [{}]", info.text, n));
      if (info.kind == ElementKind::kString) data.vertex_names = file.read_strings(index);
    }
    read_labels(file, data, n, result.notes);
    read_split(file, data, n);
  }
  data.name = stem_of(path);
  data.provenance = fmt::format("imported from the AnnData file {}", path.filename().string());
  check(data, path.string());
  return result;
}

}  // namespace laminar::datasets
