#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/block.hpp"
#include "laminar/core/tape.hpp"

/// The interface of every layer, built in or plugin. A layer does row-local work (*pre*), asks the block for its
/// sources, aggregates once, and goes on row by row (*post*); it writes only this forward.
namespace laminar::layers {

using core::Block;
using core::Index;
using core::Tape;
using core::Var;

/// What flows from layer to layer, a row a vertex of the block.
struct State {
  /// The embedding [num_rows, in].
  Var x;
  /// Tensors that the layer declared as carried, in that order, e.g. GCNII's h0.
  std::vector<Var> carried = {};
  /// Dropout rate for this layer's input; the layer applies it to the rows it aggregates, by vertex_dropout().
  double rate = 0;
};

enum class OptionKind : std::uint8_t { kNumber, kInteger, kFlag, kChoice };

/// An option of a layer, given on the command line as `--LAYER.NAME VALUE`.
struct OptionInfo {
  std::string name;
  OptionKind kind = OptionKind::kNumber;
  std::string default_value;
  std::string help;
  /// Inclusive range of a number or integer.
  double min = -1e300;
  double max = 1e300;
  /// What a choice can be.
  std::vector<std::string> choices = {};
};

/// A tensor that the model carries from layer to layer beside the embedding.
struct CarriedInfo {
  std::string name;
  std::string help;
  /// No layer changes it, so that a device can make it again from the inputs instead of being sent it.
  bool constant = false;
};

/// What a planner, a checkpoint and `--help` need to know of a layer.
struct LayerInfo {
  std::string name;
  std::string summary;
  /// Where it comes from: authors, year, equation.
  std::string paper = {};
  std::vector<OptionInfo> options = {};
  /// Carried tensors; each starts as the output of the linear encoder that the model then has.
  std::vector<CarriedInfo> carried = {};
  /// Input and output have one width, so a model puts a linear encoder before and a linear head behind.
  bool constant_width = false;
  /// Whether the model's activation stands behind the layer, where another one or a head follows.
  bool activated = true;
  /// The layer only propagates what it gets, as APPNP and SGC do: all widths but the features' are that of the outputs,
  /// no activation stands between layers or behind them, no head follows, and --residual is refused.
  bool propagates = false;
  /// Dense layers before the first one, in a model that has an encoder; of a model that propagates, 0 = none at all.
  Index encoder_layers = 1;
  /// The layer reads Block::edge_features(), so the data must have some.
  bool edge_features = false;
  /// The layer hears the far end of out-edges too: blocks have Direction::kReversed.
  bool reversed_edges = false;
};

/// One layer of a model. Immutable after construction (parameters are the model's); forward() may run on several tapes.
class Layer {
 public:
  virtual ~Layer() = default;
  /// Records y = layer(x) on the tape and returns it with the carried tensors. in.x [block.num_rows(), in_width],
  /// result [block.num_rows(), out_width].
  virtual State forward(Tape& tape, const Block& block, State in) const = 0;
};

}  // namespace laminar::layers
