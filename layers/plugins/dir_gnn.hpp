#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// y_i = x_i W_self + alpha mean_{j -> i} x_j W_in + (1 - alpha) mean_{i -> j} x_j W_out + b: on a directed graph,
/// those that point at a vertex and those that it points at say different things. x [n, in], y [n, out]. Rossi,
/// Charpentier, Di Giovanni, Frasca, Guennemann and Bronstein 2023 ("Edge directionality improves learning on
/// heterophilic graphs"), equation 6 with GraphSAGE's means (Dir-SAGE).
class DirGnn final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "dir_gnn",
            .summary = "means over in-neighbours and over out-neighbours, each with weights of its own",
            .paper = "Rossi, Charpentier, Di Giovanni, Frasca, Guennemann and Bronstein 2023, equation 6",
            .options = {{.name = "alpha",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.5",
                         .help = "share of the in-neighbours; the rest is the out-neighbours'",
                         .min = 0,
                         .max = 1}},
            .reversed_edges = true};
  }
  explicit DirGnn(LayerSetup& s)
      : alpha_(s.number("alpha")),
        self_(s.linear("self")),
        in_(s.linear("in", {.bias = false})),
        out_(s.linear("out", {.bias = false})) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const auto x = block.sources(tape, in.x, dropout(in.rate));
    const auto both = combine(tape, alpha_, mean_of(tape, block, x, in_, Direction::kForward), 1 - alpha_,
                              mean_of(tape, block, x, out_, Direction::kReversed));
    in.x = add(tape, self_(tape, x.own), both);
    return in;
  }

 private:
  static Var mean_of(Tape& tape, const Block& block, const Sources& x, const Linear& weight, Direction direction) {
    const AdjacencySpec mean{Normalization::kRandomWalk, false, false, direction};
    return weight(tape, sum(tape, block, src(x) * mean));
  }

  double alpha_;
  Linear self_, in_, out_;
};
LAMINAR_LAYER(DirGnn)
