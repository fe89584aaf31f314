#include "laminar/core/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"

using namespace laminar::core;
using doctest::Approx;

namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("the area under the ROC curve counts ties half") {
  // Pairs of a positive and a negative: .8 beats .4 and .1; .4 ties with .4 and beats .1: 3.5 of 4.
  CHECK(roc_auc({{0.8, true}, {0.4, true}, {0.4, false}, {0.1, false}}) == 3.5 / 4);
  CHECK(roc_auc({{1, true}, {1, true}, {1, false}}) == 0.5);
  CHECK(roc_auc({{0, true}, {1, false}}) == 0);
}

TEST_CASE("average precision by hand") {
  // Down the scores: +, -, +, -: recall 1/2 at precision 1, then 1/2 more at 2/3.
  CHECK(average_precision({{0.9, true}, {0.8, false}, {0.7, true}, {0.1, false}}) == Approx(0.5 * 1 + 0.5 * 2 / 3));
  // scikit-learn's example: y = 0 0 1 1, scores .1 .4 .35 .8.
  CHECK(average_precision({{0.1, false}, {0.4, false}, {0.35, true}, {0.8, true}}) == Approx(0.8333333333333333));
  // Equal scores are one threshold, whatever order they come in.
  CHECK(average_precision({{1, true}, {1, false}, {0, true}, {0, false}}) == Approx(0.5 * 0.5 + 0.5 * 0.5));
  CHECK(average_precision({{1, false}, {1, true}, {0, false}, {0, true}}) == Approx(0.5));
}

TEST_CASE("hits count what is above the k-th negative") {
  const std::vector<double> positives = {0.9, 0.6, 0.5, 0.1};
  const std::vector<double> negatives = {0.2, 0.6, 0.4, 0.5};
  CHECK(hits_at(1, positives, negatives) == 0.25);  // above .6: a tie is no hit
  CHECK(hits_at(2, positives, negatives) == 0.5);   // above .5
  CHECK(hits_at(4, positives, negatives) == 0.75);
  CHECK(hits_at(5, positives, negatives) == 1);  // fewer negatives than that
  CHECK_THROWS_AS(hits_at(0, positives, negatives), laminar::Error);
}

TEST_CASE("the reciprocal rank shares ties") {
  const std::vector<double> negatives = {0.5, 0.5, 0.3};
  // First; behind none and tied with two: 1 + 2 / 2; behind three.
  const std::vector<double> positives = {0.1, 0.9, 0.5};
  CHECK(mean_reciprocal_rank(positives, negatives) == Approx((1 + 1. / 2 + 1. / 4) / 3));
  CHECK(mean_reciprocal_rank(positives, {}) == 1);
}

TEST_CASE("what is not defined is not a number") {
  const std::vector<double> one = {1};
  const std::vector<double> bad = {kNaN};
  CHECK(std::isnan(roc_auc({})));
  CHECK(std::isnan(roc_auc({{1, true}})));
  CHECK(std::isnan(roc_auc({{1, false}})));
  CHECK(std::isnan(roc_auc({{kNaN, false}, {1, true}})));
  CHECK(std::isnan(average_precision({{1, true}})));
  CHECK(std::isnan(average_precision({{1, false}})));
  CHECK(std::isnan(average_precision({{1, false}, {std::numeric_limits<double>::infinity(), true}})));
  CHECK(std::isnan(hits_at(1, {}, one)));
  CHECK(std::isnan(hits_at(1, one, bad)));
  CHECK(std::isnan(hits_at(1, bad, one)));
  CHECK(std::isnan(mean_reciprocal_rank({}, one)));
  CHECK(std::isnan(mean_reciprocal_rank(one, bad)));
}

TEST_CASE("the order of the scores does not matter") {
  std::vector<Scored> scored;
  std::vector<double> positives;
  std::vector<double> negatives;
  for (int i = 0; i < 60; ++i) {
    const double score = (i * 37 % 23) / 7.0;
    scored.emplace_back(score, i % 3 == 0);
    (i % 3 == 0 ? positives : negatives).push_back(score);
  }
  const double auc = roc_auc(scored);
  const double ap = average_precision(scored);
  const double mrr = mean_reciprocal_rank(positives, negatives);
  const double hits = hits_at(10, positives, negatives);
  std::reverse(scored.begin(), scored.end());
  std::reverse(positives.begin(), positives.end());
  std::rotate(negatives.begin(), negatives.begin() + 7, negatives.end());
  CHECK(roc_auc(scored) == auc);
  CHECK(average_precision(scored) == ap);
  CHECK(mean_reciprocal_rank(positives, negatives) == mrr);
  CHECK(hits_at(10, positives, negatives) == hits);
}
