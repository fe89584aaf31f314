#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/heads.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y_i = sum_j alpha_ij z_j + b, alpha_ij = softmax_j(a . leaky_relu(z_j + x_i W_target + b_target)), z = x W_source,
/// in several heads, side by side or (in a layer whose output is the model's) averaged. Brody, Alon and Yahav 2022,
/// equation 7.
class Gatv2Layer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gatv2",
            .summary = "attention whose ranking of neighbours depends on the vertex that asks",
            .paper = "Brody, Alon and Yahav 2022, equation 7",
            .options = {{.name = "heads",
                         .kind = OptionKind::kInteger,
                         .default_value = "8",
                         .help = "attention heads of a hidden layer; must divide its width",
                         .min = 1,
                         .max = 4096},
                        {.name = "output_heads",
                         .kind = OptionKind::kInteger,
                         .default_value = "1",
                         .help = "heads of an output layer, averaged",
                         .min = 1,
                         .max = 4096},
                        {.name = "slope",
                         .kind = OptionKind::kNumber,
                         .default_value = "0.2",
                         .help = "slope of the leaky ReLU on negative sums",
                         .min = 0,
                         .max = 1},
                        {.name = "attention_dropout",
                         .kind = OptionKind::kNumber,
                         .default_value = "0",
                         .help = "dropout rate of attention coefficients",
                         .min = 0,
                         .max = 0.99},
                        {.name = "self_loops",
                         .kind = OptionKind::kFlag,
                         .default_value = "true",
                         .help = "a vertex attends to itself too"}}};
  }

  explicit Gatv2Layer(LayerSetup& s)
      : averaged_(s.place().is_output),
        options_{.heads = s.integer(averaged_ ? "output_heads" : "heads"),
                 .self_loops = s.flag("self_loops"),
                 .dropout = s.number("attention_dropout")},
        slope_(s.number("slope")),
        source_(s.linear("source", {.bias = false, .out = projected_width(s)})),
        target_(s.linear("target", {.out = source_.out_width()})),
        vector_(s.parameter("vector", 1, source_.out_width())),
        bias_(s.parameter("bias", 1, s.out_width(), core::Initializer::kZeros)) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const Projected z = project_sources(tape, block, in, source_);
    const core::Sources target{{}, target_(tape, z.own)};
    const Var y = core::softmax_sum(
        tape, block, core::dot(core::leaky_relu(core::src(z.sources) + core::dst(target), slope_), vector_),
        core::src(z.sources), options_);
    in.x = core::add_bias(tape, averaged_ ? core::mean_heads(tape, y, options_.heads) : y, bias_);
    return in;
  }

 private:
  Index projected_width(const LayerSetup& s) const {
    if (averaged_) return s.out_width() * options_.heads;
    if (s.out_width() % options_.heads != 0) {
      throw UsageError(
          fmt::format("gatv2.heads is {}, which does not divide the width {}; change --hidden or --gatv2.heads",
                      options_.heads, s.out_width()));
    }
    return s.out_width();
  }

  bool averaged_;
  core::AttentionOptions options_;
  double slope_;
  Linear source_, target_;
  core::Parameter& vector_;
  core::Parameter& bias_;
};
LAMINAR_LAYER(Gatv2Layer)

}  // namespace
}  // namespace laminar::layers
