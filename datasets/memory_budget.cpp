#include "laminar/datasets/memory_budget.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include <unistd.h>

namespace laminar::datasets {

std::uint64_t default_memory_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  std::uint64_t bytes = pages > 0 && page_bytes > 0
                            ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes)
                            : std::numeric_limits<std::uint64_t>::max() / 2;
  // Version 2 and 1 of control groups; "max", which is no number, where there is no limit.
  for (const char* const file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::uint64_t limit = 0;
    if (std::ifstream(file) >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes / 4 * 3;
}

}  // namespace laminar::datasets
