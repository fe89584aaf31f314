#include "laminar/core/batch_norm.hpp"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;

ParameterList norm_parameters(Index width, DType dtype = kDouble) {
  ParameterList p;
  p.push_back(random_parameter("gain", 1, width, dtype, 21));
  p.push_back(random_parameter("shift", 1, width, dtype, 22));
  return p;
}

/// Adds what another device with rows [begin, end) would.
class OtherDevice final : public StatisticsExchange {
 public:
  OtherDevice(const Tensor& all, Index begin, Index end) : all_(all), begin_(begin), end_(end) {}
  void add_up(Tensor& sums) override {
    const Index d = all_.cols();
    const bool counts = sums.cols() == d + 1;
    for (Index c = 0; c < d; ++c) {
      double mean = 0;
      for (Index i = 0; i < all_.rows(); ++i) mean += all_.at(i, c) / static_cast<double>(all_.rows());
      for (Index i = begin_; i < end_; ++i) {
        const double distance = all_.at(i, c) - mean;
        sums.set(0, c, sums.at(0, c) + (counts ? all_.at(i, c) : distance * distance));
      }
    }
    if (counts) sums.set(0, d, sums.at(0, d) + static_cast<double>(end_ - begin_));
  }

 private:
  const Tensor& all_;
  Index begin_, end_;
};

}  // namespace

TEST_CASE("batch norm, by hand") {
  Tape tape(context(kDouble));
  const Var x = tape.input(Tensor::from(2, 2, std::vector<double>{1, 10, 3, 10}), true);
  Parameter gain{"gain", Tensor::from(1, 2, std::vector<double>{2, 5}), Tensor::zeros(1, 2, kDouble)};
  Parameter shift{"shift", Tensor::from(1, 2, std::vector<double>{7, 8}), Tensor::zeros(1, 2, kDouble)};
  const Tensor y = tape.value(batch_norm(tape, x, gain, shift, 0.25));
  // The first column has mean 2 and variance 1, the second does not vary.
  const double u = 1 / std::sqrt(1.25);
  CHECK(y.at(0, 0) == doctest::Approx(7 - 2 * u));
  CHECK(y.at(1, 0) == doctest::Approx(7 + 2 * u));
  CHECK(y.at(0, 1) == 8);
  CHECK(y.at(1, 1) == 8);
}

TEST_CASE("gradients of batch norm, by input, gain and shift") {
  for (const Index rows : {2, 7, 300}) {
    const ParameterList p = norm_parameters(3);
    check_gradients(
        "batch norm", [&](Tape& tape, const std::vector<Var>& in) { return batch_norm(tape, in[0], *p[0], *p[1]); },
        {random_tensor(rows, 3, kDouble, 1)}, p);
  }
}

TEST_CASE("float32 rows are normalised by sums of float64") {
  Tensor x = random_tensor(5000, 2, DType::kFloat32, 1);
  for (Index i = 0; i < x.rows(); ++i) x.set(i, 0, x.at(i, 0) + 1000);
  const ParameterList p = norm_parameters(2, DType::kFloat32);
  const ParameterList q = norm_parameters(2);
  Tape single(context(DType::kFloat32));
  Tape twice(context(kDouble));
  const Tensor a = single.value(batch_norm(single, single.input(x, true), *p[0], *p[1]));
  const Tensor b = twice.value(batch_norm(twice, twice.input(x.to(kDouble), true), *q[0], *q[1]));
  CHECK(relative_difference(a.to(kDouble), b) <= 1e-6);
}

TEST_CASE("rows that stand on two devices are normalised together") {
  const Tensor x = random_tensor(9, 3, kDouble, 1);
  const ParameterList p = norm_parameters(3);
  Tape whole(context(kDouble));
  const Tensor y = whole.value(batch_norm(whole, whole.input(x, true), *p[0], *p[1]));
  OtherDevice other(x, 4, 9);
  TapeContext c = context(kDouble);
  c.statistics = &other;
  Tape tape(c);
  const Tensor part = tape.value(batch_norm(tape, tape.input(x.slice_rows(0, 4), true), *p[0], *p[1]));
  CHECK(relative_difference(part, y.slice_rows(0, 4)) <= 1e-13);
}

TEST_CASE("batch norm refuses history and parameters that don't fit") {
  const ParameterList p = norm_parameters(3);
  TapeContext history = context(kDouble);
  history.history = true;
  Tape tape(history);
  CHECK_THROWS_WITH_AS(batch_norm(tape, tape.input(random_tensor(4, 3, kDouble, 1), true), *p[0], *p[1]),
                       doctest::Contains("LayerNorm"), Error);
  Tape plain(context(kDouble));
  CHECK_THROWS_WITH_AS(batch_norm(plain, plain.input(random_tensor(4, 2, kDouble, 1), true), *p[0], *p[1]),
                       doctest::Contains("gain"), Error);
}
