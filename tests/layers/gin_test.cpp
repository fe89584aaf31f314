/// GIN with a fixed eps, which is an entry of the matrix: the reference values have a learnt one.
#include <string>

#include <doctest/doctest.h>

#include "laminar/tests/layers/support.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Block;
using core::DType;
using core::Index;
using core::Tensor;
using layers::checks::Pass;

TEST_CASE("a fixed eps gives what a learnt one of that value gives") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Block block = Block::whole(g.graph);
    const Tensor x = random_tensor(g.graph.num_vertices(), 6, DType::kFloat64, 40);
    // Weights before the sum, and behind it.
    for (const Index out : {2, 8}) {
      for (const double eps : {0.0, 0.25, -1.0}) {
        CAPTURE(out);
        CAPTURE(eps);
        const layers::LayerSetup::Place place{.in_width = 6, .out_width = out, .dtype = DType::kFloat64};
        const MadeLayer fixed = make_layer("gin", place, {{"eps", std::to_string(eps)}}, 1);
        const MadeLayer learnt = make_layer("gin", place, {{"learn_eps", "true"}}, 1);
        learnt.parameter("eps").value.fill(eps);
        for (const char* name : {"first", "first_bias", "second", "second_bias"}) {
          fixed.parameter(name).value.copy_from(learnt.parameter(name).value);
        }
        const Pass a = pass_with_dropout(fixed, block, x);
        const Pass b = pass_with_dropout(learnt, block, x);
        CHECK(relative_difference(a.output, b.output) <= 1e-12);
        CHECK(relative_difference(a.input_gradients[0], b.input_gradients[0]) <= 1e-12);
        for (const char* name : {"first", "first_bias", "second", "second_bias"}) {
          CAPTURE(name);
          CHECK(relative_difference(fixed.parameter(name).gradient, learnt.parameter(name).gradient) <= 1e-12);
        }
      }
    }
  }
}
