#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laminar/datasets/graph_data.hpp"

namespace laminar::datasets {

/// Settings of half_hop().
struct HalfHop {
  /// With which a vertex has its in-edges split, 0 to 1.
  double probability = 1;
  /// The source's share of a slow vertex's features, 0 to 1.
  double alpha = 0.5;
  std::uint64_t seed = 1;
};

/// Throws UsageError unless both shares are in [0, 1].
void check(const HalfHop& settings);

/// Slows messages down (Azabou et al., "Half-Hop: A graph upsampling approach for slowing down message passing", ICML
/// 2023; choice, edges and features as in the authors' code, nerdslab/halfhop). Each vertex v is chosen with
/// `probability`, and every edge u -> v into a chosen one, u != v, becomes u -> s, s -> v and v -> s, with a vertex s
/// of its own, the slow one. Of N vertices and S edges that are split, in the order of graph->in_sources():
///   - vertices 0..N-1 stay, N..N+S-1 are slow ones; the graph has 2 S edges more and is directed;
///   - features: x_s = alpha x_u + (1 - alpha) x_v, computed in float64 and rounded once; sparse ones stay sparse;
///   - weights, where there are any (the paper has none): s -> v has that of u -> v, the other two weigh 1, so that the
///     path u -> s -> v weighs (as a product) what the edge did, its sign included, and so do the in-edges of v;
///   - edge features: all three edges have those of u -> v;
///   - slow vertices are in no split and have no label: class -1; tasks that know no missing label get zeros;
///   - where vertices have names, a slow one's is "NAME_OF_U->NAME_OF_V";
///   - saved partitions are dropped, being of the graph before; the provenance says what was done.
/// If no edge is split, `data` stay as they are, undirected ones too. Vertex v is chosen if number v of a counter-based
/// stream of the seed is below `probability`: by the seed and v alone, and with a larger probability the same ones are.
/// `data` must hold what check(GraphData) asks. O(N + E + entries of the new features).
/// Returns what a user should know of it, one sentence each. Throws UsageError as check() does, Error if the vertices
/// become too many for a graph; `data` stay as they are then.
std::vector<std::string> half_hop(GraphData& data, const HalfHop& settings);

}  // namespace laminar::datasets
