/// Metrics of rankings. Twice the midranks and all counts are whole numbers, so that sums are exact in any order.
#include "laminar/core/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::core {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

bool all_finite(std::span<const double> scores) {
  return std::all_of(scores.begin(), scores.end(), [](double s) { return std::isfinite(s); });
}

bool all_finite(const std::vector<Scored>& scored) {
  return std::all_of(scored.begin(), scored.end(), [](const Scored& s) { return std::isfinite(s.first); });
}

}  // namespace

double roc_auc(std::vector<Scored> scored) {
  if (!all_finite(scored)) return kUndefined;
  std::sort(scored.begin(), scored.end());
  std::int64_t positives = 0;
  std::int64_t doubled_ranks = 0;
  const auto n = static_cast<std::int64_t>(scored.size());
  const auto at = [&](std::int64_t i) -> const Scored& { return scored[static_cast<std::size_t>(i)]; };
  for (std::int64_t first = 0; first < n;) {
    std::int64_t last = first;
    std::int64_t tied_positives = 0;
    for (; last < n && at(last).first == at(first).first; ++last) tied_positives += at(last).second ? 1 : 0;
    positives += tied_positives;
    doubled_ranks += tied_positives * (first + 1 + last);
    first = last;
  }
  const std::int64_t negatives = n - positives;
  if (positives == 0 || negatives == 0) return kUndefined;
  return static_cast<double>(doubled_ranks - positives * (positives + 1)) /
         (2 * static_cast<double>(positives) * static_cast<double>(negatives));
}

double average_precision(std::vector<Scored> scored) {
  if (!all_finite(scored)) return kUndefined;
  std::sort(scored.begin(), scored.end(), std::greater<>());
  const auto all =
      static_cast<double>(std::count_if(scored.begin(), scored.end(), [](const Scored& s) { return s.second; }));
  if (all == 0 || all == static_cast<double>(scored.size())) return kUndefined;
  double sum = 0;
  double found = 0;
  for (std::size_t first = 0; first < scored.size();) {
    std::size_t last = first;
    double tied = 0;
    for (; last < scored.size() && scored[last].first == scored[first].first; ++last) tied += scored[last].second;
    found += tied;
    sum += tied * found / static_cast<double>(last);
    first = last;
  }
  return sum / all;
}

double hits_at(Index k, std::span<const double> positives, std::span<const double> negatives) {
  if (k < 1) throw Error(fmt::format("[hits_at] k is {}, expected 1 or more", k));
  if (positives.empty() || !all_finite(positives) || !all_finite(negatives)) return kUndefined;
  if (negatives.size() < static_cast<std::size_t>(k)) return 1;
  std::vector<double> sorted(negatives.begin(), negatives.end());
  const auto kth = sorted.begin() + (k - 1);
  std::nth_element(sorted.begin(), kth, sorted.end(), std::greater<>());
  const auto hits = std::count_if(positives.begin(), positives.end(), [&](double s) { return s > *kth; });
  return static_cast<double>(hits) / static_cast<double>(positives.size());
}

double mean_reciprocal_rank(std::span<const double> positives, std::span<const double> negatives) {
  if (positives.empty() || !all_finite(positives) || !all_finite(negatives)) return kUndefined;
  std::vector<double> sorted(negatives.begin(), negatives.end());
  std::sort(sorted.begin(), sorted.end());
  // In the order of the scores, so that the sum does not depend on the order of the positives.
  std::vector<double> ranked(positives.begin(), positives.end());
  std::sort(ranked.begin(), ranked.end());
  double sum = 0;
  for (const double s : ranked) {
    const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), s);
    sum += 1 / (1 + static_cast<double>(sorted.end() - high) + static_cast<double>(high - low) / 2);
  }
  return sum / static_cast<double>(ranked.size());
}

}  // namespace laminar::core
