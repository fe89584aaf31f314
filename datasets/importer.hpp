#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/datasets/graph_data.hpp"
#include "laminar/datasets/splits.hpp"

namespace laminar::datasets {

/// What importers let their users choose; each uses what applies to it.
struct ImportOptions {
  SplitRequest split = {};
  /// Of random splits.
  std::uint64_t seed = 1;
  /// Columns of features that are made by hashing, 1 or more.
  core::Index features_dim = 128;
  /// Whether an edge list tells directed edges.
  bool directed = false;
};

struct ImportResult {
  GraphData data;
  /// A hash of the input, in words for people; empty where the input is a file that has a name and doesn't change.
  std::string fingerprint;
  /// What a user should know of the import, one sentence each: how much was skipped and why.
  std::vector<std::string> notes;
};

/// A row of the registry: something that graphs can be made from.
struct Importer {
  std::string_view name;
  std::string_view summary;
  /// Used where the user names no input; empty if one must be named.
  std::string_view default_input;
  ImportResult (*run)(const std::filesystem::path& input, const ImportOptions& options);
};

std::span<const Importer> importers();

/// Throws UsageError, listing those there are.
const Importer& find_importer(std::string_view name);

/// Fills in `data.splits` as `options.split` asks, and notes in `data.provenance` what was drawn; splits that the
/// importer has put there count as published. Without a request, fewer than 4 labelled vertices get no split, as one of
/// its parts would be empty.
void add_splits(GraphData& data, const ImportOptions& options);

}  // namespace laminar::datasets
