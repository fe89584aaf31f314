/// Same seed, same bits, on any number of threads: every operation forward and backward, on rows enough for several
/// pieces of work.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/dropout.hpp"
#include "laminar/core/elementwise.hpp"
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

constexpr Index kRows = 6000;
constexpr Index kWidth = kAggregationWidth;

/// A hub that is more than a piece of work, and 30000 other edges.
const Graph& large_graph() {
  static const Graph graph = directed_weighted_hub(kRows, 30000, 9);
  return graph;
}

SparseMatrix sparse_rows() {
  std::vector<EdgeId> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (Index r = 0; r < kRows; ++r) {
    for (std::int32_t c = static_cast<std::int32_t>(r % 3); c < kWidth; c += 4) {
      columns.push_back(c);
      values.push_back(static_cast<float>(c + 1) / static_cast<float>(r % 17 + 1));
    }
    offsets.push_back(static_cast<EdgeId>(columns.size()));
  }
  return {kRows, kWidth, offsets, columns, values};
}

bool same(const Pass& a, const Pass& b) {
  bool equal = same_bits(a.output, b.output);
  for (std::size_t i = 0; i < a.input_gradients.size(); ++i) {
    equal = equal && same_bits(a.input_gradients[i], b.input_gradients[i]);
  }
  for (std::size_t i = 0; i < a.parameter_gradients.size(); ++i) {
    equal = equal && same_bits(a.parameter_gradients[i], b.parameter_gradients[i]);
  }
  return equal;
}

void check_threads(const std::string& what, const Builder& build, const ParameterList& parameters, DType dtype) {
  CAPTURE(what);
  const Tensor x = random_tensor(kRows, kWidth, dtype, 1);
  Pass first;
  for (const int threads : {1, 2, 4}) {
    Arena arena(threads);
    Pass pass;
    arena.execute([&] { pass = run_pass(context(dtype, true), build, {x}, parameters); });
    CHECK(pass.output.rows() > 0);
    if (threads == 1) {
      first = std::move(pass);
    } else {
      CHECK(same(first, pass));
    }
  }
}

}  // namespace

TEST_CASE("row-local operations have the same bits on 1, 2 and 4 threads") {
  using In = std::vector<Var>;
  std::vector<VertexId> ids;
  for (Index v = 0; v < kRows; ++v) ids.push_back(static_cast<VertexId>(v));
  const SparseMatrix sparse = sparse_rows();
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    ParameterList p;
    p.push_back(random_parameter("weight", kWidth, 33, dtype, 1));
    p.push_back(random_parameter("bias", 1, 33, dtype, 2));
    p.push_back(random_parameter("gain", 1, kWidth, dtype, 3));
    p.push_back(random_parameter("shift", 1, kWidth, dtype, 4));
    const auto check = [&](const std::string& what, const Builder& build) { check_threads(what, build, p, dtype); };
    check("linear", [&](Tape& t, const In& in) { return linear(t, in[0], *p[0], p[1].get()); });
    check("sparse linear", [&](Tape& t, const In&) { return linear(t, t.input(sparse), *p[0], p[1].get()); });
    check("sparse dropout",
          [&](Tape& t, const In&) { return linear(t, dropout(t, t.input(sparse), 0.5, ids), *p[0]); });
    check("densify", [&](Tape& t, const In& in) { return add(t, in[0], densify(t, t.input(sparse))); });
    check("add_bias", [&](Tape& t, const In& in) { return add_bias(t, in[0], *p[3]); });
    check("add_bias in place", [&](Tape& t, const In& in) { return add_bias_in_place(t, scale(t, 2, in[0]), *p[3]); });
    check("layer_norm", [&](Tape& t, const In& in) { return layer_norm(t, in[0], *p[2], *p[3]); });
    check("dropout", [&](Tape& t, const In& in) { return dropout(t, in[0], 0.5, ids); });
    check("combine", [&](Tape& t, const In& in) { return combine(t, 0.3, in[0], 2, scale(t, 3, in[0])); });
    check("slice_rows", [&](Tape& t, const In& in) {
      return add(t, slice_rows(t, in[0], 0, kRows - 10), slice_rows(t, in[0], 10, kRows));
    });
    check("mean_heads", [&](Tape& t, const In& in) { return mean_heads(t, in[0], 3); });
    for (const Activation f :
         {Activation::kRelu, Activation::kLeakyRelu, Activation::kElu, Activation::kTanh, Activation::kGelu}) {
      check(std::string(core::name_of(f)), [&](Tape& t, const In& in) { return activate(t, in[0], f); });
    }
  }
}

TEST_CASE("aggregations have the same bits on 1, 2 and 4 threads") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const AggregationCase& aggregation : aggregation_cases()) {
      const ParameterList p = aggregation_parameters(dtype);
      check_threads(
          aggregation.name,
          [&](Tape& t, const std::vector<Var>& in) {
            // A block a pass, so that its adjacency is made on as many threads too.
            return aggregation.apply(t, Block::whole(large_graph()), in[0], p);
          },
          p, dtype);
    }
  }
}
