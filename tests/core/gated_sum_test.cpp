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
const AdjacencySpec kSpecs[] = {{Normalization::kNone, false, false}, {Normalization::kSymmetric, true, true}};
}  // namespace

TEST_CASE("gated sums agree with their definition") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    for (const AdjacencySpec& spec : kSpecs) {
      for (const DType dtype : {DType::kFloat32, kDouble}) {
        const Tensor x = random_tensor(n, 19, dtype, 1);
        const Tensor s = random_tensor(n, 1, dtype, 2);
        const Tensor t = random_tensor(n, 1, dtype, 3);
        Tensor expected = Tensor::zeros(n, 19, kDouble);
        for (const ReferenceEdge& e : reference_edges(g.graph, spec)) {
          const double gate = e.value * std::tanh(s.at(e.source, 0) + t.at(e.target, 0));
          for (Index c = 0; c < 19; ++c) {
            expected.set(e.target, c, expected.at(e.target, c) + gate * x.at(e.source, c));
          }
        }
        const Block block = Block::whole(g.graph);
        Tape tape(context(dtype));
        const Sources rows = block.sources(tape, tape.input(x, true));
        const Var y = gated_sum(tape, block, src(rows) * spec, tape.input(s, true), tape.input(t, true));
        CHECK(relative_difference(tape.value(y).to(kDouble), expected) <= (dtype == DType::kFloat32 ? 1e-5 : 1e-14));
      }
    }
  }
}

TEST_CASE("gradients of gated sums on every graph, by rows and both scores") {
  for (const NamedGraph& g : test_graphs()) {
    const Block block = Block::whole(g.graph);
    const Index n = g.graph.num_vertices();
    for (const AdjacencySpec& spec : kSpecs) {
      check_gradients(
          g.name + ", gated sum",
          [&](Tape& tape, const std::vector<Var>& in) {
            return gated_sum(tape, block, src(block.sources(tape, in[0])) * spec, in[1], in[2]);
          },
          {random_tensor(n, 3, kDouble, 1), random_tensor(n, 1, kDouble, 2), random_tensor(n, 1, kDouble, 3)});
    }
  }
}

TEST_CASE("scores that don't fit are refused") {
  const Block block = Block::whole(ring(4));
  Tape tape(context(kDouble));
  const Sources x = block.sources(tape, tape.input(random_tensor(4, 2, kDouble, 1), true));
  const auto scores = [&](Index rows, Index cols) { return tape.input(random_tensor(rows, cols, kDouble, 1), true); };
  CHECK_NOTHROW(gated_sum(tape, block, src(x), scores(4, 1), scores(4, 1)));
  CHECK_THROWS_AS(gated_sum(tape, block, src(x), scores(3, 1), scores(4, 1)), Error);
  CHECK_THROWS_AS(gated_sum(tape, block, src(x), scores(4, 1), scores(4, 2)), Error);
  CHECK_THROWS_AS(gated_sum(tape, Block::whole(ring(5)), src(x), scores(5, 1), scores(5, 1)), Error);
}

TEST_CASE("sums with a gate for each edge and column agree with their definition") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    for (const AdjacencySpec& spec : kSpecs) {
      for (const DType dtype : {DType::kFloat32, kDouble}) {
        const Tensor x = random_tensor(n, 19, dtype, 1);
        const Tensor k = random_tensor(n, 19, dtype, 2, 100);
        const Tensor t = random_tensor(n, 19, dtype, 3, 3);
        Tensor expected = Tensor::zeros(n, 19, kDouble);
        for (const ReferenceEdge& e : reference_edges(g.graph, spec)) {
          for (Index c = 0; c < 19; ++c) {
            const double gate = 1 / (1 + std::exp(-(k.at(e.source, c) + t.at(e.target, c))));
            expected.set(e.target, c, expected.at(e.target, c) + e.value * gate * x.at(e.source, c));
          }
        }
        const Block block = Block::whole(g.graph);
        Tape tape(context(dtype));
        const Sources rows = block.sources(tape, tape.input(x, true));
        const Sources gate{tape.input(k, true), tape.input(t, true)};
        const Var y = sum(tape, block, sigmoid(src(gate) + dst(gate)) * src(rows) * spec);
        CHECK(relative_difference(tape.value(y).to(kDouble), expected) <= (dtype == DType::kFloat32 ? 1e-5 : 1e-14));
      }
    }
  }
}

TEST_CASE("gradients of such sums on every graph, by rows and both sides of the gate") {
  for (const NamedGraph& g : test_graphs()) {
    const Block block = Block::whole(g.graph);
    const Index n = g.graph.num_vertices();
    for (const AdjacencySpec& spec : kSpecs) {
      check_gradients(
          g.name + ", gates",
          [&](Tape& tape, const std::vector<Var>& in) {
            const Sources x = block.sources(tape, in[0]);
            return sum(tape, block, sigmoid(src({in[1], x.own}) + dst({x.rows, in[2]})) * src(x) * spec);
          },
          {random_tensor(n, 3, kDouble, 1), random_tensor(n, 3, kDouble, 2), random_tensor(n, 3, kDouble, 3)});
    }
  }
}

TEST_CASE("gates that don't fit are refused") {
  const Block block = Block::whole(ring(4));
  Tape tape(context(kDouble));
  const Sources x = block.sources(tape, tape.input(random_tensor(4, 2, kDouble, 1), true));
  const auto gated = [&](Index rows, Index cols) {
    const Var k = tape.input(random_tensor(rows, cols, kDouble, 1), true);
    return sigmoid(src({k, x.own}) + dst(x)) * src(x);
  };
  CHECK_NOTHROW(sum(tape, block, gated(4, 2)));
  CHECK_THROWS_AS(sum(tape, block, gated(3, 2)), Error);
  CHECK_THROWS_AS(sum(tape, block, gated(4, 1)), Error);
  CHECK_THROWS_AS(sum(tape, Block::whole(ring(5)), gated(4, 2)), Error);
  CHECK_THROWS_AS(sum(tape, block, sigmoid(leaky_relu(src(x) + dst(x))) * src(x)), Error);
  CHECK_THROWS_AS(sum(tape, block, sigmoid(src(x) * edge_weight() + dst(x)) * src(x)), Error);
}
