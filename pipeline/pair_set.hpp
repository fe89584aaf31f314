#pragma once

#include <cstdint>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/core/random.hpp"

namespace laminar::pipeline {

using core::Index;
using core::VertexId;

/// An unordered pair of different vertices: u < v.
struct Pair {
  VertexId u = 0;
  VertexId v = 0;
  friend bool operator==(const Pair&, const Pair&) = default;
  friend auto operator<=>(const Pair&, const Pair&) = default;
};

/// The pairs that an edge joins in one direction or both, each once, ascending. Self-loops are no pairs.
std::vector<Pair> pairs_of(const core::Graph& graph);

/// A set of pairs of n vertices that is quick to ask. Immutable, thread-safe.
class PairSet {
 public:
  /// `pairs` must be ascending, each there once; throws Error otherwise, and for a vertex out of range.
  PairSet(Index num_vertices, const std::vector<Pair>& pairs);

  Index num_vertices() const { return static_cast<Index>(offsets_.size()) - 1; }
  Index size() const { return static_cast<Index>(larger_.size()); }
  bool contains(VertexId a, VertexId b) const;

  /// `count` pairs that are not in the set, each drawn uniformly, by itself: pair i is a function of (key, i) and the
  /// set alone. Throws Error, saying so, if every pair is in the set.
  std::vector<Pair> draw_others(Index count, core::RandomKey key) const;

 private:
  Pair draw(core::RandomKey key, std::uint64_t i) const;
  /// By smaller vertex, the larger ones ascending.
  std::vector<Index> offsets_;
  std::vector<VertexId> larger_;
};

}  // namespace laminar::pipeline
