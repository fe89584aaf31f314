#pragma once

#include <cstddef>
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

/// Whether dropping the tape, to record the layer again before its backward, frees clearly more than that takes. It
/// frees what the tape saved but for `state`, which the layer gave and which lives on; it takes what the layer starts
/// from, unless somebody else holds that too, and `kept_bytes` of what came from elsewhere.
bool is_worth_recording_again(const RecordedLayer& recorded, const SliceState& state, std::size_t kept_bytes);

/// Where a slice stands within an epoch.
struct SliceRun {
  std::vector<std::unique_ptr<RecordedLayer>> layers;
  /// Forward: the state between layers; backward: its gradient.
  SliceState state;
  /// Constant carried tensors made again by this stage.
  std::unique_ptr<RecordedLayer> encoder;
};

}  // namespace laminar::pipeline
