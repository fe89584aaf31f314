#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/tensor.hpp"

namespace laminar::core {

/// What is measured of predictions. See higher_is_better() and is_share().
enum class Metric : std::uint8_t {
  /// Classification: share of rows whose largest logit (the first of equals) is the class. Multi-label: share of
  /// (row, label) pairs that are right, a label being predicted where its logit is above 0.
  kAccuracy,
  /// The mean of 2 tp / (2 tp + fp + fn) over the classes or labels that occur among targets or predictions.
  kMacroF1,
  /// 2 tp / (2 tp + fp + fn) with tp, fp, fn summed over classes or labels. The accuracy, for classification.
  kMicroF1,
  /// The probability that a positive row scores higher than a negative one, ties counting half: from midranks.
  /// Classification into 2 classes: of class 1, scored by logit_1 - logit_0. Into more: the mean over the classes, each
  /// against the rest, scored by log softmax. Multi-label: the mean over labels, scored by the logit. Classes and
  /// labels that don't have both positives and negatives are left out.
  kRocAuc,
  /// Regression: the mean over rows and targets of the squared difference.
  kMse,
  /// The mean over labels of average_precision(), with scores and labels left out as for kRocAuc.
  kAveragePrecision,
  /// Regression: the root of kMse.
  kRmse,
  /// Regression: the mean over rows and targets of the absolute difference.
  kMae,
  /// Regression: the mean over targets of 1 - sum (y - x)^2 / sum (y - mean y)^2, targets that never vary left out.
  kR2,
  /// Of pairs of vertices only: mean_reciprocal_rank() and hits_at() (core/ranking.hpp).
  kMrr,
  kHits10,
  kHits20,
  kHits50,
  kHits100,
};

/// "accuracy", "macro-f1", "micro-f1", "roc-auc", "mse", "average-precision", "rmse", "mae", "r2", "mrr", "hits@10",
/// "hits@20", "hits@50", "hits@100".
std::string_view name_of(Metric metric);
/// The inverse. Throws UsageError, naming those there are.
Metric metric_from_name(std::string_view name);
/// Accuracy for classification, ROC AUC for multi-label, MSE for regression. Throws UsageError for kNone.
Metric default_metric(Task task);
/// Whether it is an error: kMse, kRmse, kMae.
constexpr bool is_error(Metric metric) {
  return metric == Metric::kMse || metric == Metric::kRmse || metric == Metric::kMae;
}
/// False for errors.
constexpr bool higher_is_better(Metric metric) { return !is_error(metric); }
/// Whether it lies in [0, 1]: all but errors and kR2.
constexpr bool is_share(Metric metric) { return !is_error(metric) && metric != Metric::kR2; }
/// Whether it is of numbers, of labels; ROC AUC and average precision are of labels and of pairs.
constexpr bool is_of_regression(Metric metric) { return !is_share(metric); }
constexpr bool is_of_labels(Metric metric) { return is_share(metric) && metric < Metric::kMrr; }

/// The column of the largest logit of a row, the first of equals. Throws Error if out of range or without columns.
Index predicted_class(const Tensor& logits, Index row);

/// A metric over rows that come in pieces, on one device or many: each adds its own, one merges all. What is kept are
/// counts, and for ROC AUC and average precision every (scores, target), so that value() is exact; it doesn't depend on
/// how rows were divided or on the order of merging, except that the metrics of regression add float64 sums in the
/// order of merging. Not thread-safe.
class MetricAccumulator {
 public:
  /// Throws UsageError if the metric isn't one of the task's: MSE, RMSE, MAE and R2 go with regression and only with
  /// it, those of pairs only go with none.
  /// Throws Error unless num_outputs >= 1.
  MetricAccumulator(Metric metric, Task task, Index num_outputs);

  /// Scores rows `rows` of `predictions` [n, num_outputs] (logits; for regression the values). Row rows[i] is vertex
  /// vertices[i] of `labels`, or vertex rows[i] if `vertices` is empty. Throws Error, having added nothing: labels of
  /// another task or width, a row or vertex out of range, an unknown class, a multi-label target beside 0 and 1, as
  /// many vertices as neither 0 nor rows.
  void add(const Tensor& predictions, const Labels& labels, std::span<const VertexId> rows,
           std::span<const VertexId> vertices = {});

  /// Adds what `other` has. Throws Error if it is of another metric, task or width.
  void merge(const MetricAccumulator& other);

  /// What this one has, in a form that can be sent: merge_packed(pack()) of another is merge() of it. Throws Error if
  /// `packed` isn't from an accumulator of the same metric, task and width.
  std::vector<double> pack() const;
  void merge_packed(std::span<const double> packed);

  /// The metric. NaN if nothing was added, if a prediction was not finite, for F1 if there are no labels, neither
  /// predicted nor true, for ROC AUC and average precision if no class or label has both positives and negatives, and
  /// for R2 if no target varies.
  double value() const;

  Metric metric() const { return metric_; }
  /// Rows added and merged so far.
  std::int64_t num_rows() const;

 private:
  void count_classes(std::span<const double> x, Index actual);
  void count_labels(std::span<const double> x, const std::uint8_t* labels);
  void keep_scores(std::span<const double> x, const Labels& labels, Index vertex);
  double accuracy() const;
  double macro_f1() const;
  double micro_f1() const;
  double ranking() const;
  double r2() const;
  bool ranks() const { return metric_ == Metric::kRocAuc || metric_ == Metric::kAveragePrecision; }
  void add_numbers(std::span<const double> x, const float* targets, double count);

  Metric metric_;
  Task task_;
  Index num_outputs_;
  /// Columns of scores, and of targets, in a record of scores_.
  Index num_scores_ = 0;
  Index num_targets_ = 0;
  /// What adds up: rows, rows that are not finite, then tp, fp, fn of each output, or the sum of errors, or for R2, of
  /// each target, the sum of squared errors, the mean and the sum of squares about it. Counts below 2^53 are exact.
  std::vector<double> sums_;
  /// ROC AUC and average precision: num_scores_ + num_targets_ numbers a row.
  std::vector<double> scores_;
};

}  // namespace laminar::core
