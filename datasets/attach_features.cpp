#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/memory_budget.hpp"
#include "laminar/datasets/npz.hpp"
#include "laminar/datasets/vertex_keys.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

core::Tensor from_npy(GraphData& data, const std::filesystem::path& path, std::vector<std::string>& notes) {
  const NpyArray array = read_npy(path);
  const Index n = data.graph->num_vertices();
  const Index rows = array.shape.empty() ? 0 : array.shape[0];
  const bool grows = rows > n && data.vertex_names.empty();
  if (array.shape.empty() || array.shape.size() > 2 || (rows != n && !grows) || array.size() == 0) {
    throw Error(fmt::format("{}: is {}, expected numbers [{}, 1 or more]: a row for each vertex{}", path.string(),
                            array.text(), n,
                            data.vertex_names.empty() ? "; say --vertices if the edges don't tell how many there are"
                                                      : ", in the order of the graph's vertices"));
  }
  const auto values = numbers_of(array, path.string());
  if (grows) {
    add_vertices(data, rows, {});
    notes.push_back(fmt::format("{} vertices of {} have no edges", rows - n, path.filename().string()));
  }
  core::Tensor features(rows, array.shape.size() == 2 ? array.shape[1] : 1, core::DType::kFloat32);
  std::copy(values.begin(), values.end(), features.data<float>());
  return features;
}

core::Tensor from_table(GraphData& data, const std::filesystem::path& path, const TableOptions& options,
                        std::vector<std::string>& notes) {
  TableReader table(path, options.format, {"id", "node", "vertex", "node_id", "vertex_id"});
  VertexKeys keys(data);
  MemoryBudget budget(options.max_memory_bytes);
  std::vector<float> values;
  std::vector<VertexId> vertices;
  std::size_t first = 0;
  while (table.next()) {
    const auto cells = table.cells();
    if (vertices.empty() && VertexKeys::first_column(table, options.key, false)) first = 1;
    if (cells.size() == first) table.fail("there is no feature, expected one column or more");
    vertices.push_back(first == 1 ? keys.by_id(table, cells[0])
                                  : keys.by_row(table, static_cast<Index>(vertices.size())));
    if (!budget.take(4 * sizeof(float) * cells.size() + 64)) {
      table.fail(budget.complaint("what the file holds up to here"));
    }
    for (std::size_t c = first; c < cells.size(); ++c) {
      double value = 0;
      if (!read_number(cells[c], value) || !std::isfinite(static_cast<float>(value))) {
        table.fail(fmt::format("column {} is {}, expected a finite number", c + 1, shown(cells[c])));
      }
      values.push_back(static_cast<float>(value));
    }
  }
  if (vertices.empty()) table.fail("the file ends, and there was no row");
  keys.extend(data, path, notes);
  const Index n = data.graph->num_vertices();
  const Index cols = table.cols() - static_cast<Index>(first);
  std::vector<Index> row_of(static_cast<std::size_t>(n), -1);
  for (std::size_t i = 0; i < vertices.size(); ++i) row_of[vertices[i]] = static_cast<Index>(i);
  core::Tensor features(n, cols, core::DType::kFloat32);
  for (Index v = 0; v < n; ++v) {
    if (row_of[v] < 0) {
      throw Error(fmt::format(
          "{}: has {} rows, but the graph {} vertices: {} has none; every vertex needs its features", path.string(),
          vertices.size(), n, data.vertex_names.empty() ? fmt::format("vertex {}", v) : shown(data.vertex_names[v])));
    }
    std::copy_n(values.begin() + row_of[v] * cols, cols, features.data<float>() + v * cols);
  }
  return features;
}

}  // namespace

void attach_features(GraphData& data, const std::filesystem::path& path, const TableOptions& options,
                     std::vector<std::string>& notes) {
  data.features = {};
  data.sparse_features = {};
  data.features = extension_of(path) == ".npy" ? from_npy(data, path, notes) : from_table(data, path, options, notes);
  data.provenance += fmt::format("; features of {}", path.filename().string());
}

}  // namespace laminar::datasets
