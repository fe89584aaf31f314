#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace laminar::pipeline {

/// Why bytes travel between devices.
enum class Cause : std::uint8_t {
  kStageForward,   ///< embeddings and carried tensors from stage to stage
  kStageBackward,  ///< their gradients
  kHaloForward,    ///< source rows between parts
  kHaloBackward,   ///< their gradients
  kWeights,        ///< all-reduced weight gradients
  kFraming,        ///< scales of compressed rows, tags and lengths
  kEvaluation,     ///< everything of an exact evaluation
  kOther,          ///< start-up checks, losses, norms, checkpoints, heartbeats
};
inline constexpr std::size_t kNumCauses = 8;

/// "stage_forward", ...
std::string_view name_of(Cause cause);

/// Bytes that a device has sent, by cause: payload counted once, at the sender. A plain value; adding ledgers gives
/// what several devices sent.
struct Ledger {
  std::array<std::uint64_t, kNumCauses> bytes = {};
  std::array<std::uint64_t, kNumCauses> messages = {};
  std::uint64_t operator[](Cause cause) const { return bytes[static_cast<std::size_t>(cause)]; }
  void add(Cause cause, std::uint64_t count) {
    bytes[static_cast<std::size_t>(cause)] += count;
    ++messages[static_cast<std::size_t>(cause)];
  }
  /// Without evaluation and other: what `bytes_per_epoch` means.
  std::uint64_t training_bytes() const;
  Ledger& operator+=(const Ledger& other);
  /// What was sent since `earlier`.
  Ledger operator-(const Ledger& earlier) const;
};

}  // namespace laminar::pipeline
