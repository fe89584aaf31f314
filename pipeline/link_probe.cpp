#include "laminar/pipeline/link_probe.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "laminar/core/memory.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/stopwatch.hpp"

namespace laminar::pipeline {
namespace {

constexpr Tag kProbeTag{.kind = Tag::Kind::kControl, .item = 1};
constexpr int kRounds = 16;
constexpr int kPasses = 3;
constexpr std::size_t kPieceBytes = 256 << 10;
// A burst that a shaper lets through at once must not pass for its rate.
constexpr Index kMostPieces = 256;
constexpr double kLongEnoughMs = 150;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("?");
}

}  // namespace

MeasuredNetwork measure_network(Transport& transport) {
  Communicator communicator(transport, {}, core::MemoryPool::create());
  const Index size = transport.size();
  MeasuredNetwork network;
  std::map<std::string, Index> known;
  for (const std::string& host : communicator.gather_text(host_name())) {
    network.host_of.push_back(known.emplace(host, static_cast<Index>(known.size())).first->second);
  }
  if (size == 1) return network;
  const Index next = (transport.rank() + 1) % size;
  const Index previous = (transport.rank() + size - 1) % size;
  const auto pass_on = [&](std::size_t bytes, Index pieces) {
    Stopwatch watch;
    for (Index i = 0; i < pieces; ++i) transport.send(next, kProbeTag, Bytes(bytes));
    for (Index i = 0; i < pieces; ++i) transport.receive(previous, kProbeTag);
    return watch.lap_ms();
  };
  const auto slowest = [&](double ms) {
    double worst = 0;
    for (const std::string& text : communicator.gather_text(fmt::format("{}", ms))) {
      worst = std::max(worst, std::stod(text));
    }
    return worst;
  };
  // A word goes around the ring, from device 0 to device 0.
  double round_ms = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRounds; ++i) {
    Stopwatch watch;
    if (transport.rank() == 0) transport.send(next, kProbeTag, Bytes(8));
    transport.receive(previous, kProbeTag);
    if (transport.rank() > 0) transport.send(next, kProbeTag, Bytes(8));
    round_ms = std::min(round_ms, watch.lap_ms());
  }
  network.link.latency_us = 1e3 / static_cast<double>(size) * slowest(transport.rank() == 0 ? round_ms : 0);
  for (Index pieces = 1;; pieces *= 2) {
    // A pass during which something else had the core says little of the network.
    double fastest_ms = pass_on(kPieceBytes, pieces);
    for (int i = 1; i < kPasses; ++i) fastest_ms = std::min(fastest_ms, pass_on(kPieceBytes, pieces));
    const double ms = slowest(fastest_ms);
    if (ms < kLongEnoughMs && pieces < kMostPieces) continue;
    const double moving_ms = std::max(1e-3, ms - 1e-3 * network.link.latency_us);
    network.link.mbps = 8e-3 * static_cast<double>(kPieceBytes) * static_cast<double>(pieces) / moving_ms;
    return network;
  }
}

}  // namespace laminar::pipeline
