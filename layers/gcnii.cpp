#include <cmath>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y = s ((1 - beta) I + beta W),  s = (1 - alpha) A x + alpha h0,  beta = log(lambda / (l + 1) + 1) for layer l = 0,
/// 1, ... A as in gcn. Chen et al. 2020, equation 5.
class GcniiLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gcnii",
            .summary = "GCN with initial residual and identity mapping, for deep models",
            .paper = "Chen, Wei, Huang, Ding and Li 2020, equation 5",
            .options = {{.name = "alpha",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.1",
                         .help = "share of the initial representation",
                         .min = 0,
                         .max = 1},
                        {.name = "lambda",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.5",
                         .help = "strength of the weights; beta = log(lambda / layer + 1)",
                         .min = 0,
                         .max = 1e6}},
            .carried = {{.name = "h0", .help = "the initial representation", .constant = true}},
            .constant_width = true};
  }
  explicit GcniiLayer(LayerSetup& s)
      : alpha_(s.number("alpha")),
        beta_(std::log(s.number("lambda") / static_cast<double>(s.place().index + 1) + 1)),
        weight_(s.linear("weight", {.bias = false})) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const core::Sources x = block.sources(tape, in.x, core::vertex_dropout(in.rate));
    // In the matrix the factor costs nothing, neither here nor in the backward.
    const Var m = core::sum(tape, block, core::src(x) * ((1 - alpha_) * core::symmetric_norm()));
    const Var s = core::combine_onto(tape, 1, m, alpha_, in.carried[0]);
    in.x = core::scaled_identity_linear(tape, s, 1 - beta_, beta_, weight_.weight());
    return in;
  }

 private:
  double alpha_, beta_;
  Linear weight_;
};
LAMINAR_LAYER(GcniiLayer)

}  // namespace
}  // namespace laminar::layers
