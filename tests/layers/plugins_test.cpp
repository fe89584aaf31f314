/// The layers of layers/plugins/, by hand. They register themselves, so that the test which walks the registry has them
/// too.
#include <cmath>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/layers/plugins/dir_gnn.hpp"
#include "laminar/layers/plugins/fa_conv.hpp"
#include "laminar/layers/plugins/gated_gcn.hpp"
#include "laminar/layers/plugins/gpr_gnn.hpp"
#include "laminar/layers/plugins/pna_no_scalers.hpp"
#include "laminar/layers/plugins/tide.hpp"
#include "laminar/tests/layers/support.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;

/// 0 -> 1, 2 -> 1, 1 -> 3.
laminar::core::Graph small() {
  return laminar::core::Graph::from_edges(4, std::vector<VertexId>{0, 2, 1}, std::vector<VertexId>{1, 1, 3}, {}, true);
}

Tensor output(const MadeLayer& made, const laminar::core::Graph& graph, const Tensor& x, bool carried = false) {
  const Block block = Block::whole(graph);
  Tape tape(context(kDouble));
  State in{tape.input(x, true), {}, 0};
  if (carried) in.carried.push_back(tape.input(x, true));
  return tape.value(made.layer->forward(tape, block, in).x).clone();
}

}  // namespace

TEST_CASE("dir_gnn, by hand: those that point at a vertex and those it points at") {
  const MadeLayer made = make_layer("dir_gnn", {.in_width = 1, .out_width = 1, .dtype = kDouble}, {{"alpha", "0.25"}});
  made.parameter("self").value.fill(1);
  made.parameter("self_bias").value.fill(1000);
  made.parameter("in").value.fill(100);
  made.parameter("out").value.fill(10);
  const Tensor y = output(made, small().with_reversed_edges(), Tensor::from(4, 1, std::vector<double>{1, 2, 5, 7}));
  // Vertex 1 hears 0 and 2 (mean 3) and points at 3 (7).
  CHECK(values_of(y) == std::vector<double>{1001 + 0.75 * 10 * 2, 1002 + 0.25 * 100 * 3 + 0.75 * 10 * 7,
                                            1005 + 0.75 * 10 * 2, 1007 + 0.25 * 100 * 2});
}

TEST_CASE("fa_conv, by hand: coefficients of either sign") {
  const MadeLayer made = make_layer("fa_conv", {.in_width = 1, .out_width = 1, .dtype = kDouble}, {{"eps", "0.5"}});
  made.parameter("gate_source").value.fill(1);
  made.parameter("gate_target").value.fill(-2);
  // A ring, where all degrees are 2.
  const Tensor y = output(made, ring(3), Tensor::from(3, 1, std::vector<double>{1, -1, 2}), true);
  const auto term = [](double source, double target) { return std::tanh(source - 2 * target) * source / 2; };
  CHECK(y.at(0, 0) == doctest::Approx(0.5 + term(-1, 1) + term(2, 1)));
  CHECK(y.at(2, 0) == doctest::Approx(1 + term(1, 2) + term(-1, 2)));
}

TEST_CASE("pna_no_scalers, by hand: four moments side by side") {
  const MadeLayer made = make_layer("pna_no_scalers", {.in_width = 1, .out_width = 1, .dtype = kDouble});
  made.parameter("self").value.fill(10000);
  made.parameter("self_bias").value.fill(0.5);
  made.parameter("source").value.fill(2);
  made.parameter("moments").value.copy_from(Tensor::from(4, 1, std::vector<double>{1000, 100, 10, 1}));
  const Tensor y = output(made, small(), Tensor::from(4, 1, std::vector<double>{1, 2, 5, 7}));
  // Vertex 1 hears 2 and 10: mean 6, deviation 4.
  CHECK(y.at(1, 0) == doctest::Approx(20000.5 + 1000 * 6 + 100 * 2 + 10 * 10 + 4));
  CHECK(y.at(3, 0) == doctest::Approx(70000.5 + 1000 * 4 + 100 * 4 + 10 * 4 + std::sqrt(1e-5)));
}

TEST_CASE("tide, by hand: at time 1 the neighbours' mean, at time 0 itself") {
  const MadeLayer made = make_layer("tide", {.in_width = 2, .out_width = 2, .dtype = kDouble}, {{"time", "0.5"}});
  made.parameter("time").value.copy_from(Tensor::from(1, 2, std::vector<double>{0.5, -0.5}));
  made.parameter("weight").value.copy_from(Tensor::from(2, 2, std::vector<double>{1, 0, 0, 1}));
  const Tensor y = output(made, ring(3), Tensor::from(3, 2, std::vector<double>{1, 1, 4, 4, 7, 7}));
  for (Index v = 0; v < 3; ++v) {
    CHECK(y.at(v, 0) == doctest::Approx(4));
    CHECK(y.at(v, 1) == doctest::Approx(1 + 3 * static_cast<double>(v)));
  }
}

TEST_CASE("gated_gcn, by hand: a gate for each edge and column") {
  const MadeLayer made = make_layer("gated_gcn", {.in_width = 2, .out_width = 2, .dtype = kDouble});
  const auto set = [&](const char* name, double a, double b) {
    made.parameter(name).value.copy_from(Tensor::from(2, 2, std::vector<double>{a, 0, 0, b}));
  };
  set("self", 100, 100);
  set("value", 1, 10);
  set("gate_source", 1, 0);
  set("gate_target", -2, 0);
  made.parameter("gate_target_bias").value.copy_from(Tensor::from(1, 2, std::vector<double>{0, 3}));
  const Tensor y = output(made, small(), Tensor::from(4, 2, std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}));
  const auto gate = [](double z) { return 1 / (1 + std::exp(-z)); };
  // Vertex 1 hears 0 and 2; the second column's gates are all alike.
  CHECK(y.at(1, 0) == doctest::Approx(300 + (gate(1 - 6) * 1 + gate(5 - 6) * 5) / 2).epsilon(1e-14));
  CHECK(y.at(1, 1) == doctest::Approx(400 + gate(3) * (20 + 60) / 2).epsilon(1e-14));
  CHECK(y.at(3, 0) == doctest::Approx(700 + gate(3 - 14) * 3).epsilon(1e-14));
  CHECK(y.at(0, 0) == 100);
}

TEST_CASE("gpr_gnn, by hand: each distance has its weight") {
  // A ring of 4 with one vertex at 1: a step with self-loops leaves thirds.
  const auto step = [&](laminar::core::Index index, laminar::core::Index layers, const Tensor& x, const Tensor& sum,
                        double gamma) {
    const MadeLayer made =
        make_layer("gpr_gnn", {.in_width = 1, .out_width = 1, .index = index, .num_layers = layers, .dtype = kDouble},
                   {{"alpha", "0.25"}});
    made.parameter("gamma").value.fill(gamma);
    if (index == 0) made.parameter("gamma_0").value.fill(0.5);
    const Block block = Block::whole(ring(4));
    Tape tape(context(kDouble));
    const State out = made.layer->forward(tape, block, {tape.input(x, true), {tape.input(sum, true)}});
    CHECK(out.carried.size() == 1);
    return std::pair(values_of(tape.value(out.x)), values_of(tape.value(out.carried[0])));
  };
  const Tensor one = Tensor::from(4, 1, std::vector<double>{3, 0, 0, 0});
  const auto [x, sum] = step(0, 2, one, one, 0.5);
  const double gamma_1 = 0.25 * 0.75 + 0.5;
  CHECK(x[0] == doctest::Approx(1));
  CHECK(x[1] == doctest::Approx(1));
  CHECK(x[2] == 0);
  CHECK(sum[0] == doctest::Approx(3 * 0.75 + gamma_1));
  CHECK(sum[1] == doctest::Approx(gamma_1));
  const double gamma_2 = 0.75 * 0.75 - 1;
  const auto [last, same] = step(1, 2, Tensor::from(4, 1, x), Tensor::from(4, 1, sum), -1);
  CHECK(last == same);
  CHECK(last[1] == doctest::Approx(gamma_1 + gamma_2 * 2 / 3));
  CHECK(last[2] == doctest::Approx(gamma_2 * 2 / 3));
}
