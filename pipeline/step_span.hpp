#pragma once

#include "laminar/pipeline/schedule.hpp"

namespace laminar::pipeline {

/// A step as it ran; times in milliseconds from the start of the epoch.
struct StepSpan {
  Step step;
  double begin_ms = 0;
  double end_ms = 0;
  /// Spent waiting for messages, and sending them, within the step.
  double wait_ms = 0;
  double send_ms = 0;
};

}  // namespace laminar::pipeline
