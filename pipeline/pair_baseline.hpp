#pragma once

#include <vector>

#include "laminar/pipeline/pair_split.hpp"
#include "laminar/pipeline/train_result.hpp"

namespace laminar::pipeline {

/// The figures of validation and test pairs scored by the number of vertices that both are joined to by training pairs,
/// without any learning (Liben-Nowell and Kleinberg 2003). Thread-safe.
std::vector<PairFigure> common_neighbours(const PairSplit& split, const PairOptions& options);

}  // namespace laminar::pipeline
