#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "laminar/apps/partition_bench.hpp"
#include "laminar/partition/vertex_cut.hpp"

namespace laminar::apps {

/// A vertex cut's figures, of one strategy and number of parts.
struct VertexCutEntry {
  std::string name;
  core::Index parts = 0;
  double replication_factor = 1;
  double edge_balance = 1;
  double seconds = 0;
};

/// A table of the entries with `parts` parts for a terminal: medians over seeds, the spread of the total volume (half
/// of largest - least, in percent of the median) if there are several, and the best value of a column marked by a "*"
/// (and bold where `bold`). Of entries without runs the reason stands below.
std::string bench_table(const std::vector<BenchEntry>& entries, core::Index parts, bool bold);

/// The same of vertex cuts, all numbers of parts together; "" if there are none.
std::string vertex_cut_table(const std::vector<VertexCutEntry>& entries, bool bold);

/// Every run's figures, medians, and the marks, for programs.
nlohmann::ordered_json to_json(const BenchEntry& entry);
nlohmann::ordered_json to_json(const VertexCutEntry& entry);

/// The least median of a column among entries with `parts` parts; NaN if there is none.
double best_of(const std::vector<BenchEntry>& entries, core::Index parts, const BenchColumn& column);

/// The first remark of an entry, and how many more there are: seeds differ in their numbers only. "" without remarks.
std::string remarks_text(const BenchEntry& entry);

/// A figure as tables show it; "-" unless finite.
std::string figure_text(const BenchColumn& column, double value);

/// Whether any of the entries has something to tell in that column: known values that are not all 1 or 0.
bool is_telling(const std::vector<BenchEntry>& entries, const BenchColumn& column);

}  // namespace laminar::apps
