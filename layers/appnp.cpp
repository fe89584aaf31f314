#include "laminar/core/elementwise.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// One step of personalised PageRank: y = (1 - alpha) A x + alpha h0, A as in gcn, h0 what the perceptron before the
/// first step gave. N layers are N steps. Gasteiger (Klicpera), Bojchevski and Guennemann 2019, equation 4.
class AppnpLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "appnp",
            .summary = "a perceptron, then a step of personalised PageRank a layer",
            .paper = "Gasteiger, Bojchevski and Guennemann 2019, equation 4",
            .options = {{.name = "alpha",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.1",
                         .help = "share of the perceptron's output",
                         .min = 0,
                         .max = 1},
                        {.name = "step_dropout",
                         .kind = OptionKind::kNumber,
                         .default_value = "0",
                         .help = "dropout rate of what a step reads",
                         .min = 0,
                         .max = 0.99}},
            .carried = {{.name = "h0", .help = "the perceptron's output", .constant = true}},
            .constant_width = true,
            .propagates = true,
            .encoder_layers = 2};
  }
  explicit AppnpLayer(LayerSetup& s) : alpha_(s.number("alpha")), rate_(s.number("step_dropout")) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const core::Sources x = block.sources(tape, in.x, core::vertex_dropout(rate_));
    const Var m = core::sum(tape, block, core::src(x) * ((1 - alpha_) * core::symmetric_norm()));
    in.x = core::combine_onto(tape, 1, m, alpha_, in.carried[0]);
    return in;
  }

 private:
  double alpha_, rate_;
};
LAMINAR_LAYER(AppnpLayer)

}  // namespace
}  // namespace laminar::layers
