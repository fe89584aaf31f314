#include "laminar/pipeline/history_rows.hpp"

#include "laminar/core/parallel.hpp"

namespace laminar::pipeline {
namespace {

using core::Index;
using core::Tensor;

constexpr Index kGrain = 1 << 14;

/// Calls f(element of `to`, element of `from`) for all elements.
template <class F>
void for_all(Tensor& to, const Tensor& from, F&& f) {
  core::dispatch(to.dtype(), [&]<class T>(T) {
    T* a = to.data<T>();
    const T* b = from.data<T>();
    core::parallel_for(to.size(), kGrain, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) f(a[i], b[i]);
    });
  });
}

}  // namespace

StalenessError difference(const Tensor& fresh, const Tensor& old) {
  StalenessError error;
  core::dispatch(fresh.dtype(), [&]<class T>(T) {
    const T* x = fresh.data<T>();
    const T* y = old.data<T>();
    const auto sum = [&](auto&& term) {
      return core::parallel_sum(fresh.size(), kGrain, [&](Index begin, Index end) {
        double s = 0;
        for (Index i = begin; i < end; ++i) s += term(static_cast<double>(x[i]), static_cast<double>(y[i]));
        return s;
      });
    };
    error.difference = sum([](double p, double q) { return (p - q) * (p - q); });
    error.norm = sum([](double p, double) { return p * p; });
  });
  return error;
}

void blend(Tensor& to, const Tensor& fresh, double keep) {
  if (keep == 0) {
    to.copy_from(fresh);
    return;
  }
  for_all(to, fresh, [keep]<class T>(T& t, T f) { t = (1 - static_cast<T>(keep)) * f + static_cast<T>(keep) * t; });
}

void add(Tensor& to, double factor, const Tensor& from) {
  for_all(to, from, [factor]<class T>(T& t, T f) { t += static_cast<T>(factor) * f; });
}

}  // namespace laminar::pipeline
