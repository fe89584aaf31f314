#pragma once

#include <vector>

#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// What a network does, as all its devices see it.
struct MeasuredNetwork {
  /// Of the slowest device's port, both directions busy at once; and half the time of a question and its answer.
  LinkOptions link;
  /// The host of each device, numbered from 0 in the order in which they first occur.
  std::vector<Index> host_of;
};

/// Measures it for a fraction of a second: all devices call this at the same time, and all get the same. Each sends to the next in
/// a ring, messages of a few bytes first, then of more and more until they take long enough to be timed. The figures
/// are those of a quiet network as much as it is quiet now. Throws Error if a device fails.
MeasuredNetwork measure_network(Transport& transport);

}  // namespace laminar::pipeline
