#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// Ends that do what `ends` do, but give `turn` back while they wait for a message. If every device's thread holds
/// `turn` when it works, one device computes at a time, and the times of its steps are those of a device that shares
/// its cores with nobody.
std::vector<std::unique_ptr<Transport>> take_turns(std::vector<std::unique_ptr<Transport>> ends,
                                                   std::shared_ptr<std::mutex> turn);

}  // namespace laminar::pipeline
