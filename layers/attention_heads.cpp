#include "laminar/layers/attention_heads.hpp"

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/heads.hpp"
#include "laminar/core/linear.hpp"

namespace laminar::layers {

std::vector<OptionInfo> AttentionHeads::options() {
  return {{.name = "heads",
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
           .help = "slope of the leaky ReLU below 0",
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
           .help = "a vertex attends to itself too"}};
}

AttentionHeads::AttentionHeads(const LayerSetup& s, std::string_view layer)
    : averaged_(s.place().is_output),
      options_{.heads = s.integer(averaged_ ? "output_heads" : "heads"),
               .self_loops = s.flag("self_loops"),
               .dropout = s.number("attention_dropout")},
      slope_(s.number("slope")),
      width_(averaged_ ? s.out_width() * options_.heads : s.out_width()) {
  if (width_ % options_.heads != 0) {
    throw UsageError(
        fmt::format("{0}.heads is {1}, which does not divide the width {2}; change --hidden or --{0}.heads", layer,
                    options_.heads, width_));
  }
}

Var AttentionHeads::finish(Tape& tape, Var y, core::Parameter& bias) const {
  return core::add_bias_in_place(tape, averaged_ ? core::mean_heads(tape, y, options_.heads) : y, bias);
}

}  // namespace laminar::layers
