#pragma once

#include <cstdint>

namespace laminar::pipeline {

/// A layer's forward may run twice an epoch, so that its activations need not be kept meanwhile: then what comes from
/// elsewhere (rows of other chunks and parts, sums over parts) is kept the first time and handed out again the second.
/// What was sent, written to a history or counted stays as the first time left it.
enum class Recording : std::uint8_t {
  kOnce,   ///< there is no second time, or it needs nothing that was kept
  kFirst,  ///< keep what came
  kAgain,  ///< give what was kept
};

}  // namespace laminar::pipeline
