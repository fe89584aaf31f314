#include "laminar/pipeline/replay.hpp"

#include <algorithm>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

double busy_ms(const StepSpan& span) {
  return std::max(0.0, span.end_ms - span.begin_ms - span.wait_ms - span.send_ms);
}

}  // namespace

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
      program.push_back(Operation::compute(busy_ms(span)));
      if (to >= 0 && to < stages) program.push_back(Operation::send(to, 0, tag));
    }
    programs.push_back(std::move(program));
  }
  SimulatedMachine machine{.host_of = std::vector<Index>(spans.size(), 0), .cores = static_cast<double>(stages)};
  Replay result{simulate(programs, machine), 0};
  double all_busy_ms = 0;
  for (const DeviceTimes& d : result.epoch.devices) all_busy_ms += d.busy_ms;
  const double all_ms = result.epoch.epoch_ms * static_cast<double>(stages);
  result.bubble = all_ms > 0 ? 1 - all_busy_ms / all_ms : 0;
  return result;
}

std::vector<std::vector<StepSpan>> median_steps(std::span<const std::vector<std::vector<StepSpan>>> epochs) {
  if (epochs.empty()) return {};
  std::vector<std::vector<StepSpan>> result = epochs.back();
  for (std::size_t device = 0; device < result.size(); ++device) {
    for (StepSpan& span : result[device]) {
      std::vector<double> times;
      for (const auto& epoch : epochs) {
        if (epoch.size() != result.size()) throw Error("[replay] epochs of different numbers of devices");
        const auto same = std::find_if(epoch[device].begin(), epoch[device].end(),
                                       [&](const auto& s) { return s.step == span.step; });
        if (same == epoch[device].end()) throw Error("[replay] epochs of different steps");
        times.push_back(busy_ms(*same));
      }
      const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
      std::nth_element(times.begin(), middle, times.end());
      span = {span.step, 0, *middle, 0, 0};
    }
  }
  return result;
}

}  // namespace laminar::pipeline
