#include "laminar/core/panel_sums.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace laminar::core;

TEST_CASE("panels cover each row once and are added in order") {
  constexpr Index kRows = 10'000;
  constexpr Index kCols = 40;
  std::vector<double> sum(2, 100.0);
  add_panels(nullptr, kRows, kCols, 2, sum.data(), [](Index begin, Index end, double* out) {
    for (Index i = begin; i < end; ++i) {
      out[0] += 1;
      out[1] += static_cast<double>(i);
    }
  });
  CHECK(sum[0] == 100 + kRows);
  CHECK(sum[1] == 100 + kRows * (kRows - 1) / 2);

  std::vector<double> firsts;
  sum_panels<double>(
      nullptr, kRows, kCols, 1, [](Index begin, Index, double* out) { out[0] = static_cast<double>(begin); },
      [&](const double* out) { firsts.push_back(out[0]); });
  CHECK(firsts.size() <= 64);
  CHECK(firsts.size() == (kRows + row_grain(kCols) - 1) / row_grain(kCols));
  for (std::size_t p = 0; p < firsts.size(); ++p) CHECK(firsts[p] == static_cast<double>(p) * row_grain(kCols));
}

TEST_CASE("a large matrix has 64 panels, none has none") {
  int panels = 0;
  const auto nothing = [](Index, Index, float*) {};
  const auto count = [&](const float*) { ++panels; };
  sum_panels<float>(nullptr, 1'000'000, 1000, 3, nothing, count);
  CHECK(panels == 64);
  panels = 0;
  sum_panels<float>(nullptr, 0, 8, 3, nothing, count);
  CHECK(panels == 0);
}
