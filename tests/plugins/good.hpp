#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// The GCN of docs/plugins.md: y_i = sum_j a_ij x_j W + b. Kipf and Welling 2017, equation 2.
class MyGcn final : public Layer {
 public:
  static LayerInfo info() { return {.name = "my_gcn", .summary = "GCN, written as a plugin"}; }
  explicit MyGcn(LayerSetup& s)
      : weight_(s.linear("weight", {.bias = false})),
        bias_(s.parameter("weight_bias", 1, s.out_width(), Initializer::kZeros)) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    auto z = projected_sources(tape, block, in, weight_);
    auto m = sum(tape, block, src(z) * symmetric_norm());
    return {add_bias(tape, m, bias_)};
  }

 private:
  Linear weight_;
  Parameter& bias_;
};
LAMINAR_LAYER(MyGcn)

/// The same in the fewest words, which aggregates before it projects.
class PlainGcn final : public Layer {
 public:
  static LayerInfo info() { return {.name = "plain_gcn", .summary = "GCN in two lines"}; }
  explicit PlainGcn(LayerSetup& s) : weight_(s.linear("weight")) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    auto x = block.sources(tape, in.x, dropout(in.rate));
    return {weight_(tape, sum(tape, block, src(x) * symmetric_norm()))};
  }

 private:
  Linear weight_;
};
LAMINAR_LAYER(PlainGcn)

/// An attention with an option and a source transform: what only a forward is written for, and no pull is known of.
class MyAttention final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "my_attention",
            .summary = "attention beside a self term",
            .paper = "nobody 2026",
            .options = {{.name = "slope",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.2",
                         .help = "slope of the leaky ReLU",
                         .min = 0,
                         .max = 1}}};
  }
  explicit MyAttention(LayerSetup& s)
      : slope_(s.number("slope")),
        self_(s.linear("self")),
        weight_(s.linear("weight", {.bias = false})),
        source_(s.parameter("source_vector", 1, s.out_width())),
        target_(s.parameter("target_vector", 1, s.out_width())) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    auto z = block.sources(tape, in.x, dropout(in.rate) | weight_);
    auto m = softmax_sum(tape, block, leaky_relu(dot(src(z), source_) + dot(dst(z), target_), slope_), src(z));
    in.x = add(tape, self_(tape, in.x), m);
    return in;
  }

 private:
  double slope_;
  Linear self_, weight_;
  Parameter& source_;
  Parameter& target_;
};
LAMINAR_LAYER(MyAttention)
