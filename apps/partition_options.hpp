#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/apps/command_line.hpp"
#include "laminar/apps/partition_input.hpp"
#include "laminar/datasets/importer.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::apps {

/// How a graph is read and partitioned, as laminar-partition and laminar-partition-bench are both asked.
struct PartitionRequest {
  std::filesystem::path graph;
  /// "auto" or the name of an importer.
  std::string format = "auto";
  /// Whether an edge list tells directed edges; what text may take of the memory.
  datasets::ImportOptions import = {};
  std::string split;
  /// Take vertices of weight 1 even if the file weighs them.
  bool ignore_weights = false;
  partition::PartitionOptions options;
  int threads = 0;
  /// Values in a row, for volumes in bytes.
  core::Index width = 128;
};

/// Adds rows for what a strategy may be told that neither the graph nor the other strategies share: objective, preset,
/// balances, bound, limit of time. `options` must outlive `line`.
void add_strategy_options(CommandLine& line, partition::PartitionOptions& options);

/// Adds the rows of these options in groups "Graph" and "Partition"; `request` must outlive `line`.
void add_partition_options(CommandLine& line, PartitionRequest& request);

/// Throws UsageError unless a graph is named, the threads are a possible number, and the width is positive.
void check(const PartitionRequest& request);

/// Throws UsageError if training vertices are to be balanced and `graph` has none.
void require_training_vertices(const partition::PartitionOptions& options, const std::filesystem::path& graph);

/// The graph, with weights and training vertices moved to where strategies look for them.
PartitionInput read_input(PartitionRequest& request);

/// A strategy with options of its own, as a benchmark compares them.
struct StrategyVariant {
  /// As it was given; its name in tables.
  std::string text;
  std::string strategy;
  partition::PartitionOptions options;
};
/// "NAME", or "NAME:OPTION=VALUE:..." with options of add_strategy_options() that replace those of `common`, such as
/// "laminar:objective=max:edge-imbalance=.1". Throws UsageError if there is no such strategy or option, or a value is
/// wrong.
StrategyVariant parse_variant(const std::string& text, const partition::PartitionOptions& common);

/// A number of parts, or of hosts and devices on each.
struct PartsShape {
  /// Parts of the first level, and of each of these; 1 for a plain number.
  core::Index first = 0;
  core::Index second = 1;
};
/// "8", or "4x8". Throws UsageError "expected ...".
PartsShape parse_parts(std::string_view text);

/// The texts between commas, without blanks at their ends. Throws UsageError if one is empty.
std::vector<std::string> split_at_commas(std::string_view text);

/// The registry for people: names, what they do and heed, where they come from.
std::string strategies_text();

/// laminar if this build has it, else the first strategy there is.
std::string default_strategy();

}  // namespace laminar::apps
