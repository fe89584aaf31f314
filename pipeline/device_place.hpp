#pragma once

#include "laminar/core/types.hpp"

namespace laminar::pipeline {

using core::Index;

/// Which part of the work a device has.
struct DevicePlace {
  Index stage = 0;
  Index num_stages = 1;
  Index part = 0;
  Index num_parts = 1;
  /// Layers of the stage.
  Index layer_begin = 0;
  Index layer_end = 0;
  Index device() const { return stage * num_parts + part; }
  bool is_first() const { return stage == 0; }
  bool is_last() const { return stage == num_stages - 1; }
};

}  // namespace laminar::pipeline
