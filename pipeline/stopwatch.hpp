#pragma once

#include <chrono>
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

}  // namespace laminar::pipeline
