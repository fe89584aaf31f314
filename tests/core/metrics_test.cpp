#include "laminar/core/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/confusion_matrix.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"

using namespace laminar::core;
using laminar::Error;
using laminar::UsageError;

namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();

Labels classes(Index num_classes, std::vector<std::int32_t> values) {
  Labels l;
  l.task = Task::kClassification;
  l.num_outputs = num_classes;
  l.classes = std::move(values);
  return l;
}

Labels multi_label(Index num_labels, std::vector<std::uint8_t> values) {
  Labels l;
  l.task = Task::kMultiLabel;
  l.num_outputs = num_labels;
  l.multi_label = std::move(values);
  return l;
}

Labels regression(Index num_targets, std::vector<float> values) {
  Labels l;
  l.task = Task::kRegression;
  l.num_outputs = num_targets;
  l.targets = std::move(values);
  return l;
}

std::vector<VertexId> all_rows(Index n) {
  std::vector<VertexId> rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

double score(Metric metric, const Tensor& x, const Labels& labels) {
  MetricAccumulator m(metric, labels.task, labels.num_outputs);
  m.add(x, labels, all_rows(x.rows()));
  CHECK(m.num_rows() == x.rows());
  return m.value();
}

/// Logits whose largest is at the given class.
Tensor one_hot(Index num_classes, const std::vector<Index>& predicted, DType dtype = DType::kFloat64) {
  Tensor x = Tensor::zeros(static_cast<Index>(predicted.size()), num_classes, dtype);
  for (std::size_t i = 0; i < predicted.size(); ++i) x.set(static_cast<Index>(i), predicted[i], 1);
  return x;
}

/// All pairs of a positive and a negative, ties counting half.
double area_by_pairs(const std::vector<double>& scores, const std::vector<bool>& positive) {
  double won = 0;
  double pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (!positive[i] || positive[j]) continue;
      won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
      ++pairs;
    }
  }
  return won / pairs;
}

}  // namespace

TEST_CASE_TEMPLATE("accuracy and F1 of classes", T, float, double) {
  // Class 0: tp 2, fp 1, fn 0. Class 1: tp 1, fp 0, fn 1. Class 2: tp 1, fp 1, fn 1. Class 3 does not occur.
  const Labels labels = classes(4, {0, 0, 1, 1, 2, 2});
  const Tensor x = one_hot(4, {0, 0, 1, 2, 2, 0}, DTypeOf<T>::value);
  CHECK(score(Metric::kAccuracy, x, labels) == doctest::Approx(4. / 6).epsilon(1e-15));
  CHECK(score(Metric::kMicroF1, x, labels) == doctest::Approx(4. / 6).epsilon(1e-15));
  CHECK(score(Metric::kMacroF1, x, labels) == doctest::Approx((4. / 5 + 2. / 3 + 2. / 4) / 3).epsilon(1e-15));
}

TEST_CASE("of equal logits the first wins") {
  const Tensor x = Tensor::from(1, 3, std::vector<double>{1, 2, 2});
  CHECK(predicted_class(x, 0) == 1);
  CHECK_THROWS_AS(predicted_class(x, 1), Error);
  CHECK_THROWS_AS(predicted_class(x, -1), Error);
  CHECK_THROWS_AS(predicted_class(Tensor(1, 0, DType::kFloat32), 0), Error);
}

TEST_CASE("accuracy and F1 of labels") {
  // Label 0: tp 1, fp 1, fn 0. Label 1: tp 0, fp 0, fn 1. Label 2: nothing but right zeros.
  const Labels labels = multi_label(3, {1, 0, 0, 0, 1, 0});
  const Tensor x = Tensor::from(2, 3, std::vector<double>{1, -1, -1, 1, 0, -1});
  CHECK(score(Metric::kAccuracy, x, labels) == doctest::Approx(4. / 6).epsilon(1e-15));
  CHECK(score(Metric::kMicroF1, x, labels) == 0.5);
  CHECK(score(Metric::kMacroF1, x, labels) == doctest::Approx((2. / 3 + 0) / 2).epsilon(1e-15));
}

TEST_CASE("mean squared error") {
  const Labels labels = regression(2, {0, 0, 1, 1});
  CHECK(score(Metric::kMse, Tensor::from(2, 2, std::vector<double>{1, 2, 1, 4}), labels) == 14. / 4);
}

TEST_CASE("binary ROC AUC by hand, with ties") {
  // Scores .8+ .4+ .4+ .4- .2-: of 6 pairs, 4 are won and 2 tied.
  const Tensor x = Tensor::from(5, 2, std::vector<double>{.1, .9, 1, 1.5, 2, 2.5, 0, .5, .3, .5});
  CHECK(score(Metric::kRocAuc, x, classes(2, {1, 1, 1, 0, 0})) == doctest::Approx(5. / 6).epsilon(1e-15));
  CHECK(score(Metric::kRocAuc, x, classes(2, {0, 0, 0, 1, 1})) == doctest::Approx(1. / 6).epsilon(1e-15));
  CHECK(score(Metric::kRocAuc, Tensor::zeros(4, 2, DType::kFloat32), classes(2, {0, 1, 1, 0})) == 0.5);
}

TEST_CASE("ROC AUC agrees with a count of all pairs") {
  const Index n = 200;
  const Index c = 4;
  // Coarse values for labels, so that scores tie; fine ones for classes, whose probabilities would tie but for
  // rounding.
  Tensor coarse(n, c, DType::kFloat64);
  Tensor fine(n, c, DType::kFloat64);
  std::vector<std::int32_t> class_of(n);
  std::vector<std::uint8_t> bits(n * c);
  for (Index i = 0; i < n; ++i) {
    // Class 3 never occurs, and is left out.
    class_of[i] = static_cast<std::int32_t>(random_below({1, 2}, i, 3));
    for (Index j = 0; j < c; ++j) {
      const auto at = static_cast<std::uint64_t>(i * c + j);
      coarse.set(i, j, static_cast<double>(random_below({3, 4}, at, 9)));
      fine.set(i, j, random_normal({3, 4}, at));
      bits[at] = random_uniform({5, 6}, at) < 0.3;
    }
  }
  double by_class = 0;
  double by_label = 0;
  for (Index j = 0; j < c; ++j) {
    std::vector<double> logits;
    std::vector<double> probabilities;
    std::vector<bool> is_class;
    std::vector<bool> is_label;
    for (Index i = 0; i < n; ++i) {
      double sum = 0;
      for (Index k = 0; k < c; ++k) sum += std::exp(fine.at(i, k) - fine.at(i, j));
      logits.push_back(coarse.at(i, j));
      probabilities.push_back(1 / sum);
      is_class.push_back(class_of[i] == j);
      is_label.push_back(bits[i * c + j] != 0);
    }
    if (j < 3) by_class += area_by_pairs(probabilities, is_class) / 3;
    by_label += area_by_pairs(logits, is_label) / 4;
  }
  CHECK(score(Metric::kRocAuc, fine, classes(c, class_of)) == doctest::Approx(by_class).epsilon(1e-14));
  CHECK(score(Metric::kRocAuc, coarse, multi_label(c, bits)) == doctest::Approx(by_label).epsilon(1e-14));
}

TEST_CASE("merging in any order and any pieces gives the same value") {
  const Index n = 101;
  Tensor x(n, 3, DType::kFloat32);
  std::vector<std::int32_t> class_of(n);
  std::vector<std::uint8_t> bits(n * 3);
  std::vector<float> targets(n * 3);
  for (Index i = 0; i < 3 * n; ++i) {
    x.set(i / 3, i % 3, static_cast<double>(random_below({8, 8}, i, 16)) - 8);
    bits[i] = random_uniform({5, 6}, i) < 0.3;
    targets[i] = static_cast<float>(random_below({4, 4}, i, 16));
    class_of[i / 3] = static_cast<std::int32_t>(random_below({1, 2}, i, 3));
  }
  const std::vector<VertexId> rows = all_rows(n);
  for (const Labels& labels : {classes(3, class_of), multi_label(3, bits), regression(3, targets)}) {
    for (const Metric metric : {Metric::kAccuracy, Metric::kMacroF1, Metric::kMicroF1, Metric::kRocAuc, Metric::kMse}) {
      if ((metric == Metric::kMse) != (labels.task == Task::kRegression)) continue;
      const double whole = score(metric, x, labels);
      std::vector<MetricAccumulator> parts;
      for (const auto& [begin, count] : {std::pair{0, 40}, {40, 0}, {40, 60}, {100, 1}}) {
        parts.emplace_back(metric, labels.task, 3);
        parts.back().add(x, labels, std::span(rows).subspan(begin, count));
      }
      std::vector<std::size_t> order = {0, 1, 2, 3};
      do {
        MetricAccumulator merged(metric, labels.task, 3);
        for (const std::size_t i : order) merged.merge(parts[i]);
        CHECK(merged.num_rows() == n);
        CHECK(merged.value() == whole);
      } while (std::next_permutation(order.begin(), order.end()));
      MetricAccumulator sent(metric, labels.task, 3);
      for (const MetricAccumulator& part : parts) sent.merge_packed(part.pack());
      CHECK(sent.value() == whole);
    }
  }
}

TEST_CASE("rows of a part stand for other vertices") {
  const Labels labels = classes(2, {0, 0, 1, 1});
  const Tensor x = one_hot(2, {1, 0});
  const std::vector<VertexId> rows = {0, 1};
  const std::vector<VertexId> vertices = {3, 2};
  MetricAccumulator m(Metric::kAccuracy, Task::kClassification, 2);
  m.add(x, labels, rows, vertices);
  CHECK(m.value() == 0.5);
  ConfusionMatrix c(2);
  c.add(x, labels.classes, rows, vertices);
  CHECK(c.count(1, 1) == 1);
  CHECK(c.count(1, 0) == 1);
}

TEST_CASE("what is not defined is NaN") {
  const Labels labels = classes(2, {1, 1});
  CHECK(std::isnan(MetricAccumulator(Metric::kAccuracy, Task::kClassification, 2).value()));
  CHECK(std::isnan(MetricAccumulator(Metric::kMse, Task::kRegression, 1).value()));
  CHECK(std::isnan(score(Metric::kRocAuc, one_hot(2, {1, 1}), labels)));
  CHECK(std::isnan(score(Metric::kRocAuc, one_hot(1, {0, 0}), classes(1, {0, 0}))));
  CHECK(std::isnan(score(Metric::kMicroF1, Tensor::zeros(1, 2, DType::kFloat64), multi_label(2, {0, 0}))));
  CHECK(std::isnan(score(Metric::kMacroF1, Tensor::zeros(1, 2, DType::kFloat64), multi_label(2, {0, 0}))));
  for (const double bad : {kNaN, std::numeric_limits<double>::infinity()}) {
    Tensor x = one_hot(2, {1, 1});
    x.set(1, 0, bad);
    for (const Metric m : {Metric::kAccuracy, Metric::kMacroF1, Metric::kMicroF1, Metric::kRocAuc}) {
      CHECK(std::isnan(score(m, x, labels)));
    }
  }
}

TEST_CASE("metrics refuse what does not fit and add nothing") {
  CHECK_THROWS_AS(MetricAccumulator(Metric::kMse, Task::kClassification, 2), UsageError);
  CHECK_THROWS_AS(MetricAccumulator(Metric::kAccuracy, Task::kRegression, 2), UsageError);
  CHECK_THROWS_AS(MetricAccumulator(Metric::kAccuracy, Task::kNone, 2), UsageError);
  CHECK_THROWS_AS(MetricAccumulator(Metric::kAccuracy, Task::kClassification, 0), Error);

  const Tensor x = one_hot(2, {1, 1, 0});
  const Labels labels = classes(2, {1, -1, 2});
  MetricAccumulator m(Metric::kAccuracy, Task::kClassification, 2);
  const auto add = [&](const std::vector<VertexId>& rows, const std::vector<VertexId>& vertices = {}) {
    m.add(x, labels, rows, vertices);
  };
  CHECK_THROWS_AS(add({0, 3}), Error);
  CHECK_THROWS_AS(add({0, -1}), Error);
  CHECK_THROWS_WITH_AS(add({0, 1}), "[metric] vertex 1 has class -1; expected 0 to 1", Error);
  CHECK_THROWS_AS(add({0, 2}), Error);
  CHECK_THROWS_AS(add({0}, {3}), Error);
  CHECK_THROWS_AS(add({0}, {-1}), Error);
  CHECK_THROWS_AS(add({0}, {0, 0}), Error);
  CHECK_THROWS_AS(m.add(one_hot(3, {0}), labels, all_rows(1)), Error);
  CHECK_THROWS_AS(m.add(x, classes(3, {0, 0, 0}), all_rows(1)), Error);
  CHECK_THROWS_AS(m.add(x, multi_label(2, {0, 0, 0, 0, 0, 0}), all_rows(1)), Error);
  CHECK(m.num_rows() == 0);

  MetricAccumulator l(Metric::kRocAuc, Task::kMultiLabel, 2);
  CHECK_THROWS_AS(l.add(x, multi_label(2, {0, 2, 0, 0}), all_rows(1)), Error);
  CHECK_THROWS_AS(l.add(x, multi_label(2, {0, 1, 0}), all_rows(2)), Error);
  MetricAccumulator r(Metric::kMse, Task::kRegression, 2);
  CHECK_THROWS_AS(r.add(x, regression(2, {0, 1, 0}), all_rows(2)), Error);

  CHECK_THROWS_AS(m.merge(l), Error);
  CHECK_THROWS_AS(m.merge(MetricAccumulator(Metric::kAccuracy, Task::kClassification, 3)), Error);
  CHECK_THROWS_AS(m.merge(MetricAccumulator(Metric::kMacroF1, Task::kClassification, 2)), Error);
  CHECK_THROWS_AS(m.merge_packed({}), Error);
  std::vector<double> packed = m.pack();
  packed.push_back(1);
  CHECK_THROWS_AS(m.merge_packed(packed), Error);
  packed = l.pack();
  packed.push_back(1);
  CHECK_THROWS_AS(l.merge_packed(packed), Error);
}

TEST_CASE("metric names and defaults") {
  for (const Metric m : {Metric::kAccuracy, Metric::kMacroF1, Metric::kMicroF1, Metric::kRocAuc, Metric::kMse}) {
    CHECK(metric_from_name(name_of(m)) == m);
    CHECK(higher_is_better(m) == (m != Metric::kMse));
  }
  CHECK_THROWS_AS(metric_from_name("auc"), UsageError);
  CHECK(default_metric(Task::kClassification) == Metric::kAccuracy);
  CHECK(default_metric(Task::kMultiLabel) == Metric::kRocAuc);
  CHECK(default_metric(Task::kRegression) == Metric::kMse);
  CHECK_THROWS_AS(default_metric(Task::kNone), UsageError);
}

TEST_CASE("a confusion matrix by hand") {
  const std::vector<std::int32_t> actual = {0, 0, 1, 1, 2, 2};
  const Tensor x = one_hot(4, {0, 0, 1, 2, 2, 0});
  const std::vector<VertexId> rows = all_rows(6);
  ConfusionMatrix whole(4);
  whole.add(x, actual, rows);
  ConfusionMatrix merged(4);
  for (const VertexId r : {5, 0, 3, 1, 2, 4}) {
    ConfusionMatrix part(4);
    part.add(x, actual, std::vector<VertexId>{r});
    merged.merge(part);
  }
  const std::vector<std::int64_t> expected = {2, 0, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0};
  CHECK(std::vector<std::int64_t>(whole.counts().begin(), whole.counts().end()) == expected);
  CHECK(std::vector<std::int64_t>(merged.counts().begin(), merged.counts().end()) == expected);
  CHECK(whole.support(0) == 2);
  CHECK(whole.precision(0) == doctest::Approx(2. / 3));
  CHECK(whole.recall(0) == 1);
  CHECK(whole.f1(0) == doctest::Approx(0.8));
  CHECK(std::isnan(whole.precision(3)));
  CHECK(std::isnan(whole.recall(3)));
  CHECK(std::isnan(whole.f1(3)));
}

TEST_CASE("a confusion matrix refuses what does not fit and adds nothing") {
  CHECK_THROWS_AS(ConfusionMatrix(0), Error);
  CHECK_THROWS_AS(ConfusionMatrix(5000), Error);
  ConfusionMatrix c(2);
  const Tensor x = one_hot(2, {0, 1});
  const std::vector<std::int32_t> actual = {0, -1, 2};
  const auto add = [&](const std::vector<VertexId>& rows, const std::vector<VertexId>& vertices = {}) {
    c.add(x, actual, rows, vertices);
  };
  CHECK_THROWS_AS(add({0, 1}), Error);
  CHECK_THROWS_AS(add({0, 2}), Error);
  CHECK_THROWS_AS(add({-1}), Error);
  CHECK_THROWS_AS(add({0}, {2}), Error);
  CHECK_THROWS_AS(add({0}, {3}), Error);
  CHECK_THROWS_AS(add({0}, {0, 0}), Error);
  CHECK_THROWS_AS(c.add(one_hot(3, {0}), actual, all_rows(1)), Error);
  CHECK_THROWS_AS(c.merge(ConfusionMatrix(3)), Error);
  CHECK_THROWS_AS(c.count(0, 2), Error);
  CHECK_THROWS_AS(c.count(-1, 0), Error);
  CHECK_THROWS_AS(c.precision(2), Error);
  CHECK(std::all_of(c.counts().begin(), c.counts().end(), [](std::int64_t v) { return v == 0; }));
}

TEST_CASE("errors of numbers by hand") {
  const Labels labels = regression(2, {1, 10, 3, 10, 8, 10});
  const Tensor x = Tensor::from(3, 2, std::vector<double>{2, 10, 3, 10, 6, 11});
  // Differences 1 0 -2 and 0 0 1.
  CHECK(score(Metric::kMse, x, labels) == doctest::Approx(6. / 6));
  CHECK(score(Metric::kRmse, x, labels) == doctest::Approx(1));
  CHECK(score(Metric::kMae, x, labels) == doctest::Approx(4. / 6));
  // The first target's mean is 4, its squares about it 9 + 1 + 16; the second never varies.
  CHECK(score(Metric::kR2, x, labels) == doctest::Approx(1 - 5. / 26));
  CHECK(std::isnan(score(Metric::kR2, x, regression(2, {1, 2, 1, 2, 1, 2}))));
}

TEST_CASE("R2 does not suffer from a large mean, nor from how rows are divided") {
  const std::vector<float> y = {1'000'000, 1'000'001, 1'000'002, 1'000'005};
  const Labels labels = regression(1, y);
  const Tensor x = Tensor::from(4, 1, std::vector<double>{1'000'001, 1'000'001, 1'000'002, 1'000'005});
  const double expected = 1 - 1. / 14;
  CHECK(score(Metric::kR2, x, labels) == doctest::Approx(expected).epsilon(1e-12));
  for (const std::size_t cut : {0, 1, 3, 4}) {
    MetricAccumulator a(Metric::kR2, Task::kRegression, 1);
    MetricAccumulator b(Metric::kR2, Task::kRegression, 1);
    const auto rows = all_rows(4);
    a.add(x, labels, std::span(rows).first(cut));
    b.add(x, labels, std::span(rows).subspan(cut));
    a.merge(b);
    CHECK(a.num_rows() == 4);
    CHECK(a.value() == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("average precision of labels and classes") {
  // Label 0 down its scores: +, -, +: (1 + 2/3) / 2. Label 1 has no positives.
  const Tensor x = Tensor::from(3, 2, std::vector<double>{3, 0, 2, 0, 1, 0});
  CHECK(score(Metric::kAveragePrecision, x, multi_label(2, {1, 0, 0, 0, 1, 0})) == doctest::Approx(5. / 6));
  // Two classes: of class 1, by the difference of the logits.
  const Tensor two = Tensor::from(3, 2, std::vector<double>{0, 3, 0, 2, 0, 1});
  CHECK(score(Metric::kAveragePrecision, two, classes(2, {1, 0, 1})) == doctest::Approx(5. / 6));
}

TEST_CASE("metrics are told apart") {
  CHECK(is_share(Metric::kAveragePrecision));
  CHECK_FALSE(is_share(Metric::kR2));
  CHECK(higher_is_better(Metric::kR2));
  CHECK_FALSE(higher_is_better(Metric::kRmse));
  CHECK_FALSE(higher_is_better(Metric::kMae));
  for (const Metric m : {Metric::kMrr, Metric::kHits10}) {
    CHECK_THROWS_AS(MetricAccumulator(m, Task::kClassification, 2), UsageError);
    CHECK_THROWS_AS(MetricAccumulator(m, Task::kRegression, 2), UsageError);
  }
  CHECK_THROWS_AS(MetricAccumulator(Metric::kR2, Task::kMultiLabel, 2), UsageError);
  CHECK_THROWS_AS(MetricAccumulator(Metric::kAveragePrecision, Task::kRegression, 2), UsageError);
  CHECK(metric_from_name("hits@20") == Metric::kHits20);
  CHECK(name_of(Metric::kRmse) == "rmse");
}
