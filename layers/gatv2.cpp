#include "laminar/layers/attention_heads.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y_i = sum_j alpha_ij z_j + b, alpha_ij = softmax_j(a . leaky_relu(z_j + x_i W_target + b_target)), z = x W_source,
/// in several heads. Brody, Alon and Yahav 2022, equation 7.
class Gatv2Layer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gatv2",
            .summary = "attention whose ranking of neighbours depends on the vertex that asks",
            .paper = "Brody, Alon and Yahav 2022, equation 7",
            .options = AttentionHeads::options()};
  }

  explicit Gatv2Layer(LayerSetup& s)
      : heads_(s, "gatv2"),
        source_(s.linear("source", {.bias = false, .out = heads_.width()})),
        target_(s.linear("target", {.out = heads_.width()})),
        vector_(s.parameter("vector", 1, heads_.width())),
        bias_(s.parameter("bias", 1, s.out_width(), core::Initializer::kZeros)) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const Projected z = project_sources(tape, block, in, source_);
    const core::Sources target{{}, target_(tape, z.own)};
    const auto sum = core::src(z.sources) + core::dst(target);
    const Var y = core::softmax_sum(tape, block, core::dot(core::leaky_relu(sum, heads_.slope()), vector_),
                                    core::src(z.sources), heads_.attention());
    in.x = heads_.finish(tape, y, bias_);
    return in;
  }

 private:
  AttentionHeads heads_;
  Linear source_, target_;
  core::Parameter& vector_;
  core::Parameter& bias_;
};
LAMINAR_LAYER(Gatv2Layer)

}  // namespace
}  // namespace laminar::layers
