#pragma once

#include <string>
#include <vector>

#include "laminar/core/types.hpp"

/// What laminar-plugin check does beside layers/layer_checks.hpp.
namespace laminar::apps {

/// How far a training of `layer` with history is from the exact one, with frozen weights and no dropout of the model's,
/// once it has had time to become exact: 4 residual layers of width 8 in 8 chunks, float64, 9 epochs (docs/history.md).
/// The largest relative difference of a parameter's gradient. Throws as a training does.
double history_gradient_error(const std::string& layer);
/// What it may be.
inline constexpr double kHistoryTolerance = 1e-9;

/// One layer, forward and backward, in float32.
struct LayerCost {
  double forward_ms = 0;
  double backward_ms = 0;
  /// The most memory at once, weights and inputs left out.
  double peak_mib = 0;
};

/// Costs of layers of width 64 on a random graph of 20 000 vertices with 10 in-edges each, on all cores: the fastest of
/// 7 passes each, the layers taking turns. Layers of the registry.
std::vector<LayerCost> layer_costs(const std::vector<std::string>& layers);

}  // namespace laminar::apps
