#pragma once

#include <memory>
#include <vector>

#include "laminar/layers/model.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/device_place.hpp"
#include "laminar/pipeline/slice.hpp"

namespace laminar::pipeline {

/// What stands between two layers for a slice: the state or, on the way back, its gradient.
struct SliceState {
  core::Tensor x;
  std::vector<core::Tensor> carried;
};

/// Brings the states of slices to the next stage, and their gradients to the one before. Not thread-safe.
class StageLink {
 public:
  /// `model` and `communicator` (null on one device) must outlive it. With `recompute_carried` every stage makes the
  /// carried tensors again, so they don't travel.
  StageLink(const layers::Model& model, const DevicePlace& place, bool recompute_carried, Communicator* communicator,
            std::shared_ptr<core::MemoryPool> pool);

  /// A state from the stage before, or a gradient from the next one. Waits for it.
  SliceState receive(const Slice& slice, Tag::Kind kind, Cause cause);
  /// A state to the next stage, or a gradient to the one before.
  void send(SliceState state, const Slice& slice, Tag::Kind kind, Cause cause);

 private:
  /// States go out and gradients come in behind the stage's last layer.
  static bool is_behind(Tag::Kind kind, bool sends) { return sends == (kind == Tag::Kind::kState); }
  Index peer(Tag::Kind kind, bool sends) const;
  Index width(Tag::Kind kind, bool sends) const;
  bool keeps_bfloat16() const { return model_.options().precision == core::DType::kBfloat16; }
  core::DType dtype() const { return core::computed(model_.options().precision); }

  const layers::Model& model_;
  DevicePlace place_;
  bool sends_carried_;
  Communicator* communicator_;
  std::shared_ptr<core::MemoryPool> pool_;
};

}  // namespace laminar::pipeline
