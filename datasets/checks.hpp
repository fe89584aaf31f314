#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"

// Internal to datasets/: what must hold of a graph's parts, wherever they come from. Each check returns what is wrong,
// in words that follow the name of an object ("entry 17 is 9999, expected 0..2707"), or nothing.
namespace laminar::datasets {

/// A sparse matrix's transpose has an offset a column, whose number nothing else in a file bounds.
inline constexpr core::Index kMaxSparseColumns = core::Index{1} << 24;

using Complaint = std::optional<std::string>;

/// Whether a list of edges, in whatever order, has both directions of every edge as often as each other: two sums of
/// hashes that are equal then, and otherwise only by chance (1 in 2^64). Needs no memory, where a transpose is as large
/// as the graph.
class SymmetrySums {
 public:
  void add(core::VertexId source, core::VertexId target);
  void add(const SymmetrySums& other);
  bool equal() const { return forward_ == backward_; }

 private:
  std::uint64_t forward_ = 0;
  std::uint64_t backward_ = 0;
};

/// Both directions of every edge, unless the graph is directed.
Complaint check_symmetric(const core::Graph& graph);
Complaint check_finite(std::span<const float> values);
/// Sizes, ranges (classes -1 or 0..num_outputs-1, multi-labels 0 or 1, targets finite) and names.
Complaint check_labels(const core::Labels& labels, core::Index num_vertices);
/// Non-empty, in range, ascending without repetition, and disjoint.
Complaint check_split(const core::Split& split, core::Index num_vertices);
/// Not empty, no '/', not "." or "..".
Complaint check_object_name(const std::string& name);

}  // namespace laminar::datasets
