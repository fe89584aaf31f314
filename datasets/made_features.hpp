#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/datasets/graph_data.hpp"

namespace laminar::datasets {

/// Features computed from the graph alone, for graphs that bring none. N vertices, d_v = in-degree of v.
enum class MadeFeatures : std::uint8_t {
  /// log(1 + in-degree); of a directed graph a second column log(1 + out-degree).
  kDegree,
  /// The identity: column v is 1 at vertex v. Sparse, at most 2^24 vertices; can't stand beside others.
  kOneHot,
  /// log(N p_v) with PageRank p = .15/N + .85 (sum over u -> v of p_u / outdegree_u + the share of vertices without
  /// out-edges, spread evenly), iterated until the change is below 1e-10 in sum, at most 200 times. Weights don't
  /// count.
  kPageRank,
  /// Eigenvectors 2 to k + 1 (by ascending eigenvalue) of the symmetric normalised Laplacian I - D^-1/2 A D^-1/2 of the
  /// graph with both directions of every edge and without weights, each of norm sqrt(N) and with its entry of largest
  /// magnitude positive (Dwivedi et al., "Benchmarking Graph Neural Networks", 2020, section 4.1; their signs are
  /// drawn).
  /// k columns, fewer than N - 1.
  kLaplacian,
  /// k columns of independent standard normal numbers of (seed, vertex, column).
  kRandom,
};

/// Words divided by commas: degree, onehot, pagerank, laplacian, random. Empty if `text` is no such list. Throws
/// UsageError if it is one, but a word stands twice or onehot beside others, or for "learned" among them, which is a
/// matter of training.
std::vector<MadeFeatures> parse_made_features(std::string_view text);

struct MadeFeatureOptions {
  /// Columns of kLaplacian and kRandom.
  core::Index columns = 16;
  std::uint64_t seed = 1;
};

/// Sets the features of `data` to these, side by side, and says so in the provenance. The same bits on any number of
/// threads. Throws Error if there are too many vertices (kOneHot) or too few (kLaplacian), or if the eigenvectors are
/// not found in 1000 restarts.
void make_features(GraphData& data, const std::vector<MadeFeatures>& kinds, const MadeFeatureOptions& options);

}  // namespace laminar::datasets
