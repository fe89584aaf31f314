#pragma once

#include <string>

#include "laminar/apps/report.hpp"

/// The parts of a report page, as HTML; "" where one doesn't apply. All expect at least one result. Thread-safe.
namespace laminar::apps {

/// Loss, metric, learning rate, gradient norm, and time by phase over epochs. Of several runs each is a thin curve, and
/// the mean of all is drawn over the epochs that every run has.
std::string curves_section(const ReportData& data);

/// Median and total time of each phase over all epochs of all runs.
std::string phases_card(const ReportData& data);

/// What several devices did: the last epoch's steps drawn over time, busy, waiting and sending time, bytes by cause,
/// memory by device, and how stale the history was over the epochs. Of several runs tables are of all, drawings of the
/// last. For runs on several devices or with history only.
std::string devices_section(const ReportData& data);

/// Classes of the test set by the best epoch's model, added up over runs: heat map of the confusion matrix (of its
/// largest classes if there are many), most frequent mistakes, and precision, recall and F1 of each class. Throws Error
/// if a confusion matrix isn't [num_outputs, num_outputs].
std::string classes_section(const ReportData& data);

/// Positives, precision, recall and F1 of each label of the test set by the best epoch's model, added up over runs; ""
/// if there are no labels.
std::string labels_section(const ReportData& data);

/// Metrics of pairs on the validation and test sets; "" for a model of vertices.
std::string pairs_section(const ReportData& data);

/// A row a run, with mean and standard deviation; "" for a single run.
std::string runs_section(const ReportData& data);

/// Peak bytes by purpose: the largest over runs.
std::string memory_card(const ReportData& data);

/// The command and all options.
std::string configuration_section(const ReportData& data);

/// What was trained on, and where.
std::string environment_section(const ReportData& data);

/// "gcn", "residual sage".
std::string model_name(const ReportData& data);
/// Name of class or output `c`, or its number.
std::string output_name(const core::DatasetSchema& schema, std::size_t c);
/// Bytes that the largest run held at its peak: tensors and graph.
std::uint64_t peak_bytes(const ReportData& data);
/// "all epochs", "early stop", ...
std::string_view readable_name(pipeline::Ending ending);

}  // namespace laminar::apps
