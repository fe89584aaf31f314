#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/dataset.hpp"

namespace laminar::datasets {

/// Shares of the labelled vertices, each positive, together at most 1.
struct SplitFractions {
  double train = 0.6;
  double val = 0.2;
  double test = 0.2;
};

/// A random split of the vertices whose label is known (all where the task is not classification): they are ordered by
/// a counter-based random number of (seed, vertex), so the same seed gives the same split on every machine, and cut at
/// round(train * n), round((train + val) * n) and round((train + val + test) * n).
/// Throws UsageError on fractions out of range, Error if a part would be empty.
core::Split random_split(std::string name, const core::Labels& labels, core::Index num_vertices,
                         const SplitFractions& fractions, std::uint64_t seed);

/// A split by degree: the vertices whose label is known (as above) in descending order of their in-degree, those of one
/// degree in random order, cut like a random split. So training sees the vertices with many neighbours and the test is
/// of those with few: a shift of distribution, as graphs that grow have one. Same errors.
core::Split degree_split(std::string name, const core::Labels& labels, const core::Graph& graph,
                         const SplitFractions& fractions, std::uint64_t seed);

/// `folds` splits "fold0", "fold1", ...: the vertices whose label is known in random order, cut into `folds` runs of
/// equal size (to one); split k tests on run k, validates on run k + 1 (cyclically) and trains on the others, so that
/// every labelled vertex is tested once. Throws UsageError if `folds` is below 3, Error if there are fewer vertices.
std::vector<core::Split> fold_splits(const core::Labels& labels, core::Index num_vertices, core::Index folds,
                                     std::uint64_t seed);

/// What a user asks for in words: "published" (those that the source brings, else random:60/20/20), "none" (those that
/// the source brings are left out), and splits to add: "random" or "random:TRAIN/VAL/TEST" in percent, "degree" or
/// "degree:TRAIN/VAL/TEST", "folds:K".
struct SplitRequest {
  enum class Kind : std::uint8_t { kPublished, kNone, kRandom, kDegree, kFolds };
  Kind kind = Kind::kPublished;
  SplitFractions fractions = {};
  core::Index folds = 0;
};

/// Throws UsageError on other words.
SplitRequest parse_split_request(std::string_view text);

}  // namespace laminar::datasets
