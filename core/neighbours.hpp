#pragma once

#include <algorithm>
#include <cmath>

#include "laminar/core/graph.hpp"

namespace laminar::core {

/// Calls visit(u, weight) for each vertex u != v with an edge to or from v: each once, ascending. The weight is the sum
/// of the absolute weights of all edges between the two, in both directions; 0 unless `weighted` is set, which needs a
/// weighted graph. A merge of v's in- and out-row: O(degree).
template <class Visit>
void for_each_neighbour(const Graph& graph, Index v, bool weighted, Visit&& visit) {
  const auto sources = graph.in_sources();
  const auto targets = graph.out_targets();
  EdgeId in = graph.in_offsets()[v];
  EdgeId out = graph.out_offsets()[v];
  const EdgeId in_end = graph.in_offsets()[v + 1];
  const EdgeId out_end = graph.out_offsets()[v + 1];
  while (in < in_end || out < out_end) {
    VertexId u = 0;
    if (in < in_end && out < out_end) {
      u = std::min(sources[in], targets[out]);
    } else {
      u = in < in_end ? sources[in] : targets[out];
    }
    double weight = 0;
    for (; in < in_end && sources[in] == u; ++in) {
      if (weighted) weight += std::abs(graph.in_weights()[in]);
    }
    for (; out < out_end && targets[out] == u; ++out) {
      if (weighted) weight += std::abs(graph.in_weights()[graph.out_edges()[out]]);
    }
    if (u != v) visit(u, weight);
  }
}

}  // namespace laminar::core
