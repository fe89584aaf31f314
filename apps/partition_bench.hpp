#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"

/// What laminar-partition-bench measures: strategies x part counts x seeds on one graph.
namespace laminar::apps {

/// The figures of a run, each the smaller the better. Volumes are in rows.
struct BenchFigures {
  double edge_cut = 0;
  double total_volume = 0;
  double max_receive_volume = 0;
  double max_send_volume = 0;
  double replication_factor = 0;
  double vertex_balance = 0;
  double edge_balance = 0;
  double train_balance = 0;
  double memory_balance = 0;
  /// Of the strategy alone, and of the process that ran it, the graph included. NaN where not known.
  double seconds = 0;
  double peak_rss_mib = 0;
};

/// A column of tables and of the JSON file.
struct BenchColumn {
  const char* key;
  const char* title;
  double BenchFigures::*value;
  /// Digits after the point.
  int decimals;
};
const std::vector<BenchColumn>& bench_columns();

BenchFigures figures_of(const partition::PartitionMetrics& metrics, double seconds, double peak_rss_mib);

/// One partition and what it costs.
struct BenchRun {
  std::uint64_t seed = 0;
  BenchFigures figures;
  std::vector<std::int32_t> part_of;
};

/// All seeds of a strategy with a number of parts, or an assignment made elsewhere.
struct BenchEntry {
  std::string name;
  core::Index parts = 0;
  /// Read from files: no strategy of ours.
  bool compared = false;
  std::vector<BenchRun> runs;
  std::vector<std::string> remarks;
  /// Why there are no runs, or fewer.
  std::string failure;

  bool usable() const { return !runs.empty(); }
  /// Of each figure the median over the runs, and its least and largest.
  BenchFigures median() const;
  BenchFigures least() const;
  BenchFigures largest() const;
  /// The run whose total volume is the median (the lower of the middle two).
  const BenchRun& typical() const;
};

/// What one child process is asked.
struct BenchTask {
  std::string strategy;
  partition::PartitionOptions options;
  int threads = 0;
};

/// Runs a strategy in a child process, so that its time and its memory are its own, and so that what crashes or runs
/// out of memory is one failure among the results. The child measures too. No thread may have been started by oneTBB in
/// this process before: a fork does not take them along. Throws UsageError as Partitioners::run() does, and Error if
/// the child fails otherwise.
BenchRun run_in_child(const core::Graph& graph, const BenchTask& task, const partition::MeasureOptions& measure,
                      std::vector<std::string>& remarks);

/// An assignment of --compare: "[NAME=]FILE".
struct ComparedFile {
  std::string name;
  std::filesystem::path path;
};

/// Throws UsageError for a name or file that is empty. Without a name it is the file's, without extension.
ComparedFile parse_compared(const std::string& text);

/// Reads and measures it. A line "# seconds=1.5 peak_rss_mib=20" at the file's head tells what the tool took. Throws
/// Error as datasets::read_partition_file().
BenchEntry read_compared(const ComparedFile& file, const core::Graph& graph, const partition::MeasureOptions& measure);

/// Adds an entry, or its runs to the one of the same name and number of parts.
void add_entry(std::vector<BenchEntry>& entries, BenchEntry entry);

}  // namespace laminar::apps
