#pragma once

#include <string>
#include <vector>

#include "laminar/pipeline/train_result.hpp"

namespace laminar::pipeline {

/// What a device tells of itself when a training has ended.
struct DeviceReport {
  /// Of the last epoch.
  std::vector<StepSpan> spans = {};
  /// Forwards that were run again, within those.
  std::vector<StepSpan> recomputed = {};
  DeviceMemory memory = {};
};

/// The report as a text of bytes for a device on an equal machine.
std::string pack(const DeviceReport& report);
/// The inverse. Throws Error if the text was cut short or has no such steps.
DeviceReport unpack_report(const std::string& text);

}  // namespace laminar::pipeline
