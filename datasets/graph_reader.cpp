#include "laminar/datasets/graph_reader.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/import_anndata.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::Task;
using core::VertexId;

namespace {

constexpr Index kBlockRows = Index{1} << 16;
// A damaged label must not make a model of a billion outputs.
constexpr std::int64_t kMaxUnnamedClasses = std::int64_t{1} << 20;
const char* const kSetNames[] = {"train", "val", "test"};

/// "10" after "2": numbers by value, before other names.
bool natural_less(const std::string& a, const std::string& b) {
  const auto numeric = [](const std::string& s) {
    return s.size() < 18 && std::all_of(s.begin(), s.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  };
  if (numeric(a) != numeric(b)) return numeric(a);
  if (numeric(a) && std::stoll(a) != std::stoll(b)) return std::stoll(a) < std::stoll(b);
  return a < b;
}

void require(const Hdf5Reader& file, const std::string& object, const Complaint& wrong) {
  if (wrong) file.fail(object, *wrong);
}

void require_name(const Hdf5Reader& file, std::string_view group, std::string_view what, std::string_view name,
                  const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  const std::string known = names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
  throw UsageError(fmt::format("{}: {}: there is no {} '{}'; there are: {}", file.path(), group, what, name, known));
}

}  // namespace

GraphFile::GraphFile(const std::filesystem::path& path) : file_(path) {
  inspect_root();
  inspect_graph();
  inspect_features();
  inspect_labels();
  inspect_splits();
  inspect_partitions();
}

void GraphFile::inspect_root() {
  if (!file_.has_attribute("/", "format")) {
    file_.fail("/", "the attribute 'format' is missing; expected a graph file with format = 'laminar-graph'");
  }
  const std::string format = file_.string_attribute("/", "format");
  if (format != "laminar-graph") {
    file_.fail("/", fmt::format("the attribute 'format' is '{}', expected 'laminar-graph'", format));
  }
  const std::int64_t version = file_.integer_attribute("/", "version");
  if (version != 1) {
    file_.fail("/", fmt::format("the attribute 'version' is {}, expected 1; a newer Laminar may read it", version));
  }
  schema_.name = file_.has_attribute("/", "name") ? file_.string_attribute("/", "name")
                                                  : std::filesystem::path(file_.path()).stem().string();
  if (file_.has_attribute("/", "provenance")) provenance_ = file_.string_attribute("/", "provenance");
  const std::int64_t directed = file_.integer_attribute("/", "directed");
  if (directed != 0 && directed != 1) {
    file_.fail("/", fmt::format("the attribute 'directed' is {}, expected 0 or 1", directed));
  }
  schema_.directed = directed == 1;
  schema_.num_vertices = file_.integer_attribute("/", "num_vertices");
  schema_.num_edges = file_.integer_attribute("/", "num_edges");
  if (schema_.num_vertices < 1 || schema_.num_vertices > std::numeric_limits<VertexId>::max()) {
    file_.fail("/", fmt::format("the attribute 'num_vertices' is {}, expected 1..{}", schema_.num_vertices,
                                std::numeric_limits<VertexId>::max()));
  }
}

void GraphFile::inspect_graph() {
  csr_ = inspect_csr(file_, "/graph");
  const Index n = schema_.num_vertices;
  if (csr_.rows != n || csr_.cols != n) {
    file_.fail("/graph",
               fmt::format("shape is [{}, {}], expected [{}, {}] (num_vertices)", csr_.rows, csr_.cols, n, n));
  }
  if (csr_.entries != schema_.num_edges) {
    file_.fail(csr_.indices(), fmt::format("has {} entries, expected {} (num_edges)", csr_.entries, schema_.num_edges));
  }
  if (file_.has_attribute("/graph", "weighted")) {
    const std::int64_t weighted = file_.integer_attribute("/graph", "weighted");
    if (weighted != 0 && weighted != 1) {
      file_.fail("/graph", fmt::format("the attribute 'weighted' is {}, expected 0 or 1", weighted));
    }
    schema_.weighted = weighted == 1;
    if (schema_.weighted && !csr_.has_data)
      file_.fail(csr_.data(), "is missing, but the graph says that it is weighted");
  } else if (csr_.has_data) {
    // Written by other tools: weights that are all 1 are none.
    std::vector<float> block(static_cast<std::size_t>(std::min(kBlockRows, csr_.entries)));
    for (EdgeId e = 0; e < csr_.entries && !schema_.weighted; e += kBlockRows) {
      const EdgeId end = std::min(csr_.entries, e + kBlockRows);
      read_numbers(file_, csr_.data(), e, end, 1, block.data());
      schema_.weighted = std::any_of(block.begin(), block.begin() + (end - e), [](float w) { return w != 1.0F; });
    }
  }
  if (file_.has_array("/edges/features")) {
    const auto info = file_.array_info("/edges/features");
    const bool numbers = info.kind == ElementKind::kFloat || info.kind == ElementKind::kInteger;
    if (!numbers || info.shape.size() != 2 || info.shape[0] != csr_.entries || info.shape[1] < 1) {
      file_.fail("/edges/features", fmt::format("is {}, expected float32 [{}, 1 or more]", info.text, csr_.entries));
    }
    schema_.num_edge_features = edge_feature_cols_ = info.shape[1];
  }
  if (file_.has_array("/vertices/names")) {
    const auto info = file_.array_info("/vertices/names");
    if (info.kind != ElementKind::kString || info.shape != std::vector<Index>{schema_.num_vertices}) {
      file_.fail("/vertices/names", fmt::format("is {}, expected strings [{}]", info.text, schema_.num_vertices));
    }
    schema_.has_vertex_names = true;
  }
}

void GraphFile::inspect_features() {
  const std::string object = "/vertices/features";
  const Index n = schema_.num_vertices;
  if (file_.has_group(object)) {
    CsrGroup csr = inspect_csr(file_, object);
    if (csr.rows != n || csr.cols < 1) {
      file_.fail(object, fmt::format("shape is [{}, {}], expected [{}, 1 or more]", csr.rows, csr.cols, n));
    }
    schema_.sparse_features = true;
    schema_.feature_entries = csr.entries;
    schema_.num_features = csr.cols;
    features_.emplace(file_, std::move(csr));
  } else if (file_.has_array(object)) {
    const auto info = file_.array_info(object);
    const bool numbers = info.kind == ElementKind::kFloat || info.kind == ElementKind::kInteger;
    if (!numbers || info.shape.size() != 2 || info.shape[0] != n || info.shape[1] < 1) {
      file_.fail(object, fmt::format("is {}, expected float32 [{}, 1 or more]", info.text, n));
    }
    schema_.num_features = info.shape[1];
    schema_.feature_entries = n * info.shape[1];
    features_.emplace(file_, object, n, info.shape[1]);
  }
}

void GraphFile::inspect_labels() {
  const std::string object = "/vertices/labels";
  if (!file_.has_array(object)) return;
  const auto info = file_.array_info(object);
  const Index n = schema_.num_vertices;
  const bool integers = info.kind == ElementKind::kInteger;
  const bool fits = !info.shape.empty() && info.shape[0] == n;
  if (fits && info.shape.size() == 1 && integers) {
    schema_.task = Task::kClassification;
  } else if (fits && info.shape.size() == 2 && info.shape[1] >= 1 && integers) {
    schema_.task = Task::kMultiLabel;
    schema_.num_outputs = info.shape[1];
  } else if (fits && info.shape.size() <= 2 && info.shape.back() >= 1 && info.kind == ElementKind::kFloat) {
    schema_.task = Task::kRegression;
    schema_.num_outputs = info.shape.size() == 1 ? 1 : info.shape[1];
  } else {
    file_.fail(object, fmt::format("is {}, expected int32 [{}], uint8 [{}, labels] or float32 [{}, targets]", info.text,
                                   n, n, n));
  }
  if (file_.has_attribute(object, "classes")) {
    schema_.output_names = file_.strings_attribute(object, "classes");
    const auto names = static_cast<Index>(schema_.output_names.size());
    if (schema_.task == Task::kClassification && names > 0) schema_.num_outputs = names;
    if (names > 0 && names != schema_.num_outputs) {
      file_.fail(object, fmt::format("the attribute 'classes' has {} names, expected {}", names, schema_.num_outputs));
    }
  }
  if (schema_.task == Task::kClassification && schema_.num_outputs == 0) {
    if (file_.has_attribute(object, "num_classes")) {
      schema_.num_outputs = file_.integer_attribute(object, "num_classes");
    } else {
      labels_ = read_labels();
      schema_.num_outputs = labels_->num_outputs;
    }
    if (schema_.num_outputs < 1) {
      file_.fail(object, "no vertex has a label and no class is named; remove the labels or name the classes");
    }
    if (schema_.num_outputs > kMaxUnnamedClasses) {
      file_.fail(object, fmt::format("has {} classes without names, expected at most {}", schema_.num_outputs,
                                     kMaxUnnamedClasses));
    }
  }
}

void GraphFile::inspect_splits() {
  if (!file_.has_group("/splits")) return;
  schema_.split_names = file_.children("/splits");
  std::sort(schema_.split_names.begin(), schema_.split_names.end(), natural_less);
  for (const auto& name : schema_.split_names) {
    for (const char* set : kSetNames) {
      const std::string object = fmt::format("/splits/{}/{}", name, set);
      const auto info = file_.array_info(object);
      if (info.kind != ElementKind::kInteger || info.shape.size() != 1) {
        file_.fail(object, fmt::format("is {}, expected a list of vertices (int64)", info.text));
      }
      if (info.shape[0] < 1 || info.shape[0] > schema_.num_vertices) {
        file_.fail(object, fmt::format("has {} vertices, expected 1..{}", info.shape[0], schema_.num_vertices));
      }
    }
  }
}

void GraphFile::inspect_partitions() {
  if (!file_.has_group("/partitions")) return;
  partition_names_ = file_.children("/partitions");
  for (const auto& name : partition_names_) {
    const std::string object = "/partitions/" + name;
    const auto info = file_.array_info(object);
    if (info.kind != ElementKind::kInteger || info.shape != std::vector<Index>{schema_.num_vertices}) {
      file_.fail(object, fmt::format("is {}, expected int32 [{}]", info.text, schema_.num_vertices));
    }
  }
}

std::shared_ptr<const core::Graph> GraphFile::graph() const {
  if (auto kept = graph_.lock()) return kept;
  auto offsets = read_offsets(file_, csr_, 0, csr_.rows);
  auto sources = read_integers(file_, csr_.indices(), 0, csr_.entries, 0, csr_.cols);
  std::vector<double> weights;
  if (schema_.weighted) {
    std::vector<float> stored(sources.size());
    read_numbers(file_, csr_.data(), 0, csr_.entries, 1, stored.data());
    weights.assign(stored.begin(), stored.end());
  }
  auto graph = std::make_shared<const core::Graph>(core::Graph::from_in_csr(
      schema_.num_vertices, std::move(offsets), std::move(sources), std::move(weights), schema_.directed));
  require(file_, "/graph", check_symmetric(*graph));
  graph_ = graph;
  return graph;
}

const core::RowSource& GraphFile::features() const {
  if (!features_) file_.fail("/vertices/features", "is missing, but vertex features are asked for");
  return *features_;
}

const core::Labels& GraphFile::labels() const {
  if (!labels_) labels_ = read_labels();
  return *labels_;
}

core::Labels GraphFile::read_labels() const {
  const std::string object = "/vertices/labels";
  const Index n = schema_.num_vertices;
  core::Labels labels;
  labels.task = schema_.task;
  labels.num_outputs = schema_.num_outputs;
  labels.names = schema_.output_names;
  switch (labels.task) {
    case Task::kNone:
      break;
    case Task::kClassification: {
      const bool counted = labels.num_outputs > 0;
      const std::int64_t limit = counted ? labels.num_outputs : kMaxUnnamedClasses;
      labels.classes = read_integers(file_, object, 0, n, -1, limit);
      if (!counted) labels.num_outputs = 1 + *std::max_element(labels.classes.begin(), labels.classes.end());
      break;
    }
    case Task::kMultiLabel: {
      const Index cols = labels.num_outputs;
      const Index block_rows = std::max<Index>(1, kBlockRows / cols);
      std::vector<std::int64_t> block(static_cast<std::size_t>(std::min(n, block_rows) * cols));
      labels.multi_label.reserve(static_cast<std::size_t>(n * cols));
      for (Index row = 0; row < n; row += block_rows) {
        const Index end = std::min(n, row + block_rows);
        file_.read_rows(object, row, end, block.data());
        for (Index i = 0; i < (end - row) * cols; ++i) {
          const std::int64_t v = block[static_cast<std::size_t>(i)];
          if (v != 0 && v != 1) {
            file_.fail(object, fmt::format("row {}, column {} is {}, expected 0 or 1", row + i / cols, i % cols, v));
          }
          labels.multi_label.push_back(static_cast<std::uint8_t>(v));
        }
      }
      break;
    }
    case Task::kRegression:
      labels.targets.resize(static_cast<std::size_t>(n * labels.num_outputs));
      read_numbers(file_, object, 0, n, labels.num_outputs, labels.targets.data());
      break;
  }
  return labels;
}

core::Split GraphFile::split(std::string_view name) const {
  require_name(file_, "/splits", "split", name, schema_.split_names);
  core::Split split;
  split.name = name;
  std::vector<VertexId>* const sets[] = {&split.train, &split.val, &split.test};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string object = fmt::format("/splits/{}/{}", name, kSetNames[i]);
    *sets[i] = read_integers(file_, object, 0, file_.array_info(object).shape[0], 0, schema_.num_vertices);
    std::sort(sets[i]->begin(), sets[i]->end());
  }
  require(file_, "/splits/" + split.name, check_split(split, schema_.num_vertices));
  return split;
}

std::vector<std::string> GraphFile::vertex_names() const {
  return schema_.has_vertex_names ? file_.read_strings("/vertices/names") : std::vector<std::string>{};
}

core::Tensor GraphFile::edge_features() const {
  if (edge_feature_cols_ == 0) return {};
  const Index cols = edge_feature_cols_;
  core::Tensor stored(csr_.entries, cols, core::DType::kFloat32);
  read_numbers(file_, "/edges/features", 0, csr_.entries, cols, stored.data<float>());
  // The graph sorts rows whose indices are not ascending, stably; the features follow their edges.
  const auto offsets = read_offsets(file_, csr_, 0, csr_.rows);
  const auto sources = read_integers(file_, csr_.indices(), 0, csr_.entries, 0, csr_.cols);
  std::vector<EdgeId> order(sources.size());
  std::iota(order.begin(), order.end(), EdgeId{0});
  for (Index v = 0; v < csr_.rows; ++v) {
    std::stable_sort(order.begin() + offsets[v], order.begin() + offsets[v + 1],
                     [&](EdgeId a, EdgeId b) { return sources[a] < sources[b]; });
  }
  if (std::is_sorted(order.begin(), order.end())) return stored;
  core::Tensor sorted(csr_.entries, cols, core::DType::kFloat32);
  for (EdgeId e = 0; e < csr_.entries; ++e) {
    std::copy_n(stored.data<float>() + order[e] * cols, cols, sorted.data<float>() + e * cols);
  }
  return sorted;
}

SavedPartition GraphFile::partition(const std::string& name) const {
  require_name(file_, "/partitions", "partition", name, partition_names_);
  const std::string object = "/partitions/" + name;
  SavedPartition partition;
  partition.name = name;
  partition.strategy = file_.string_attribute(object, "strategy");
  partition.parts = file_.integer_attribute(object, "parts");
  if (partition.parts < 1 || partition.parts > std::numeric_limits<std::int32_t>::max()) {
    file_.fail(object, fmt::format("the attribute 'parts' is {}, expected 1 or more", partition.parts));
  }
  partition.seed = static_cast<std::uint64_t>(file_.integer_attribute(object, "seed"));
  partition.graph_fingerprint = static_cast<std::uint64_t>(file_.integer_attribute(object, "graph_fingerprint"));
  partition.assignment = read_integers(file_, object, 0, schema_.num_vertices, 0, partition.parts);
  return partition;
}

namespace {

/// An AnnData file with the split that laminar-convert would give it.
GraphData read_anndata(const std::filesystem::path& path) {
  constexpr std::uint64_t kSeed = 1;
  GraphData data = import_anndata(path, {}).data;
  add_splits(data, std::array{SplitRequest{}}, kSeed);
  return data;
}

}  // namespace

std::unique_ptr<core::Dataset> open(const std::filesystem::path& path) {
  if (is_anndata(path)) return from_memory(read_anndata(path));
  return std::make_unique<GraphFile>(path);
}

FileDetails details(const std::filesystem::path& path) {
  if (is_anndata(path)) {
    return {.provenance = read_anndata(path).provenance,
            .file_bytes = std::filesystem::file_size(path),
            .num_edge_features = 0,
            .partition_names = {}};
  }
  const GraphFile file(path);
  return {.provenance = file.provenance(),
          .file_bytes = std::filesystem::file_size(path),
          .num_edge_features = file.num_edge_features(),
          .partition_names = file.partition_names()};
}

SavedPartition read_partition(const std::filesystem::path& path, const std::string& name) {
  return GraphFile(path).partition(name);
}

GraphData read(const std::filesystem::path& path) {
  if (is_anndata(path)) return read_anndata(path);
  const GraphFile file(path);
  const auto& schema = file.schema();
  GraphData data;
  data.name = schema.name;
  data.provenance = file.provenance();
  data.graph = file.graph();
  if (schema.num_features > 0 && schema.sparse_features) {
    data.sparse_features = file.features().read_sparse(0, schema.num_vertices);
  } else if (schema.num_features > 0) {
    data.features = file.features().read_dense(0, schema.num_vertices);
  }
  data.edge_features = file.edge_features();
  data.labels = file.labels();
  for (const auto& name : schema.split_names) data.splits.push_back(file.split(name));
  data.vertex_names = file.vertex_names();
  for (const auto& name : file.partition_names()) data.partitions.push_back(file.partition(name));
  return data;
}

}  // namespace laminar::datasets
