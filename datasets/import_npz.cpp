#include "laminar/datasets/import_npz.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/checks.hpp"
#include "laminar/datasets/npz.hpp"
#include "laminar/datasets/transforms.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

Index check_count(const NpzFile& file, const std::string& array, Index vertices) {
  if (vertices < 1 || vertices > std::numeric_limits<VertexId>::max()) {
    file.fail(array, fmt::format("has {} vertices, expected 1..{}", vertices, std::numeric_limits<VertexId>::max()));
  }
  return vertices;
}

VertexId to_vertex(const NpzFile& file, const std::string& array, std::size_t entry, std::int64_t value, Index limit) {
  if (value < 0 || value >= limit) {
    file.fail(array, fmt::format("entry {} is {}, expected 0..{}", entry, value, limit - 1));
  }
  return static_cast<VertexId>(value);
}

core::Labels read_labels(const NpzFile& file, const std::string& array, Index& vertices) {
  std::vector<Index> shape = {vertices};
  const auto values = file.integers(array, shape);
  vertices = check_count(file, array, shape[0]);
  core::Labels labels;
  labels.task = core::Task::kClassification;
  labels.classes.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    // More classes than vertices can't be learnt; such a label is damage.
    if (values[i] < -1 || values[i] >= std::max<Index>(vertices, 2)) {
      file.fail(array, fmt::format("entry {} is {}, expected a class from 0, or -1 where it is unknown", i, values[i]));
    }
    labels.classes.push_back(static_cast<std::int32_t>(values[i]));
    labels.num_outputs = std::max<Index>(labels.num_outputs, values[i] + 1);
  }
  return labels;
}

std::vector<VertexId> members(const std::vector<std::int64_t>& masks, Index row, Index vertices) {
  std::vector<VertexId> found;
  for (Index v = 0; v < vertices; ++v) {
    if (masks[row * vertices + v] != 0) found.push_back(static_cast<VertexId>(v));
  }
  return found;
}

/// The layout of the heterophilous graphs.
void import_masked(const NpzFile& file, GraphData& data) {
  Index n = -1;
  data.labels = read_labels(file, "node_labels", n);

  std::vector<Index> shape = {n, -1};
  const auto features = file.numbers("node_features", shape);
  if (shape[1] < 1) file.fail("node_features", "has no columns");
  data.features = core::Tensor(n, shape[1], core::DType::kFloat32);
  std::copy(features.begin(), features.end(), data.features.data<float>());

  shape = {-1, 2};
  const auto pairs = file.integers("edges", shape);
  EdgeList edges;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    edges.source.push_back(to_vertex(file, "edges", i, pairs[i], n));
    edges.target.push_back(to_vertex(file, "edges", i + 1, pairs[i + 1], n));
  }
  to_undirected(edges);
  data.graph = std::make_shared<const core::Graph>(make_graph(n, edges, false));

  if (!file.has("train_masks")) return;
  shape = {-1, n};
  const auto train = file.integers("train_masks", shape);
  const auto val = file.integers("val_masks", shape);
  const auto test = file.integers("test_masks", shape);
  for (Index s = 0; s < shape[0]; ++s) {
    data.splits.push_back({std::to_string(s), members(train, s, n), members(val, s, n), members(test, s, n)});
  }
}

struct Triple {
  Index rows = 0;
  Index cols = 0;
  std::vector<EdgeId> offsets;
  std::vector<std::int32_t> indices;
  std::vector<float> values;
};

/// The arrays NAME_shape, NAME_indptr, NAME_indices and NAME_data; `rows` is expected unless negative.
Triple read_triple(const NpzFile& file, const std::string& name, Index rows) {
  Triple csr;
  std::vector<Index> shape = {2};
  const auto sizes = file.integers(name + "_shape", shape);
  csr.rows = check_count(file, name + "_shape", sizes[0]);
  csr.cols = check_count(file, name + "_shape", sizes[1]);
  if (rows >= 0 && csr.rows != rows) {
    file.fail(name + "_shape", fmt::format("has {} rows, expected {}", csr.rows, rows));
  }
  shape = {csr.rows + 1};
  csr.offsets = file.integers(name + "_indptr", shape);
  shape = {-1};
  const auto indices = file.integers(name + "_indices", shape);
  csr.values = file.numbers(name + "_data", shape);
  const auto entries = static_cast<EdgeId>(indices.size());
  for (std::size_t i = 0; i < csr.offsets.size(); ++i) {
    const EdgeId lowest = i == 0 ? 0 : csr.offsets[i - 1];
    const EdgeId highest = i == 0 ? 0 : entries;
    if (csr.offsets[i] < lowest || csr.offsets[i] > highest) {
      file.fail(name + "_indptr", fmt::format("entry {} is {}, expected {}..{}", i, csr.offsets[i], lowest, highest));
    }
  }
  if (csr.offsets.back() != entries) {
    file.fail(name + "_indptr",
              fmt::format("ends at {}, expected {}, the number of indices", csr.offsets.back(), entries));
  }
  for (std::size_t i = 0; i < indices.size(); ++i) {
    csr.indices.push_back(to_vertex(file, name + "_indices", i, indices[i], csr.cols));
  }
  return csr;
}

/// The layout of gnn-benchmark.
void import_triples(const NpzFile& file, GraphData& data, std::vector<std::string>& notes) {
  Triple adjacency = read_triple(file, "adj", -1);
  Index n = adjacency.rows;
  if (adjacency.cols != n) file.fail("adj_shape", fmt::format("is [{}, {}], expected a square", n, adjacency.cols));
  EdgeList edges;
  for (Index v = 0; v < n; ++v)
    edges.source.insert(edges.source.end(), adjacency.offsets[v + 1] - adjacency.offsets[v], static_cast<VertexId>(v));
  edges.target = std::move(adjacency.indices);
  const auto& weights = adjacency.values;
  if (std::any_of(weights.begin(), weights.end(), [](float w) { return w != 1.0F; }))
    edges.weight.assign(weights.begin(), weights.end());
  to_undirected(edges);
  data.graph = std::make_shared<const core::Graph>(make_graph(n, edges, false));

  Triple features = read_triple(file, "attr", n);
  if (features.cols > kMaxSparseColumns) {
    file.fail("attr_shape", fmt::format("has {} columns, expected at most {}", features.cols, kMaxSparseColumns));
  }
  data.sparse_features = core::SparseMatrix(n, features.cols, std::move(features.offsets), std::move(features.indices),
                                            std::move(features.values));
  if (!file.has("labels")) return;
  data.labels = read_labels(file, "labels", n);
  if (!file.has("class_names")) return;
  try {
    data.labels.names = file.strings("class_names");
  } catch (const Error& error) {
    notes.push_back(fmt::format("classes stay without names: {}", error.what()));
    return;
  }
  if (static_cast<Index>(data.labels.names.size()) < data.labels.num_outputs) {
    file.fail("class_names", fmt::format("has {} names, but labels go up to {}", data.labels.names.size(),
                                         data.labels.num_outputs - 1));
  }
  data.labels.num_outputs = static_cast<Index>(data.labels.names.size());
}

}  // namespace

ImportResult import_npz(const std::filesystem::path& path, const ImportOptions& options) {
  const NpzFile file(path, options.max_memory_bytes);
  ImportResult result;
  GraphData& data = result.data;
  data.name = path.stem().string();
  if (file.has("edges") && file.has("node_labels")) {
    import_masked(file, data);
  } else if (file.has("adj_indptr")) {
    import_triples(file, data, result.notes);
  } else {
    throw Error(
        fmt::format("{}: expected the arrays node_features, node_labels and edges, or adj_* and attr_*; found "
                    "neither",
                    path.string()));
  }
  data.provenance = fmt::format("imported from the NumPy archive {}", path.filename().string());
  check(data, path.string());
  return result;
}

}  // namespace laminar::datasets
