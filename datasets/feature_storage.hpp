#pragma once

#include <string_view>

#include "laminar/datasets/graph_data.hpp"

namespace laminar::datasets {

/// How a file keeps its features: kAuto takes what costs a training less.
enum class FeatureStorage { kAuto, kDense, kSparse };

/// "auto", "dense" or "sparse". Throws UsageError for another word.
FeatureStorage parse_feature_storage(std::string_view word);

/// Features of which at most this share is not zero are stored as sparse ones: a sparse product needs about ten times
/// as long for an entry as a dense one, so this is where memory and time both gain.
inline constexpr double kSparseShare = 0.1;

/// Changes `data` between dense and sparse features, which hold the same numbers; kAuto makes dense ones sparse if they
/// are nearly all zeros, and leaves sparse ones. Data without features stay as they are. Throws Error if a feature that
/// is to be stored sparsely is not finite.
void store_features(GraphData& data, FeatureStorage storage);

}  // namespace laminar::datasets
