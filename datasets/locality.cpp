// Orders and components of the vertices of a graph whose directions don't count.
#include <algorithm>
#include <array>
#include <numeric>

#include "laminar/core/names.hpp"
#include "laminar/datasets/graph_changes.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

/// Calls `visit` for each in- and out-neighbour; of undirected graphs for in-neighbours alone.
template <class F>
void for_neighbours(const core::Graph& graph, VertexId v, F&& visit) {
  for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) visit(graph.in_sources()[e]);
  if (!graph.directed()) return;
  for (EdgeId e = graph.out_offsets()[v]; e < graph.out_offsets()[v + 1]; ++e) visit(graph.out_targets()[e]);
}

class Walk {
 public:
  explicit Walk(const core::Graph& graph) : graph_(graph), seen_(static_cast<std::size_t>(graph.num_vertices())) {}

  Index degree(VertexId v) const { return graph_.in_degree(v) + (graph_.directed() ? graph_.out_degree(v) : 0); }
  bool seen(VertexId v) const { return seen_[v]; }
  void forget(const std::vector<VertexId>& vertices) {
    for (const VertexId v : vertices) seen_[v] = false;
  }

  /// The component of `start`, breadth-first; where the last level begins is left in `last_level`, and how many there
  /// are in `levels`.
  std::vector<VertexId> from(VertexId start, bool by_degree, std::size_t* last_level = nullptr,
                             Index* levels = nullptr) {
    std::vector<VertexId> order = {start};
    seen_[start] = true;
    Index depth = 0;
    std::size_t level = 0;
    for (std::size_t end = 1; level < order.size(); end = order.size()) {
      const std::size_t begin = level;
      for (std::size_t i = begin; i < end; ++i) {
        const auto first = static_cast<std::ptrdiff_t>(order.size());
        for_neighbours(graph_, order[i], [&](VertexId u) {
          if (seen_[u]) return;
          seen_[u] = true;
          order.push_back(u);
        });
        std::sort(order.begin() + first, order.end(), [&](VertexId a, VertexId b) {
          const auto da = by_degree ? degree(a) : 0;
          const auto db = by_degree ? degree(b) : 0;
          return da != db ? da < db : a < b;
        });
      }
      if (order.size() == end) break;
      level = end;
      ++depth;
    }
    if (last_level != nullptr) *last_level = level;
    if (levels != nullptr) *levels = depth + 1;
    return order;
  }

 private:
  const core::Graph& graph_;
  std::vector<bool> seen_;
};

/// A vertex at an end of the component of `start`.
VertexId far_end(Walk& walk, VertexId start) {
  Index best = 0;
  for (;;) {
    std::size_t last = 0;
    Index levels = 0;
    const auto order = walk.from(start, false, &last, &levels);
    walk.forget(order);
    if (levels <= best) return start;
    best = levels;
    start =
        *std::min_element(order.begin() + static_cast<std::ptrdiff_t>(last), order.end(), [&](VertexId a, VertexId b) {
          return walk.degree(a) != walk.degree(b) ? walk.degree(a) < walk.degree(b) : a < b;
        });
  }
}

}  // namespace

Relabel parse_relabel(std::string_view word) {
  constexpr std::array<std::string_view, 2> kNames = {"bfs", "rcm"};
  return core::detail::from_name<Relabel>("--relabel", kNames, word);
}

std::vector<VertexId> locality_order(const core::Graph& graph, Relabel how) {
  Walk walk(graph);
  std::vector<VertexId> starts(static_cast<std::size_t>(graph.num_vertices()));
  std::iota(starts.begin(), starts.end(), 0);
  std::stable_sort(starts.begin(), starts.end(),
                   [&](VertexId a, VertexId b) { return walk.degree(a) < walk.degree(b); });
  std::vector<VertexId> order;
  order.reserve(starts.size());
  for (const VertexId start : starts) {
    if (walk.seen(start)) continue;
    const bool rcm = how == Relabel::kRcm;
    const auto component = walk.from(rcm ? far_end(walk, start) : start, rcm);
    order.insert(order.end(), component.begin(), component.end());
  }
  if (how == Relabel::kRcm) std::reverse(order.begin(), order.end());
  return order;
}

std::vector<VertexId> largest_component(const core::Graph& graph) {
  Walk walk(graph);
  std::vector<VertexId> largest;
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    if (walk.seen(static_cast<VertexId>(v))) continue;
    auto component = walk.from(static_cast<VertexId>(v), false);
    if (component.size() > largest.size()) largest = std::move(component);
  }
  std::sort(largest.begin(), largest.end());
  return largest;
}

}  // namespace laminar::datasets
