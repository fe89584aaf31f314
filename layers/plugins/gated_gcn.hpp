#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// y_i = x_i U + b + AGG_{j -> i} sigma(x_j B + x_i A + b_g) * (x_j V), AGG the mean or the sum, the product column by
/// column: each edge has a gate for each column, so that a vertex chooses what it hears from whom. x [n, in], y [n,
/// out]. Bresson and Laurent 2017 ("Residual gated graph ConvNets"), equation 11; its sum is the aggregator `sum`. The
/// residual connection is the model's (--residual).
class GatedGcn final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gated_gcn",
            .summary = "neighbours through a gate for each edge and column, beside a self term",
            .paper = "Bresson and Laurent 2017, equation 11",
            .options = {{.name = "aggregator",
                         .kind = OptionKind::kChoice,
                         .default_value = "mean",
                         .help = "how neighbours are put together; sums suit graphs whose degrees differ little",
                         .choices = {"mean", "sum"}}}};
  }
  explicit GatedGcn(LayerSetup& s)
      : self_(s.linear("self")),
        value_(s.linear("value", {.bias = false})),
        gate_source_(s.linear("gate_source", {.bias = false})),
        gate_target_(s.linear("gate_target")),
        matrix_{s.choice("aggregator") == "mean" ? Normalization::kRandomWalk : Normalization::kNone, false, false} {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const auto x = block.sources(tape, in.x, dropout(in.rate));
    const Sources value{value_(tape, x.rows), x.own};
    const Sources gate{gate_source_(tape, x.rows), gate_target_(tape, x.own)};
    const auto heard = sum(tape, block, sigmoid(src(gate) + dst(gate)) * src(value) * matrix_);
    in.x = add(tape, self_(tape, x.own), heard);
    return in;
  }

 private:
  Linear self_, value_, gate_source_, gate_target_;
  AdjacencySpec matrix_;
};
LAMINAR_LAYER(GatedGcn)
