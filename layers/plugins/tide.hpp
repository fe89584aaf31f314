#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// y = z W + b, z_ic = x_ic + t_c ((A x)_ic - x_ic): a step of heat diffusion along the graph (A as in gcn), for a time
/// t_c that each channel learns, then a dense layer. N layers are N steps. x [n, in], y [n, out].
/// After Behmanesh, Krahn and Ovsjanikov 2023 ("TIDE: Time derivative diffusion for deep learning on graphs"), equation
/// 6: there exp(-t L) is taken as a whole, from eigenvectors; here it is the first two terms of its series, as a layer
/// of Laminar aggregates once, and long times come from several layers.
class Tide final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "tide",
            .summary = "a step of diffusion, with a time that each channel learns, and a dense layer",
            .paper = "after Behmanesh, Krahn and Ovsjanikov 2023, equation 6",
            .options = {{.name = "time",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.5",
                         .help = "where the times start",
                         .min = 0,
                         .max = 2}}};
  }
  explicit Tide(LayerSetup& s)
      : start_(s.number("time")),
        time_(s.parameter("time", 1, s.in_width(), Initializer::kZeros)),
        weight_(s.linear("weight")) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    auto x = block.sources(tape, in.x, dropout(in.rate));
    x = {densify(tape, x.rows), densify(tape, x.own)};
    const auto change = combine(tape, 1, sum(tape, block, src(x) * symmetric_norm()), -1, x.own);
    in.x = weight_(tape, add(tape, x.own, scale_columns(tape, change, time_, start_)));
    return in;
  }

 private:
  double start_;
  Parameter& time_;
  Linear weight_;
};
LAMINAR_LAYER(Tide)
