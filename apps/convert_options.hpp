#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "laminar/datasets/feature_storage.hpp"
#include "laminar/datasets/generators.hpp"
#include "laminar/datasets/graph_changes.hpp"
#include "laminar/datasets/half_hop.hpp"
#include "laminar/datasets/importer.hpp"
#include "laminar/datasets/made_features.hpp"
#include "laminar/datasets/vertex_tables.hpp"

namespace laminar::apps {

/// What laminar-convert is to do.
struct ConvertRequest {
  /// One of the two.
  const datasets::Importer* importer = nullptr;
  const datasets::Generator* generator = nullptr;
  std::filesystem::path input;
  datasets::GeneratorOptions generate;
  std::filesystem::path out;
  std::string name;
  datasets::ImportOptions import;
  datasets::TableOptions tables;
  /// To be computed, or else from a file.
  std::vector<datasets::MadeFeatures> made_features;
  datasets::MadeFeatureOptions made;
  /// Files; empty: none.
  std::string features;
  std::string labels;
  std::string splits_file;
  core::Task task = core::Task::kClassification;
  std::vector<datasets::SplitRequest> splits;
  datasets::FeatureStorage storage = datasets::FeatureStorage::kAuto;
  // In this order.
  bool undirected = false;
  std::optional<datasets::SelfLoops> self_loops;
  /// A file of vertices or a number of them; empty: all.
  std::string subgraph;
  bool largest_component = false;
  std::optional<datasets::Relabel> relabel;
  std::optional<datasets::HalfHop> half_hop;
  std::uint64_t seed = 1;
  int compression = 1;
};

/// The request of a command line; nothing if that asked for help or the version, which are printed. Throws UsageError
/// for what can't be meant, Error if the input isn't there.
std::optional<ConvertRequest> parse_convert_request(int argc, char** argv);

}  // namespace laminar::apps
