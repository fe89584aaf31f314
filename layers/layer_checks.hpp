#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "laminar/layers/layer_setup.hpp"
#include "laminar/layers/registry.hpp"

/// What must hold for every layer, built in or plugin: the test that walks the registry and `laminar-plugin check` run
/// the same code.
namespace laminar::layers::checks {

/// One layer with parameters of its own.
struct MadeLayer {
  core::ParameterList parameters;
  std::unique_ptr<Layer> layer;
  /// By its name in the layer. Throws Error if there is none.
  core::Parameter& parameter(const std::string& name) const;
};

/// Layer `name`, its parameters set to random numbers (or left at zero without `seed`). Throws like Registry::make().
MadeLayer make_layer(const std::string& name, LayerSetup::Place place, const LayerOptions& options = {},
                     std::uint64_t seed = 0);

/// No option, and each other value of each flag and choice: a set of options each.
std::vector<LayerOptions> option_variants(const LayerInfo& info);

/// How far a layer was from what must hold.
struct CheckResult {
  /// Layer, options, place and graph together.
  core::Index cases = 0;
  /// The largest relative error that was met, of those allowed.
  double worst = 0;
  double allowed = 0;
  /// A sentence each, the first few.
  std::vector<std::string> failures;
};

/// A thing to check of a registered layer; an exception from the layer is a failure too.
struct LayerCheck {
  const char* name;
  const char* what;
  CheckResult (*run)(const std::string& layer);
};

/// All of them:
///
///     description  name, help and default of everything; shapes; finite values
///     gradients    central differences in float64, of inputs, carried tensors and parameters
///     equivariance vertices renumbered give the same rows in the new order, dropout included
///     chunks       chunks with a table of source rows give the rows of the whole graph
///     history      what a history asks of a layer changes how it computes, not what
///     sparse       sparse features give what their dense form gives
///
/// Each runs over widths that grow, stay and shrink, hidden and output places, every flag and choice, with and without
/// dropout. An integer option `heads` is set to 2. A width that the layer refuses with a UsageError is left out; that
/// none is left is a failure.
std::span<const LayerCheck> layer_checks();

}  // namespace laminar::layers::checks
