// The rows of a file's graph, some at a time.
#include <algorithm>
#include <bit>
#include <numeric>
#include <type_traits>

#include "laminar/core/hash.hpp"
#include "laminar/datasets/graph_reader.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

/// That are read at once.
constexpr EdgeId kBlockEdges = EdgeId{1} << 19;

/// Sorts rows whose sources are not ascending, as Graph does, and what belongs to their edges with them.
void sort_rows(std::span<const EdgeId> offsets, std::vector<VertexId>& sources, std::vector<double>& weights,
               core::Tensor& features) {
  std::vector<EdgeId> order;
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    const EdgeId first = offsets[r] - offsets.front();
    const EdgeId count = offsets[r + 1] - offsets[r];
    const auto row = sources.begin() + first;
    if (std::is_sorted(row, row + count)) continue;
    order.resize(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), first);
    std::stable_sort(order.begin(), order.end(), [&](EdgeId a, EdgeId b) { return sources[a] < sources[b]; });
    const auto take = [&](auto* values, Index width) {
      std::vector<std::remove_cvref_t<decltype(*values)>> sorted;
      sorted.reserve(static_cast<std::size_t>(count * width));
      for (const EdgeId e : order) sorted.insert(sorted.end(), values + e * width, values + (e + 1) * width);
      std::copy(sorted.begin(), sorted.end(), values + first * width);
    };
    if (!weights.empty()) take(weights.data(), 1);
    if (features) take(features.data<float>(), features.cols());
    take(sources.data(), 1);
  }
}

}  // namespace

void GraphFile::visit_rows(const core::WantedRows& wanted,
                           const std::function<void(const core::GraphRows&)>& visit) const {
  const std::vector<EdgeId> offsets = read_offsets(file_, csr_, 0, csr_.rows);
  SymmetrySums directions;
  core::GraphRows rows;
  rows.offsets = offsets;
  while (rows.end < csr_.rows) {
    rows.begin = rows.end;
    // At least one row, and then as many as fit.
    const auto first = offsets.begin() + rows.begin;
    const auto fits = std::upper_bound(first + 1, offsets.end(), *first + kBlockEdges);
    rows.end = std::max(first + 1, fits - 1) - offsets.begin();
    const EdgeId begin = offsets[rows.begin];
    const EdgeId end = offsets[rows.end];
    std::vector<VertexId> sources = read_integers(file_, csr_.indices(), begin, end, 0, csr_.cols);
    std::vector<double> weights;
    if (wanted.weights && schema_.weighted) {
      std::vector<float> stored(sources.size());
      read_numbers(file_, csr_.data(), begin, end, 1, stored.data());
      weights.assign(stored.begin(), stored.end());
    }
    rows.edge_features = {};
    if (wanted.edge_features && edge_feature_cols_ > 0) {
      rows.edge_features = core::Tensor(end - begin, edge_feature_cols_, core::DType::kFloat32);
      read_numbers(file_, "/edges/features", begin, end, edge_feature_cols_, rows.edge_features.data<float>());
    }
    sort_rows(std::span(offsets).subspan(rows.begin, rows.end - rows.begin + 1), sources, weights, rows.edge_features);
    if (!schema_.directed) {
      for (Index v = rows.begin; v < rows.end; ++v) {
        for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) {
          directions.add(sources[e - begin], static_cast<VertexId>(v));
        }
      }
    }
    rows.sources = sources;
    rows.weights = weights;
    visit(rows);
  }
  // Which edge it is that lacks its reverse only the whole graph tells.
  if (!directions.equal()) static_cast<void>(graph());
}

std::uint64_t GraphFile::graph_fingerprint() const {
  if (fingerprint_) return *fingerprint_;
  if (const auto kept = graph_.lock()) return *(fingerprint_ = kept->fingerprint());
  // As Graph::fingerprint(): offsets, then sources, then weights.
  core::Fnv1a hash;
  hash.add(static_cast<std::uint64_t>(schema_.num_vertices));
  hash.add(std::uint64_t{schema_.directed ? 1U : 0U});
  visit_rows({}, [&](const core::GraphRows& rows) {
    if (rows.begin == 0) {
      for (const EdgeId o : rows.offsets) hash.add(static_cast<std::uint64_t>(o));
    }
    for (const VertexId s : rows.sources) hash.add(static_cast<std::uint64_t>(s));
  });
  if (schema_.weighted) {
    visit_rows({.weights = true}, [&](const core::GraphRows& rows) {
      for (const double w : rows.weights) hash.add(std::bit_cast<std::uint64_t>(w));
    });
  }
  return *(fingerprint_ = hash.value());
}

}  // namespace laminar::datasets
