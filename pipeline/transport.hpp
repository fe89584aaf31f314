#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "laminar/pipeline/topology.hpp"

namespace laminar::pipeline {

/// What a message is about; sender and receiver name it alike. Messages of one sender and one tag arrive in the order
/// they were sent; different tags may be received in any order.
struct Tag {
  enum class Kind : std::uint8_t { kState, kStateGradient, kHalo, kHaloGradient, kReduce, kReduced, kControl };
  Kind kind = Kind::kControl;
  /// Which of several tensors of one kind, e.g. the n-th carried one.
  std::uint8_t item = 0;
  std::int32_t chunk = 0;
  std::int32_t layer = 0;
  bool operator==(const Tag&) const = default;
  auto operator<=>(const Tag&) const = default;  // NOLINT(modernize-use-nullptr): a false alarm
};

using Bytes = std::vector<std::byte>;

/// What travels with every message, on any transport: its tag (10 bytes, and 2 of padding) and its length (8).
inline constexpr std::uint64_t kFramingBytes = 20;

/// Whose message, and which.
struct Address {
  Index from = 0;
  Tag tag = {};
  bool operator==(const Address&) const = default;
  auto operator<=>(const Address&) const = default;  // NOLINT(modernize-use-nullptr): a false alarm
};

/// One device's end of the network: point-to-point messages of bytes between devices 0..size-1. One thread a device
/// calls it.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual Index rank() const = 0;
  virtual Index size() const = 0;
  /// Returns as soon as the message is taken (it may wait if too many wait to be received). Throws Error if the network
  /// has failed.
  virtual void send(Index to, const Tag& tag, Bytes message) = 0;
  /// Waits for the message without spinning. Throws Error, naming the device and its reason, if a device has failed.
  virtual Bytes receive(Index from, const Tag& tag) = 0;
  /// The message if it has arrived. Throws like receive().
  virtual std::optional<Bytes> try_receive(Index from, const Tag& tag) = 0;
  /// Waits until one of several messages has arrived: its place in `wanted`, the first of them if several have. Throws
  /// like receive().
  virtual std::size_t wait_any(std::span<const Address> wanted) = 0;
  /// Tells all other devices that this one has failed, and why: their next or pending receive() throws. False, and
  /// nothing is told, if a failure is known already.
  virtual bool fail(const std::string& why) = 0;
  /// Takes leave of the others, as the destructor does; then only the destructor may be called. Whether all others took
  /// leave too, which they do unless one of them is gone or does not listen.
  virtual bool leave() { return true; }
  /// Bytes sent so far beside messages, with their framing: heartbeats.
  virtual std::uint64_t background_bytes() const { return 0; }
  /// Cores of its host that are this device's share, at least 1: those that it may use, each divided by how many
  /// devices may; 0 where devices share a process, which shares out its threads itself.
  virtual int core_share() const { return 0; }
  /// Devices on its host that are processes of their own, this one included.
  virtual int ranks_on_host() const { return 1; }
  /// What a user calls a device here: "device" for threads, "rank" for MPI.
  virtual std::string device_name(Index rank) const = 0;
};

/// Throws Error unless `peer` is another device of `transport`'s network; for those who write a transport.
void check_peer(const Transport& transport, Index peer);

/// A link that is slower than memory: every device has one port with this rate in each direction.
struct LinkOptions {
  /// Megabit (10^6 bits) a second of a port, each direction; 0 = as fast as memory.
  double mbps = 0;
  /// Microseconds from a message's last byte leaving to its arrival.
  double latency_us = 0;
};

/// Devices as threads of this process: `size` connected ends.
std::vector<std::unique_ptr<Transport>> make_local_transports(Index size, const LinkOptions& link = {});

}  // namespace laminar::pipeline
