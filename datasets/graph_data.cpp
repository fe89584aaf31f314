#include "laminar/datasets/graph_data.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/checks.hpp"

namespace laminar::datasets {

using core::DType;
using core::Index;

namespace {

void require(const Complaint& wrong, std::string_view where, std::string_view part) {
  if (wrong) throw Error(fmt::format("{}: {}: {}", where, part, *wrong));
}

void check_tensor(const core::Tensor& tensor, Index rows, std::string_view where, std::string_view part) {
  if (tensor.rows() != rows || tensor.cols() < 1 || tensor.dtype() != DType::kFloat32) {
    throw Error(fmt::format("{}: {}: {} [{}, {}], expected f32 [{}, 1 or more]", where, part, name_of(tensor.dtype()),
                            tensor.rows(), tensor.cols(), rows));
  }
  require(check_finite({tensor.data<float>(), static_cast<std::size_t>(tensor.size())}), where, part);
}

template <class Named>
void check_names(const std::vector<Named>& parts, std::string_view where, std::string_view folder) {
  std::set<std::string_view> seen;
  for (const auto& part : parts) {
    require(check_object_name(part.name), where, folder);
    if (!seen.insert(part.name).second) {
      throw Error(fmt::format("{}: {}: there are two of the name '{}'", where, folder, part.name));
    }
  }
}

class MemoryRows final : public core::RowSource {
 public:
  MemoryRows(core::Tensor dense, core::SparseMatrix sparse) : dense_(std::move(dense)), sparse_(std::move(sparse)) {}
  Index rows() const override { return sparse() ? sparse_.rows() : dense_.rows(); }
  Index cols() const override { return sparse() ? sparse_.cols() : dense_.cols(); }
  bool sparse() const override { return static_cast<bool>(sparse_); }
  core::Tensor read_dense(Index begin, Index end) const override {
    if (sparse()) throw Error("the features are sparse; read them with read_sparse()");
    return dense_.slice_rows(begin, end).clone();
  }
  core::SparseMatrix read_sparse(Index begin, Index end) const override {
    if (!sparse()) throw Error("the features are dense; read them with read_dense()");
    return sparse_.slice_rows(begin, end);
  }

 private:
  core::Tensor dense_;
  core::SparseMatrix sparse_;
};

class MemoryDataset final : public core::Dataset {
 public:
  explicit MemoryDataset(GraphData data)
      : data_(std::move(data)), schema_(schema_of(data_)), rows_(data_.features, data_.sparse_features) {}

  const core::DatasetSchema& schema() const override { return schema_; }
  std::shared_ptr<const core::Graph> graph() const override { return data_.graph; }
  const core::RowSource& features() const override {
    if (schema_.num_features == 0) throw Error(fmt::format("{}: the graph has no vertex features", data_.name));
    return rows_;
  }
  core::Tensor edge_features() const override { return data_.edge_features; }
  const core::Labels& labels() const override { return data_.labels; }
  core::Split split(std::string_view name) const override {
    const auto found =
        std::find_if(data_.splits.begin(), data_.splits.end(), [&](const core::Split& s) { return s.name == name; });
    if (found == data_.splits.end()) {
      throw UsageError(
          fmt::format("{}: there is no split '{}'; there are: {}", data_.name, name,
                      schema_.split_names.empty() ? "none" : fmt::format("{}", fmt::join(schema_.split_names, ", "))));
    }
    return *found;
  }
  std::vector<std::string> vertex_names() const override { return data_.vertex_names; }

 private:
  GraphData data_;
  core::DatasetSchema schema_;
  MemoryRows rows_;
};

}  // namespace

void check(const GraphData& data, std::string_view where) {
  if (data.graph == nullptr || data.graph->num_vertices() < 1) {
    throw Error(fmt::format("{}: graph: there are no vertices, expected 1 or more", where));
  }
  const Index n = data.graph->num_vertices();
  require(check_symmetric(*data.graph), where, "graph");
  if (data.features && data.sparse_features) {
    throw Error(fmt::format("{}: features: there are dense and sparse ones, expected one of them", where));
  }
  if (data.features) check_tensor(data.features, n, where, "features");
  if (data.sparse_features && (data.sparse_features.rows() != n || data.sparse_features.cols() < 1)) {
    throw Error(fmt::format("{}: features: sparse [{}, {}], expected [{}, 1 or more]", where,
                            data.sparse_features.rows(), data.sparse_features.cols(), n));
  }
  if (data.edge_features) check_tensor(data.edge_features, data.graph->num_edges(), where, "edge features");
  require(check_labels(data.labels, n), where, "labels");
  check_names(data.splits, where, "splits");
  for (const auto& split : data.splits) require(check_split(split, n), where, "split '" + split.name + "'");
  if (!data.vertex_names.empty() && data.vertex_names.size() != static_cast<std::size_t>(n)) {
    throw Error(fmt::format("{}: vertex names: {}, expected {}", where, data.vertex_names.size(), n));
  }
  check_names(data.partitions, where, "partitions");
  for (const auto& p : data.partitions) {
    const auto bad = std::find_if(p.assignment.begin(), p.assignment.end(),
                                  [&](std::int32_t part) { return part < 0 || part >= p.parts; });
    if (p.assignment.size() != static_cast<std::size_t>(n)) {
      throw Error(fmt::format("{}: partition '{}': {} entries, expected {}", where, p.name, p.assignment.size(), n));
    }
    if (bad != p.assignment.end()) {
      throw Error(fmt::format("{}: partition '{}': entry {} is {}, expected 0..{}", where, p.name,
                              bad - p.assignment.begin(), *bad, p.parts - 1));
    }
  }
}

core::DatasetSchema schema_of(const GraphData& data) {
  core::DatasetSchema s;
  s.name = data.name;
  s.num_vertices = data.graph->num_vertices();
  s.num_edges = data.graph->num_edges();
  s.directed = data.graph->directed();
  s.weighted = data.graph->weighted();
  s.sparse_features = static_cast<bool>(data.sparse_features);
  s.num_features = s.sparse_features ? data.sparse_features.cols() : data.features.cols();
  s.feature_entries = s.sparse_features ? data.sparse_features.entries() : data.features.size();
  s.task = data.labels.task;
  s.num_outputs = data.labels.num_outputs;
  s.output_names = data.labels.names;
  for (const auto& split : data.splits) s.split_names.push_back(split.name);
  s.has_vertex_names = !data.vertex_names.empty();
  s.num_edge_features = data.edge_features.cols();
  return s;
}

std::unique_ptr<core::Dataset> from_memory(GraphData data) {
  check(data, data.name.empty() ? "graph" : data.name);
  return std::make_unique<MemoryDataset>(std::move(data));
}

}  // namespace laminar::datasets
