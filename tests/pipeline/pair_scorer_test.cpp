#include "laminar/pipeline/pair_scorer.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/pair_objective.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Tensor;
using pipeline::Pair;
using pipeline::PairScorer;

namespace {

constexpr core::Index kRows = 6;
constexpr core::Index kWidth = 11;

const std::vector<Pair> kPairs = {{0, 1}, {2, 1}, {0, 3}, {4, 2}, {5, 0}, {3, 1}, {0, 1}};
constexpr std::size_t kPositives = 3;

/// The end of a model in float64, with what it needs.
struct Ending {
  std::shared_ptr<core::MemoryPool> pool = core::MemoryPool::create();
  layers::Model model;
  Ending(layers::DecoderKind kind, core::Index maps, double dropout)
      : model({.layer = "gcn",
               .layers = 2,
               .hidden = kWidth,
               .dropout = dropout,
               .precision = core::DType::kFloat64,
               .decoder = kind,
               .decoder_layers = maps},
              schema(), pool.get(), {2, 2}) {
    model.initialize(3);
  }
  static core::DatasetSchema schema() {
    core::DatasetSchema s;
    s.num_features = 4;
    return s;
  }
  PairScorer scorer() const { return {*model.decoder(), pool}; }
};

double loss(const Ending& e, const Tensor& rows, Tensor& gradient) {
  for (const auto& p : e.model.parameters()) p->gradient.fill(0);
  return e.scorer().loss(rows, kPairs, kPositives, 1, 4, 2, gradient);
}

}  // namespace

TEST_CASE("inner products and their loss by hand") {
  const Ending e(layers::DecoderKind::kDot, 1, 0);
  CHECK(e.model.parameters().empty());
  const Tensor rows = Tensor::from(3, 2, std::vector<double>{1, 2, 3, -1, 0, 1});
  const std::vector<Pair> pairs = {{0, 1}, {2, 0}};
  CHECK(e.scorer().scores(rows, pairs) == std::vector<double>{1, 2});
  Tensor gradient(3, 2, core::DType::kFloat64);
  const double expected = (std::log1p(std::exp(-1.0)) + std::log1p(std::exp(2.0))) / 2;
  CHECK(e.scorer().loss(rows, pairs, 1, 1, 1, 2, gradient) == doctest::Approx(expected));
  // Slopes (sigmoid(1) - 1) / 2 and sigmoid(2) / 2.
  const double a = -0.5 / (1 + std::exp(1.0));
  const double b = 0.5 / (1 + std::exp(-2.0));
  const double by_hand[] = {3 * a, -1 * a + b, a, 2 * a, b, 2 * b};
  for (core::Index i = 0; i < 6; ++i) CHECK(gradient.at(i / 2, i % 2) == doctest::Approx(by_hand[i]));
  CHECK(pipeline::pair_loss(std::vector<double>{1}, std::vector<double>{2}) == doctest::Approx(expected));
}

TEST_CASE("a perceptron of products by hand") {
  const Ending e(layers::DecoderKind::kMlp, 1, 0);
  const auto& parameters = e.model.parameters();
  REQUIRE(parameters.size() == 2);
  CHECK(parameters[0]->name == "decoder.0");
  CHECK(parameters[0]->group == core::ParameterGroup::kDense);
  const Tensor rows = random_tensor(kRows, kWidth, core::DType::kFloat64, 1);
  parameters[1]->value.set(0, 0, 0.25);
  double expected = 0.25;
  for (core::Index c = 0; c < kWidth; ++c) expected += rows.at(4, c) * rows.at(2, c) * parameters[0]->value.at(c, 0);
  CHECK(e.scorer().scores(rows, kPairs)[3] == doctest::Approx(expected));
}

TEST_CASE("gradients are those of the loss, masks included") {
  struct Case {
    layers::DecoderKind kind;
    core::Index maps;
    double dropout;
  };
  for (const Case& c : {Case{layers::DecoderKind::kDot, 1, 0}, Case{layers::DecoderKind::kMlp, 1, 0},
                        Case{layers::DecoderKind::kMlp, 3, 0}, Case{layers::DecoderKind::kMlp, 2, 0.4}}) {
    CAPTURE(c.maps);
    const Ending e(c.kind, c.maps, c.dropout);
    Tensor rows = random_tensor(kRows, kWidth, core::DType::kFloat64, 1);
    Tensor gradient(kRows, kWidth, core::DType::kFloat64);
    Tensor ignored(kRows, kWidth, core::DType::kFloat64);
    loss(e, rows, gradient);
    std::vector<Tensor> of_parameters;
    for (const auto& p : e.model.parameters()) of_parameters.push_back(p->gradient.clone());
    constexpr double kStep = 1e-5;
    const auto check = [&](Tensor& x, const Tensor& g) {
      double worst = 0;
      for (core::Index i = 0; i < x.size(); ++i) {
        const core::Index r = i / x.cols();
        const core::Index k = i % x.cols();
        const double at = x.at(r, k);
        x.set(r, k, at + kStep);
        const double above = loss(e, rows, ignored);
        x.set(r, k, at - kStep);
        const double below = loss(e, rows, ignored);
        x.set(r, k, at);
        worst = std::max(worst, std::abs((above - below) / (2 * kStep) - g.at(r, k)));
      }
      CHECK(worst < 1e-8);
    };
    check(rows, gradient);
    for (std::size_t p = 0; p < of_parameters.size(); ++p) check(e.model.parameters()[p]->value, of_parameters[p]);
  }
}

TEST_CASE("many pairs give the same bits on any number of threads, and the sum of their panels") {
  for (const auto kind : {layers::DecoderKind::kDot, layers::DecoderKind::kMlp}) {
    const Ending e(kind, 2, 0.3);
    const Tensor rows = random_tensor(500, kWidth, core::DType::kFloat64, 1);
    std::vector<Pair> pairs;
    for (core::VertexId i = 0; i < 40'000; ++i) pairs.push_back({i * 7 % 500, (i * 7 + 1 + i % 498) % 500});
    double sums[2];
    Tensor gradients[2];
    for (int t = 0; t < 2; ++t) {
      gradients[t] = Tensor(500, kWidth, core::DType::kFloat64);
      core::Arena(t == 0 ? 1 : 3).execute([&] {
        for (const auto& p : e.model.parameters()) p->gradient.fill(0);
        sums[t] = e.scorer().loss(rows, pairs, 15'000, 1, 0, 2, gradients[t]);
      });
    }
    CHECK(sums[0] == sums[1]);
    CHECK(same_bits(gradients[0], gradients[1]));
    const std::vector<double> scores = e.scorer().scores(rows, pairs);
    CHECK(scores[39'999] == e.scorer().scores(rows, std::vector<Pair>{pairs[39'999]})[0]);
  }
}

TEST_CASE("pairs out of range, and no pairs, are refused") {
  const Ending e(layers::DecoderKind::kDot, 1, 0);
  const Tensor rows = random_tensor(kRows, kWidth, core::DType::kFloat64, 1);
  Tensor gradient(kRows, kWidth, core::DType::kFloat64);
  for (const Pair bad : {Pair{-1, 0}, Pair{0, 6}}) {
    CHECK_THROWS_AS(e.scorer().scores(rows, std::vector<Pair>{bad}), Error);
    CHECK_THROWS_AS(e.scorer().loss(rows, std::vector<Pair>{bad}, 1, 1, 1, 2, gradient), Error);
  }
  CHECK_THROWS_AS(e.scorer().loss(rows, {}, 0, 1, 1, 2, gradient), Error);
  CHECK_THROWS_AS(layers::decoder_from_name("none"), UsageError);
  CHECK(name_of(layers::decoder_from_name("mlp")) == "mlp");
}

TEST_CASE("metrics of pairs") {
  const pipeline::PairScores s{{0.8, 0.4}, {0.4, 0.1}};
  CHECK(pipeline::metric_of(core::Metric::kRocAuc, s) == 3.5 / 4);
  CHECK(pipeline::metric_of(core::Metric::kMrr, s) == doctest::Approx((1 + 1 / 1.5) / 2));
  CHECK(pipeline::metric_of(core::Metric::kHits10, s) == 1);
  CHECK(pipeline::metric_of(core::Metric::kAveragePrecision, s) == doctest::Approx(0.5 + 0.5 * 2 / 3));
  CHECK_THROWS_AS(pipeline::metric_of(core::Metric::kAccuracy, s), UsageError);
  CHECK(pipeline::pair_figure_names({.hits = {3}}) ==
        std::vector<std::string>{"roc-auc", "average-precision", "hits@3", "mrr"});
  CHECK(pipeline::pair_figures(s, {.hits = {1, 2}}).size() == 5);
}
