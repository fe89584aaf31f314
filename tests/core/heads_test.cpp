#include "laminar/core/heads.hpp"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

TEST_CASE("a mean over heads, by hand") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(Tensor::from(2, 4, std::vector<double>{1, 2, 3, 6, -1, 0, 1, 5}), true);
  CHECK(values_of(tape.value(mean_heads(tape, x, 2))) == std::vector<double>{2, 4, 0, 2.5});
  CHECK(values_of(tape.value(mean_heads(tape, x, 4))) == std::vector<double>{3, 1.25});
  CHECK(mean_heads(tape, x, 1).id == x.id);
}

TEST_CASE("gradients of a mean over heads") {
  const Tensor x = random_tensor(5, 6, DType::kFloat64, 1);
  for (const Index heads : {1, 2, 3, 6}) {
    check_gradients("mean_heads", [&](Tape& t, const std::vector<Var>& in) { return mean_heads(t, in[0], heads); },
                    {x});
    check_gradients("mean_heads twice",
                    [&](Tape& t, const std::vector<Var>& in) {
                      return add(t, mean_heads(t, in[0], heads), mean_heads(t, in[0], heads));
                    },
                    {x});
  }
}

TEST_CASE("heads must divide the width") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(random_tensor(2, 6, DType::kFloat64, 1), true);
  CHECK_THROWS_AS(mean_heads(tape, x, 4), Error);
  CHECK_THROWS_AS(mean_heads(tape, x, 0), Error);
  CHECK_THROWS_AS(mean_heads(tape, x, -2), Error);
}

TEST_CASE("dots by head, with rows of their own or one for all") {
  const Tensor a = Tensor::from(2, 4, std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor b = Tensor::from(2, 4, std::vector<double>{1, 1, 1, -1, 2, 0, 0, .5});
  const Tensor own = head_dots(a, b, 2, nullptr);
  CHECK(own.rows() == 2);
  CHECK(own.cols() == 2);
  const std::vector<double> golden = {3, -1, 10, 4};
  for (Index k = 0; k < 4; ++k) CHECK(own.data<double>()[k] == golden[static_cast<std::size_t>(k)]);
  const Tensor one = head_dots(a, b.slice_rows(0, 1), 2, nullptr);
  const std::vector<double> shared = {3, -1, 11, -1};
  for (Index k = 0; k < 4; ++k) CHECK(one.data<double>()[k] == shared[static_cast<std::size_t>(k)]);
}

TEST_CASE("dots by head are the same for every number and width of heads, and as they are kept") {
  const DType kinds[] = {DType::kFloat32, DType::kFloat64, DType::kBfloat16};
  for (const DType dtype : kinds) {
    for (const Index heads : {1, 3, 8, 11, 16}) {
      for (const Index width : {1, 4, 5, 8, 16, 24, 32, 48}) {
        CAPTURE(static_cast<int>(dtype));
        CAPTURE(heads);
        CAPTURE(width);
        const Index rows = 5;
        const DType wide = computed(dtype);
        const Tensor a = random_tensor(rows, heads * width, wide, 1).to(dtype);
        const Tensor b = random_tensor(rows, heads * width, wide, 2).to(dtype);
        const Tensor all = head_dots(a, b, heads, nullptr);
        REQUIRE(all.dtype() == wide);
        for (Index i = 0; i < rows; ++i) {
          for (Index h = 0; h < heads; ++h) {
            double sum = 0;
            double size = 0;
            for (Index c = h * width; c < (h + 1) * width; ++c) {
              sum += a.at(i, c) * b.at(i, c);
              size += std::abs(a.at(i, c) * b.at(i, c));
            }
            CHECK(std::abs(all.at(i, h) - sum) <= (wide == DType::kFloat32 ? 1e-6 : 1e-14) * size);
          }
        }
        // Head by head: the same bits, whatever they are taken together with.
        if (dtype != DType::kFloat64) continue;
        for (Index h = 0; h < heads; ++h) {
          Tensor left(rows, width, dtype);
          Tensor right(rows, width, dtype);
          for (Index i = 0; i < rows; ++i) {
            for (Index c = 0; c < width; ++c) {
              left.set(i, c, a.at(i, h * width + c));
              right.set(i, c, b.at(i, h * width + c));
            }
          }
          const Tensor one = head_dots(left, right, 1, nullptr);
          for (Index i = 0; i < rows; ++i) CHECK(one.at(i, 0) == all.at(i, h));
        }
      }
    }
  }
}
