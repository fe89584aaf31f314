#pragma once

#include <functional>
#include <memory>
#include <span>

#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// Calls work(0), ..., work(count - 1), each in a thread of its own (one alone in this thread), and waits for all. If
/// some throw, so does this: what the first to fail threw, which has failed its transport, so that the others end too.
/// `transports` may be empty if `count` is 1.
void on_devices(std::size_t count, std::span<const std::unique_ptr<Transport>> transports,
                const std::function<void(std::size_t)>& work);

}  // namespace laminar::pipeline
