#pragma once

#include <vector>

#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// What a network does, as all its devices see it.
struct MeasuredNetwork {
  /// Of the slowest device's port, both directions busy at once; and the time of a message of a few bytes.
  LinkOptions link;
  /// The host of each device, numbered from 0 in the order in which they first occur.
  std::vector<Index> host_of;
};

/// Measures it for a second or two: all devices call this at the same time, and all get the same. A word goes
/// around a ring of them; then each sends to the next, more and more until it takes long enough to be timed. The
/// figures are those of a quiet network as far as it is quiet now. One device alone: no link. Throws Error if a device
/// fails.
MeasuredNetwork measure_network(Transport& transport);

}  // namespace laminar::pipeline
