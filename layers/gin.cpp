#include "laminar/core/elementwise.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/scaling.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y_i = relu(((1 + eps) x_i + sum_{j -> i} x_j) W_1 + b_1) W_2 + b_2, eps fixed or learnt.
/// Xu, Hu, Leskovec and Jegelka 2019, equation 4.1.
class GinLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gin",
            .summary = "a perceptron on the sum of a vertex and its neighbours",
            .paper = "Xu, Hu, Leskovec and Jegelka 2019, equation 4.1",
            .options = {{.name = "eps",
                         .kind = OptionKind::kNumber,
                         .default_value = "0",
                         .help = "extra weight of the vertex itself (where it starts, if it is learnt)",
                         .min = -1e6,
                         .max = 1e6},
                        {.name = "learn_eps", .kind = OptionKind::kFlag, .default_value = "false", .help = "learn eps"},
                        {.name = "mlp_width",
                         .kind = OptionKind::kInteger,
                         .default_value = "0",
                         .help = "width inside the perceptron; 0 = that of the layer's output",
                         .min = 0,
                         .max = 1e6}}};
  }
  explicit GinLayer(LayerSetup& s)
      : eps_(s.number("eps")),
        first_(s.linear("first", {.out = s.integer("mlp_width")})),
        second_(s.linear("second", {.in = first_.out_width()})),
        learnt_eps_(s.flag("learn_eps") ? &s.parameter("eps", 1, 1, core::Initializer::kZeros) : nullptr) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    // W_1 may go before the sum, which is linear: narrow rows travel, and sparse features are never made dense.
    Var s;
    if (projects_first(tape, in.x, first_)) {
      const core::Sources z = projected_sources(tape, block, in, Linear(first_.weight(), nullptr));
      s = core::add_bias_in_place(tape, self_and_sum(tape, block, z), *first_.bias());
    } else {
      s = first_(tape, self_and_sum(tape, block, block.sources(tape, in.x, core::vertex_dropout(in.rate))));
    }
    in.x = second_(tape, core::activate_in_place(tape, s, core::Activation::kRelu));
    return in;
  }

 private:
  Var self_and_sum(Tape& tape, const Block& block, const core::Sources& x) const {
    if (learnt_eps_ == nullptr) return core::sum(tape, block, core::plus_own(core::src(x), 1 + eps_));
    const Var m = core::sum(tape, block, core::src(x));
    return core::add_onto(tape, m, core::scale_columns(tape, x.own, *learnt_eps_, 1 + eps_));
  }

  double eps_;
  Linear first_, second_;
  core::Parameter* learnt_eps_;
};
LAMINAR_LAYER(GinLayer)

}  // namespace
}  // namespace laminar::layers
