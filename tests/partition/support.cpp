#include "laminar/tests/partition/support.hpp"

#include <utility>

#include "laminar/core/random.hpp"

namespace laminar::testing {

using namespace core;

Graph undirected(Index vertices, const std::vector<std::pair<int, int>>& pairs) {
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  for (const auto& [a, b] : pairs) {
    sources.insert(sources.end(), {a, b});
    targets.insert(targets.end(), {b, a});
  }
  return Graph::from_edges(vertices, sources, targets, {}, false);
}

Graph directed(Index vertices, const std::vector<std::pair<int, int>>& edges) {
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  for (const auto& [a, b] : edges) {
    sources.push_back(a);
    targets.push_back(b);
  }
  return Graph::from_edges(vertices, sources, targets, {}, true);
}

Graph clique_ring(Index count, Index size) {
  std::vector<std::pair<int, int>> pairs;
  for (Index c = 0; c < count; ++c) {
    for (Index a = 0; a < size; ++a) {
      for (Index b = a + 1; b < size; ++b) pairs.emplace_back(c * size + a, c * size + b);
    }
    pairs.emplace_back(c * size, (c + 1) % count * size + 1);
  }
  return undirected(count * size, pairs);
}

namespace {

/// Pairs {a, b}, a < b, each with probability p(a, b).
template <class Probability>
std::vector<std::pair<int, int>> draw_pairs(Index vertices, std::uint64_t seed, Probability&& p) {
  const RandomKey key = random_key(seed, "pairs");
  std::vector<std::pair<int, int>> pairs;
  std::uint64_t draw = 0;
  for (int a = 0; a < vertices; ++a) {
    for (int b = a + 1; b < vertices; ++b) {
      if (random_uniform(key, draw++) < p(a, b)) pairs.emplace_back(a, b);
    }
  }
  return pairs;
}

}  // namespace

const std::vector<NamedGraph>& partition_graphs() {
  static const std::vector<NamedGraph> graphs = [] {
    std::vector<NamedGraph> all;
    all.push_back({"random", undirected_random(120, 400, 1)});
    all.push_back({"grid", grid(16, 12)});
    all.push_back({"star", star(80)});
    all.push_back({"ring", ring(96)});
    all.push_back({"disconnected", undirected(150, draw_pairs(150, 2, [](int a, int b) {
                                                return a / 15 == b / 15 && a < 120
                                                           ? 0.3
                                                           : 0.0;  // eight pieces and 30 isolated vertices
                                              }))});
    all.push_back(
        {"bipartite", undirected(100, draw_pairs(100, 3, [](int a, int b) { return a < 30 && b >= 30 ? 0.1 : 0.0; }))});
    all.push_back(
        {"block model", undirected(160, draw_pairs(160, 4, [](int a, int b) { return a % 4 == b % 4 ? 0.2 : 0.01; }))});
    all.push_back({"directed", directed_random(140, 500, true, 5)});
    all.push_back({"acyclic", directed(300, draw_pairs(300, 6, [](int a, int b) { return b - a < 12 ? 0.25 : 0.0; }))});
    std::vector<std::pair<int, int>> hub = draw_pairs(200, 7, [](int, int) { return 0.01; });
    for (int v = 1; v < 200; ++v) hub.emplace_back(0, v);
    all.push_back({"hub linked to all", undirected(200, hub)});
    all.push_back({"no edges", undirected(48, {})});
    all.push_back({"clique", undirected(48, draw_pairs(48, 8, [](int, int) { return 2.0; }))});
    return all;
  }();
  return graphs;
}

partition::Partition random_labels(Index vertices, Index parts, std::uint64_t seed) {
  const RandomKey key = random_key(seed, "labels");
  partition::Partition result{parts, {}};
  for (Index v = 0; v < vertices; ++v) {
    result.part_of.push_back(static_cast<std::int32_t>(random_below(key, static_cast<std::uint64_t>(v), parts)));
  }
  return result;
}

}  // namespace laminar::testing
