#pragma once

#include "laminar/layers/gradient_check.hpp"
#include "laminar/layers/layer_checks.hpp"
#include "laminar/tests/support/tensors.hpp"

namespace laminar::testing {

using layers::checks::MadeLayer;
using layers::checks::make_layer;
using layers::checks::option_variants;

/// Forward and backward of a layer on `x`, with dropout of its input.
inline layers::checks::Pass pass_with_dropout(const MadeLayer& made, const core::Block& block, const core::Tensor& x) {
  return layers::checks::run_pass(
      context(x.dtype(), true),
      [&](core::Tape& tape, const std::vector<core::Var>& in) {
        return made.layer->forward(tape, block, {in[0], {}, 0.3}).x;
      },
      {x}, made.parameters);
}

}  // namespace laminar::testing
