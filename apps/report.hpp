#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "laminar/apps/machine.hpp"
#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/train_options.hpp"
#include "laminar/pipeline/train_result.hpp"

namespace laminar::apps {

/// Vertices in a split; of a model of pairs the pairs.
struct SplitSize {
  std::string name;
  core::Index train = 0;
  core::Index val = 0;
  core::Index test = 0;
};

/// An option as the user would write it: {"layers", "64"}.
struct Setting {
  std::string name;
  std::string value;
};

/// Everything that a report page shows.
struct ReportData {
  /// What reproduces the run, as typed into a shell.
  std::string command;
  /// All options with their values, in the order they are to be listed.
  std::vector<Setting> configuration;
  layers::ModelOptions model;
  pipeline::TrainOptions options;
  /// Learnt values of the model.
  core::Index num_weights = 0;
  core::DatasetSchema schema;
  /// The graph file, where its content came from, and Graph::fingerprint() in hexadecimal; each may be empty.
  std::string dataset_file;
  std::string provenance;
  std::string fingerprint;
  /// The splits that were trained on, each once.
  std::vector<SplitSize> splits;
  /// One a run.
  std::vector<pipeline::TrainResult> results;
  /// Of the whole process; 0 = not known.
  std::uint64_t peak_rss_bytes = 0;
  Machine machine;
};

/// The page as one HTML document that needs nothing else: styles, charts (SVG) and script are inside, nothing is ever
/// fetched. It reads without JavaScript, in light and dark, and on paper. Whatever does not apply is left out: the
/// confusion matrix without classes, the table of runs for a single one. Numbers that are not finite are shown as a
/// dash and leave a gap in a chart. Long runs are thinned out for the charts, keeping extremes. Throws Error if there
/// are no results, or if a confusion matrix isn't [num_outputs, num_outputs]. Thread-safe.
std::string report_page(const ReportData& data);

/// Writes report_page() to a file, beside and renamed into place. Throws Error if it can't be written; what was there
/// stays.
void write_report(const std::filesystem::path& path, const ReportData& data);

}  // namespace laminar::apps
