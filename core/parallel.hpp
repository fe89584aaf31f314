#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "laminar/core/types.hpp"

/// The only door to oneTBB. Every loop here cuts its range by sizes alone, never by the number of threads or by timing,
/// so results have the same bits on any number of threads.
namespace laminar::core {

/// A group of threads that work on one device: kernels called inside execute() use these threads and no others. They
/// take subnormal numbers (below 1.2e-38 in float) for 0: of gradients of a softmax that is sure of itself half can be
/// such, and a product of them took a hundred times as long as one of others.
class Arena {
 public:
  /// `threads` >= 1, or 0 for one a core. Throws UsageError if negative.
  explicit Arena(int threads);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  int threads() const;

  /// Runs `f()` inside the arena and waits; exceptions pass through.
  template <class F>
  void execute(F&& f) {
    using Fn = std::remove_reference_t<F>;
    run([](void* p) { (*static_cast<Fn*>(p))(); }, const_cast<void*>(static_cast<const void*>(std::addressof(f))));
  }

 private:
  void run(void (*call)(void*), void* context);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

namespace detail {
void parallel_for(Index n, Index grain, void (*body)(void*, Index, Index), void* context);
void parallel_for_rows(std::span<const EdgeId> offsets, Index begin, Index end, void (*body)(void*, Index, Index),
                       void* context);
double parallel_sum(Index n, Index grain, double (*body)(void*, Index, Index), void* context);
}  // namespace detail

/// Calls `body(begin, end)` for pieces of [0, n) of at most `grain` elements, in parallel. Piece boundaries are
/// multiples of `grain`.
template <class F>
void parallel_for(Index n, Index grain, F&& body) {
  using Fn = std::remove_reference_t<F>;
  detail::parallel_for(
      n, grain, [](void* p, Index b, Index e) { (*static_cast<Fn*>(p))(b, e); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// Calls `body(begin, end)` for pieces of rows [begin, end) of a CSR matrix with row `offsets`, cut so that pieces have
/// about equal rows + entries: for kernels whose cost is in the entries.
template <class F>
void parallel_for_rows(std::span<const EdgeId> offsets, Index begin, Index end, F&& body) {
  using Fn = std::remove_reference_t<F>;
  detail::parallel_for_rows(
      offsets, begin, end, [](void* p, Index b, Index e) { (*static_cast<Fn*>(p))(b, e); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// The sum of `body(begin, end)` over pieces of [0, n) of `grain` elements, added in a fixed order.
template <class F>
double parallel_sum(Index n, Index grain, F&& body) {
  using Fn = std::remove_reference_t<F>;
  return detail::parallel_sum(
      n, grain, [](void* p, Index b, Index e) -> double { return (*static_cast<Fn*>(p))(b, e); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// The least i in [0, n) with `holds(i)`, or n if there is none. More of them may be asked, each at most once.
template <class Holds>
Index first_where(Index n, Holds&& holds) {
  constexpr Index kGrain = Index{1} << 16;
  std::atomic<Index> first = n;
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    Index i = begin;
    while (i < end && !holds(i)) ++i;
    if (i == end) return;
    for (Index known = first.load(); i < known && !first.compare_exchange_weak(known, i);) continue;
  });
  return first;
}

/// A piece size for row-wise loops over rows of `cols` elements: about 16k elements a piece.
constexpr Index row_grain(Index cols) { return cols <= 0 ? 1024 : (16384 + cols - 1) / cols; }

}  // namespace laminar::core
