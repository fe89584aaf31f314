#pragma once

#include <cstdint>

#include "laminar/layers/model.hpp"
#include "laminar/pipeline/cut_graph.hpp"
#include "laminar/pipeline/device_place.hpp"
#include "laminar/pipeline/features.hpp"

namespace laminar::pipeline {

/// Whether a device needs input features, and of which rows: none, its own, or its halo's too.
enum class FeatureNeed : std::uint8_t { kNone, kOwn, kOwnAndHalo };
FeatureNeed needs_features(const layers::Model& model, const DevicePlace& place, bool recompute_carried);

/// Features as `need` says, of the part that `place` names.
Features load_device_features(const core::RowSource& source, const layers::Model& model, const CutGraph& cut,
                              const DevicePlace& place, FeatureNeed need, core::MemoryPool* pool);

}  // namespace laminar::pipeline
