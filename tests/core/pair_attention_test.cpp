#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/error.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/reference.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;
constexpr double kSlope = 0.2;

/// From the definition, with a coefficient an edge and head.
Tensor reference(const Graph& graph, const Tensor& z, const Tensor& t, const Tensor& a, Index heads, bool self_loops) {
  const std::vector<ReferenceEdge> edges = reference_edges(graph, {Normalization::kNone, self_loops, false});
  const Index width = z.cols() / heads;
  Tensor y = Tensor::zeros(z.rows(), z.cols(), kDouble);
  for (VertexId v = 0; v < z.rows(); ++v) {
    for (Index h = 0; h < heads; ++h) {
      double total = 0;
      std::vector<double> weighted(static_cast<std::size_t>(width), 0);
      for (const ReferenceEdge& e : edges) {
        if (e.target != v) continue;
        double score = 0;
        for (Index c = h * width; c < (h + 1) * width; ++c) {
          const double sum = z.at(e.source, c) + t.at(v, c);
          score += a.at(0, c) * (sum > 0 ? sum : kSlope * sum);
        }
        total += std::exp(score);
        for (Index c = 0; c < width; ++c) weighted[c] += std::exp(score) * z.at(e.source, h * width + c);
      }
      for (Index c = 0; c < width && total > 0; ++c) y.set(v, h * width + c, weighted[c] / total);
    }
  }
  return y;
}

Builder attention(const Block& block, Parameter& a, const AttentionOptions& options) {
  return [&block, &a, options](Tape& tape, const std::vector<Var>& in) {
    const Sources z = block.sources(tape, in[0]);
    return softmax_sum(tape, block, dot(leaky_relu(src(z) + dst({{}, in[1]}), kSlope), a), src(z), options);
  };
}

}  // namespace

TEST_CASE("attention of pairs agrees with its definition") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    const Block block = Block::whole(g.graph);
    for (const DType dtype : {DType::kFloat32, kDouble}) {
      for (const Index heads : {1, 3}) {
        for (const bool self_loops : {false, true}) {
          const Tensor z = random_tensor(n, 51, dtype, 1);
          const Tensor t = random_tensor(n, 51, dtype, 2);
          const auto a = random_parameter("a", 1, 51, dtype, 3);
          Tape tape(context(dtype));
          const Var y = attention(block, *a, {heads, self_loops, 0})(tape, {tape.input(z, true), tape.input(t, true)});
          CHECK(relative_difference(tape.value(y).to(kDouble), reference(g.graph, z, t, a->value, heads, self_loops)) <=
                (dtype == DType::kFloat32 ? 1e-4 : 1e-13));
        }
      }
    }
  }
}

TEST_CASE("gradients of attention of pairs on every graph, by sources, targets and vector") {
  for (const NamedGraph& g : test_graphs()) {
    const Block block = Block::whole(g.graph);
    const Index n = g.graph.num_vertices();
    for (const double dropout : {0.0, 0.4}) {
      ParameterList parameters;
      parameters.push_back(random_parameter("a", 1, 4, kDouble, 3));
      check_gradients(g.name + ", attention of pairs", attention(block, *parameters[0], {2, dropout > 0, dropout}),
                      {random_tensor(n, 4, kDouble, 1), random_tensor(n, 4, kDouble, 2)}, parameters,
                      {.training = dropout > 0});
    }
  }
}

TEST_CASE("what attention of pairs can't take is refused") {
  const Block block = Block::whole(ring(4));
  Tape tape(context(kDouble));
  const Sources z = block.sources(tape, tape.input(random_tensor(4, 6, kDouble, 1), true));
  const Sources other{tape.input(random_tensor(4, 6, kDouble, 1), true), z.own};
  const auto a = random_parameter("a", 1, 6, kDouble, 3);
  const auto wrong = random_parameter("wrong", 1, 5, kDouble, 3);
  const auto sum = [&](const Sources& rows, Parameter& vector, const Message& message, Index heads) {
    return softmax_sum(tape, block, dot(src(rows) + dst(rows), vector), message, {.heads = heads});
  };
  CHECK_NOTHROW(sum(z, *a, src(z), 3));
  CHECK_THROWS_AS(sum(z, *a, src(z), 4), Error);
  CHECK_THROWS_AS(sum(z, *a, src(z), 0), Error);
  CHECK_THROWS_WITH_AS(sum(z, *wrong, src(z), 1), doctest::Contains("wrong"), Error);
  CHECK_THROWS_AS(sum(z, *a, src(other), 1), Error);
  CHECK_THROWS_AS(sum(z, *a, src(z) * edge_weight(), 1), Error);
}
