#include "laminar/pipeline/gradient_fidelity.hpp"

#include <array>
#include <cmath>
#include <limits>

#include "laminar/core/parallel.hpp"

namespace laminar::pipeline {

using core::Tensor;

namespace {

// g . exact, |g|^2, |exact|^2, |g - exact|^2, and how many parameters.
enum Sum : std::size_t { kDot, kOwn, kExact, kDifference, kCount, kNumSums };

std::array<double, kNumSums> compare(const Tensor& a, const Tensor& b) {
  std::array<double, kNumSums> sums{0, 0, 0, 0, 1};
  core::dispatch(a.dtype(), [&]<class T>(T) {
    const T* x = a.data<T>();
    const T* y = b.data<T>();
    const auto sum = [&](auto&& term) {
      return core::parallel_sum(a.size(), 1 << 14, [&](Index begin, Index end) {
        double s = 0;
        for (Index i = begin; i < end; ++i) s += term(static_cast<double>(x[i]), static_cast<double>(y[i]));
        return s;
      });
    };
    sums = {sum([](double p, double q) { return p * q; }), sum([](double p, double) { return p * p; }),
            sum([](double, double q) { return q * q; }), sum([](double p, double q) { return (p - q) * (p - q); }), 1};
  });
  return sums;
}

}  // namespace

FidelitySums::FidelitySums(Index num_layers)
    : num_layers_(num_layers), sums_(kNumSums * static_cast<std::size_t>(num_layers + 1), 0) {}

void FidelitySums::add(Index layer, const Tensor& gradient, const Tensor& exact) {
  const std::array<double, kNumSums> of = compare(gradient, exact);
  for (std::size_t k = 0; k < kNumSums; ++k) {
    if (layer >= 0) sums_[kNumSums * static_cast<std::size_t>(layer) + k] += of[k];
    sums_[kNumSums * static_cast<std::size_t>(num_layers_) + k] += of[k];
  }
}

GradientFidelity FidelitySums::of_layer(Index layer) const {
  constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
  const double* s = sums_.data() + kNumSums * static_cast<std::size_t>(layer);
  if (s[kCount] > 0 && s[kExact] > 0) {
    return {s[kOwn] > 0 ? s[kDot] / std::sqrt(s[kOwn] * s[kExact]) : kUndefined, std::sqrt(s[kDifference] / s[kExact])};
  }
  if (s[kCount] > 0 && s[kExact] == 0 && s[kOwn] == 0) return {1, 0};
  return {kUndefined, kUndefined};
}

}  // namespace laminar::pipeline
