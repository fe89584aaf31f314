#pragma once

#include <map>
#include <string>
#include <string_view>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/parameter.hpp"
#include "laminar/layers/layer.hpp"

namespace laminar::layers {

/// Values of a layer's options by name, as text.
using LayerOptions = std::map<std::string, std::string, std::less<>>;

/// y = x W + b with parameters of the model.
class Linear {
 public:
  Linear(core::Parameter& weight, core::Parameter* bias) : weight_(&weight), bias_(bias) {}
  Var operator()(Tape& tape, Var x) const;
  /// y = sum + x W + b, in the place of `sum`, which nothing may read afterwards.
  Var onto(Tape& tape, Var sum, Var x) const;
  Index in_width() const { return weight_->value.rows(); }
  Index out_width() const { return weight_->value.cols(); }
  core::Parameter& weight() const { return *weight_; }
  core::Parameter* bias() const { return bias_; }

 private:
  core::Parameter* weight_;
  core::Parameter* bias_;
};

/// How a Linear is made; a width of 0 = the layer's own.
struct LinearOptions {
  bool bias = true;
  Index in = 0;
  Index out = 0;
};

/// What a layer's constructor gets: its place in the model, its options, and the means to declare parameters.
class LayerSetup {
 public:
  /// What a model says of the layer that is being made.
  struct Place {
    std::string prefix = {};
    Index in_width = 0;
    Index out_width = 0;
    /// From 0.
    Index index = 0;
    Index num_layers = 1;
    /// Whether its output is the model's (no head follows).
    bool is_output = false;
    /// Columns of the edge features, for a layer that declares them.
    Index edge_width = 0;
    core::DType dtype = core::DType::kFloat32;
    core::MemoryPool* pool = nullptr;
    core::ParameterGroup group = core::ParameterGroup::kConvolution;
  };

  /// Throws UsageError for an option that the layer does not have, or whose value is not of its kind or range.
  LayerSetup(Place place, const LayerInfo& info, LayerOptions options, core::ParameterList& parameters);

  const Place& place() const { return place_; }
  Index in_width() const { return place_.in_width; }
  Index out_width() const { return place_.out_width; }

  /// The value of an option, or its default. Throws Error if the layer did not declare it, or as another kind.
  double number(std::string_view name) const;
  Index integer(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::string& choice(std::string_view name) const;

  /// A parameter named PREFIX.name. Throws Error if the name is taken or the shape not positive.
  core::Parameter& parameter(std::string_view name, Index rows, Index cols,
                             core::Initializer initializer = core::Initializer::kGlorotUniform);
  /// A weight [in, out] named `name` and a bias [1, out] named `name`_bias, which starts at 0.
  Linear linear(std::string_view name, const LinearOptions& options = {});

 private:
  const std::string& value(std::string_view name, OptionKind kind) const;
  Place place_;
  const LayerInfo& info_;
  LayerOptions options_;
  core::ParameterList& parameters_;
};

/// A projection by `weight` as a step of a source transform: `dropout(rate) | weight`. Throws Error if it has a bias.
core::SourceTransform operator|(core::SourceTransform transform, const Linear& weight);

/// The sources of dropout(x) W: by the order that is exact and cheapest. Without history, narrow outputs are projected
/// on the own rows, so that exchanges carry the fewer columns; with history, or for sparse or narrow inputs, the
/// projection is a source transform. `weight` must have no bias.
core::Sources projected_sources(Tape& tape, const Block& block, const State& in, const Linear& weight);

/// What a layer gets that needs its own rows both projected and not.
struct Projected {
  core::Sources sources;
  /// dropout(x) of the own rows, with the masks of `sources`.
  Var own;
};
/// projected_sources(), and what was projected. `weight` must have no bias.
Projected project_sources(Tape& tape, const Block& block, const State& in, const Linear& weight);

/// Whether a product with `weight` had better stand before a linear aggregation than behind it: then the sources are
/// projected_sources().
bool projects_first(const Tape& tape, Var x, const Linear& weight);

/// (A dropout(x)) W + b or A (dropout(x) W) + b, whichever is cheaper by shapes and sound under history; A from
/// `matrix`.
Var propagate(Tape& tape, const Block& block, const State& in, const core::AdjacencySpec& matrix, const Linear& weight);

}  // namespace laminar::layers
