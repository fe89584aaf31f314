#pragma once

#include <vector>

#include "laminar/layers/model.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/device_place.hpp"

namespace laminar::pipeline {

/// Adds up parameter gradients over the devices that share the parameters: a layer's over the parts of its stage, the
/// encoder's over all devices if every stage has it. The same bits on all of them. One thread at a time.
class GradientSync {
 public:
  /// `model` and `communicator`, which is null on one device, must outlive it. `shared_encoder`: every stage has the
  /// encoder.
  GradientSync(const layers::Model& model, const DevicePlace& place, bool shared_encoder, Communicator* communicator);

  /// Starts the sums of a layer's gradients, which must be left alone until finish().
  void begin_layer(Index layer, Cause cause);
  /// Starts those of encoder and head, and waits for all.
  void finish(Cause cause);

  /// Whether parameter i counts at this device where each counts once over all devices: at the first part, and the
  /// encoder's at the first stage.
  bool counts_here(std::size_t i) const;
  /// core::clip_gradients() of all devices' parameters together, with their norm.
  double clip(double max_norm) const;

 private:
  std::vector<Index> peers(bool all_stages) const;

  const layers::Model& model_;
  std::vector<core::Parameter*> parameters_;
  DevicePlace place_;
  bool shared_encoder_;
  Communicator* communicator_;
};

}  // namespace laminar::pipeline
