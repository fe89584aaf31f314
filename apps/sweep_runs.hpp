#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "laminar/apps/sweep_grid.hpp"
#include "laminar/core/metrics.hpp"

namespace laminar::apps {

/// One training of a sweep.
struct SweepRun {
  SweepPoint point;
  /// Place of `point` among those of the sweep.
  std::size_t configuration = 0;
  /// All options of the training that are not their defaults, a line each, without graph, split and seed.
  std::string options;
  /// Empty for models of pairs, which are split by the seed.
  std::string split;
  std::uint64_t seed = 0;
};

/// How it ended.
struct SweepResult {
  bool done = false;
  /// Exit code, or 128 + the signal that ended it.
  int exit_code = 0;
  /// Its last line on stderr, where it failed.
  std::string error = {};
  double wall_s = 0;
  /// The RESULT line.
  std::map<std::string, std::string> values = {};
  /// A value as a number; NaN if it is not there or none.
  double number(const std::string& key) const;
};

/// The results of a sweep in a folder, a JSON file a run, named by a hash of all that defines the run: so a sweep that
/// is started again goes on, and a grid that has grown keeps what is there. One thread at a time.
class SweepFolder {
 public:
  /// `graph`: what tells the graph from others. Makes the folder. Throws Error if it can't be made.
  SweepFolder(std::filesystem::path folder, std::string graph);

  const std::filesystem::path& path() const { return folder_; }
  /// The file of a run, without its extension.
  std::filesystem::path stem(const SweepRun& run) const;
  /// What is there of a run: nothing if there is no file, or if it can't be read as what store() writes.
  std::optional<SweepResult> find(const SweepRun& run) const;
  /// Throws Error if it can't be written.
  void store(const SweepRun& run, const SweepResult& result) const;

 private:
  std::string key(const SweepRun& run) const;
  std::filesystem::path folder_;
  std::string graph_;
};

/// The key=value pairs of the RESULT line, the last one of a program's output; empty without one.
std::map<std::string, std::string> result_values(const std::string& output);

/// A configuration with its runs, as the table has it.
struct SweepRow {
  SweepPoint point;
  std::size_t runs = 0;
  std::size_t failed = 0;
  /// Means, and standard errors of the means (NaN of a single run), over runs that are done.
  double val = 0, val_error = 0;
  double test = 0, test_error = 0;
  double epoch_ms = 0;
};

/// The results of all runs (nothing = not done yet) by configuration, the best on validation first; configurations with
/// runs that failed or are missing behind those without. `metric` says what better is.
std::vector<SweepRow> sweep_rows(const std::vector<SweepRun>& runs,
                                 const std::vector<std::optional<SweepResult>>& results, core::Metric metric);

/// For people: a row a configuration.
std::string sweep_table(const std::vector<SweepRow>& rows, core::Metric metric, std::size_t planned);
/// A row a run: the options of the grid, split, seed, status and the numbers of the RESULT line.
std::string sweep_csv(const std::vector<SweepRun>& runs, const std::vector<std::optional<SweepResult>>& results);
/// One object: program, version, graph, fixed options, metric, configurations in the order of `rows`, runs.
std::string sweep_json(const std::vector<SweepRun>& runs, const std::vector<std::optional<SweepResult>>& results,
                       const std::vector<SweepRow>& rows, core::Metric metric, const std::string& graph,
                       const std::vector<std::string>& fixed);

}  // namespace laminar::apps
