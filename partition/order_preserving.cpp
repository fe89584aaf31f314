/// Topological levels kept in order: on a directed acyclic graph no edge leads from a later part to an earlier one.
/// After the order-preserving partition of Zhong et al., "PreRoutGNN for timing prediction with order preserving
/// partition", AAAI 2024. A vertex's level is the longest path that ends in it; vertices are sorted by level, within
/// one by the mean position of their sources (so that neighbours meet), and cut into parts of equal weight.
/// A graph with cycles is condensed first: the vertices of a strongly connected component (Tarjan, SIAM J. Comput.
/// 1972) share a level and stand together, in breadth-first order; only its inner edges can lead backwards.
#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::partition {
namespace {

struct Components {
  /// Of each vertex; numbered so that edges lead from a component to itself or one of a smaller number.
  std::vector<VertexId> of;
  VertexId count = 0;
};

/// Tarjan's algorithm along out-edges, without recursion.
Components strong_components(const core::Graph& graph) {
  const auto n = static_cast<VertexId>(graph.num_vertices());
  constexpr VertexId kUnseen = -1;
  Components result{std::vector<VertexId>(static_cast<std::size_t>(n), kUnseen)};
  std::vector<VertexId> number(static_cast<std::size_t>(n), kUnseen);
  std::vector<VertexId> low(static_cast<std::size_t>(n), 0);
  std::vector<EdgeId> next(graph.out_offsets().begin(), graph.out_offsets().end());
  std::vector<VertexId> path;
  std::vector<VertexId> open;
  VertexId seen = 0;
  for (VertexId root = 0; root < n; ++root) {
    if (number[root] != kUnseen) continue;
    path.push_back(root);
    while (!path.empty()) {
      const VertexId v = path.back();
      if (number[v] == kUnseen) {
        number[v] = low[v] = seen++;
        open.push_back(v);
      }
      if (next[v] < graph.out_offsets()[v + 1]) {
        const VertexId u = graph.out_targets()[next[v]++];
        if (number[u] == kUnseen) {
          path.push_back(u);
        } else if (result.of[u] == kUnseen) {
          low[v] = std::min(low[v], number[u]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[v]);
      if (low[v] != number[v]) continue;
      VertexId u = kUnseen;
      do {
        u = open.back();
        open.pop_back();
        result.of[u] = result.count;
      } while (u != v);
      ++result.count;
    }
  }
  return result;
}

/// The longest path of components that ends in each.
std::vector<Index> levels_of(const core::Graph& graph, const Components& components,
                             const std::vector<VertexId>& by_component) {
  std::vector<Index> levels(static_cast<std::size_t>(components.count), 0);
  for (const VertexId v : by_component) {  // sources' components come before
    Index& level = levels[components.of[v]];
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const VertexId c = components.of[graph.in_sources()[e]];
      if (c != components.of[v]) level = std::max(level, levels[c] + 1);
    }
  }
  return levels;
}

Partition order_preserving(const core::Graph& graph, const PartitionOptions& options) {
  const Index n = graph.num_vertices();
  const Components components = strong_components(graph);
  // Breadth-first inside components; sources first.
  std::vector<VertexId> order = breadth_first_order(symmetric_adjacency(graph));
  std::stable_sort(order.begin(), order.end(),
                   [&](VertexId a, VertexId b) { return components.of[a] > components.of[b]; });
  const std::vector<Index> levels = levels_of(graph, components, order);
  std::stable_sort(order.begin(), order.end(),
                   [&](VertexId a, VertexId b) { return levels[components.of[a]] < levels[components.of[b]]; });

  // Level by level, components by the mean position of their sources; those of the first level stay as they are.
  std::vector<double> position(static_cast<std::size_t>(n), 0.0);
  std::vector<double> wish(static_cast<std::size_t>(components.count), 0.0);
  std::vector<Index> sources(wish.size(), 0);
  for (auto first = order.begin(); first != order.end();) {
    const Index level = levels[components.of[*first]];
    auto last = first;
    for (; last != order.end() && levels[components.of[*last]] == level; ++last) {
      const VertexId own = components.of[*last];
      for (EdgeId e = graph.in_offsets()[*last]; e < graph.in_offsets()[*last + 1]; ++e) {
        const VertexId u = graph.in_sources()[e];
        if (components.of[u] == own) continue;
        wish[own] += position[u];
        ++sources[own];
      }
    }
    const auto mean = [&](VertexId v) {
      const VertexId c = components.of[v];
      return sources[c] > 0 ? wish[c] / static_cast<double>(sources[c]) : 0.0;
    };
    std::stable_sort(first, last, [&](VertexId a, VertexId b) {
      return mean(a) != mean(b) ? mean(a) < mean(b) : components.of[a] > components.of[b];
    });
    for (; first != last; ++first) position[*first] = static_cast<double>(first - order.begin());
  }

  Partition result = cut_order(order, options.parts, options.vertex_weights, options.capacity);
  Index backward = 0;
  for (Index v = 0; v < n; ++v) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      backward += result.part_of[graph.in_sources()[e]] > result.part_of[v] ? 1 : 0;
    }
  }
  if (backward > 0) {
    result.remarks.push_back(
        fmt::format("the graph has cycles that parts cut: {} edges ({:.1f} %) lead from a later part to an earlier one",
                    backward, 100.0 * static_cast<double>(backward) / static_cast<double>(graph.num_edges())));
  }
  return result;
}

LAMINAR_PARTITIONER(order_preserving, &order_preserving,
                    {.name = "order_preserving",
                     .summary = "topological levels kept in order: on acyclic graphs no edge leads backwards",
                     .paper = "Zhong et al., AAAI 2024",
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace
}  // namespace laminar::partition
