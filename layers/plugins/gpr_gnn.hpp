#pragma once

#include <cmath>

#include "laminar/plugin.hpp"

using namespace laminar;

/// z = sum_{k = 0..K} gamma_k A^k h0 over K layers, A as in gcn, h0 = relu(x W_1 + b_1) W_2 + b_2 before the first: as
/// APPNP, but with the weight of each distance learnt, so that it may also be negative, and a graph filter of any shape
/// results. The gammas start as those of personalised PageRank, alpha (1 - alpha)^k and (1 - alpha)^K at last. x, h0, z
/// [n, d]. Chien, Peng, Li and Milenkovic 2021 ("Adaptive universal generalized PageRank graph neural network"),
/// section 3.
class GprGnn final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gpr_gnn",
            .summary = "a perceptron, then a step of propagation a layer, summed up with learnt weights",
            .paper = "Chien, Peng, Li and Milenkovic 2021, section 3",
            .options = {{.name = "alpha",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.1",
                         .help = "the weights start as those of PageRank with this restart probability",
                         .min = 0,
                         .max = 1}},
            .carried = {{.name = "sum", .help = "the weighted sum of all steps so far"}},
            .constant_width = true,
            .propagates = true,
            .encoder_layers = 2};
  }
  explicit GprGnn(LayerSetup& s)
      : is_first_(s.place().index == 0), is_last_(s.place().index + 1 == s.place().num_layers) {
    const double alpha = s.number("alpha");
    first_ = alpha;
    start_ = std::pow(1 - alpha, static_cast<double>(s.place().index + 1)) * (is_last_ ? 1 : alpha);
    // What is added to where the weights start; only the first layer has one for h0.
    if (is_first_) gamma_0_ = &s.parameter("gamma_0", 1, 1, Initializer::kZeros);
    gamma_ = &s.parameter("gamma", 1, 1, Initializer::kZeros);
  }

  State forward(Tape& tape, const Block& block, State in) const override {
    const Var before = is_first_ ? scale_columns(tape, in.carried[0], *gamma_0_, first_) : in.carried[0];
    const Var step = sum(tape, block, src(block.sources(tape, in.x)) * symmetric_norm());
    in.carried[0] = add(tape, before, scale_columns(tape, step, *gamma_, start_));
    in.x = is_last_ ? in.carried[0] : step;
    return in;
  }

 private:
  bool is_first_, is_last_;
  double first_ = 0, start_ = 0;
  Parameter* gamma_0_ = nullptr;
  Parameter* gamma_ = nullptr;
};
LAMINAR_LAYER(GprGnn)
