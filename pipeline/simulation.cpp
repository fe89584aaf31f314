#include "laminar/pipeline/simulation.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/link_model.hpp"

namespace laminar::pipeline {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kMsPerS = 1e3;

using Message = std::shared_ptr<const LinkModel::Transfer>;

/// Where a device stands.
struct Device {
  std::size_t next = 0;
  /// Of the computation that goes on, in milliseconds of one core; 0 = none.
  double left_ms = 0;
  /// What it waits for; null = not yet sent, or nothing.
  Message message;
  bool waits = false;
  double computed_ms = 0;
  double waited_ms = 0;
  double end_ms = 0;
};

class Simulation {
 public:
  Simulation(std::span<const DeviceProgram> programs, const SimulatedMachine& machine)
      : programs_(programs),
        machine_(machine),
        links_(static_cast<Index>(programs.size()), machine.link),
        devices_(programs.size()),
        sent_(programs.size()) {}

  SimulatedEpoch run() {
    for (bool moved = true; moved;) {
      moved = false;
      // A send may let another device go on at once.
      for (std::size_t d = 0; d < devices_.size(); ++d) moved = start(d) || moved;
      if (moved) continue;
      moved = advance();
    }
    SimulatedEpoch epoch;
    for (std::size_t d = 0; d < devices_.size(); ++d) {
      const Device& device = devices_[d];
      if (device.next < programs_[d].size()) {
        const Operation& op = programs_[d][device.next];
        throw Error(
            fmt::format("[simulate] device {} waits for a message of device {} that is never sent", d, op.peer));
      }
      epoch.epoch_ms = std::max(epoch.epoch_ms, device.end_ms);
    }
    for (const Device& d : devices_) {
      // Who is done early waits for the others.
      epoch.devices.push_back({d.computed_ms, d.waited_ms + epoch.epoch_ms - d.end_ms, 0});
    }
    return epoch;
  }

 private:
  /// Does what takes no time; returns whether anything happened.
  bool start(std::size_t d) {
    Device& device = devices_[d];
    bool moved = false;
    while (device.left_ms == 0 && device.next < programs_[d].size()) {
      const Operation& op = programs_[d][device.next];
      if (op.kind == Operation::Kind::kCompute) {
        device.left_ms = std::max(op.core_ms, 0.0);
        if (device.left_ms > 0) return true;
      } else if (op.kind == Operation::Kind::kSend) {
        sent_[static_cast<std::size_t>(op.peer)][{static_cast<Index>(d), op.tag}].push_back(
            links_.add(static_cast<Index>(d), op.peer, op.bytes, now_ms_ / kMsPerS));
      } else if (!receive(d, op)) {
        return moved;
      }
      ++device.next;
      device.end_ms = now_ms_;
      moved = true;
    }
    return moved;
  }

  bool receive(std::size_t d, const Operation& op) {
    Device& device = devices_[d];
    device.waits = true;
    if (device.message == nullptr) {
      const auto found = sent_[d].find({op.peer, op.tag});
      if (found == sent_[d].end()) return false;
      device.message = found->second.front();
      found->second.pop_front();
      if (found->second.empty()) sent_[d].erase(found);
    }
    if (arrival_ms(device) > now_ms_ + kTick) return false;
    device.message.reset();
    device.waits = false;
    return true;
  }

  double arrival_ms(const Device& device) { return links_.arrival_s(*device.message, now_ms_ / kMsPerS) * kMsPerS; }

  /// How many devices of its host compute now.
  double busy_beside(std::size_t d) const {
    double busy = 0;
    for (std::size_t other = 0; other < devices_.size(); ++other) {
      if (devices_[other].left_ms > 0 && machine_.host_of[other] == machine_.host_of[d]) ++busy;
    }
    return busy;
  }
  /// Cores that a device has now.
  double speed(std::size_t d) const { return std::min(machine_.speedup, machine_.cores / busy_beside(d)); }

  /// To the next event; false if there is none.
  bool advance() {
    double then_ms = kNever;
    std::vector<double> speeds(devices_.size(), 0);
    for (std::size_t d = 0; d < devices_.size(); ++d) {
      if (devices_[d].left_ms > 0) {
        speeds[d] = speed(d);
        then_ms = std::min(then_ms, now_ms_ + devices_[d].left_ms / speeds[d]);
      } else if (devices_[d].message != nullptr) {
        then_ms = std::min(then_ms, arrival_ms(devices_[d]));
      }
    }
    if (then_ms == kNever) return false;
    const double step_ms = std::max(then_ms - now_ms_, 0.0);
    now_ms_ = std::max(then_ms, now_ms_);
    for (std::size_t d = 0; d < devices_.size(); ++d) {
      Device& device = devices_[d];
      if (device.waits) device.waited_ms += step_ms;
      if (device.left_ms == 0) continue;
      device.computed_ms += step_ms;
      device.left_ms -= step_ms * speeds[d];
      if (device.left_ms > kTick) continue;
      device.left_ms = 0;
      ++device.next;
      device.end_ms = now_ms_;
    }
    return true;
  }

  /// Below this many milliseconds two moments are one: rounding.
  static constexpr double kTick = 1e-9;

  std::span<const DeviceProgram> programs_;
  const SimulatedMachine& machine_;
  LinkModel links_;
  std::vector<Device> devices_;
  /// By receiver: what was sent and not yet taken.
  std::vector<std::map<Address, std::deque<Message>>> sent_;
  double now_ms_ = 0;
};

}  // namespace

SimulatedEpoch simulate(std::span<const DeviceProgram> programs, const SimulatedMachine& machine) {
  if (machine.host_of.size() < programs.size()) {
    throw Error(fmt::format("[simulate] {} devices, but hosts of {}", programs.size(), machine.host_of.size()));
  }
  return Simulation(programs, machine).run();
}

}  // namespace laminar::pipeline
