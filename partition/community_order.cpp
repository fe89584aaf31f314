/// Label propagation (Raghavan, Albert and Kumara, Physical Review E 2007) with a bound on sizes, on the graph, then on
/// the graph of its clusters with a larger bound, and so on, as in coarsening by size-constrained label propagation
/// (Meyerhenke, Sanders and Schulz, SEA 2014). The hierarchy, read from its top, is the order: the idea of Rabbit order
/// (Arai et al., IPDPS 2016), which merges pairs instead.
/// Vertices come in batches, every sixteenth vertex in one. A batch's choices are made in parallel against the labels
/// as they stood before it, then carried out in order, so that the result does not depend on the number of threads.
#include "laminar/partition/community_order.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::partition {
namespace {

using Label = std::int32_t;

// Labels hardly move after this.
constexpr int kRounds = 8;
// A level is done when a round moves less than one vertex in so many.
constexpr Index kFewMoves = 50;
constexpr Index kBatches = 16;
// How the bound on a cluster grows from level to level, and how much smaller a level must be than the one below.
constexpr Index kGrowth = 8;
constexpr double kLeastShrinking = 0.9;
constexpr Index kVerticesPerPiece = 512;

/// Vertices of one level, clusters of that below, and what ties them.
struct Level {
  std::vector<EdgeId> offsets = {0};
  std::vector<Label> targets = {};
  std::vector<std::int64_t> weights = {};
  /// In vertices of the graph.
  std::vector<Index> sizes = {};

  Index num_vertices() const { return static_cast<Index>(sizes.size()); }
  Index num_ties(Index v) const { return offsets[v + 1] - offsets[v]; }
  template <class Visit>
  void for_each(Index v, Visit&& visit) const {
    for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) visit(targets[e], weights[e]);
  }
};

/// The graph itself as a level; every edge ties both its ends.
struct Bottom {
  const core::Graph& graph;
  std::vector<Index> sizes;

  explicit Bottom(const core::Graph& g) : graph(g), sizes(static_cast<std::size_t>(g.num_vertices()), 1) {}
  Index num_vertices() const { return graph.num_vertices(); }
  Index num_ties(Index v) const {
    const auto u = static_cast<VertexId>(v);
    return graph.in_degree(u) + (graph.directed() ? graph.out_degree(u) : 0);
  }
  template <class Visit>
  void for_each(Index v, Visit&& visit) const {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      visit(graph.in_sources()[e], std::int64_t{1});
    }
    if (!graph.directed()) return;
    for (EdgeId e = graph.out_offsets()[v]; e < graph.out_offsets()[v + 1]; ++e) {
      visit(graph.out_targets()[e], std::int64_t{1});
    }
  }
};

/// Sums by label around a vertex, in a table that grows with its neighbours' labels: of few it stays in the first-level
/// cache.
class Sums {
 public:
  void add(Label label, std::int64_t weight) {
    if (2 * used_.size() >= label_.size()) grow();
    const std::size_t at = slot_of(label);
    if (label_[at] < 0) {
      label_[at] = label;
      sum_[at] = 0;
      used_.push_back(at);
    }
    sum_[at] += weight;
  }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const std::size_t at : used_) visit(label_[at], sum_[at]);
  }
  void clear() {
    for (const std::size_t at : used_) label_[at] = -1;
    used_.clear();
  }

 private:
  /// Where the label is, or would be.
  std::size_t slot_of(Label label) const {
    std::size_t at = static_cast<std::uint32_t>(label) * 0x9e3779b1U >> shift_;
    while (label_[at] != label && label_[at] >= 0) at = (at + 1) % label_.size();
    return at;
  }
  void grow() {
    Sums larger;
    larger.shift_ = shift_ - 1;
    larger.label_.assign(std::size_t{1} << (32 - larger.shift_), -1);
    larger.sum_.resize(larger.label_.size());
    for (const std::size_t at : used_) {
      const std::size_t to = larger.slot_of(label_[at]);
      larger.label_[to] = label_[at];
      larger.sum_[to] = sum_[at];
      larger.used_.push_back(to);
    }
    *this = std::move(larger);
  }

  /// Of a label's 32 hashed bits, those that are not its place: the first table has 256 slots.
  std::uint32_t shift_ = 25;
  std::vector<Label> label_;
  std::vector<std::int64_t> sum_;
  /// Slots, in the order in which labels came.
  std::vector<std::size_t> used_;
};

/// Which of two labels wins a tie: the same at all vertices, so that they agree. (One that depends on the vertex found
/// less: 13 % of reads in a cache rather than 21 % on a block model.)
std::uint32_t priority(Label label) {
  std::uint32_t x = static_cast<std::uint32_t>(label) * 0x9e3779b1U;
  x ^= x >> 15;
  x *= 0x85ebca6bU;
  return x ^ (x >> 13);
}

/// For each vertex the number of its cluster, which are numbered in the order of their first vertices.
template <class Graph>
std::vector<Label> cluster(const Graph& g, Index most_vertices) {
  const Index n = g.num_vertices();
  std::vector<Label> label(static_cast<std::size_t>(n));
  std::iota(label.begin(), label.end(), 0);
  std::vector<Index> room = g.sizes;
  for (Index& r : room) r = most_vertices - r;
  const auto choose = [&](Index v, Sums& sums) {
    g.for_each(v, [&](Label u, std::int64_t weight) {
      if (u != v) sums.add(label[u], weight);
    });
    const Label own = label[v];
    Label best = own;
    std::int64_t most = 0;
    sums.for_each([&](Label l, std::int64_t sum) {
      // Its own cluster wins a tie.
      if (sum < most || (sum == most && (best == own || (l != own && priority(l) >= priority(best))))) return;
      if (l != own && room[l] < g.sizes[v]) return;
      best = l;
      most = sum;
    });
    sums.clear();
    return best;
  };
  std::vector<Label> chosen(static_cast<std::size_t>(n / kBatches + 1));
  for (int round = 0; round < kRounds; ++round) {
    Index moves = 0;
    for (Index batch = 0; batch < std::min(kBatches, n); ++batch) {
      const Index count = (n - batch + kBatches - 1) / kBatches;
      core::parallel_for(count, kVerticesPerPiece, [&](Index begin, Index end) {
        Sums sums;
        for (Index i = begin; i < end; ++i) {
          const Index v = batch + i * kBatches;
          chosen[i] = choose(v, sums);
        }
      });
      for (Index i = 0; i < count; ++i) {
        const Index v = batch + i * kBatches;
        if (chosen[i] == label[v] || room[chosen[i]] < g.sizes[v]) continue;
        room[label[v]] += g.sizes[v];
        room[chosen[i]] -= g.sizes[v];
        label[v] = chosen[i];
        ++moves;
      }
    }
    if (moves * kFewMoves <= n) break;
  }
  std::vector<Label> number(static_cast<std::size_t>(n), -1);
  Label count = 0;
  for (Label& l : label) {
    if (number[l] < 0) number[l] = count++;
    l = number[l];
  }
  return label;
}

/// Things 0, 1, ... in the order of `rank`, equals as they stood: position -> thing.
std::vector<Label> sorted_by(const std::vector<Label>& rank, Index num_ranks) {
  std::vector<Index> next(static_cast<std::size_t>(num_ranks) + 1, 0);
  for (const Label r : rank) ++next[r + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  std::vector<Label> order(rank.size());
  for (std::size_t i = 0; i < rank.size(); ++i) order[next[rank[i]]++] = static_cast<Label>(i);
  return order;
}

Index count_of(const std::vector<Label>& cluster) {
  return cluster.empty() ? 0 : Index{*std::max_element(cluster.begin(), cluster.end())} + 1;
}

template <class Graph>
Level contract(const Graph& g, const std::vector<Label>& cluster_of) {
  const Index count = count_of(cluster_of);
  const std::vector<Label> members = sorted_by(cluster_of, count);
  Level up;
  up.sizes.assign(static_cast<std::size_t>(count), 0);
  std::vector<Index> first(static_cast<std::size_t>(count) + 1, 0);
  for (Index v = 0; v < g.num_vertices(); ++v) {
    up.sizes[cluster_of[v]] += g.sizes[v];
    ++first[cluster_of[v] + 1];
  }
  std::partial_sum(first.begin(), first.end(), first.begin());
  // Each piece of clusters makes its rows, which are then put together.
  constexpr Index kClustersPerPiece = 16;
  std::vector<Level> pieces(static_cast<std::size_t>((count + kClustersPerPiece - 1) / kClustersPerPiece));
  core::parallel_for(count, kClustersPerPiece, [&](Index begin, Index end) {
    Sums sums;
    Level& piece = pieces[begin / kClustersPerPiece];
    for (Index c = begin; c < end; ++c) {
      for (Index i = first[c]; i < first[c + 1]; ++i) {
        g.for_each(members[i], [&](Label u, std::int64_t weight) {
          if (cluster_of[u] != c) sums.add(cluster_of[u], weight);
        });
      }
      sums.for_each([&](Label other, std::int64_t weight) {
        piece.targets.push_back(other);
        piece.weights.push_back(weight);
      });
      piece.offsets.push_back(static_cast<EdgeId>(piece.targets.size()));
      sums.clear();
    }
  });
  for (const Level& piece : pieces) {
    const EdgeId before = up.offsets.back();
    for (std::size_t i = 1; i < piece.offsets.size(); ++i) up.offsets.push_back(before + piece.offsets[i]);
    up.targets.insert(up.targets.end(), piece.targets.begin(), piece.targets.end());
    up.weights.insert(up.weights.end(), piece.weights.begin(), piece.weights.end());
  }
  return up;
}

}  // namespace

std::vector<VertexId> community_order(const core::Graph& graph, Index cluster_vertices) {
  if (cluster_vertices <= 0) {
    throw Error(fmt::format("[community order] clusters of {} vertices, expected 1 or more", cluster_vertices));
  }
  // Level by level the cluster that a vertex belongs to.
  std::vector<std::vector<Label>> parents;
  const Bottom bottom(graph);
  Index most = std::min(cluster_vertices, graph.num_vertices());
  parents.push_back(cluster(bottom, most));
  Level level = contract(bottom, parents.back());
  while (level.num_vertices() > 1) {
    most = std::min(most * kGrowth, graph.num_vertices());
    std::vector<Label> above = cluster(level, most);
    if (static_cast<double>(count_of(above)) > kLeastShrinking * static_cast<double>(level.num_vertices())) break;
    level = contract(level, above);
    parents.push_back(std::move(above));
  }
  std::vector<Label> rank(static_cast<std::size_t>(level.num_vertices()));
  std::iota(rank.begin(), rank.end(), 0);
  std::vector<Label> order;
  for (std::size_t depth = parents.size(); depth-- > 0;) {
    std::vector<Label> by_parent = std::move(parents[depth]);
    for (Label& p : by_parent) p = rank[p];
    order = sorted_by(by_parent, static_cast<Index>(rank.size()));
    rank.resize(order.size());
    for (std::size_t at = 0; at < order.size(); ++at) rank[order[at]] = static_cast<Label>(at);
  }
  return order;
}

}  // namespace laminar::partition
