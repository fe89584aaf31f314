#include <fmt/format.h>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/rows.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y_i = relu(((1 + eps) x_i + sum_{j -> i} relu(x_j + f_ij W_e + b_e)) W_1 + b_1) W_2 + b_2, f_ij the attributes of an
/// edge. Hu et al. 2020 ("Strategies for pre-training graph neural networks"), equation A.1 with a fixed eps.
class GineLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gine",
            .summary = "gin with edge features in the messages",
            .paper = "Hu, Liu, Gomes, Zitnik, Liang, Pande and Leskovec 2020, equation A.1",
            .options = {{.name = "eps",
                         .kind = OptionKind::kNumber,
                         .default_value = "0",
                         .help = "extra weight of the vertex itself",
                         .min = -1e6,
                         .max = 1e6}},
            .edge_features = true};
  }
  explicit GineLayer(LayerSetup& s)
      : eps_(s.number("eps")),
        edge_(s.linear("edge", {.in = s.place().edge_width, .out = s.in_width()})),
        first_(s.linear("first")),
        second_(s.linear("second", {.in = s.out_width()})) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    core::Sources x = block.sources(tape, in.x, core::vertex_dropout(in.rate));
    const Var m = core::sum(
        tape, block,
        core::relu(core::src({core::densify(tape, x.rows), x.own}) + core::edge(edge_.weight(), *edge_.bias())));
    const Var s = core::combine_onto(tape, 1, m, 1 + eps_, core::densify(tape, x.own));
    in.x = second_(tape, core::activate(tape, first_(tape, s), core::Activation::kRelu));
    return in;
  }

 private:
  double eps_;
  Linear edge_, first_, second_;
};
LAMINAR_LAYER(GineLayer)

}  // namespace
}  // namespace laminar::layers
