#pragma once

#include "laminar/core/tape.hpp"

// Internal to core/.
namespace laminar::core {

/// Where the result of an operation in place goes that has taken `taken` from the tape: there, unless nodes hold it
/// that read it in their backward, or whoever gave it to the tape; else room for as much.
inline Tensor room_in_place(const Tape& tape, const Tensor& taken) {
  return taken.is_unique() ? taken : tape.allocate_as(taken.dtype(), taken.rows(), taken.cols());
}

}  // namespace laminar::core
