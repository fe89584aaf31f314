#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// y_i = x_i W_self + mean_{j -> i} x_j W_nbr + b.   x: [n, in], y: [n, out].   Hamilton et al. 2017, Algorithm 1.
class ConsumerConv final : public Layer {
 public:
  static LayerInfo info() { return {.name = "consumer_conv", .summary = "mean of the neighbours beside a self term"}; }
  explicit ConsumerConv(LayerSetup& s) : self_(s.linear("self")), neighbour_(s.linear("neighbour", {.bias = false})) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    auto x = block.sources(tape, in.x, dropout(in.rate));  // tables, halos and samples hang on this one line
    auto m = mean(tape, block, src(x));                    // an expression: linear, so no edge buffer, a lean backward
    return {add(tape, self_(tape, x.own), neighbour_(tape, m))};
  }

 private:
  Linear self_, neighbour_;
};
LAMINAR_LAYER(ConsumerConv)
