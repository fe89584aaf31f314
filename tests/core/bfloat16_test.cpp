#include "laminar/core/bfloat16.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/batch_norm.hpp"
#include "laminar/core/dense.hpp"
#include "laminar/core/dropout.hpp"
#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/gemm.hpp"
#include "laminar/core/heads.hpp"
#include "laminar/core/layer_norm.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/rows.hpp"
#include "laminar/tests/core/aggregation_cases.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr Index kWidth = kAggregationWidth;
/// Half a unit in the last of 8 bits.
constexpr double kRounding = 1.0 / 256;

Tensor rounded(Index rows, Index cols, std::uint64_t seed) {
  return random_tensor(rows, cols, DType::kFloat32, seed).to(DType::kBfloat16);
}

TapeContext narrow_context(bool training = true) {
  TapeContext c = context(DType::kFloat32, training);
  c.bfloat16 = true;
  return c;
}

/// op(a) op(b) in double.
Tensor product(const GemmShape& s, const Tensor& a, const Tensor& b) {
  Tensor c = Tensor::zeros(s.m, s.n, DType::kFloat64);
  for (Index i = 0; i < s.m; ++i) {
    for (Index j = 0; j < s.n; ++j) {
      double sum = 0;
      for (Index l = 0; l < s.k; ++l) {
        sum += (s.transpose_a ? a.at(l, i) : a.at(i, l)) * (s.transpose_b ? b.at(j, l) : b.at(l, j));
      }
      c.set(i, j, sum);
    }
  }
  return c;
}

struct Operation {
  std::string name;
  Builder build;
};

std::vector<VertexId> ids_of(Index rows) {
  std::vector<VertexId> ids;
  for (Index v = 0; v < rows; ++v) ids.push_back(static_cast<VertexId>(v));
  return ids;
}

/// weight [kWidth, 17], bias [1, 17], gain, shift and two score vectors [1, kWidth], square [kWidth, kWidth].
ParameterList parameters() {
  ParameterList p = aggregation_parameters(DType::kFloat32);
  p.push_back(random_parameter("weight", kWidth, 17, DType::kFloat32, 1));
  p.push_back(random_parameter("bias", 1, 17, DType::kFloat32, 2));
  p.push_back(random_parameter("gain", 1, kWidth, DType::kFloat32, 3));
  p.push_back(random_parameter("shift", 1, kWidth, DType::kFloat32, 4));
  p.push_back(random_parameter("square", kWidth, kWidth, DType::kFloat32, 5));
  return p;
}

/// Every operation that knows bfloat16, and some that don't, for rows [block.num_rows(), kWidth].
std::vector<Operation> operations(const Block& block, const std::vector<VertexId>& ids, const ParameterList& p) {
  using In = std::vector<Var>;
  const Index n = block.num_rows();
  std::vector<Operation> all = {
      {"linear", [&](Tape& t, const In& in) { return linear(t, in[0], *p[2], p[3].get()); }},
      {"linear without bias", [&](Tape& t, const In& in) { return linear(t, in[0], *p[2]); }},
      {"linear of float32 rows",
       [&](Tape& t, const In& in) { return linear(t, mean_heads(t, in[0], 1), *p[2], p[3].get()); }},
      {"linear, wide",
       [&](Tape& t, const In& in) {
         t.give_wide_results();
         return linear(t, in[0], *p[2], p[3].get());
       }},
      {"linear onto", [&](Tape& t, const In& in) { return linear_onto(t, scale(t, 2, in[0]), in[0], *p[6]); }},
      {"linear onto float32",
       [&](Tape& t, const In& in) { return linear_onto(t, maximum(t, in[0], in[0]), in[0], *p[6]); }},
      {"near the identity", [&](Tape& t, const In& in) { return scaled_identity_linear(t, in[0], .6, .4, *p[6]); }},
      {"add_bias", [&](Tape& t, const In& in) { return add_bias(t, in[0], *p[5]); }},
      {"add_bias in place", [&](Tape& t, const In& in) { return add_bias_in_place(t, scale(t, 2, in[0]), *p[5]); }},
      {"combine", [&](Tape& t, const In& in) { return combine(t, .3, in[0], 2, scale(t, 3, in[0])); }},
      {"combine with float32",
       [&](Tape& t, const In& in) { return combine(t, .3, in[0], 2, maximum(t, in[0], scale(t, -1, in[0]))); }},
      {"add_onto", [&](Tape& t, const In& in) { return add_onto(t, scale(t, .5, in[0]), in[0]); }},
      {"dropout", [&](Tape& t, const In& in) { return dropout(t, in[0], .4, ids); }},
      {"layer norm", [&](Tape& t, const In& in) { return layer_norm(t, in[0], *p[4], *p[5]); }},
      {"batch norm", [&](Tape& t, const In& in) { return batch_norm(t, in[0], *p[4], *p[5]); }},
      {"slices",
       [&, n](Tape& t, const In& in) { return add(t, slice_rows(t, in[0], 0, n - 2), slice_rows(t, in[0], 2, n)); }},
      {"mean of heads", [&](Tape& t, const In& in) { return mean_heads(t, in[0], 3); }},
      {"two layers", [&](Tape& t, const In& in) {
         const Var h = activate(t, linear(t, dropout(t, in[0], .4, ids), *p[6]), Activation::kRelu);
         return linear(t, sum(t, block, src(block.sources(t, h)) * symmetric_norm()), *p[2], p[3].get());
       }}};
  for (const Activation f :
       {Activation::kRelu, Activation::kLeakyRelu, Activation::kElu, Activation::kTanh, Activation::kGelu}) {
    all.push_back({std::string(core::name_of(f)), [f](Tape& t, const In& in) { return activate(t, in[0], f); }});
  }
  for (const AggregationCase& aggregation : aggregation_cases()) {
    all.push_back({aggregation.name, [&](Tape& t, const In& in) { return aggregation.apply(t, block, in[0], p); }});
  }
  return all;
}

}  // namespace

TEST_CASE("bfloat16 rounds to nearest, ties to even, and widens exactly") {
  const auto round_trip = [](double x) { return static_cast<double>(static_cast<float>(Bfloat16(x))); };
  for (const double exact : {0.0, 1.0, -1.5, 255.0, 0x1p-126, 0x1p-133, 0x1.fep127, -0.0078125}) {
    CAPTURE(exact);
    CHECK(round_trip(exact) == exact);
  }
  CHECK(std::signbit(static_cast<float>(Bfloat16(-0.0F))));
  // Between 1 and the next number, 1 + 2^-7.
  CHECK(round_trip(1 + 0x1p-8) == 1);
  CHECK(round_trip(1 + 0x1.8p-8) == 1 + 0x1p-7);
  CHECK(round_trip(1 + 0x1.8p-7) == 1 + 0x1p-6);
  CHECK(round_trip(1 + 0x1p-8 + 0x1p-20) == 1 + 0x1p-7);
  CHECK(std::isinf(round_trip(3.4e38)));
  CHECK(round_trip(-std::numeric_limits<double>::infinity()) == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(round_trip(std::numeric_limits<double>::quiet_NaN())));
  // A NaN whose payload is in the lower half only.
  CHECK(std::isnan(static_cast<float>(Bfloat16(std::bit_cast<float>(0x7f800001U)))));
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    Bfloat16 x;
    x.bits = static_cast<std::uint16_t>(bits);
    const float wide = x;
    if (std::isnan(wide) ? !std::isnan(static_cast<float>(Bfloat16(wide))) : Bfloat16(wide).bits != bits) FAIL(bits);
  }
}

TEST_CASE("tensors of bfloat16") {
  CHECK(size_of(DType::kBfloat16) == 2);
  CHECK(core::name_of(DType::kBfloat16) == "bf16");
  CHECK(dtype_from_name("bf16") == DType::kBfloat16);
  CHECK(computed(DType::kBfloat16) == DType::kFloat32);
  CHECK(computed(DType::kFloat64) == DType::kFloat64);
  const Tensor wide = random_tensor(70, 9, DType::kFloat32, 3);
  const Tensor narrow = wide.to(DType::kBfloat16);
  CHECK(narrow.bytes() == 70 * 9 * 2);
  for (Index r = 0; r < 70; ++r) {
    for (Index c = 0; c < 9; ++c)
      CHECK(std::abs(narrow.at(r, c) - wide.at(r, c)) <= kRounding * std::abs(wide.at(r, c)));
  }
  CHECK(same_bits(narrow.to(DType::kFloat32).to(DType::kBfloat16), narrow));
  CHECK(same_bits(wide.to(DType::kFloat64).to(DType::kBfloat16), narrow));
  Tensor t = Tensor::zeros(2, 2, DType::kBfloat16);
  t.set(0, 1, 2.5);
  CHECK(values_of(t) == std::vector<double>{0, 2.5, 0, 0});
  CHECK(values_of(t.slice_rows(0, 1)) == std::vector<double>{0, 2.5});
  CHECK_THROWS_AS(dispatch(DType::kBfloat16, [](auto) {}), Error);
  CHECK_THROWS_AS(t.data<float>(), Error);
}

TEST_CASE("products of bfloat16 matrices, natively and in panels") {
  for (const auto& [m, n, k] : {std::array<Index, 3>{1, 1, 1}, {37, 17, 21}, {130, 128, 64}, {5, 3, 0}, {0, 4, 4}}) {
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        const GemmShape s{transpose_a, transpose_b, m, n, k};
        const Tensor a = transpose_a ? rounded(k, m, 1) : rounded(m, k, 1);
        const Tensor b = transpose_b ? rounded(n, k, 2) : rounded(k, n, 2);
        const Tensor expected = product(s, a, b);
        Tensor c(m, n, DType::kFloat32);
        gemm(s, a.data<Bfloat16>(), b.data<Bfloat16>(), c.data<float>(), false);
        CHECK(relative_difference(c, expected) < 1e-6);
        gemm(s, a.data<Bfloat16>(), b.data<Bfloat16>(), c.data<float>(), true);
        for (Index i = 0; i < c.size(); ++i) c.data<float>()[i] /= 2;
        CHECK(relative_difference(c, expected) < 1e-6);
      }
    }
  }
}

TEST_CASE("dense products of bfloat16 rows with float32 weights") {
  const auto pool = MemoryPool::create();
  for (const Index n : {1, 63, 5000}) {
    CAPTURE(n);
    const Tensor x = rounded(n, 40, 1);
    const Tensor w = random_tensor(40, 24, DType::kFloat32, 2);
    const Tensor b = random_tensor(1, 24, DType::kFloat32, 3);
    const Tensor g = rounded(n, 24, 4);
    const Tensor y0 = rounded(n, 24, 5);
    const Tensor wide = x.to(DType::kFloat32);
    for (const DType out : {DType::kFloat32, DType::kBfloat16}) {
      for (const bool accumulate : {false, true}) {
        Tensor expected = y0.to(DType::kFloat32);
        multiply_add(wide, w, b, expected, accumulate);
        Tensor y = y0.to(out);
        multiply_add(x, w, b, y, accumulate);
        CHECK(relative_difference(y, expected) < kRounding);
        Tensor dx = x.to(out);
        Tensor expected_dx = wide.clone();
        multiply_transposed(g, w, dx, accumulate);
        multiply_transposed(g.to(DType::kFloat32), w, expected_dx, accumulate);
        CHECK(relative_difference(dx, expected_dx) < kRounding);
      }
    }
    Tensor dw = Tensor::zeros(40, 24, DType::kFloat32);
    Tensor db = Tensor::zeros(1, 24, DType::kFloat32);
    Tensor expected_dw = dw.clone();
    Tensor expected_db = db.clone();
    add_outer_product(x, g, dw, db, *pool);
    add_outer_product(wide, g.to(DType::kFloat32), expected_dw, expected_db, *pool);
    CHECK(relative_difference(dw, expected_dw) < 1e-5);
    CHECK(relative_difference(db, expected_db) < 1e-5);
  }
  Tensor narrow_result(3, 24, DType::kBfloat16);
  const Tensor wide_rows = random_tensor(3, 40, DType::kFloat32, 1);
  const Tensor w = random_tensor(40, 24, DType::kFloat32, 2);
  CHECK_THROWS_AS(multiply(wide_rows, w, narrow_result), Error);
  CHECK_THROWS_AS(multiply(rounded(3, 40, 1), w.to(DType::kBfloat16), narrow_result), Error);
  Tensor double_result(3, 24, DType::kFloat64);
  CHECK_THROWS_AS(multiply(rounded(3, 40, 1), w, double_result), Error);
}

TEST_CASE("a gathered row is a float32 sum that is rounded once") {
  const Tensor table = rounded(50, 77, 1);
  const std::vector<std::int32_t> indices = {3, 49, 3, 0, 17};
  const std::vector<float> weights = {.5F, -2, 1, .25F, 3};
  const auto* rows = table.data<Bfloat16>();
  for (const bool weighted : {false, true}) {
    for (const bool accumulate : {false, true}) {
      Tensor y = rounded(1, 77, 2);
      std::vector<Bfloat16> expected;
      for (Index c = 0; c < 77; ++c) {
        float sum = accumulate ? static_cast<float>(y.at(0, c)) : 0;
        for (std::size_t e = 0; e < indices.size(); ++e) {
          const float value = rows[indices[e] * 77 + c];
          sum += weighted ? weights[e] * value : value;
        }
        expected.emplace_back(sum);
      }
      gather_row(y.data<Bfloat16>(), rows, 77, 77, {indices.data(), 5, 0}, weighted ? weights.data() : nullptr,
                 accumulate);
      for (Index c = 0; c < 77; ++c) CHECK(y.data<Bfloat16>()[c].bits == expected[static_cast<std::size_t>(c)].bits);
    }
  }
}

TEST_CASE("every operation on bfloat16 rows is near the one on float32 rows, forward and backward") {
  const Graph graph = directed_weighted_hub(60, 240, 9);
  const Block block = Block::whole(graph);
  const std::vector<VertexId> ids = ids_of(60);
  const ParameterList p = parameters();
  const Tensor x = rounded(60, kWidth, 1);
  for (const Operation& o : operations(block, ids, p)) {
    CAPTURE(o.name);
    const Pass expected = run_pass(context(DType::kFloat32, true), o.build, {x.to(DType::kFloat32)}, p);
    const Pass found = run_pass(narrow_context(), o.build, {x}, p);
    // A few roundings of 2^-8 at most each.
    constexpr double kTolerance = 0.015;
    CHECK(relative_difference(found.output, expected.output) < kTolerance);
    REQUIRE(found.input_gradients[0]);
    CHECK(found.input_gradients[0].dtype() == DType::kBfloat16);
    CHECK(relative_difference(found.input_gradients[0], expected.input_gradients[0]) < kTolerance);
    for (std::size_t i = 0; i < p.size(); ++i) {
      CHECK(relative_difference(found.parameter_gradients[i], expected.parameter_gradients[i]) < kTolerance);
    }
  }
}

TEST_CASE("operations on bfloat16 rows have the same bits on 1, 2 and 4 threads") {
  const Graph graph = directed_weighted_hub(3000, 15000, 9);
  const std::vector<VertexId> ids = ids_of(3000);
  const ParameterList p = parameters();
  const Tensor x = rounded(3000, kWidth, 1);
  const Block block = Block::whole(graph);
  for (const Operation& o : operations(block, ids, p)) {
    CAPTURE(o.name);
    Pass first;
    for (const int threads : {1, 2, 4}) {
      Arena arena(threads);
      Pass pass;
      arena.execute([&] { pass = run_pass(narrow_context(), o.build, {x}, p); });
      if (threads == 1) first = pass;
      CHECK(same_bits(first.output, pass.output));
      CHECK(same_bits(first.input_gradients[0], pass.input_gradients[0]));
      for (std::size_t i = 0; i < p.size(); ++i) {
        CHECK(same_bits(first.parameter_gradients[i], pass.parameter_gradients[i]));
      }
    }
  }
}

TEST_CASE("what a tape keeps in bfloat16, and what it gives") {
  const ParameterList p = parameters();
  Tape tape(narrow_context(false));
  const Var x = tape.input(rounded(8, kWidth, 1), true);
  CHECK(tape.kept_dtype(x) == DType::kBfloat16);
  CHECK(tape.kept(x).dtype() == DType::kBfloat16);
  CHECK(tape.value(x).dtype() == DType::kFloat32);
  CHECK(same_bits(tape.value(x).to(DType::kBfloat16), tape.kept(x)));
  const Var h = activate(tape, linear(tape, x, *p[6]), Activation::kRelu);
  CHECK(tape.kept_dtype(h) == DType::kBfloat16);
  // An operation that knows nothing of it gives float32, and a linear map goes on in bfloat16.
  const Var m = maximum(tape, h, x);
  CHECK(tape.kept_dtype(m) == DType::kFloat32);
  CHECK(tape.narrowed(m).dtype() == DType::kBfloat16);
  CHECK(tape.kept_dtype(linear(tape, m, *p[2])) == DType::kBfloat16);
  tape.give_wide_results();
  CHECK(tape.result_dtype() == DType::kFloat32);
  const Var y = linear(tape, m, *p[2], p[3].get());
  CHECK(tape.kept_dtype(y) == DType::kFloat32);
  tape.add_gradient(y, random_tensor(8, 17, DType::kFloat32, 9));
  // Contributions of both kinds.
  tape.add_gradient(h, rounded(8, kWidth, 10));
  tape.add_gradient(h, random_tensor(8, kWidth, DType::kFloat32, 11));
  CHECK_THROWS_AS(tape.add_gradient(h, random_tensor(8, kWidth, DType::kFloat64, 11)), Error);
  tape.backward();
  CHECK(tape.take_gradient(x).dtype() == DType::kBfloat16);
  CHECK(p[2]->gradient.dtype() == DType::kFloat32);

  Tape wide(context(DType::kFloat32, false));
  CHECK(wide.result_dtype() == DType::kFloat32);
  const Var z = wide.input(random_tensor(8, kWidth, DType::kFloat32, 1), true);
  CHECK(wide.narrowed(z).dtype() == DType::kFloat32);
  CHECK_THROWS_AS(wide.add_gradient(z, rounded(8, kWidth, 1)), Error);
  TapeContext c = context(DType::kFloat64, false);
  c.bfloat16 = true;
  CHECK_THROWS_AS(Tape{c}, Error);
}
