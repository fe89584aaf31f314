#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/datasets/graph_data.hpp"
#include "laminar/datasets/splits.hpp"
#include "laminar/datasets/table_format.hpp"

namespace laminar::datasets {

/// What the ends of edges are in a text file.
enum class VertexIds : std::uint8_t {
  kAuto,     ///< numbers if the first edge's are
  kNumbers,  ///< whole numbers from 0
  kNames,    ///< any text
};
/// "auto", "numbers", "names". Throws UsageError for another word.
VertexIds parse_vertex_ids(std::string_view word);

/// How a list of edges in a text file is to be read.
struct EdgeListOptions {
  TableFormat format = {};
  VertexIds ids = VertexIds::kAuto;
  /// Columns by their names or numbers from 1. "FROM,TO"; empty: those of usual names, else the first two.
  std::string ends;
  /// Empty: see read_edge_list(); "none".
  std::string weight;
  /// "COLUMN,COLUMN,..."; "rest": all others; empty or "none".
  std::string edge_features;
};

/// What importers let their users choose; each uses what applies to it.
struct ImportOptions {
  /// Columns of features that are made by hashing, 1 or more.
  core::Index features_dim = 128;
  /// Whether an edge list tells directed edges.
  bool directed = false;
  EdgeListOptions edges = {};
  /// Vertices of an edge list of numbers; 0: as many as its numbers tell.
  core::Index vertices = 0;
  /// What text formats may take of the memory; 0: three quarters of the machine's.
  std::uint64_t max_memory_bytes = 0;
};

/// --max-memory in GiB as ImportOptions has it. Throws UsageError unless it is above 0 and below 10^9.
std::uint64_t parse_max_memory(double gib);

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
  /// Endings of the names of its inputs, divided by blanks; those of compression come behind them.
  std::string_view endings;
  ImportResult (*run)(const std::filesystem::path& input, const ImportOptions& options);
};

std::span<const Importer> importers();

/// Throws UsageError, listing those there are.
const Importer& find_importer(std::string_view name);

/// The importer that `input` is for by its name (`web.mtx.gz`), or by what a folder holds. Throws UsageError, with the
/// `option` that would say, if that can't be told, Error if there is no such file.
const Importer& importer_for(const std::filesystem::path& input, std::string_view option = "--from SOURCE");

/// Changes `data.splits` as the requests say, one after the other, and notes in `data.provenance` what was drawn;
/// splits that are there count as published. "published" alone draws one where there is none, unless fewer than 4
/// vertices are labelled, as one of its parts would be empty. Throws Error if there are too few labelled vertices, or
/// if two splits get the same name.
void add_splits(GraphData& data, std::span<const SplitRequest> requests, std::uint64_t seed);

}  // namespace laminar::datasets
