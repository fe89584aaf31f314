#include "laminar/pipeline/rehearsal.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "laminar/pipeline/device_threads.hpp"
#include "laminar/pipeline/stopwatch.hpp"

namespace laminar::pipeline {
namespace {

// The first one, in which threads find their cores, does not count; of the others one is in the middle.
constexpr std::size_t kEpochs = 4;
// Additions between two looks at the clock, which is a system call: a microsecond or so.
constexpr int kSpins = 1000;

/// Keeps a core until the calling thread has had one for so long.
void compute_until(double thread_time_ms) {
  volatile double sum = 0;
  while (thread_ms() < thread_time_ms) {
    for (int i = 0; i < kSpins; ++i) sum = sum + 1;
  }
}

/// So much of a message, and its framing.
Bytes shortened(std::uint64_t bytes, double share) {
  return Bytes(static_cast<std::size_t>(share * static_cast<double>(bytes - std::min(bytes, kFramingBytes))));
}

/// One device's epoch, or `share` of it; returns how long it waited.
double run_epoch(const DeviceProgram& program, double share, Transport& transport) {
  double waited_ms = 0;
  double due_ms = thread_ms();
  for (const Operation& op : program) {
    switch (op.kind) {
      case Operation::Kind::kCompute:
        due_ms += share * op.core_ms;
        compute_until(due_ms);
        break;
      case Operation::Kind::kSend:
        transport.send(op.peer, op.tag, shortened(op.bytes, share));
        break;
      case Operation::Kind::kReceive: {
        Stopwatch watch;
        transport.receive(op.peer, op.tag);
        waited_ms += watch.lap_ms();
        break;
      }
    }
  }
  return waited_ms;
}

}  // namespace

SimulatedEpoch rehearse(std::span<const DeviceProgram> programs, const LinkOptions& link, double longest_epoch_ms) {
  SimulatedMachine machine;
  machine.host_of.assign(programs.size(), 0);
  machine.link = link;
  const double simulated_ms = simulate(programs, machine).epoch_ms;
  if (programs.empty()) return {};
  const double share = simulated_ms > longest_epoch_ms ? longest_epoch_ms / simulated_ms : 1;
  const auto transports = make_local_transports(static_cast<Index>(programs.size()), link);
  // By device: when each epoch ended, and how long the device waited in it.
  std::vector<std::array<double, kEpochs>> end_ms(programs.size()), waited_ms(programs.size());
  const Stopwatch watch;
  on_devices(programs.size(), transports, [&](std::size_t d) {
    for (std::size_t e = 0; e < kEpochs; ++e) {
      waited_ms[d][e] = run_epoch(programs[d], share, *transports[d]) / share;
      end_ms[d][e] = watch.elapsed_ms() / share;
    }
  });
  std::array<SimulatedEpoch, kEpochs> epochs;
  double began_ms = 0;
  for (std::size_t e = 0; e < kEpochs; ++e) {
    double ended_ms = began_ms;
    for (const auto& ends : end_ms) ended_ms = std::max(ended_ms, ends[e]);
    epochs[e].epoch_ms = ended_ms - began_ms;
    for (std::size_t d = 0; d < programs.size(); ++d) {
      // Who is done early waits for the others.
      const double took_ms = end_ms[d][e] - (e > 0 ? end_ms[d][e - 1] : 0);
      const double busy_ms = std::min(took_ms - waited_ms[d][e], epochs[e].epoch_ms);
      epochs[e].devices.push_back({busy_ms, epochs[e].epoch_ms - busy_ms, 0});
    }
    began_ms = ended_ms;
  }
  std::sort(epochs.begin() + 1, epochs.end(), [](const auto& a, const auto& b) { return a.epoch_ms < b.epoch_ms; });
  return epochs[1 + (kEpochs - 1) / 2];
}

}  // namespace laminar::pipeline
