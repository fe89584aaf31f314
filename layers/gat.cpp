#include "laminar/layers/attention_heads.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y_i = sum_j alpha_ij z_j + b, alpha_ij = softmax_j(leaky_relu(a_source . z_j + a_target . z_i)), z = x W, in several
/// heads. Velickovic et al. 2018, equations 1-6.
class GatLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "gat",
            .summary = "multi-head attention over neighbours and itself",
            .paper = "Velickovic et al. 2018, equations 1-6",
            .options = AttentionHeads::options()};
  }

  explicit GatLayer(LayerSetup& s)
      : heads_(s, "gat"),
        weight_(s.linear("weight", {.bias = false, .out = heads_.width()})),
        source_vector_(s.parameter("source_vector", 1, heads_.width())),
        target_vector_(s.parameter("target_vector", 1, heads_.width())),
        bias_(s.parameter("bias", 1, s.out_width(), core::Initializer::kZeros)) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const core::Sources z = projected_sources(tape, block, in, weight_);
    const auto score = core::dot(core::src(z), source_vector_) + core::dot(core::dst(z), target_vector_);
    const Var y =
        core::softmax_sum(tape, block, core::leaky_relu(score, heads_.slope()), core::src(z), heads_.attention());
    in.x = heads_.finish(tape, y, bias_);
    return in;
  }

 private:
  AttentionHeads heads_;
  Linear weight_;
  core::Parameter& source_vector_;
  core::Parameter& target_vector_;
  core::Parameter& bias_;
};
LAMINAR_LAYER(GatLayer)

}  // namespace
}  // namespace laminar::layers
