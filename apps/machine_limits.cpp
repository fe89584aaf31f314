#include "laminar/apps/machine_limits.hpp"

#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <cstring>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

#include "laminar/apps/machine.hpp"
#include "laminar/core/vectorised.hpp"

namespace laminar::apps {

using core::DType;
using core::EdgeId;
using core::GatherPattern;
using core::GemmShape;
using core::Index;

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRounds = 5;
constexpr double kGiga = 1e9;

/// The compiler must take `value` for used.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

/// Runs work(t) on `threads` threads of its own at once, kRounds times after a round that warms up; the seconds of the
/// fastest round, from its first thread's start to its last one's end. TBB would promise no thread to each piece.
double best_seconds(int threads, const std::function<void(int)>& work) {
  const auto count = static_cast<std::size_t>(threads);
  std::vector<std::array<Clock::time_point, 2>> spans(count * kRounds);
  std::barrier all(threads);
  std::mutex mutex;
  std::exception_ptr failure;
  {
    std::vector<std::jthread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        try {
          work(t);
          for (std::size_t round = 0; round < kRounds; ++round) {
            all.arrive_and_wait();
            auto& [begin, end] = spans[round * count + static_cast<std::size_t>(t)];
            begin = Clock::now();
            work(t);
            end = Clock::now();
          }
        } catch (...) {
          all.arrive_and_drop();
          const std::lock_guard lock(mutex);
          failure = std::current_exception();
        }
      });
    }
  }
  if (failure) std::rethrow_exception(failure);
  double best = std::numeric_limits<double>::infinity();
  for (auto round = spans.begin(); round != spans.end(); round += threads) {
    auto [begin, end] = *round;
    for (auto span = round; span != round + threads; ++span) {
      begin = std::min(begin, (*span)[0]);
      end = std::max(end, (*span)[1]);
    }
    best = std::min(best, std::chrono::duration<double>(end - begin).count());
  }
  return best;
}

/// How often to go over `bytes`, so that starting threads doesn't count.
int passes_over(std::size_t bytes) {
  constexpr std::size_t kEnough = std::size_t{128} << 20;
  return static_cast<int>(std::clamp<std::size_t>(kEnough / std::max<std::size_t>(bytes, 1), 1, 4096));
}

/// A thread's share, in whole cache lines.
std::size_t share_of(std::size_t bytes, int threads) {
  return std::max<std::size_t>(bytes / static_cast<std::size_t>(threads) / 64 * 64, 64);
}

core::Tensor bytes_of(std::size_t bytes) {
  core::Tensor made(1, static_cast<Index>(bytes / sizeof(float)), DType::kFloat32);
  made.fill(0.5);
  return made;
}

/// Sums of a vector register each, over which whatever is read is folded: they never leave the registers.
template <class T>
struct Fold {
  static constexpr Index kLanes = static_cast<Index>(64 / sizeof(T));
  typedef T Lanes __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));
  Lanes a = {}, b = {}, c = {}, d = {};
  T rest = 0;

  LAMINAR_INLINE void add(const T* x, Index count) {
    const T* const end = x + count;
    for (; end - x >= 4 * kLanes; x += 4 * kLanes) {
      a += *reinterpret_cast<const Lanes*>(x);
      b += *reinterpret_cast<const Lanes*>(x + kLanes);
      c += *reinterpret_cast<const Lanes*>(x + 2 * kLanes);
      d += *reinterpret_cast<const Lanes*>(x + 3 * kLanes);
    }
    for (; end - x >= kLanes; x += kLanes) a += *reinterpret_cast<const Lanes*>(x);
    for (; x < end; ++x) rest += *x;
  }
  /// For the compiler the sums are used.
  LAMINAR_INLINE void keep() const {
    const Lanes sum = a + b + c + d;
    laminar::apps::keep(sum);
    laminar::apps::keep(rest);
  }
};

/// Reads a table's rows in the pattern's order, fetching the one `ahead` entries later.
template <class T>
void gather(core::Arena& arena, const GatherPattern& pattern, const T* table, Index ahead) {
  const std::int32_t* indices = pattern.indices.data();
  const EdgeId last = pattern.offsets.back();
  const Index width = pattern.width;
  arena.execute([&] {
    core::parallel_for_rows(pattern.offsets, 0, pattern.rows(), [&](Index begin, Index end) {
      const EdgeId from = pattern.offsets[static_cast<std::size_t>(begin)];
      const EdgeId to = pattern.offsets[static_cast<std::size_t>(end)];
      core::run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
        Fold<T> fold;
        for (EdgeId e = from; e < to; ++e) {
          if (ahead > 0 && e + ahead < last) {
            const T* later = table + indices[e + ahead] * width;
            for (Index c = 0; c < width; c += Fold<T>::kLanes) __builtin_prefetch(later + c);
          }
          fold.add(table + indices[e] * width, width);
        }
        fold.keep();
      });
    });
  });
}

template <class T>
double best_gather_ms(core::Arena& arena, const GatherPattern& pattern) {
  core::Tensor table(pattern.table_rows, pattern.width, core::DTypeOf<T>::value);
  arena.execute([&] {
    core::parallel_for(table.size(), Index{1} << 16,
                       [&](Index begin, Index end) { std::fill_n(table.data<T>() + begin, end - begin, T(0.5)); });
  });
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; ++round) {
    for (const Index ahead : {0, 8, 16, 32}) {
      const auto start = Clock::now();
      gather(arena, pattern, std::as_const(table).data<T>(), ahead);
      best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
  }
  return best;
}

template <class T>
double best_gemm_gflops(int threads, const GemmShape& asked) {
  double best = 0;
  for (const Index rows : {64, 128, 256, 512, 1024, 2048}) {
    GemmShape shape = asked;
    (asked.transpose_a ? shape.k : shape.m) = rows;
    const Index sizes[] = {shape.m * shape.k, shape.k * shape.n, shape.m * shape.n};
    std::vector<std::array<core::Tensor, 3>> operands(static_cast<std::size_t>(threads));
    for (auto& of_thread : operands) {
      for (std::size_t i = 0; i < 3; ++i) {
        const DType dtype = core::DTypeOf<T>::value;
        of_thread[i] = core::Tensor(1, sizes[i], i < 2 ? dtype : core::computed(dtype));
        of_thread[i].fill(0.01);
      }
    }
    const double flops = 2.0 * static_cast<double>(shape.m * shape.n) * static_cast<double>(shape.k);
    const int calls = std::clamp(static_cast<int>(1.5e8 / flops), 1, 1000);
    const double seconds = best_seconds(threads, [&](int t) {
      auto& [a, b, c] = operands[static_cast<std::size_t>(t)];
      for (int i = 0; i < calls; ++i) core::gemm(shape, a.data<T>(), b.data<T>(), c.data<core::Computed<T>>(), false);
    });
    best = std::max(best, flops * calls * threads / seconds / kGiga);
  }
  return best;
}

}  // namespace

CacheSizes cache_sizes() {
  const auto size = [](int name, std::size_t otherwise) {
    const long found = ::sysconf(name);
    return found > 0 ? static_cast<std::size_t>(found) : otherwise;
  };
  return {size(_SC_LEVEL2_CACHE_SIZE, std::size_t{1} << 20), size(_SC_LEVEL3_CACHE_SIZE, std::size_t{32} << 20)};
}

std::size_t default_stream_bytes() {
  const std::size_t memory = this_machine(0).memory_bytes;
  const std::size_t wanted = 4 * cache_sizes().last_level;
  return memory == 0 ? wanted : std::min(wanted, memory / 8);
}

double read_gbps(int threads, std::size_t bytes) {
  const std::size_t share = share_of(bytes, threads);
  std::vector<core::Tensor> arrays;
  for (int t = 0; t < threads; ++t) arrays.push_back(bytes_of(share));
  const int passes = passes_over(bytes);
  const double seconds = best_seconds(threads, [&](int t) {
    const core::Tensor& array = arrays[static_cast<std::size_t>(t)];
    const auto* x = array.data<float>();
    const Index size = array.size();
    for (int i = 0; i < passes; ++i) {
      core::run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
        Fold<float> fold;
        fold.add(x, size);
        fold.keep();
      });
    }
  });
  return static_cast<double>(share) * threads * passes / seconds / kGiga;
}

double copy_gbps(int threads, std::size_t bytes) {
  const std::size_t share = share_of(bytes / 2, threads);
  std::vector<core::Tensor> from;
  std::vector<core::Tensor> to;
  for (int t = 0; t < threads; ++t) {
    from.push_back(bytes_of(share));
    to.push_back(bytes_of(share));
  }
  const int passes = passes_over(bytes);
  double best = 0;
  // In one piece the C library may write past the caches, in small ones it doesn't.
  for (const std::size_t piece : {share, std::size_t{1} << 16}) {
    const double seconds = best_seconds(threads, [&](int t) {
      const std::byte* source = from[static_cast<std::size_t>(t)].raw();
      std::byte* target = to[static_cast<std::size_t>(t)].raw();
      for (int i = 0; i < passes; ++i) {
        for (std::size_t at = 0; at < share; at += piece) {
          std::memcpy(target + at, source + at, std::min(piece, share - at));
        }
        keep(target);
      }
    });
    best = std::max(best, 2 * static_cast<double>(share) * threads * passes / seconds / kGiga);
  }
  return best;
}

double gemm_gflops(int threads, DType dtype, const GemmShape& shape) {
  // Where bfloat16 products are slow, rows are widened for float32 ones.
  if (dtype == DType::kBfloat16 && !core::has_fast_bfloat16_gemm()) dtype = DType::kFloat32;
  return core::dispatch_kept(dtype, [&]<class T>(T) { return best_gemm_gflops<T>(threads, shape); });
}

double dense_peak_gflops(int threads) {
  double best = 0;
  for (const Index size : {128, 256, 384}) {
    best = std::max(best, gemm_gflops(threads, DType::kFloat32, {.m = 0, .n = size, .k = size}));
  }
  return best;
}

double gather_ms(core::Arena& arena, DType dtype, const GatherPattern& pattern) {
  if (pattern.entries() == 0 || pattern.width == 0) return 0;
  if (dtype == DType::kBfloat16) {
    // What is only read may as well be half as many floats.
    GatherPattern halved = pattern;
    halved.width = (pattern.width + 1) / 2;
    return best_gather_ms<float>(arena, halved);
  }
  return core::dispatch(dtype, [&]<class T>(T) { return best_gather_ms<T>(arena, pattern); });
}

}  // namespace laminar::apps
