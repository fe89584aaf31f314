#include "laminar/core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include "laminar/core/error.hpp"

namespace laminar::core {

namespace {

/// While one lives, its thread takes subnormal numbers for 0, and gives 0 for them.
class NoSubnormals {
 public:
  NoSubnormals() : before_(control()) { set_control(before_ | kBits); }
  ~NoSubnormals() { set_control(before_); }
  NoSubnormals(const NoSubnormals&) = delete;
  NoSubnormals& operator=(const NoSubnormals&) = delete;

 private:
#if defined(__x86_64__)
  // Flush to zero, and denormals are zeros.
  static constexpr std::uint64_t kBits = 0x8040;
  static std::uint64_t control() { return __builtin_ia32_stmxcsr(); }
  static void set_control(std::uint64_t bits) { __builtin_ia32_ldmxcsr(static_cast<unsigned>(bits)); }
#elif defined(__aarch64__)
  static constexpr std::uint64_t kBits = std::uint64_t{1} << 24;
  static std::uint64_t control() {
    std::uint64_t bits = 0;
    asm volatile("mrs %0, fpcr" : "=r"(bits));
    return bits;
  }
  static void set_control(std::uint64_t bits) { asm volatile("msr fpcr, %0" : : "r"(bits)); }
#else
  static constexpr std::uint64_t kBits = 0;
  static std::uint64_t control() { return 0; }
  static void set_control(std::uint64_t) {}
#endif
  std::uint64_t before_;
};

/// Calls f(0), ..., f(pieces - 1) in parallel.
template <class F>
void run_pieces(Index pieces, const F& f) {
#ifdef __SANITIZE_THREAD__
  // libtbb is built without ThreadSanitizer, which therefore misses how it orders threads and would call every loop a
  // race. Threads of the standard library it understands.
  std::atomic<Index> next = 0;
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto work = [&] {
    try {
      for (Index p = next++; p < pieces; p = next++) f(p);
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < tbb::this_task_arena::max_concurrency(); ++t) others.emplace_back(work);
    work();
  }
  if (error) std::rethrow_exception(error);
#else
  tbb::parallel_for(Index{0}, pieces, f, tbb::auto_partitioner{});
#endif
}

}  // namespace

struct Arena::Impl {
  explicit Impl(int n) : threads(n), arena(n) {
    // More threads than cores must be allowed first; of several such limits the smallest counts, so none is set in
    // vain.
    if (n > tbb::info::default_concurrency()) {
      control.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(n));
    }
    // The arena's threads take on how the one that starts it computes.
    const NoSubnormals scope;
    arena.initialize();
  }
  int threads;
  std::optional<tbb::global_control> control;
  tbb::task_arena arena;
};

Arena::Arena(int threads) {
  if (threads < 0)
    throw UsageError(fmt::format("{} threads were asked for; use 1 or more, or 0 for one a core", threads));
  impl_ = std::make_unique<Impl>(threads == 0 ? tbb::info::default_concurrency() : threads);
}

Arena::~Arena() = default;

int Arena::threads() const { return impl_->threads; }

void Arena::run(void (*call)(void*), void* context) {
  impl_->arena.execute([&] {
    const NoSubnormals scope;
    call(context);
  });
}

namespace detail {

void parallel_for(Index n, Index grain, void (*body)(void*, Index, Index), void* context) {
  if (n <= 0) return;
  const Index pieces = (n + grain - 1) / grain;
  if (pieces == 1) return body(context, 0, n);
  run_pieces(pieces, [&](Index p) { body(context, p * grain, std::min(n, (p + 1) * grain)); });
}

void parallel_for_rows(std::span<const EdgeId> offsets, Index begin, Index end, void (*body)(void*, Index, Index),
                       void* context) {
  if (begin >= end) return;
  // The cost of rows [begin, r) is r - begin + entries; it grows with r, so a cut is found by bisection.
  constexpr Index kCostPerPiece = 4096;
  const auto cost = [&](Index r) { return (r - begin) + (offsets[r] - offsets[begin]); };
  const Index pieces = std::clamp<Index>(cost(end) / kCostPerPiece, 1, std::min<Index>(end - begin, 4096));
  if (pieces == 1) return body(context, begin, end);
  const auto cut = [&](Index p) -> Index {
    if (p == pieces) return end;
    // At most 4096 pieces, and costs below 2^50: the product fits 63 bits.
    const Index wanted = cost(end) * p / pieces;
    Index low = begin;
    Index high = end;
    while (low < high) {
      const Index mid = low + (high - low) / 2;
      if (cost(mid) < wanted) {
        low = mid + 1;
      } else {
        high = mid;
      }
    }
    return low;
  };
  run_pieces(pieces, [&](Index p) {
    const Index b = cut(p);
    const Index e = cut(p + 1);
    if (b < e) body(context, b, e);
  });
}

double parallel_sum(Index n, Index grain, double (*body)(void*, Index, Index), void* context) {
  if (n <= 0) return 0;
  const Index pieces = (n + grain - 1) / grain;
  std::vector<double> partial(static_cast<std::size_t>(pieces));
  run_pieces(pieces, [&](Index p) {
    partial[static_cast<std::size_t>(p)] = body(context, p * grain, std::min(n, (p + 1) * grain));
  });
  double sum = 0;
  for (const double v : partial) sum += v;
  return sum;
}

}  // namespace detail
}  // namespace laminar::core
