/// Metrics that merge over devices. Sums of squares about a mean are updated and merged by the formulas of Chan, Golub
/// and LeVeque 1983, which lose nothing where the mean is large beside the deviations.
#include "laminar/core/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/names.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/ranking.hpp"

namespace laminar::core {
namespace {

constexpr std::array<std::string_view, 14> kNames = {"accuracy",          "macro-f1", "micro-f1", "roc-auc", "mse",
                                                     "average-precision", "rmse",     "mae",      "r2",      "mrr",
                                                     "hits@10",           "hits@20",  "hits@50",  "hits@100"};
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

// Places in sums_.
constexpr std::size_t kRows = 0;
constexpr std::size_t kNotFinite = 1;
constexpr std::size_t kFirst = 2;

/// Row `row` of x as float64; false if one of them is not finite.
bool read_row(const Tensor& x, Index row, std::vector<double>& out) {
  dispatch(x.dtype(), [&]<class T>(T) {
    const T* p = x.data<T>() + row * x.cols();
    std::copy(p, p + x.cols(), out.begin());
  });
  return std::all_of(out.begin(), out.end(), [](double v) { return std::isfinite(v); });
}

std::size_t targets_needed(const Labels& labels, Index vertices) {
  return static_cast<std::size_t>(labels.task == Task::kClassification ? vertices : vertices * labels.num_outputs);
}

std::size_t num_targets(const Labels& labels) {
  switch (labels.task) {
    case Task::kClassification:
      return labels.classes.size();
    case Task::kMultiLabel:
      return labels.multi_label.size();
    case Task::kRegression:
      return labels.targets.size();
    case Task::kNone:
      break;
  }
  return 0;
}

/// Throws unless vertex v has a target that can be scored.
void check_target(const Labels& labels, Index v) {
  if (v < 0 || num_targets(labels) < targets_needed(labels, v + 1)) {
    throw Error(fmt::format("[metric] vertex {} has no target; labels end before it", v));
  }
  if (labels.task == Task::kClassification && (labels.classes[v] < 0 || labels.classes[v] >= labels.num_outputs)) {
    throw Error(
        fmt::format("[metric] vertex {} has class {}; expected 0 to {}", v, labels.classes[v], labels.num_outputs - 1));
  }
  if (labels.task == Task::kMultiLabel) {
    for (Index c = 0; c < labels.num_outputs; ++c) {
      if (const auto y = labels.multi_label[v * labels.num_outputs + c]; y > 1) {
        throw Error(fmt::format("[metric] vertex {} has {} for label {}; expected 0 or 1", v, y, c));
      }
    }
  }
}

double f1(double tp, double fp, double fn) { return 2 * tp / (2 * tp + fp + fn); }

}  // namespace

std::string_view name_of(Metric metric) { return kNames[static_cast<std::size_t>(metric)]; }

Metric metric_from_name(std::string_view name) { return detail::from_name<Metric>("metric", kNames, name); }

Metric default_metric(Task task) {
  switch (task) {
    case Task::kClassification:
      return Metric::kAccuracy;
    case Task::kMultiLabel:
      return Metric::kRocAuc;
    case Task::kRegression:
      return Metric::kMse;
    case Task::kNone:
      break;
  }
  throw UsageError("there is no metric for a dataset without labels");
}

Index predicted_class(const Tensor& logits, Index row) {
  if (row < 0 || row >= logits.rows() || logits.cols() < 1) {
    throw Error(fmt::format("[predicted_class] row {} of logits [{}, {}]", row, logits.rows(), logits.cols()));
  }
  return dispatch(logits.dtype(), [&]<class T>(T) -> Index {
    const T* x = logits.data<T>() + row * logits.cols();
    return std::max_element(x, x + logits.cols()) - x;
  });
}

MetricAccumulator::MetricAccumulator(Metric metric, Task task, Index num_outputs)
    : metric_(metric), task_(task), num_outputs_(num_outputs) {
  const bool fits = task == Task::kRegression ? is_of_regression(metric) : task != Task::kNone && is_of_labels(metric);
  if (!fits) throw UsageError(fmt::format("metric {} does not go with the task {}", name_of(metric), name_of(task)));
  if (num_outputs < 1) throw Error(fmt::format("[metric] {} outputs; expected 1 or more", num_outputs));
  const auto outputs = static_cast<std::size_t>(num_outputs);
  sums_.resize(kFirst + (is_error(metric) ? 1 : ranks() ? 0 : 3 * outputs));
  if (ranks()) {
    const bool classes = task == Task::kClassification;
    num_scores_ = classes && num_outputs <= 2 ? 1 : num_outputs;
    num_targets_ = classes ? 1 : num_outputs;
  }
}

void MetricAccumulator::count_classes(std::span<const double> x, Index actual) {
  const Index predicted = std::max_element(x.begin(), x.end()) - x.begin();
  double* counts = sums_.data() + kFirst;
  if (predicted == actual) {
    ++counts[3 * actual];
  } else {
    ++counts[3 * predicted + 1];
    ++counts[3 * actual + 2];
  }
}

void MetricAccumulator::count_labels(std::span<const double> x, const std::uint8_t* labels) {
  double* counts = sums_.data() + kFirst;
  for (Index c = 0; c < num_outputs_; ++c) {
    const bool predicted = x[c] > 0;
    const bool actual = labels[c] != 0;
    if (predicted && actual) ++counts[3 * c];
    if (predicted && !actual) ++counts[3 * c + 1];
    if (!predicted && actual) ++counts[3 * c + 2];
  }
}

/// `count`: of rows, this one included.
void MetricAccumulator::add_numbers(std::span<const double> x, const float* targets, double count) {
  for (Index c = 0; c < num_outputs_; ++c) {
    const auto y = static_cast<double>(targets[c]);
    const double difference = x[c] - y;
    if (metric_ == Metric::kR2) {
      double* sums = sums_.data() + kFirst + 3 * c;
      sums[0] += difference * difference;
      const double from_mean = y - sums[1];
      sums[1] += from_mean / count;
      sums[2] += from_mean * (y - sums[1]);
    } else {
      sums_[kFirst] += metric_ == Metric::kMae ? std::abs(difference) : difference * difference;
    }
  }
}

void MetricAccumulator::keep_scores(std::span<const double> x, const Labels& labels, Index vertex) {
  if (task_ == Task::kMultiLabel) {
    scores_.insert(scores_.end(), x.begin(), x.end());
    const auto first = labels.multi_label.begin() + vertex * num_outputs_;
    scores_.insert(scores_.end(), first, first + num_outputs_);
    return;
  }
  if (num_outputs_ <= 2) {
    scores_.push_back(num_outputs_ == 2 ? x[1] - x[0] : x[0]);
  } else {
    const double top = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (const double v : x) sum += std::exp(v - top);
    for (const double v : x) scores_.push_back(v - top - std::log(sum));
  }
  scores_.push_back(labels.classes[vertex]);
}

void MetricAccumulator::add(const Tensor& predictions, const Labels& labels, std::span<const VertexId> rows,
                            std::span<const VertexId> vertices) {
  if (labels.task != task_ || labels.num_outputs != num_outputs_ || predictions.cols() != num_outputs_) {
    throw Error(fmt::format("[metric] predictions of width {} and labels of {} outputs ({}); expected {} ({})",
                            predictions.cols(), labels.num_outputs, name_of(labels.task), num_outputs_,
                            name_of(task_)));
  }
  if (!vertices.empty() && vertices.size() != rows.size()) {
    throw Error(fmt::format("[metric] {} vertices for {} rows", vertices.size(), rows.size()));
  }
  const auto vertex_of = [&](std::size_t i) { return vertices.empty() ? rows[i] : vertices[i]; };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0 || rows[i] >= predictions.rows()) {
      throw Error(fmt::format("[metric] row {} of predictions with {} rows", rows[i], predictions.rows()));
    }
    check_target(labels, vertex_of(i));
  }
  if (ranks()) scores_.reserve(scores_.size() + rows.size() * (num_scores_ + num_targets_));
  const double before = sums_[kRows];
  sums_[kRows] += static_cast<double>(rows.size());
  std::vector<double> x(static_cast<std::size_t>(num_outputs_));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Index vertex = vertex_of(i);
    if (!read_row(predictions, rows[i], x)) {
      ++sums_[kNotFinite];
    } else if (task_ == Task::kRegression) {
      add_numbers(x, labels.targets.data() + vertex * num_outputs_, before + static_cast<double>(i + 1));
    } else if (ranks()) {
      keep_scores(x, labels, vertex);
    } else if (task_ == Task::kClassification) {
      count_classes(x, labels.classes[vertex]);
    } else {
      count_labels(x, labels.multi_label.data() + vertex * num_outputs_);
    }
  }
}

void MetricAccumulator::merge(const MetricAccumulator& other) { merge_packed(other.pack()); }

std::vector<double> MetricAccumulator::pack() const {
  std::vector<double> packed = {static_cast<double>(metric_), static_cast<double>(task_),
                                static_cast<double>(num_outputs_)};
  packed.insert(packed.end(), sums_.begin(), sums_.end());
  packed.insert(packed.end(), scores_.begin(), scores_.end());
  return packed;
}

void MetricAccumulator::merge_packed(std::span<const double> packed) {
  constexpr std::size_t kHeader = 3;
  const bool fits = packed.size() >= kHeader + sums_.size() && packed[0] == static_cast<double>(metric_) &&
                    packed[1] == static_cast<double>(task_) && packed[2] == static_cast<double>(num_outputs_);
  const auto record = static_cast<std::size_t>(num_scores_ + num_targets_);
  const std::size_t scores = fits ? packed.size() - kHeader - sums_.size() : 0;
  if (!fits || (record == 0 ? scores != 0 : scores % record != 0)) {
    throw Error(fmt::format("[metric] what is to be merged is not {} of {} outputs ({})", name_of(metric_),
                            num_outputs_, name_of(task_)));
  }
  const std::span<const double> other = packed.subspan(kHeader, sums_.size());
  if (metric_ == Metric::kR2) {
    const double here = sums_[kRows];
    const double there = other[kRows];
    for (std::size_t i = kFirst; i < sums_.size() && there > 0; i += 3) {
      const double apart = other[i + 1] - sums_[i + 1];
      sums_[i] += other[i];
      sums_[i + 1] += apart * there / (here + there);
      sums_[i + 2] += other[i + 2] + apart * apart * here * there / (here + there);
    }
    sums_[kRows] += other[kRows];
    sums_[kNotFinite] += other[kNotFinite];
    return;
  }
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += other[i];
  scores_.insert(scores_.end(), packed.end() - static_cast<std::ptrdiff_t>(scores), packed.end());
}

std::int64_t MetricAccumulator::num_rows() const { return static_cast<std::int64_t>(sums_[kRows]); }

double MetricAccumulator::accuracy() const {
  double right = 0;
  double wrong_labels = 0;
  for (std::size_t i = kFirst; i < sums_.size(); i += 3) {
    right += sums_[i];
    wrong_labels += sums_[i + 1] + sums_[i + 2];
  }
  if (task_ == Task::kClassification) return right / sums_[kRows];
  return 1 - wrong_labels / (sums_[kRows] * static_cast<double>(num_outputs_));
}

double MetricAccumulator::macro_f1() const {
  double sum = 0;
  double classes = 0;
  for (std::size_t i = kFirst; i < sums_.size(); i += 3) {
    if (sums_[i] + sums_[i + 1] + sums_[i + 2] == 0) continue;
    sum += f1(sums_[i], sums_[i + 1], sums_[i + 2]);
    ++classes;
  }
  return classes > 0 ? sum / classes : kUndefined;
}

double MetricAccumulator::micro_f1() const {
  std::array<double, 3> total{};
  for (std::size_t i = kFirst; i < sums_.size(); ++i) total[(i - kFirst) % 3] += sums_[i];
  return f1(total[0], total[1], total[2]);
}

double MetricAccumulator::r2() const {
  double sum = 0;
  double varying = 0;
  for (std::size_t i = kFirst; i < sums_.size(); i += 3) {
    if (!(sums_[i + 2] > 0)) continue;
    sum += 1 - sums_[i] / sums_[i + 2];
    ++varying;
  }
  return varying > 0 ? sum / varying : kUndefined;
}

double MetricAccumulator::ranking() const {
  const Index record = num_scores_ + num_targets_;
  const Index n = static_cast<Index>(scores_.size()) / record;
  std::vector<double> areas(static_cast<std::size_t>(num_scores_));
  parallel_for(num_scores_, 1, [&](Index begin, Index end) {
    std::vector<Scored> pairs(static_cast<std::size_t>(n));
    for (Index c = begin; c < end; ++c) {
      const double positive = num_scores_ == 1 ? 1 : static_cast<double>(c);
      for (Index i = 0; i < n; ++i) {
        const double* r = scores_.data() + i * record;
        pairs[i] = {r[c], num_targets_ == 1 && task_ == Task::kClassification ? r[num_scores_] == positive
                                                                              : r[num_scores_ + c] != 0};
      }
      areas[c] = metric_ == Metric::kRocAuc ? core::roc_auc(pairs) : core::average_precision(pairs);
    }
  });
  double sum = 0;
  double defined = 0;
  for (const double area : areas) {
    if (std::isnan(area)) continue;
    sum += area;
    ++defined;
  }
  return defined > 0 ? sum / defined : kUndefined;
}

double MetricAccumulator::value() const {
  if (sums_[kRows] == 0 || sums_[kNotFinite] > 0) return kUndefined;
  switch (metric_) {
    case Metric::kAccuracy:
      return accuracy();
    case Metric::kMacroF1:
      return macro_f1();
    case Metric::kMicroF1:
      return micro_f1();
    case Metric::kRocAuc:
    case Metric::kAveragePrecision:
      return ranking();
    case Metric::kMse:
    case Metric::kMae:
      return sums_[kFirst] / (sums_[kRows] * static_cast<double>(num_outputs_));
    case Metric::kRmse:
      return std::sqrt(sums_[kFirst] / (sums_[kRows] * static_cast<double>(num_outputs_)));
    case Metric::kR2:
      return r2();
    case Metric::kMrr:
    case Metric::kHits10:
    case Metric::kHits20:
    case Metric::kHits50:
    case Metric::kHits100:
      break;  // refused by the constructor
  }
  return kUndefined;
}

}  // namespace laminar::core
