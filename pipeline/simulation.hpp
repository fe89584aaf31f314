#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/pipeline/train_result.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// One thing a device does, as far as time depends on it.
struct Operation {
  enum class Kind : std::uint8_t { kCompute, kSend, kReceive };
  Kind kind = Kind::kCompute;
  /// kCompute: milliseconds that it takes one core.
  double core_ms = 0;
  /// kSend: to whom, and how long the message is; kReceive: from whom.
  Index peer = 0;
  std::uint64_t bytes = 0;
  Tag tag = {};

  static Operation compute(double core_ms) { return {Kind::kCompute, core_ms, 0, 0, {}}; }
  static Operation send(Index to, std::uint64_t bytes, const Tag& tag) { return {Kind::kSend, 0, to, bytes, tag}; }
  static Operation receive(Index from, const Tag& tag) { return {Kind::kReceive, 0, from, 0, tag}; }
};

/// What a device does in an epoch, in order.
using DeviceProgram = std::vector<Operation>;

/// What the devices run on.
struct SimulatedMachine {
  /// The host of each device, from 0.
  std::vector<Index> host_of;
  /// Of a host; its devices share them equally while they compute.
  double cores = 1;
  /// How much faster a device that has as many cores as it has threads is than one core.
  double speedup = 1;
  LinkOptions link = {};
};

/// How long an epoch would take, and what the devices would do meanwhile.
struct SimulatedEpoch {
  double epoch_ms = 0;
  /// send_ms is 0: sending is counted as computing.
  std::vector<DeviceTimes> devices;
};

/// Runs programs on a model of machine and network (LinkModel), event by event: sends take no time of the device, a
/// receive waits until the message has arrived, and devices that compute at the same time on one host share its cores.
/// A pure function. Throws Error if a device waits for a
/// message that nobody sends, or if there are more programs than hosts are given for.
SimulatedEpoch simulate(std::span<const DeviceProgram> programs, const SimulatedMachine& machine);

}  // namespace laminar::pipeline
