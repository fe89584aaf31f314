#include "laminar/pipeline/device_threads.hpp"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace laminar::pipeline {

void on_devices(std::size_t count, std::span<const std::unique_ptr<Transport>> transports,
                const std::function<void(std::size_t)>& work) {
  if (count == 1) {
    work(0);
    return;
  }
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (std::size_t d = 0; d < count; ++d) {
    threads.emplace_back([&, d] {
      try {
        work(d);
      } catch (const std::exception& e) {
        {
          const std::lock_guard lock(mutex);
          if (first == nullptr) first = std::current_exception();
        }
        transports[d]->fail(e.what());
      }
    });
  }
  for (std::thread& t : threads) t.join();
  if (first != nullptr) std::rethrow_exception(first);
}

}  // namespace laminar::pipeline
