#include <optional>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// y = A^K x W + b over K layers, A as in gcn: the first layer projects (before or behind its own A, whichever is
/// cheaper), each multiplies by A, the last adds b. Wu et al. 2019, equation 8.
class SgcLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "sgc",
            .summary = "one projection, and a normalised sum over neighbours a layer; no activation anywhere",
            .paper = "Wu, Zhang, Souza, Fifty, Yu and Weinberger 2019, equation 8",
            .propagates = true,
            .encoder_layers = 0};
  }
  explicit SgcLayer(LayerSetup& s) {
    if (s.place().index > 0 && s.in_width() != s.out_width()) {
      throw UsageError(fmt::format("layer {} of sgc projects nothing, so {} columns can't become {}", s.place().index,
                                   s.in_width(), s.out_width()));
    }
    if (s.place().index == 0) weight_ = s.linear("weight", {.bias = false});
    if (s.place().is_output) bias_ = &s.parameter("bias", 1, s.out_width(), core::Initializer::kZeros);
  }

  State forward(Tape& tape, const Block& block, State in) const override {
    if (weight_) {
      in.x = propagate(tape, block, in, core::symmetric_norm(), *weight_);
    } else {
      in.x = core::sum(tape, block, core::src(block.sources(tape, in.x)) * core::symmetric_norm());
    }
    if (bias_ != nullptr) in.x = core::add_bias_in_place(tape, in.x, *bias_);
    return in;
  }

 private:
  std::optional<Linear> weight_;
  core::Parameter* bias_ = nullptr;
};
LAMINAR_LAYER(SgcLayer)

}  // namespace
}  // namespace laminar::layers
