#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::testing {

/// Calls `body(transport)` on `size` local devices, a thread each. What a device throws fails its transport and is
/// thrown here when all have ended, the first in time.
inline void run_devices(core::Index size, const std::function<void(pipeline::Transport&)>& body,
                        const pipeline::LinkOptions& link = {}) {
  const auto transports = pipeline::make_local_transports(size, link);
  std::mutex mutex;
  std::exception_ptr first;
  {
    std::vector<std::jthread> threads;
    for (const auto& transport : transports) {
      threads.emplace_back([&, end = transport.get()] {
        try {
          body(*end);
        } catch (const std::exception& error) {
          {
            const std::lock_guard lock(mutex);
            if (!first) first = std::current_exception();
          }
          end->fail(error.what());
        }
      });
    }
  }
  if (first) std::rethrow_exception(first);
}

/// The same with a communicator each.
inline void run_communicators(core::Index size, const std::function<void(pipeline::Communicator&)>& body,
                              const pipeline::CompressionOptions& compression = {}) {
  run_devices(size, [&](pipeline::Transport& transport) {
    pipeline::Communicator communicator(transport, compression, core::MemoryPool::create());
    body(communicator);
  });
}

}  // namespace laminar::testing
