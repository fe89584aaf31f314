#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// y_i = eps h0_i + sum_{j -> i} a_ij tanh(g . x_j + h . x_i) x_j, a_ij = 1 / sqrt(d_i d_j): a neighbour's coefficient
/// lies between -1 and 1, so that a vertex can move away from those that are unlike it. x, h0, y [n, d].
/// Bo, Wang, Shi and Shen 2021 ("Beyond low-frequency information in graph convolutional networks"), equations 4 and 5.
class FaConv final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "fa_conv",
            .summary = "sum over neighbours with learnt coefficients of either sign, for graphs with heterophily",
            .paper = "Bo, Wang, Shi and Shen 2021, equations 4 and 5",
            .options = {{.name = "eps",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.3",
                         .help = "share of the initial representation",
                         .min = 0,
                         .max = 1}},
            .carried = {{.name = "h0", .help = "the initial representation", .constant = true}},
            .constant_width = true,
            .activated = false};
  }
  explicit FaConv(LayerSetup& s)
      : eps_(s.number("eps")),
        of_source_(s.linear("gate_source", {.bias = false, .out = 1})),
        of_target_(s.linear("gate_target", {.bias = false, .out = 1})) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const auto x = block.sources(tape, in.x, dropout(in.rate));
    const auto m =
        gated_sum(tape, block, src(x) * symmetric_norm(false), of_source_(tape, x.rows), of_target_(tape, x.own));
    in.x = combine(tape, 1, m, eps_, in.carried[0]);
    return in;
  }

 private:
  double eps_;
  Linear of_source_, of_target_;
};
LAMINAR_LAYER(FaConv)
