#pragma once

#include <cstddef>
#include <cstdint>

// Internal to datasets/.
namespace laminar::datasets {

/// Three quarters of this machine's memory, or of what a container grants of it.
std::uint64_t default_memory_bytes();

/// Keeps a small compressed file from filling the memory: importers account what they keep of a file while it grows,
/// and stop with an Error in time. One thread at a time.
class MemoryBudget {
 public:
  /// 0 = default_memory_bytes().
  explicit MemoryBudget(std::uint64_t limit_bytes)
      : limit_bytes_(limit_bytes == 0 ? default_memory_bytes() : limit_bytes) {}
  /// False if the limit is passed.
  bool take(std::size_t bytes) { return (used_bytes_ += bytes) <= limit_bytes_; }
  std::uint64_t limit_bytes() const { return limit_bytes_; }

 private:
  std::uint64_t limit_bytes_;
  std::uint64_t used_bytes_ = 0;
};

}  // namespace laminar::datasets
