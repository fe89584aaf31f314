#pragma once

#include <chrono>
#include <ctime>
#include <utility>

namespace laminar::pipeline {

/// Milliseconds by the steady clock.
class Stopwatch {
 public:
  Stopwatch() : start_(std::chrono::steady_clock::now()) {}
  /// Since construction or the last lap_ms().
  double elapsed_ms() const { return between(start_, std::chrono::steady_clock::now()); }
  /// The same, and starts anew.
  double lap_ms() {
    const auto now = std::chrono::steady_clock::now();
    return between(std::exchange(start_, now), now);
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  static double between(Time begin, Time end) { return std::chrono::duration<double, std::milli>(end - begin).count(); }
  Time start_;
};

/// Milliseconds that the calling thread has had a core, system calls included. Waiting does not count, nor what others
/// do on its core meanwhile, but for what that leaves of its caches.
inline double thread_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
}

/// Either of them, from start() on.
class StepClock {
 public:
  void start(bool by_thread_time) {
    by_thread_time_ = by_thread_time;
    watch_ = {};
    start_ms_ = by_thread_time ? thread_ms() : 0;
  }
  double elapsed_ms() const { return by_thread_time_ ? thread_ms() - start_ms_ : watch_.elapsed_ms(); }

 private:
  bool by_thread_time_ = false;
  double start_ms_ = 0;
  Stopwatch watch_;
};

}  // namespace laminar::pipeline
