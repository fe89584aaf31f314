#include "laminar/partition/layout.hpp"

#include <algorithm>
#include <numeric>
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
  const Index n = num_vertices();
  if (graph.num_vertices() != n) {
    throw Error(fmt::format("[layout] a graph with {} vertices for a layout of {}", graph.num_vertices(), n));
  }
  if (is_identity()) return graph;
  std::vector<EdgeId> offsets(static_cast<std::size_t>(n) + 1, 0);
  for (Index v = 0; v < n; ++v) offsets[v + 1] = offsets[v] + graph.in_degree(old_of_[v]);
  std::vector<VertexId> sources(static_cast<std::size_t>(graph.num_edges()));
  std::vector<double> weights(graph.weighted() ? sources.size() : 0);
  const auto marks = graph.in_reversed();
  std::vector<std::uint8_t> reversed(marks.size());
  core::parallel_for_rows(offsets, 0, n, [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      EdgeId at = offsets[v];
      for (EdgeId e = graph.in_offsets()[old_of_[v]]; e < graph.in_offsets()[old_of_[v] + 1]; ++e, ++at) {
        sources[at] = new_of_[graph.in_sources()[e]];
        if (graph.weighted()) weights[at] = graph.in_weights()[e];
        if (!marks.empty()) reversed[at] = marks[e];
      }
    }
  });
  return core::Graph::from_in_csr(n, std::move(offsets), std::move(sources), std::move(weights), graph.directed(),
                                  std::move(reversed))
      .with_edge_features(graph.edge_features());
}

}  // namespace laminar::partition
