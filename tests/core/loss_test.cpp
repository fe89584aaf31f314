#include "laminar/core/loss.hpp"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"

using namespace laminar::core;
using laminar::Error;

namespace {

const double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor normal(Index rows, Index cols, DType dtype = DType::kFloat64) {
  std::vector<double> v(static_cast<std::size_t>(rows * cols));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = 2 * random_normal({7, 9}, i);
  return Tensor::from(rows, cols, v, dtype);
}

/// A gradient full of what must be overwritten.
Tensor dirty(const Tensor& like) {
  Tensor g(like.rows(), like.cols(), like.dtype());
  g.fill(kNaN);
  return g;
}

using Loss = std::function<double(const Tensor&, Tensor*)>;

/// Central differences in float64 against the gradient.
void check_gradient(const Loss& loss, Tensor x) {
  Tensor g = dirty(x);
  CHECK(loss(x, &g) == loss(x, nullptr));
  constexpr double kStep = 1e-5;
  for (Index r = 0; r < x.rows(); ++r) {
    for (Index c = 0; c < x.cols(); ++c) {
      const double at = x.at(r, c);
      x.set(r, c, at + kStep);
      const double above = loss(x, nullptr);
      x.set(r, c, at - kStep);
      const double below = loss(x, nullptr);
      x.set(r, c, at);
      const double error = std::abs((above - below) / (2 * kStep) - g.at(r, c));
      CHECK_MESSAGE(error < 1e-9, "element ", r, ", ", c, ": off by ", error);
    }
  }
}

const std::vector<VertexId> kRows = {0, 2, 3};

}  // namespace

TEST_CASE_TEMPLATE("cross-entropy by hand", T, float, double) {
  const Tensor x =
      Tensor::from(2, 3, std::vector<double>{0, 0, 0, std::log(1.0), std::log(2.0), std::log(5.0)}, DTypeOf<T>::value);
  const std::vector<std::int32_t> classes = {1, 2};
  const std::vector<VertexId> rows = {0, 1};
  Tensor g = dirty(x);
  // -log(1/3) - log(5/8), over 4 rows on all devices.
  const double expected = (std::log(3.0) + std::log(8.0 / 5.0)) / 4;
  const double tolerance = sizeof(T) == 8 ? 1e-15 : 1e-6;
  CHECK(cross_entropy(x, classes, rows, 4, &g) == doctest::Approx(expected).epsilon(tolerance));
  const double gradient[] = {1. / 12, -1. / 6, 1. / 12, 1. / 32, 2. / 32, -3. / 32};
  for (Index i = 0; i < 6; ++i) CHECK(g.at(i / 3, i % 3) == doctest::Approx(gradient[i]).epsilon(tolerance));
}

TEST_CASE("weights and smoothing by hand") {
  // softmax = (1/8, 2/8, 5/8), class 2, weights 1 2 4, smoothing .3: shares .1, .2 and 4 (.7 + .1) = 3.2.
  const Tensor x = Tensor::from(1, 3, std::vector<double>{std::log(1.0), std::log(2.0), std::log(5.0)});
  const std::vector<std::int32_t> classes = {2};
  const std::vector<VertexId> rows = {0};
  const std::vector<double> weights = {1, 2, 4};
  Tensor g = dirty(x);
  const double expected = 0.1 * std::log(8.0) + 0.2 * std::log(4.0) + 3.2 * std::log(8.0 / 5);
  CHECK(cross_entropy(x, classes, rows, 1, &g, {weights, 0.3}) == doctest::Approx(expected).epsilon(1e-14));
  const double gradient[] = {3.5 / 8 - 0.1, 3.5 * 2 / 8 - 0.2, 3.5 * 5 / 8 - 3.2};
  for (Index j = 0; j < 3; ++j) CHECK(g.at(0, j) == doctest::Approx(gradient[j]).epsilon(1e-14));
  // Weights of 1 say nothing.
  const std::vector<double> ones = {1, 1, 1};
  CHECK(cross_entropy(x, classes, rows, 1, nullptr, {ones, 0}) ==
        doctest::Approx(cross_entropy(x, classes, rows, 1, nullptr)).epsilon(1e-15));

  // sigmoid = (1/2, 3/4), labels 1 0, moved by .2 to .9 and .1; positives count 3 and 5.
  const Tensor y = Tensor::from(1, 2, std::vector<double>{0, std::log(3.0)});
  const std::vector<std::uint8_t> labels = {1, 0};
  const std::vector<double> positives = {3, 5};
  Tensor h = dirty(y);
  const double by_hand =
      (3 * 0.9 * std::log(2.0) + 0.1 * std::log(2.0) + 5 * 0.1 * std::log(4.0 / 3) + 0.9 * std::log(4.0)) / 2;
  CHECK(binary_cross_entropy(y, labels, rows, 1, &h, {positives, 0.2}) == doctest::Approx(by_hand).epsilon(1e-14));
  CHECK(h.at(0, 0) == doctest::Approx((3 * 0.9 * -0.5 + 0.1 * 0.5) / 2).epsilon(1e-14));
  CHECK(h.at(0, 1) == doctest::Approx((5 * 0.1 * -0.25 + 0.9 * 0.75) / 2).epsilon(1e-14));
}

TEST_CASE("gradients with weights and smoothing are those of the loss") {
  const std::vector<double> weights = {0.5, 1, 4};
  const std::vector<std::int32_t> classes = {0, -1, 2, 1, -1};
  check_gradient(
      [&](const Tensor& x, Tensor* g) {
        return cross_entropy(x, classes, kRows, 7, g, {weights, 0.2});
      },
      normal(5, 3));
  const std::vector<std::uint8_t> labels = {1, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1};
  check_gradient(
      [&](const Tensor& x, Tensor* g) {
        return binary_cross_entropy(x, labels, kRows, 7, g, {weights, 0.2});
      },
      normal(5, 3));
}

TEST_CASE("weights and smoothing that mean nothing are refused") {
  const Tensor x = normal(1, 2);
  const std::vector<VertexId> rows = {0};
  const std::vector<std::int32_t> classes = {1};
  const std::vector<std::uint8_t> labels = {0, 1};
  const std::vector<std::vector<double>> bad = {{1}, {1, 0}, {1, -1}, {1, kNaN}, {1, kInf}};
  for (const auto& weights : bad) {
    CHECK_THROWS_AS(cross_entropy(x, classes, rows, 1, nullptr, {weights, 0}), Error);
    CHECK_THROWS_AS(binary_cross_entropy(x, labels, rows, 1, nullptr, {weights, 0}), Error);
  }
  for (const double smoothing : {-0.1, 1.0, kNaN}) {
    CHECK_THROWS_AS(cross_entropy(x, classes, rows, 1, nullptr, {{}, smoothing}), Error);
  }
}

TEST_CASE("binary cross-entropy by hand") {
  const Tensor x = Tensor::from(1, 2, std::vector<double>{0, std::log(3.0)});
  const std::vector<std::uint8_t> labels = {1, 0};
  const std::vector<VertexId> rows = {0};
  Tensor g = dirty(x);
  // (-log(1/2) - log(1/4)) / 2 labels
  CHECK(binary_cross_entropy(x, labels, rows, 1, &g) == doctest::Approx(std::log(8.0) / 2).epsilon(1e-15));
  CHECK(g.at(0, 0) == doctest::Approx(-0.25).epsilon(1e-15));
  CHECK(g.at(0, 1) == doctest::Approx(0.375).epsilon(1e-15));
}

TEST_CASE("mean squared error by hand") {
  const Tensor x = Tensor::from(2, 2, std::vector<double>{1, 2, 3, 4});
  const std::vector<float> targets = {0, 0, 1, 6};
  const std::vector<VertexId> rows = {1};
  Tensor g = dirty(x);
  CHECK(mean_squared_error(x, targets, rows, 2, &g) == 2);
  CHECK(g.at(0, 0) == 0);
  CHECK(g.at(0, 1) == 0);
  CHECK(g.at(1, 0) == 1);
  CHECK(g.at(1, 1) == -1);
}

TEST_CASE("loss gradients agree with differences") {
  const std::vector<std::int32_t> classes = {0, -1, 3, 1, 2};
  std::vector<std::uint8_t> labels(20);
  std::vector<float> targets(20);
  for (std::size_t i = 0; i < 20; ++i) {
    labels[i] = random_uniform({3, 4}, i) < 0.5;
    targets[i] = static_cast<float>(random_normal({5, 6}, i));
  }
  check_gradient([&](const Tensor& x, Tensor* g) { return cross_entropy(x, classes, kRows, 7, g); }, normal(5, 4));
  check_gradient([&](const Tensor& x, Tensor* g) { return binary_cross_entropy(x, labels, kRows, 7, g); },
                 normal(5, 4));
  check_gradient([&](const Tensor& x, Tensor* g) { return mean_squared_error(x, targets, kRows, 7, g); }, normal(5, 4));
}

TEST_CASE_TEMPLATE("large logits neither overflow nor vanish", T, float, double) {
  const Tensor x = Tensor::from(2, 2, std::vector<double>{1e4, -1e4, 1e30, 1e30}, DTypeOf<T>::value);
  const std::vector<VertexId> rows = {0, 1};
  Tensor g = dirty(x);
  CHECK(cross_entropy(x, std::vector<std::int32_t>{1, 0}, rows, 1, &g) == doctest::Approx(2e4 + std::log(2.0)));
  CHECK(g.at(0, 0) == 1);
  CHECK(g.at(0, 1) == -1);
  CHECK(g.at(1, 0) == -0.5);
  const std::vector<VertexId> first = {0};
  CHECK(binary_cross_entropy(x, std::vector<std::uint8_t>{1, 0, 0, 0}, first, 1, &g) == 0);
  CHECK(g.at(0, 0) == 0);
  CHECK(binary_cross_entropy(x, std::vector<std::uint8_t>{0, 1, 0, 0}, first, 1, &g) == 1e4);
  CHECK(g.at(0, 0) == 0.5);
  CHECK(g.at(0, 1) == -0.5);
}

TEST_CASE_TEMPLATE("the largest logit may stand in any column of rows of any width", T, float, double) {
  for (const Index d : {1, 2, 15, 16, 17, 33, 58, 70}) {
    // Row r has its largest in column r: e^300 is more than a float, e^900 more than a double.
    Tensor x = normal(d, d, DTypeOf<T>::value);
    for (Index r = 0; r < d; ++r) x.set(r, r, 900 + x.at(r, r));
    for (Index r = 0; r < d; ++r) {
      const Index c = (r + 1) % d;
      const std::vector<VertexId> rows = {static_cast<VertexId>(r)};
      Tensor g = dirty(x);
      const double loss = cross_entropy(x, std::vector<std::int32_t>(d, static_cast<std::int32_t>(c)), rows, 1, &g);
      CHECK(loss == doctest::Approx(x.at(r, r) - x.at(r, c)).epsilon(1e-14));
      CHECK(g.at(r, c) == (d == 1 ? 0 : -1));
      CHECK(g.at(r, r) == (d == 1 ? 0 : 1));
    }
  }
}

TEST_CASE("losses of disjoint rows add up") {
  const Tensor x = normal(5, 4);
  const std::vector<std::int32_t> classes = {0, 1, 3, 1, 2};
  const std::vector<VertexId> all = {0, 1, 2, 3, 4};
  const std::span<const VertexId> rows = all;
  const double sum =
      cross_entropy(x, classes, rows.first(2), 5, nullptr) + cross_entropy(x, classes, rows.last(3), 5, nullptr);
  CHECK(cross_entropy(x, classes, all, 5, nullptr) == doctest::Approx(sum).epsilon(1e-15));
}

TEST_CASE("no rows give a loss of 0 and a gradient of zeros") {
  const Tensor x = normal(3, 2);
  Tensor g = dirty(x);
  CHECK(cross_entropy(x, std::vector<std::int32_t>{-1, -1, -1}, {}, 1, &g) == 0);
  for (Index i = 0; i < 6; ++i) CHECK(g.at(i / 2, i % 2) == 0);
  const Tensor none(0, 2, DType::kFloat32);
  CHECK(mean_squared_error(none, {}, {}, 1, nullptr) == 0);
}

TEST_CASE("losses have the same bits on any number of threads") {
  const Index n = 20000;
  const Tensor x = normal(n, 7, DType::kFloat32);
  std::vector<std::int32_t> classes(n);
  for (Index i = 0; i < n; ++i) classes[i] = static_cast<std::int32_t>(random_below({1, 1}, i, 7));
  std::vector<VertexId> rows(n);
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<double> losses;
  std::vector<Tensor> gradients;
  for (const int threads : {1, 2, 4}) {
    gradients.push_back(dirty(x));
    Arena(threads).execute([&] { losses.push_back(cross_entropy(x, classes, rows, n, &gradients.back())); });
    CHECK(losses.back() == losses.front());
    CHECK(std::memcmp(gradients.back().raw(), gradients.front().raw(), x.bytes()) == 0);
  }
}

TEST_CASE("a prediction that is NaN makes the loss NaN") {
  for (const Index column : {0, 1, 2}) {
    Tensor x = normal(1, 3);
    x.set(0, column, kNaN);
    const std::vector<VertexId> rows = {0};
    CHECK(std::isnan(cross_entropy(x, std::vector<std::int32_t>{1}, rows, 1, nullptr)));
    CHECK(std::isnan(binary_cross_entropy(x, std::vector<std::uint8_t>{1, 0, 1}, rows, 1, nullptr)));
    CHECK(std::isnan(mean_squared_error(x, std::vector<float>{1, 0, 1}, rows, 1, nullptr)));
  }
}

TEST_CASE("losses refuse what does not fit") {
  const Tensor x = normal(3, 2);
  const std::vector<std::int32_t> classes = {0, 1, -1};
  const std::vector<std::uint8_t> labels = {0, 1, 1, 0, 2, 0};
  const std::vector<float> targets = {0, 1, 1, 0, static_cast<float>(kNaN), 0};
  const std::vector<VertexId> rows = {0, 1};
  const auto ce = [&](const std::vector<VertexId>& r, double count = 1, Tensor* g = nullptr) {
    return cross_entropy(x, classes, r, count, g);
  };
  CHECK_NOTHROW(ce({0, 1}));
  CHECK_THROWS_AS(ce({-1}), Error);
  CHECK_THROWS_AS(ce({3}), Error);
  CHECK_THROWS_AS(ce({1, 0}), Error);
  CHECK_THROWS_AS(ce({1, 1}), Error);
  CHECK_THROWS_WITH_AS(ce({2}), "[cross_entropy] row 2 has class -1; expected 0 to 1", Error);
  CHECK_THROWS_AS(cross_entropy(x, std::vector<std::int32_t>{0, 2, 0}, rows, 1, nullptr), Error);
  for (const double count : {0.0, -1.0, kNaN, kInf}) CHECK_THROWS_AS(ce({0}, count), Error);
  Tensor narrow(3, 1, DType::kFloat64);
  Tensor single(3, 2, DType::kFloat32);
  CHECK_THROWS_AS(ce({0}, 1, &narrow), Error);
  CHECK_THROWS_AS(ce({0}, 1, &single), Error);
  CHECK_THROWS_AS(cross_entropy(x, std::vector<std::int32_t>{0, 1}, rows, 1, nullptr), Error);
  CHECK_THROWS_AS(cross_entropy(Tensor(3, 0, DType::kFloat64), classes, rows, 1, nullptr), Error);

  CHECK_NOTHROW(binary_cross_entropy(x, labels, rows, 1, nullptr));
  CHECK_THROWS_AS(binary_cross_entropy(x, labels, std::vector<VertexId>{2}, 1, nullptr), Error);
  CHECK_THROWS_AS(binary_cross_entropy(x, std::vector<std::uint8_t>{0, 1, 1}, rows, 1, nullptr), Error);
  CHECK_NOTHROW(mean_squared_error(x, targets, rows, 1, nullptr));
  CHECK_THROWS_AS(mean_squared_error(x, targets, std::vector<VertexId>{2}, 1, nullptr), Error);
  CHECK_THROWS_AS(mean_squared_error(x, std::vector<float>{0, 1, 1}, rows, 1, nullptr), Error);
}
