#include "laminar/core/memory.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <sys/mman.h>

#include "laminar/core/error.hpp"

namespace laminar::core {
namespace {

constexpr std::size_t kAlignment = 64;
/// Buffers of this size and more ask for pages of this size: rows gathered in any order would miss the processor's
/// table of pages of 4 KiB nearly every time. A sum over a block model took 1.25 times as long with these.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

constexpr std::array<std::string_view, kNumMemoryPurposes> kPurposeNames = {
    "parameters", "optimizer", "features", "activations", "gradients", "tables", "workspace"};

std::size_t rounded(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
}

std::align_val_t alignment_of(std::size_t size) { return std::align_val_t{size < kHugePage ? kAlignment : kHugePage}; }

/// `size` bytes, or null.
std::byte* from_heap_of(std::size_t size) {
  auto* const buffer = static_cast<std::byte*>(::operator new(size, alignment_of(size), std::nothrow));
#ifdef MADV_HUGEPAGE
  // Advice: where it isn't taken, all is as it was. Not of the last piece, so that no byte more becomes resident.
  if (buffer != nullptr && size >= kHugePage) (void)madvise(buffer, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return buffer;
}

void to_heap(std::byte* buffer, std::size_t size) { ::operator delete(buffer, alignment_of(size)); }

}  // namespace

std::string_view name_of(MemoryPurpose purpose) { return kPurposeNames[static_cast<std::size_t>(purpose)]; }

struct MemoryPool::State {
  mutable std::mutex mutex;
  // Exact sizes: an epoch asks for the same sizes as the one before.
  std::unordered_map<std::size_t, std::vector<std::byte*>> free;
  std::array<std::size_t, kNumMemoryPurposes> live{};
  std::array<std::size_t, kNumMemoryPurposes> peak{};
  std::size_t live_total = 0;
  std::size_t peak_total = 0;
  std::uint64_t heap_allocations = 0;
};

MemoryPool::MemoryPool() : state_(std::make_unique<State>()) {}

MemoryPool::~MemoryPool() { trim(); }

std::shared_ptr<MemoryPool> MemoryPool::create() { return std::shared_ptr<MemoryPool>(new MemoryPool); }

std::shared_ptr<std::byte> MemoryPool::allocate(std::size_t bytes, MemoryPurpose purpose) {
  const std::size_t size = rounded(bytes);
  std::byte* buffer = nullptr;
  {
    const std::lock_guard lock(state_->mutex);
    if (auto found = state_->free.find(size); found != state_->free.end() && !found->second.empty()) {
      buffer = found->second.back();
      found->second.pop_back();
    }
  }
  const bool from_heap = buffer == nullptr;
  if (from_heap) {
    buffer = from_heap_of(size);
    if (buffer == nullptr) {
      trim();
      buffer = from_heap_of(size);
    }
    if (buffer == nullptr) {
      throw Error(
          fmt::format("out of memory: {} MiB wanted for {}; use fewer hidden units or layers, or --precision f32",
                      size >> 20, name_of(purpose)));
    }
  }
  const auto slot = static_cast<std::size_t>(purpose);
  {
    const std::lock_guard lock(state_->mutex);
    state_->heap_allocations += from_heap ? 1 : 0;
    state_->live[slot] += size;
    state_->peak[slot] = std::max(state_->peak[slot], state_->live[slot]);
    state_->live_total += size;
    state_->peak_total = std::max(state_->peak_total, state_->live_total);
  }
  return {buffer, [pool = shared_from_this(), size, slot](std::byte* p) {
            const std::lock_guard lock(pool->state_->mutex);
            pool->state_->live[slot] -= size;
            pool->state_->live_total -= size;
            pool->state_->free[size].push_back(p);
          }};
}

void MemoryPool::trim() {
  const std::lock_guard lock(state_->mutex);
  for (auto& [size, buffers] : state_->free) {
    for (std::byte* p : buffers) to_heap(p, size);
    buffers.clear();
  }
}

std::size_t MemoryPool::live_bytes(MemoryPurpose purpose) const {
  const std::lock_guard lock(state_->mutex);
  return state_->live[static_cast<std::size_t>(purpose)];
}

std::size_t MemoryPool::peak_bytes(MemoryPurpose purpose) const {
  const std::lock_guard lock(state_->mutex);
  return state_->peak[static_cast<std::size_t>(purpose)];
}

std::size_t MemoryPool::peak_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->peak_total;
}

std::uint64_t MemoryPool::heap_allocations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->heap_allocations;
}

}  // namespace laminar::core
