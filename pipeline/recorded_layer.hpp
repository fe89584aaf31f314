#pragma once

#include <memory>
#include <vector>

#include "laminar/core/tape.hpp"
#include "laminar/layers/layer.hpp"
#include "laminar/pipeline/device_exchange.hpp"
#include "laminar/pipeline/stage_link.hpp"

namespace laminar::pipeline {

/// A layer that a slice has gone forward through, or an encoder.
struct RecordedLayer {
  /// Null where it is to be recorded again.
  std::unique_ptr<core::Tape> tape;
  layers::State in;
  layers::State out;
  /// Whether gradients flow to the sources of the layer.
  bool learnt_sources = false;
  DeviceExchange::Mode mode = DeviceExchange::Mode::kPass;
  /// What the layer starts from, and the sums over parts that it asks for; held only where it is to be recorded again.
  SliceState from;
  std::vector<core::Tensor> sums;
};

/// Where a slice stands within an epoch.
struct SliceRun {
  std::vector<std::unique_ptr<RecordedLayer>> layers;
  /// Forward: the state between layers; backward: its gradient.
  SliceState state;
  /// Constant carried tensors made again by this stage.
  std::unique_ptr<RecordedLayer> encoder;
};

}  // namespace laminar::pipeline
