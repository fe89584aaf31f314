#pragma once

#include <span>

#include "laminar/pipeline/simulation.hpp"

namespace laminar::pipeline {

/// Runs programs on threads of this process, one a device, over links that are emulated as in a training: messages are
/// sent and waited for, and computing is keeping a core for as long as the program says, by the thread's own time. So
/// what a scheduler makes of more devices than cores, what it takes to wake a thread and to hand a message over are met
/// as they are, where simulate() has cores that are shared perfectly. An operation's send and receive count to the
/// computing beside them, whose time they are part of.
///
/// A few epochs, one after the other; the one in the middle counts. Epochs that would take
/// more than `longest_epoch_ms` on one core are made shorter, computing and messages alike, and the figures longer
/// again. They depend on the machine and on what else it does. Throws Error as simulate() does, before anything runs;
/// no device may be sent more messages ahead of those it receives than a transport keeps.
SimulatedEpoch rehearse(std::span<const DeviceProgram> programs, const LinkOptions& link,
                        double longest_epoch_ms = 4000);

}  // namespace laminar::pipeline
