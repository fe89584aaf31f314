#include "laminar/datasets/memory_budget.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include <fmt/format.h>
#include <unistd.h>

#include "laminar/core/error.hpp"

namespace laminar::datasets {
namespace {

// Measured with Matrix Market files of one entry: offsets of both directions, and what makes and writes them.
constexpr std::size_t kVertexBytes = 40;

}  // namespace

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

std::string MemoryBudget::complaint(std::string_view what) const {
  return fmt::format("{} takes more than {:.1f} GiB; raise --max-memory if that is meant", what,
                     static_cast<double>(limit_bytes_) / (1ULL << 30U));
}

void MemoryBudget::take_vertices(core::Index count, const std::string& where) {
  if (take(kVertexBytes * static_cast<std::size_t>(count))) return;
  throw Error(fmt::format("{}: {}", where, complaint(fmt::format("a graph of {} vertices", count))));
}

}  // namespace laminar::datasets
