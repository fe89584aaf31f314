#include <optional>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/rows.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y_i = x_i W_self + AGG_{j -> i} h_j W_neighbour + b, AGG the mean or, column by column, the maximum over in-edges,
/// h = x; with the aggregator `pool` the maximum of h = relu(x W_pool + b_pool), as wide as the output. Hamilton, Ying
/// and Leskovec 2017, Algorithm 1 (concatenation written as a sum, no normalisation of the output).
class SageLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "sage",
            .summary =
                "a self term beside the mean or maximum of the neighbours, or the maximum of what they are made into",
            .paper = "Hamilton, Ying and Leskovec 2017, Algorithm 1",
            .options = {{.name = "aggregator",
                         .kind = OptionKind::kChoice,
                         .default_value = "mean",
                         .help = "how neighbours are put together",
                         .choices = {"mean", "max", "pool"}}}};
  }
  explicit SageLayer(LayerSetup& s)
      : is_max_(s.choice("aggregator") == "max"),
        pool_(s.choice("aggregator") == "pool" ? std::optional(s.linear("pool")) : std::nullopt),
        self_(s.linear("self", {.bias = false})),
        neighbour_(s.linear("neighbour", {.in = pool_ ? s.out_width() : s.in_width()})) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    if (pool_) {
      const Projected z = project_sources(tape, block, in, Linear(pool_->weight(), nullptr));
      const Var h =
          core::activate_in_place(tape, core::add_bias(tape, z.sources.rows, *pool_->bias()), core::Activation::kRelu);
      const Var m = core::max(tape, block, core::src({h, z.sources.own}));
      in.x = neighbour_.onto(tape, self_(tape, z.own), m);
      return in;
    }
    const core::Sources x = block.sources(tape, in.x, core::vertex_dropout(in.rate));
    in.x = self_and_neighbours(tape, block, x);
    return in;
  }

 private:
  Var self_and_neighbours(Tape& tape, const Block& block, const core::Sources& x) const {
    if (is_max_) {
      const core::Sources dense{core::densify(tape, x.rows), x.own};
      const Var m = core::max(tape, block, core::src(dense));
      return neighbour_.onto(tape, self_(tape, x.own), m);
    }
    // The mean is linear, so the narrower side of the weight is what gets aggregated, but for a history, where rows of
    // the last epoch must not meet this epoch's weights before they are aggregated.
    const bool narrower = !tape.context().history && neighbour_.out_width() < neighbour_.in_width();
    if (tape.is_sparse(x.rows) || narrower) {
      const core::Sources z{core::linear(tape, x.rows, neighbour_.weight()), x.own};
      const Var m = core::mean(tape, block, core::src(z));
      return core::linear_onto(tape, m, x.own, self_.weight(), neighbour_.bias());
    }
    const Var m = core::mean(tape, block, core::src(x));
    return neighbour_.onto(tape, self_(tape, x.own), m);
  }

  bool is_max_;
  std::optional<Linear> pool_;
  Linear self_, neighbour_;
};
LAMINAR_LAYER(SageLayer)

}  // namespace
}  // namespace laminar::layers
