#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/tests/core/aggregation_cases.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/reference.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;

/// 0 -> 2, 1 -> 2 (weight 3), 2 -> 0.
Graph small() {
  return Graph::from_edges(3, std::vector<VertexId>{0, 1, 2}, std::vector<VertexId>{2, 2, 0},
                           std::vector<double>{1, 3, 2}, true);
}

std::vector<double> aggregate(const Graph& graph, const std::function<Var(Tape&, const Block&, const Sources&)>& op) {
  const Block block = Block::whole(graph);
  Tape tape(context(kDouble));
  const Var x = tape.input(Tensor::from(3, 1, std::vector<double>{10, 20, 40}), true);
  return values_of(tape.value(op(tape, block, block.sources(tape, x))));
}

}  // namespace

TEST_CASE("sums and means, by hand") {
  using T = Tape;
  using B = Block;
  using S = Sources;
  const Graph g = small();
  using V = std::vector<double>;
  CHECK(aggregate(g, [](T& t, const B& b, const S& x) { return sum(t, b, src(x)); }) == V{40, 0, 30});
  CHECK(aggregate(g, [](T& t, const B& b, const S& x) { return sum(t, b, src(x) * edge_weight()); }) == V{80, 0, 70});
  CHECK(aggregate(g, [](T& t, const B& b, const S& x) { return mean(t, b, src(x)); }) == V{40, 0, 15});
  CHECK(aggregate(g, [](T& t, const B& b, const S& x) { return sum(t, b, src(x) * random_walk_norm()); }) ==
        V{40, 0, 17.5});
  const V looped =
      aggregate(g, [](T& t, const B& b, const S& x) { return sum(t, b, src(x) * random_walk_norm(true)); });
  const V expected = {30, 20, 22};
  for (std::size_t i = 0; i < 3; ++i) CHECK(looped[i] == doctest::Approx(expected[i]).epsilon(1e-15));
}

TEST_CASE("sums and means agree with the reference, forward and backward") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Block block = Block::whole(g.graph);
    const Index n = g.graph.num_vertices();
    for (const DType dtype : {DType::kFloat32, kDouble}) {
      const double tolerance = dtype == DType::kFloat32 ? 2e-6 : 1e-14;
      // Widths of one column, of no full tile, and of one tile of each size and a rest.
      for (const Index d : {1, 7, 86}) {
        const Tensor x = random_tensor(n, d, dtype, 1);
        const Tensor dy = output_gradient(n, d, dtype);
        const auto check = [&](const AdjacencySpec& spec, const Builder& build) {
          const std::vector<ReferenceEdge> edges = reference_edges(g.graph, spec);
          const Pass pass = run_pass(context(dtype), build, {x}, {});
          CHECK(relative_difference(pass.output, reference_sum(edges, x)) <= tolerance);
          CHECK(relative_difference(pass.input_gradients[0], reference_sum_transposed(edges, dy)) <= tolerance);
        };
        for (const AdjacencySpec& spec : all_adjacency_specs()) {
          CAPTURE(testing::name_of(spec));
          check(spec, [&](Tape& t, const std::vector<Var>& in) {
            return sum(t, block, src(block.sources(t, in[0])) * spec);
          });
        }
        check({Normalization::kRandomWalk, false, false},
              [&](Tape& t, const std::vector<Var>& in) { return mean(t, block, src(block.sources(t, in[0]))); });
      }
    }
  }
}

TEST_CASE("gradients of sums and means on every graph") {
  for (const NamedGraph& g : test_graphs()) {
    const Block block = Block::whole(g.graph);
    const Tensor x = random_tensor(g.graph.num_vertices(), 3, kDouble, 1);
    for (const AdjacencySpec& spec : all_adjacency_specs()) {
      check_gradients(
          g.name + ", " + testing::name_of(spec),
          [&](Tape& t, const std::vector<Var>& in) { return sum(t, block, src(block.sources(t, in[0])) * spec); }, {x});
    }
    check_gradients(g.name + ", mean",
                    [&](Tape& t, const std::vector<Var>& in) { return mean(t, block, src(block.sources(t, in[0]))); },
                    {x});
  }
}

TEST_CASE("the own row of a message, beside its matrix") {
  const Block block = Block::whole(directed_random(30, 120, true, 3));
  const Tensor x = random_tensor(30, 5, kDouble, 1);
  const auto of = [&](const auto& message) {
    return run_pass(
        context(kDouble),
        [&](Tape& t, const std::vector<Var>& in) { return sum(t, block, message(block.sources(t, in[0]))); }, {x}, {});
  };
  const Pass plain = of([](const Sources& s) { return src(s) * symmetric_norm(); });
  const Pass behind = of([](const Sources& s) { return plus_own(src(s) * symmetric_norm(), 1.5); });
  const Pass before = of([](const Sources& s) { return plus_own(plus_own(src(s)), .5) * symmetric_norm(); });
  Tensor expected = plain.output.clone();
  for (Index i = 0; i < x.size(); ++i) expected.data<double>()[i] += 1.5 * x.data<double>()[i];
  CHECK(relative_difference(behind.output, expected) <= 1e-14);
  CHECK(same_bits(before.output, behind.output));
  CHECK(same_bits(before.input_gradients[0], behind.input_gradients[0]));
}

TEST_CASE("a mean of messages with weights is refused, and rows that are no sources too") {
  const Block block = Block::whole(ring(4));
  Tape tape(context(kDouble));
  const Sources x = block.sources(tape, tape.input(random_tensor(4, 2, kDouble, 1), true));
  CHECK_THROWS_AS(mean(tape, block, src(x) * edge_weight()), Error);
  CHECK_THROWS_AS(mean(tape, block, src(x) * symmetric_norm()), Error);
  const Block other = Block::whole(ring(5));
  CHECK_THROWS_AS(sum(tape, other, src(x)), Error);
  CHECK_THROWS_AS(mean(tape, other, src(x)), Error);
}

TEST_CASE("a sum of sparse rows that meets a weight gives what dense rows give, and never is dense") {
  const Graph graph = directed_random(40, 150, true, 3);
  const Block block = Block::whole(graph);
  // One entry a row, of 4096 columns.
  constexpr Index kWide = 4096;
  std::vector<EdgeId> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (Index v = 0; v < 40; ++v) {
    columns.push_back(static_cast<std::int32_t>(v * 97 % kWide));
    values.push_back(static_cast<float>(v) - 20);
    offsets.push_back(v + 1);
  }
  const SparseMatrix sparse(40, kWide, offsets, columns, values);
  const auto run = [&](bool is_sparse, bool uses_sum, std::size_t& peak_bytes) {
    const auto weight = random_parameter("weight", kWide, 3, kDouble, 1);
    const auto bias = random_parameter("bias", 1, 3, kDouble, 2);
    const TapeContext c = context(kDouble);
    Tape tape(c);
    const Var in = is_sparse ? tape.input(sparse) : tape.input(to_dense(sparse, kDouble), false);
    const Var m = sum(tape, block, src(block.sources(tape, in)) * symmetric_norm());
    CHECK(tape.rows(m) == 40);
    CHECK(tape.cols(m) == kWide);
    CHECK(tape.is_constant(m));
    CHECK((tape.deferred(m) != nullptr) == is_sparse);
    std::vector<Tensor> all;
    if (uses_sum) all.push_back(tape.value(m).clone());
    const Var y = linear(tape, m, *weight, bias.get());
    all.push_back(tape.value(y).clone());
    tape.finish_forward({});
    CHECK(tape.deferred(m) == nullptr);
    tape.add_gradient(y, random_tensor(40, 3, kDouble, 5));
    tape.backward();
    peak_bytes = c.pool->peak_bytes();
    all.push_back(weight->gradient.clone());
    all.push_back(bias->gradient.clone());
    return all;
  };
  for (const bool uses_sum : {false, true}) {
    std::size_t dense_bytes = 0;
    std::size_t sparse_bytes = 0;
    const auto expected = run(false, uses_sum, dense_bytes);
    const auto found = run(true, uses_sum, sparse_bytes);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(relative_difference(found[i], expected[i]) <= 1e-14);
    if (!uses_sum) CHECK(sparse_bytes < 40 * kWide * sizeof(double) / 8);
  }
}

TEST_CASE("the sum of input features is made once; of other rows, and of other features, anew") {
  const Block block = Block::whole(small());
  const Tensor features = Tensor::from(3, 1, std::vector<double>{10, 20, 40});
  const auto sum_of = [&](const std::function<Var(Tape&)>& rows, bool permanent) {
    Tape tape(context(kDouble));
    const Sources x = block.sources(tape, rows(tape));
    CHECK(tape.is_permanent(x.rows) == permanent);
    const Var y = sum(tape, block, src(x));
    CHECK(tape.is_constant(y));
    CHECK_FALSE(tape.is_permanent(y));
    return tape.value(y);
  };
  const Tensor first = sum_of([&](Tape& t) { return t.permanent_input(features); }, true);
  CHECK(values_of(first) == std::vector<double>{40, 0, 30});
  CHECK(sum_of([&](Tape& t) { return t.permanent_input(features); }, true).raw() == first.raw());
  const Tensor other = sum_of([&](Tape& t) { return t.permanent_input(features.clone()); }, true);
  CHECK(other.raw() != first.raw());
  CHECK(values_of(other) == values_of(first));
  CHECK(sum_of([&](Tape& t) { return t.input(features, false); }, false).raw() != first.raw());
  // Another matrix is another sum.
  Tape tape(context(kDouble));
  const Sources x = block.sources(tape, tape.permanent_input(features));
  CHECK(values_of(tape.value(sum(tape, block, src(x) * edge_weight()))) == std::vector<double>{80, 0, 70});
}
