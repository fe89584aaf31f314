#include "laminar/core/exponential.hpp"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using laminar::core::exponential;

namespace {

// The largest error in units of the last place over [lowest, 0].
template <class T>
double largest_error(T lowest) {
  double largest = 0;
  for (int i = 0; i <= 200'000; ++i) {
    const T x = lowest * static_cast<T>(i) / T(200'000);
    const auto exact = std::exp(static_cast<long double>(x));
    const auto rounded = static_cast<T>(exact);
    const auto unit = static_cast<long double>(std::nextafter(rounded, T(2)) - rounded);
    largest = std::max(largest, static_cast<double>(std::abs(static_cast<long double>(exponential(x)) - exact) / unit));
  }
  return largest;
}

template <class T>
void check_ends(T lowest) {
  CHECK(exponential(T(0)) == T(1));
  CHECK(exponential(T(-0.0)) == T(1));
  CHECK(exponential(-std::numeric_limits<T>::infinity()) == exponential(lowest));
  CHECK(exponential(lowest) > 0);
  CHECK(exponential(lowest) < std::numeric_limits<T>::min() * 3);
  CHECK(std::isnan(exponential(std::numeric_limits<T>::quiet_NaN())));
}

}  // namespace

TEST_CASE("the exponential is right to two units in the last place") {
  CHECK(largest_error(-87.0F) < 2);
  CHECK(largest_error(-708.0) < 2);
}

TEST_CASE("the exponential at 0, far below, and of NaN") {
  check_ends(-87.0F);
  check_ends(-708.0);
}
