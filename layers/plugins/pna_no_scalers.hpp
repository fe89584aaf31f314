#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// y_i = x_i W_self + [mean | min | max | std over j -> i of x_j W_source] W + b: what `pna` computes without scaling
/// by degree, which costs a third of its weights. x [n, in], y [n, out]. Corso, Cavalleri, Beaini, Lio and Velickovic
/// 2020, equation 8 with the identity for its scalers: "PNA (no scalers)" in their experiments.
class PnaNoScalers final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "pna_no_scalers",
            .summary = "mean, minimum, maximum and deviation of the neighbours, whatever their number",
            .paper = "Corso, Cavalleri, Beaini, Lio and Velickovic 2020, equation 8 without scalers"};
  }
  explicit PnaNoScalers(LayerSetup& s)
      : self_(s.linear("self")),
        source_(s.linear("source", {.bias = false})),
        moments_(s.linear("moments", {.bias = false, .in = 4 * s.out_width()})) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const auto z = project_sources(tape, block, in, source_);
    const auto m = moments(tape, block, src(z.sources));
    in.x = add(tape, self_(tape, z.own), moments_(tape, m));
    return in;
  }

 private:
  Linear self_, source_, moments_;
};
LAMINAR_LAYER(PnaNoScalers)
