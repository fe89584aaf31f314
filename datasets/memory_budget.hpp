#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "laminar/core/types.hpp"

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
  /// What to say then: "`what` takes more than 1.5 GiB; raise --max-memory if that is meant".
  std::string complaint(std::string_view what) const;
  /// Takes what a graph of so many vertices needs whatever its edges, for files that tell a number without a byte for
  /// each. Throws Error, beginning with `where`, if the limit is passed.
  void take_vertices(core::Index count, const std::string& where);

 private:
  std::uint64_t limit_bytes_;
  std::uint64_t used_bytes_ = 0;
};

}  // namespace laminar::datasets
