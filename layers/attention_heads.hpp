#pragma once

#include <string_view>
#include <vector>

#include "laminar/core/aggregation.hpp"
#include "laminar/layers/layer_setup.hpp"

namespace laminar::layers {

/// What layers of multi-head attention share: heads side by side, each of width out / heads, or, in a layer whose
/// output is the model's, the mean of `output_heads` heads of the full width.
class AttentionHeads {
 public:
  /// heads, output_heads, slope, attention_dropout and self_loops.
  static std::vector<OptionInfo> options();

  /// Reads these options. Throws UsageError, which names the option after `layer`, if the heads don't divide the width.
  AttentionHeads(const LayerSetup& s, std::string_view layer);

  /// Of all heads side by side.
  Index width() const { return width_; }
  /// Of the leaky ReLU.
  double slope() const { return slope_; }
  const core::AttentionOptions& attention() const { return options_; }
  /// From rows [n, width()] to the layer's output [n, out]: the heads' mean if it is the model's, plus the bias.
  Var finish(Tape& tape, Var y, core::Parameter& bias) const;

 private:
  bool averaged_;
  core::AttentionOptions options_;
  double slope_;
  Index width_;
};

}  // namespace laminar::layers
