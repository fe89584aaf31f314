#include "laminar/partition/layout.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::partition {
namespace {

/// Whether each of 0, 1, ... is there once; of none, no.
bool is_permutation(std::span<const Index> rank) {
  std::vector<bool> seen(rank.size(), false);
  for (const Index r : rank) {
    if (r < 0 || r >= static_cast<Index>(rank.size()) || seen[r]) return false;
    seen[r] = true;
  }
  return !rank.empty();
}

/// A graph whose vertex v stands at place place_of[v] hereafter, from_of being the inverse.
core::Graph moved(const core::Graph& graph, const std::vector<VertexId>& from_of,
                  const std::vector<VertexId>& place_of) {
  const Index n = graph.num_vertices();
  std::vector<EdgeId> offsets(static_cast<std::size_t>(n) + 1, 0);
  for (Index v = 0; v < n; ++v) offsets[v + 1] = offsets[v] + graph.in_degree(from_of[v]);
  std::vector<VertexId> sources(static_cast<std::size_t>(graph.num_edges()));
  std::vector<double> weights(graph.weighted() ? sources.size() : 0);
  const auto marks = graph.in_reversed();
  std::vector<std::uint8_t> reversed(marks.size());
  core::parallel_for_rows(offsets, 0, n, [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      EdgeId at = offsets[v];
      for (EdgeId e = graph.in_offsets()[from_of[v]]; e < graph.in_offsets()[from_of[v] + 1]; ++e, ++at) {
        sources[at] = place_of[graph.in_sources()[e]];
        if (graph.weighted()) weights[at] = graph.in_weights()[e];
        if (!marks.empty()) reversed[at] = marks[e];
      }
    }
  });
  return core::Graph::from_in_csr(n, std::move(offsets), std::move(sources), std::move(weights), graph.directed(),
                                  std::move(reversed))
      .with_edge_features(graph.edge_features());
}

std::shared_ptr<const core::RowSums> moved(const core::RowSums& sums, const std::vector<VertexId>& from_of) {
  const auto in_order = [&](const auto& values) {
    std::remove_cvref_t<decltype(values)> result;
    if (values.empty()) return result;
    result.reserve(from_of.size());
    for (const VertexId v : from_of) result.push_back(values[v]);
    return result;
  };
  return std::make_shared<const core::RowSums>(core::RowSums{in_order(sums.edges), in_order(sums.weights),
                                                             in_order(sums.self_loops), in_order(sums.reversed_edges),
                                                             in_order(sums.reversed_weights)});
}

}  // namespace

Layout::Layout(Index num_vertices) : offsets_{0, num_vertices} {
  old_of_.resize(static_cast<std::size_t>(num_vertices));
  std::iota(old_of_.begin(), old_of_.end(), VertexId{0});
  new_of_ = old_of_;
}

Layout::Layout(const Partition& parts, const Partition& chunks, std::span<const Index> rank)
    : num_parts_(parts.num_parts), num_chunks_(chunks.num_parts) {
  const auto n = static_cast<Index>(parts.part_of.size());
  validate(parts, n);
  validate(chunks, n);
  if (!rank.empty() && static_cast<Index>(rank.size()) != n) {
    throw Error(fmt::format("[layout] {} ranks for {} vertices", rank.size(), n));
  }
  const auto slice = [&](Index v) { return parts.part_of[v] * num_chunks_ + chunks.part_of[v]; };
  offsets_.assign(static_cast<std::size_t>(num_parts_ * num_chunks_) + 1, 0);
  for (Index v = 0; v < n; ++v) ++offsets_[slice(v) + 1];
  std::partial_sum(offsets_.begin(), offsets_.end(), offsets_.begin());
  std::vector<VertexId> by_rank(static_cast<std::size_t>(n));
  std::iota(by_rank.begin(), by_rank.end(), VertexId{0});
  if (is_permutation(rank)) {
    for (Index v = 0; v < n; ++v) by_rank[rank[v]] = static_cast<VertexId>(v);
  } else if (!rank.empty()) {
    std::stable_sort(by_rank.begin(), by_rank.end(), [&](VertexId a, VertexId b) { return rank[a] < rank[b]; });
  }
  old_of_.resize(static_cast<std::size_t>(n));
  std::vector<Index> next(offsets_.begin(), offsets_.end() - 1);
  for (const VertexId v : by_rank) old_of_[next[slice(v)]++] = v;
  is_identity_ = num_parts_ == 1 && num_chunks_ == 1 && std::is_sorted(old_of_.begin(), old_of_.end());
  new_of_.resize(static_cast<std::size_t>(n));
  for (Index v = 0; v < n; ++v) new_of_[old_of_[v]] = static_cast<VertexId>(v);
}

Index Layout::slice_of(VertexId v) const {
  return std::upper_bound(offsets_.begin(), offsets_.end(), static_cast<Index>(v)) - offsets_.begin() - 1;
}

core::Graph Layout::renumber(const core::Graph& graph) const {
  check_size(graph);
  if (is_identity()) return graph;
  // Sums of weights stay those of the file's order, whatever order rows stand in here.
  std::shared_ptr<const core::RowSums> sums;
  if (graph.row_sums() != nullptr) {
    sums = moved(*graph.row_sums(), old_of_);
  } else if (graph.weighted()) {
    sums = moved(core::row_sums_of(graph), old_of_);
  }
  return moved(graph, old_of_, new_of_).with_row_sums(std::move(sums));
}

core::Graph Layout::restore(const core::Graph& graph) const {
  check_size(graph);
  return is_identity() ? graph : moved(graph, new_of_, old_of_);
}

void Layout::check_size(const core::Graph& graph) const {
  if (graph.num_vertices() == num_vertices()) return;
  throw Error(
      fmt::format("[layout] a graph with {} vertices for a layout of {}", graph.num_vertices(), num_vertices()));
}

}  // namespace laminar::partition
