#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/pipeline/pair_set.hpp"

namespace laminar::apps {

/// Pairs of vertices in the order of a text file: a pair a line, two vertices with a tab, a comma or blanks between
/// them, each its number in the graph file or, where the graph has names, its name (which wins). Empty lines, lines
/// that begin with '#' and a first line "source target" are passed over. Pairs keep the order of their two vertices.
/// Throws Error, naming file and line, if it can't be read, has no pairs, or a line is no pair of different vertices of
/// the graph.
std::vector<pipeline::Pair> read_pairs(const std::filesystem::path& path, core::Index num_vertices,
                                       const std::vector<std::string>& names);

/// What is known of each pair.
struct ScoredPairs {
  std::vector<pipeline::Pair> pairs;
  std::vector<double> scores;
  /// Whether an edge of the graph joins them already, in one direction or both.
  std::vector<std::uint8_t> joined;
  std::vector<std::string> names;
};

/// Writes them, beside and renamed into place: CSV "source,target,score,probability,joined" (after target
/// "source_name,target_name" where there are names), or HDF5 with attribute format = "laminar-pairs" and arrays
/// /source, /target (int32), /score, /probability (float32) and /joined (uint8). The probability is 1 / (1 +
/// exp(-score)).
void write_pairs(const std::filesystem::path& path, const ScoredPairs& pairs);

}  // namespace laminar::apps
