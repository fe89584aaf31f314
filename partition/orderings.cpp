#include "laminar/partition/orderings.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"

namespace laminar::partition {
namespace {

/// Breadth-first searches over the vertices of one label, each over one component. `Labels` is a function vertex ->
/// whether a vertex belongs. The `level` array is shared, entries of other labels' vertices are never touched.
template <class Belongs>
class Searcher {
 public:
  Searcher(const Adjacency& adjacency, std::vector<std::int32_t>& level, Belongs belongs, bool by_degree)
      : adjacency_(adjacency), level_(level), belongs_(belongs), by_degree_(by_degree) {}

  /// Writes the component of `seed` to the front of `out` and returns its size. Its vertices are marked as done.
  Index component(VertexId seed, VertexId* out) {
    VertexId root = seed;
    std::int32_t depth = -1;
    constexpr int kTries = 4;  // the depth rarely grows after two or three
    for (int i = 0; i < kTries; ++i) {
      const Index size = search(root, out, false);
      const std::int32_t reached = level_[out[size - 1]];
      VertexId farthest = out[size - 1];
      for (Index at = size - 1; at >= 0 && level_[out[at]] == reached; --at) {
        if (adjacency_.degree(out[at]) <= adjacency_.degree(farthest)) farthest = out[at];
      }
      forget(out, size);
      if (reached <= depth) break;
      depth = reached;
      if (size == 1) break;
      root = farthest;
    }
    return search(root, out, by_degree_);
  }

 private:
  Index search(VertexId root, VertexId* out, bool by_degree) {
    out[0] = root;
    level_[root] = 0;
    Index size = 1;
    for (Index at = 0; at < size; ++at) {
      const Index first = size;
      for (const VertexId u : adjacency_.of(out[at])) {
        if (!belongs_(u) || level_[u] >= 0) continue;
        level_[u] = level_[out[at]] + 1;
        out[size++] = u;
      }
      if (by_degree) {
        std::stable_sort(out + first, out + size,
                         [&](VertexId a, VertexId b) { return adjacency_.degree(a) < adjacency_.degree(b); });
      }
    }
    return size;
  }

  void forget(const VertexId* vertices, Index count) {
    for (Index i = 0; i < count; ++i) level_[vertices[i]] = -1;
  }

  const Adjacency& adjacency_;
  std::vector<std::int32_t>& level_;
  Belongs belongs_;
  bool by_degree_;
};

/// Orders `vertices` (ascending) in place, component by component.
template <class Belongs>
void order_components(const Adjacency& adjacency, std::vector<std::int32_t>& level, Belongs belongs, bool rcm,
                      std::span<VertexId> vertices) {
  const std::vector<VertexId> seeds(vertices.begin(), vertices.end());
  Searcher searcher(adjacency, level, belongs, rcm);
  VertexId* out = vertices.data();
  for (const VertexId seed : seeds) {
    if (level[seed] >= 0) continue;
    const Index size = searcher.component(seed, out);
    if (rcm) std::reverse(out, out + size);
    out += size;
  }
}

std::vector<VertexId> order_all(const Adjacency& adjacency, bool rcm) {
  std::vector<VertexId> order(static_cast<std::size_t>(adjacency.num_vertices()));
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::int32_t> level(order.size(), -1);
  order_components(
      adjacency, level, [](VertexId) { return true; }, rcm, order);
  return order;
}

}  // namespace

std::vector<VertexId> random_order(Index num_vertices, std::uint64_t seed) {
  const core::RandomKey key = core::random_key(seed, "random order");
  std::vector<VertexId> order(static_cast<std::size_t>(num_vertices));
  std::iota(order.begin(), order.end(), 0);
  for (Index at = num_vertices - 1; at > 0; --at) {  // Fisher and Yates
    std::swap(order[at], order[core::random_below(key, static_cast<std::uint64_t>(at), at + 1)]);
  }
  return order;
}

std::vector<VertexId> breadth_first_order(const Adjacency& adjacency) { return order_all(adjacency, false); }

std::vector<VertexId> reverse_cuthill_mckee_order(const Adjacency& adjacency) { return order_all(adjacency, true); }

std::vector<VertexId> reverse_cuthill_mckee_order(const Adjacency& adjacency, const Partition& partition) {
  const std::vector<Index> sizes = part_sizes(partition);
  std::vector<Index> starts(sizes.size() + 1, 0);
  std::partial_sum(sizes.begin(), sizes.end(), starts.begin() + 1);
  std::vector<VertexId> order(partition.part_of.size());
  std::vector<Index> next(starts.begin(), starts.end() - 1);
  for (std::size_t v = 0; v < order.size(); ++v) order[next[partition.part_of[v]]++] = static_cast<VertexId>(v);
  std::vector<std::int32_t> level(order.size(), -1);
  core::parallel_for(partition.num_parts, 1, [&](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      order_components(
          adjacency, level, [&](VertexId v) { return partition.part_of[v] == p; }, true,
          std::span(order).subspan(static_cast<std::size_t>(starts[p]), static_cast<std::size_t>(sizes[p])));
    }
  });
  return order;
}

Partition cut_order(std::span<const VertexId> order, Index parts, std::span<const double> weights,
                    std::span<const double> capacity) {
  const auto n = static_cast<Index>(order.size());
  Partition result{parts, std::vector<std::int32_t>(order.size())};
  double total = 0;
  const auto weight = [&](Index at) { return weights.empty() ? 1.0 : weights[order[at]]; };
  for (Index at = 0; at < n; ++at) total += weight(at);
  const auto part_capacity = [&](Index p) { return capacity.empty() ? 1.0 : capacity[p]; };
  double capacities = 0;
  for (Index p = 0; p < parts; ++p) capacities += part_capacity(p);
  Index at = 0;
  double placed = 0;
  double share = 0;
  for (Index p = 0; p < parts; ++p) {
    share += part_capacity(p) / capacities * total;
    const Index first = at;
    const Index last = n - (parts - 1 - p);  // leave one vertex for each later part
    // A vertex goes where its middle lies; every part gets at least one.
    while (at < last && (at == first || p == parts - 1 || placed + weight(at) / 2 <= share)) {
      placed += weight(at);
      result.part_of[order[at++]] = static_cast<std::int32_t>(p);
    }
  }
  return result;
}

}  // namespace laminar::partition
