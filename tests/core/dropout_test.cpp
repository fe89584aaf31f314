#include "laminar/core/dropout.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/dropout_rows.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/rows.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/kernels.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

std::vector<VertexId> ids_from(Index first, Index count) {
  std::vector<VertexId> ids;
  for (Index i = 0; i < count; ++i) ids.push_back(static_cast<VertexId>(first + i));
  return ids;
}

Tensor ones(Index rows, Index cols, DType dtype = DType::kFloat64) {
  Tensor t(rows, cols, dtype);
  t.fill(1);
  return t;
}

/// Dropout's factors, an element.
Tensor mask(const TapeContext& c, Index cols, double rate, const std::vector<VertexId>& ids) {
  Tape tape(c);
  const Var x = tape.input(ones(static_cast<Index>(ids.size()), cols, c.dtype), true);
  return tape.value(dropout(tape, x, rate, ids)).clone();
}

}  // namespace

TEST_CASE("dropout keeps the mean and only scales") {
  const std::vector<VertexId> ids = ids_from(0, 2000);
  for (const double rate : {0.1, 0.5, 0.6, 0.9}) {
    const Tensor m = mask(context(DType::kFloat64, true), 37, rate, ids);
    const DropoutRate realised(rate);
    double kept = 0;
    for (const double v : values_of(m)) {
      REQUIRE((v == 0 || v == realised.scale));
      kept += v > 0 ? 1 : 0;
    }
    const auto n = static_cast<double>(m.size());
    CHECK(std::abs(kept / n - (1 - rate)) < 5 * std::sqrt(rate * (1 - rate) / n) + 1.0 / 65536);
  }
}

TEST_CASE("a mask depends on the row's id, the column and the stream, on nothing else") {
  const TapeContext c = context(DType::kFloat64, true);
  const Tensor all = mask(c, 19, 0.5, ids_from(100, 50));
  CHECK(same_bits(mask(c, 19, 0.5, ids_from(120, 10)), all.slice_rows(20, 30)));
  const Tensor narrow = mask(c, 11, 0.5, ids_from(100, 50));
  bool prefix = true;
  for (Index r = 0; r < 50; ++r) {
    for (Index col = 0; col < 11; ++col) prefix = prefix && narrow.at(r, col) == all.at(r, col);
  }
  CHECK(prefix);
  CHECK(same_bits(mask(context(DType::kFloat32, true), 19, 0.5, ids_from(100, 50)).to(DType::kFloat64), all));
  const auto changed = [&](auto change) {
    TapeContext other = c;
    change(other);
    return !same_bits(mask(other, 19, 0.5, ids_from(100, 50)), all);
  };
  CHECK_FALSE(changed([](TapeContext&) {}));
  CHECK(changed([](TapeContext& o) { ++o.seed; }));
  CHECK(changed([](TapeContext& o) { ++o.run; }));
  CHECK(changed([](TapeContext& o) { ++o.epoch; }));
  CHECK(changed([](TapeContext& o) { ++o.layer; }));
}

TEST_CASE("rows are masked as their bits say, with any registers, at every width and rate, in place too") {
  const std::vector<VertexId> ids = {3, 70000, 9};
  const RandomKey key = random_key(5, 0, 1, 2, 3);
  // Thresholds with and without lower bytes, and with none of the upper ones.
  for (const double p : {0.3, 0.5, 0.002, 0.99999}) {
    const DropoutRate rate(p);
    CAPTURE(p);
    with_any_type([&]<class T>(T) {
      using C = Computed<T>;
      for (const Index d : {1, 8, 15, 16, 17, 58, 64, 70, 128, 200}) {
        Tensor x = random_tensor(3, d, DType::kFloat32, 1).to(DTypeOf<T>::value);
        for (Index i = 0; i < x.size(); i += 5) x.data<T>()[i] = T(-0.0F);
        const Tensor y0 = random_tensor(3, d, DType::kFloat32, 2).to(DTypeOf<T>::value);
        // What is dropped is 0, whatever it was.
        for (Index r = 0; r < 3; ++r) {
          for (Index c = 0; c < d; ++c) {
            if (mask_keeps(key, ids[static_cast<std::size_t>(r)], c, rate.threshold)) continue;
            x.data<T>()[r * d + c] = T(c % 2 == 0 ? std::numeric_limits<float>::infinity() : std::nanf(""));
          }
        }
        for (const bool accumulate : {false, true}) {
          Tensor expected = y0.clone();
          for (Index r = 0; r < 3; ++r) {
            for (Index c = 0; c < d; ++c) {
              const bool kept = mask_keeps(key, ids[static_cast<std::size_t>(r)], c, rate.threshold);
              const C v = kept ? static_cast<C>(rate.scale) * static_cast<C>(x.data<T>()[r * d + c]) : C(0);
              T& out = expected.data<T>()[r * d + c];
              out = static_cast<T>(accumulate ? static_cast<C>(out) + v : v);
            }
          }
          with_any_registers([&] {
            CAPTURE(d);
            MaskedRows<T> rows{x.data<T>(), nullptr, d, ids, key, rate.threshold, static_cast<C>(rate.scale),
                               accumulate};
            Tensor y = y0.clone();
            rows.y = y.data<T>();
            mask_rows(rows, 0, 3);
            CHECK(same_bits(y, expected));
            if (accumulate) return;
            Tensor in_place = x.clone();
            rows.x = rows.y = in_place.data<T>();
            mask_rows(rows, 0, 3);
            CHECK(same_bits(in_place, expected));
          });
        }
      }
    });
  }
}

TEST_CASE("entries are masked as their bits say, with any registers, in any order of the columns") {
  // Row 1 has none; row 2 goes from group to group of columns and back.
  const std::vector<EdgeId> offsets = {0, 70, 70, 76};
  std::vector<std::int32_t> columns(70);
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<std::int32_t>(7 * i);
  columns.insert(columns.end(), {300, 2, 301, 127, 128, 100000});
  const std::vector<float> x(columns.size(), 3);
  const std::vector<VertexId> ids = {3, 70000, 9};
  const RandomKey key = random_key(5, 0, 1, 2, 3);
  for (const double p : {0.3, 0.5, 0.002, 0.99}) {
    const DropoutRate rate(p);
    CAPTURE(p);
    std::vector<float> expected;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool kept = mask_keeps(key, ids[i < 70 ? 0 : 2], columns[i], rate.threshold);
      expected.push_back(kept ? static_cast<float>(3 * rate.scale) : 0.0F);
    }
    with_any_registers([&] {
      std::vector<float> y(columns.size(), -1);
      const MaskedEntries entries{offsets, columns, x.data(), y.data(), ids, key, rate.threshold, rate.scale};
      mask_entries(entries, 1, 3);
      CHECK(y.front() == -1);
      CHECK(std::equal(y.begin() + 70, y.end(), expected.begin() + 70));
      mask_entries(entries, 0, 1);
      CHECK(y == expected);
    });
  }
}

TEST_CASE("operations of a tape draw from streams of their own") {
  Tape tape(context(DType::kFloat64, true));
  const std::vector<VertexId> ids = ids_from(0, 40);
  const Var x = tape.input(ones(40, 8), true);
  // A rate of 0 takes a stream too, so that what follows keeps its own.
  dropout(tape, x, 0, ids);
  const Tensor second = tape.value(dropout(tape, x, 0.5, ids)).clone();
  Tape other(context(DType::kFloat64, true));
  const Var z = other.input(ones(40, 8), true);
  const Tensor first = other.value(dropout(other, z, 0.5, ids)).clone();
  CHECK_FALSE(same_bits(first, second));
  CHECK(same_bits(other.value(dropout(other, z, 0.5, ids)), second));
}

TEST_CASE("dropout passes values through where it is off") {
  const std::vector<VertexId> ids = ids_from(0, 4);
  const Tensor x = random_tensor(4, 3, DType::kFloat64, 1);
  for (const bool training : {false, true}) {
    Tape tape(context(DType::kFloat64, training));
    const Var v = tape.input(x, true);
    CHECK(dropout(tape, v, training ? 0 : 0.9, ids).id == v.id);
  }
}

TEST_CASE("gradients of dropout") {
  const std::vector<VertexId> ids = ids_from(3, 9);
  const Tensor x = random_tensor(9, 21, DType::kFloat64, 1);
  check_gradients("dropout", [&](Tape& t, const std::vector<Var>& in) { return dropout(t, in[0], 0.4, ids); }, {x}, {},
                  {.training = true});
  check_gradients(
      "dropout twice",
      [&](Tape& t, const std::vector<Var>& in) { return dropout(t, dropout(t, in[0], 0.4, ids), 0.2, ids); }, {x}, {},
      {.training = true});
}

TEST_CASE("a sparse row is thinned as its dense form is") {
  const SparseMatrix x(3, 20, {0, 3, 3, 7}, {0, 7, 19, 1, 2, 8, 18}, {1, 2, 3, 4, 5, 6, 7});
  const std::vector<VertexId> ids = {5, 9, 2};
  Tape tape(context(DType::kFloat32, true));
  const Var v = tape.input(x);
  const Tensor thinned = tape.value(densify(tape, dropout(tape, v, 0.5, ids)));
  Tape dense(context(DType::kFloat32, true));
  const Var full = densify(dense, dense.input(x));
  CHECK(same_bits(thinned, dense.value(dropout(dense, full, 0.5, ids))));
  CHECK(norm(thinned) > 0);
  CHECK(norm(thinned) != norm(dense.value(full)));
}

TEST_CASE("dropout refuses what can't be") {
  Tape tape(context(DType::kFloat64, true));
  const Var x = tape.input(random_tensor(4, 3, DType::kFloat64, 1), true);
  const std::vector<VertexId> ids = ids_from(0, 4);
  CHECK_THROWS_AS(dropout(tape, x, 1, ids), UsageError);
  CHECK_THROWS_AS(dropout(tape, x, -0.5, ids), UsageError);
  CHECK_THROWS_AS(dropout(tape, x, 0.5, ids_from(0, 3)), Error);
}

TEST_CASE("the masks of an operation can be used again, and take no number of their own") {
  Tape tape(context(DType::kFloat64, true));
  const Var x = tape.input(random_tensor(4, 30, DType::kFloat64, 1), true);
  const std::vector<VertexId> ids = ids_from(0, 4);
  dropout(tape, x, 0.5, ids);
  const std::uint64_t op = tape.random_ops();
  const Tensor once = tape.value(dropout(tape, x, 0.5, ids));
  CHECK(same_bits(tape.value(dropout_again(tape, x, 0.5, ids, op)), once));
  CHECK(tape.random_ops() == op + 1);
  CHECK_FALSE(same_bits(tape.value(dropout(tape, x, 0.5, ids)), once));
}
