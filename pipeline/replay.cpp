#include "laminar/pipeline/replay.hpp"

#include <algorithm>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

Replay replay(std::span<const std::vector<StepSpan>> spans) {
  const auto stages = static_cast<Index>(spans.size());
  // An empty message costs nothing, but orders the devices.
  const auto tag_of = [](Tag::Kind kind, const Step& step) {
    return Tag{.kind = kind, .chunk = static_cast<std::int32_t>(step.chunk)};
  };
  std::vector<DeviceProgram> programs;
  for (Index s = 0; s < stages; ++s) {
    DeviceProgram program;
    for (const StepSpan& span : spans[static_cast<std::size_t>(s)]) {
      const Step& step = span.step;
      const bool forward = step.kind == Step::Kind::kForward;
      if (!forward && step.kind != Step::Kind::kBackward) throw Error("[replay] there are half steps");
      const Tag tag = tag_of(forward ? Tag::Kind::kState : Tag::Kind::kStateGradient, step);
      const Index from = forward ? s - 1 : s + 1;
      const Index to = forward ? s + 1 : s - 1;
      if (from >= 0 && from < stages) program.push_back(Operation::receive(from, tag));
      program.push_back(Operation::compute(std::max(0.0, span.end_ms - span.begin_ms - span.wait_ms - span.send_ms)));
      if (to >= 0 && to < stages) program.push_back(Operation::send(to, 0, tag));
    }
    programs.push_back(std::move(program));
  }
  SimulatedMachine machine{.host_of = std::vector<Index>(spans.size(), 0), .cores = static_cast<double>(stages)};
  Replay result{simulate(programs, machine), 0};
  double busy_ms = 0;
  for (const DeviceTimes& d : result.epoch.devices) busy_ms += d.busy_ms;
  const double all_ms = result.epoch.epoch_ms * static_cast<double>(stages);
  result.bubble = all_ms > 0 ? 1 - busy_ms / all_ms : 0;
  return result;
}

}  // namespace laminar::pipeline
