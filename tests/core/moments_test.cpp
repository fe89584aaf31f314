#include <algorithm>
#include <cmath>
#include <limits>
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

/// From the definition, edge by edge.
Tensor reference_moments(const Graph& graph, const Tensor& z, const Tensor& t) {
  const std::vector<ReferenceEdge> edges = reference_edges(graph, {Normalization::kNone, false, false});
  const Index n = z.rows();
  const Index d = z.cols();
  Tensor y = Tensor::zeros(n, 4 * d, kDouble);
  for (VertexId v = 0; v < n; ++v) {
    for (Index c = 0; c < d; ++c) {
      std::vector<double> m;
      for (const ReferenceEdge& e : edges) {
        if (e.target == v) m.push_back(z.at(e.source, c) + t.at(v, c));
      }
      y.set(v, 3 * d + c, std::sqrt(1e-5));
      if (m.empty()) continue;
      double mean = 0;
      for (const double x : m) mean += x / static_cast<double>(m.size());
      double variance = 0;
      for (const double x : m) variance += (x - mean) * (x - mean) / static_cast<double>(m.size());
      y.set(v, c, mean);
      y.set(v, d + c, *std::min_element(m.begin(), m.end()));
      y.set(v, 2 * d + c, *std::max_element(m.begin(), m.end()));
      y.set(v, 3 * d + c, std::sqrt(std::max(variance, 1e-5)));
    }
  }
  return y;
}

}  // namespace

TEST_CASE("moments, by hand; rows without in-edges have mean, minimum and maximum 0, whatever is added") {
  // 0, 1 -> 2 and 0 -> 1.
  const Graph g = Graph::from_edges(3, std::vector<VertexId>{0, 1, 0}, std::vector<VertexId>{2, 2, 1}, {}, true);
  const Block block = Block::whole(g);
  Tape tape(context(kDouble));
  const Sources z = block.sources(tape, tape.input(Tensor::from(3, 1, std::vector<double>{1, 5, 9}), true));
  const Var t = tape.input(Tensor::from(3, 1, std::vector<double>{100, 10, 20}), true);
  const double none = std::sqrt(1e-5);
  CHECK(values_of(tape.value(moments(tape, block, src(z)))) ==
        std::vector<double>{0, 0, 0, none, 1, 1, 1, none, 3, 1, 5, 2});
  CHECK(values_of(tape.value(moments(tape, block, src(z) + dst({{}, t})))) ==
        std::vector<double>{0, 0, 0, none, 11, 11, 11, none, 23, 21, 25, 2});
}

TEST_CASE("moments agree with the definition") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    for (const DType dtype : {DType::kFloat32, kDouble}) {
      for (const Index d : {1, 7, 40}) {
        const Block block = Block::whole(g.graph);
        Tape tape(context(dtype));
        const Tensor t = random_tensor(n, d, dtype, 2);
        const Sources z = block.sources(tape, tape.input(random_tensor(n, d, dtype, 1), true));
        const Tensor y = tape.value(moments(tape, block, src(z) + dst({{}, tape.input(t, true)})));
        CHECK(relative_difference(y.to(kDouble), reference_moments(g.graph, tape.value(z.rows), t)) <=
              (dtype == DType::kFloat32 ? 1e-6 : 1e-14));
      }
    }
  }
}

TEST_CASE("gradients of moments on every graph, by sources and targets") {
  for (const NamedGraph& g : test_graphs()) {
    const Block block = Block::whole(g.graph);
    const Index n = g.graph.num_vertices();
    check_gradients(g.name + ", moments",
                    [&](Tape& tape, const std::vector<Var>& in) {
                      const Sources z = block.sources(tape, in[0]);
                      return moments(tape, block, src(z) + dst({{}, in[1]}));
                    },
                    {random_tensor(n, 3, kDouble, 1), random_tensor(n, 3, kDouble, 2)});
  }
}

TEST_CASE("messages that are all alike have the least deviation and no gradient by it; a NaN is seen") {
  const Graph g = star(5);
  const Block block = Block::whole(g);
  Tape tape(context(kDouble));
  Tensor x = Tensor::zeros(5, 1, kDouble);
  x.fill(3);
  const Var in = tape.input(x, true);
  const Var y = moments(tape, block, src(block.sources(tape, in)));
  CHECK(tape.value(y).at(0, 3) == std::sqrt(1e-5));
  Tensor dy = Tensor::zeros(5, 4, kDouble);
  dy.set(0, 3, 1);
  tape.add_gradient(y, dy);
  tape.backward();
  CHECK(norm(tape.take_gradient(in)) == 0);

  x.set(2, 0, std::numeric_limits<double>::quiet_NaN());
  Tape other(context(kDouble));
  const Tensor bad = other.value(moments(other, block, src(block.sources(other, other.input(x, true)))));
  for (Index c = 0; c < 4; ++c) CHECK(std::isnan(bad.at(0, c)));
}

TEST_CASE("what moments can't take is refused") {
  const Block block = Block::whole(ring(4));
  Tape tape(context(kDouble));
  const Sources x = block.sources(tape, tape.input(random_tensor(4, 2, kDouble, 1), true));
  const Var wide = tape.input(random_tensor(4, 3, kDouble, 1), true);
  CHECK_THROWS_AS(moments(tape, block, src(x) * edge_weight()), Error);
  CHECK_THROWS_AS(moments(tape, block, leaky_relu(src(x) + dst(x))), Error);
  CHECK_THROWS_AS(moments(tape, block, src(x) + dst({{}, wide})), Error);
  CHECK_THROWS_AS(moments(tape, Block::whole(ring(5)), src(x)), Error);
}
