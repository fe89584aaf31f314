#pragma once

#include <functional>
#include <string>
#include <vector>

#include "laminar/core/aggregation.hpp"

/// Every aggregation that there is, so that what must hold for all of them is tested in one loop.
namespace laminar::testing {

/// Columns of the source rows: divisible by 3 heads, and not by the widths of vector units.
inline constexpr core::Index kAggregationWidth = 21;

struct AggregationCase {
  std::string name;
  bool linear = false;
  /// Whether the tape must be training, for dropout on attention.
  bool training = false;
  /// Asks the block for source rows and aggregates them.
  std::function<core::Var(core::Tape&, const core::Block&, core::Var own, const core::ParameterList&)> apply;
};

/// Sums with every AdjacencySpec, mean, max, min, and attention with 1 and 3 heads, with and without self-loops and
/// dropout, of pairs too.
const std::vector<AggregationCase>& aggregation_cases();

/// The two score vectors that the attention cases learn.
core::ParameterList aggregation_parameters(core::DType dtype, core::Index width = kAggregationWidth);

/// "symmetric, self-loops, weighted" and so on.
std::string name_of(const core::AdjacencySpec& spec);

/// All 12 of them.
std::vector<core::AdjacencySpec> all_adjacency_specs();

}  // namespace laminar::testing
