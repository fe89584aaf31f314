/// GIN with a fixed eps, which is an entry of the matrix: the reference values have a learnt one.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/tests/layers/support.hpp"
#include "laminar/tests/support/gradient_check.hpp"
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
  const std::vector<NamedGraph> graphs = test_graphs();
  for (const NamedGraph& g : graphs) {
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
        for (const auto& p : fixed.parameters)
          p->value.copy_from(learnt.parameter(p->name.substr(p->name.rfind('.') + 1)).value);
        const auto pass = [&](const MadeLayer& made) {
          return run_pass(
              context(DType::kFloat64, true),
              [&](core::Tape& tape, const std::vector<core::Var>& in) {
                return made.layer->forward(tape, block, {in[0], {}, 0.3}).x;
              },
              {x}, made.parameters);
        };
        const Pass a = pass(fixed);
        const Pass b = pass(learnt);
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
