#pragma once

#include <functional>
#include <string>
#include <vector>

#include "laminar/core/parameter.hpp"
#include "laminar/layers/layer.hpp"

/// Layers as the model calls them: what a plugin's author got wrong becomes an error that names the layer.
namespace laminar::layers {

/// A layer in its place.
struct GuardedLayer {
  std::string name;
  /// The plugin's file; empty = built in.
  std::string source = {};
  /// From 0.
  Index index = 0;
  Index out_width = 0;
  /// Columns of each carried tensor.
  std::vector<Index> carried_widths = {};
  std::vector<const core::Parameter*> parameters = {};
};

/// "layer 2, 'my_conv' of my_conv.hpp".
std::string text_of(const GuardedLayer& where);

/// Calls `body`. What it throws gets " (in layer 2, 'my_conv' of my_conv.hpp)" behind its text if the layer is a
/// plugin's; UsageError stays one, and anything but std::bad_alloc becomes an Error.
void guarded(const GuardedLayer& where, const std::function<void()>& body);

/// layer.forward(), guarded and checked. Throws Error, naming the layer, if the result is not [block.num_rows(),
/// out_width], or if the carried tensors are not as many and as wide as came in. A plugin's result is also read once
/// more: a value that is not finite although inputs and parameters are is an Error.
State guarded_forward(const GuardedLayer& where, const Layer& layer, Tape& tape, const Block& block, State in);

}  // namespace laminar::layers
