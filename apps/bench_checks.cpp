#include "laminar/apps/bench_checks.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::apps {

using core::Adjacency;
using core::EdgeId;
using core::Index;
using core::Tensor;

namespace {

constexpr double kTolerance = 1e-4;

double value_at(const Adjacency& a, EdgeId e) { return a.values ? a.values.at(e, 0) : 1; }

/// Calls visit(r, e) for every entry e of A, in row r, whose source is j.
template <class Visit>
void for_targets(const Adjacency& a, Index j, const Visit& visit) {
  Index r = 0;
  for (EdgeId e = 0; e < a.num_entries(); ++e) {
    while (e >= a.offsets[static_cast<std::size_t>(r) + 1]) ++r;
    if (a.sources[static_cast<std::size_t>(e)] == j) visit(r, e);
  }
}

void add_row(std::vector<double>& sum, double factor, const Tensor& x, Index r) {
  for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += factor * x.at(r, static_cast<Index>(c));
}

/// The columns of head h.
double head_dot(const Tensor& x, Index r, const Tensor& y, Index s, Index h, Index width) {
  double sum = 0;
  for (Index c = h * width; c < (h + 1) * width; ++c) sum += x.at(r, c) * y.at(s, c);
  return sum;
}

}  // namespace

std::vector<Index> sampled_rows(Index n) {
  std::vector<Index> rows = {0, n / 5, n / 3, n / 2, n - 1};
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

std::vector<double> row_of(const Tensor& x, Index r) {
  std::vector<double> row(static_cast<std::size_t>(x.cols()), 0.0);
  add_row(row, 1, x, r);
  return row;
}

void check_rows(std::string_view kernel, const Tensor& result, std::span<const Index> rows,
                const std::function<std::vector<double>(Index)>& expected, double scale) {
  for (const Index r : rows) {
    const std::vector<double> wanted = expected(r);
    double largest = std::max(scale, 1e-30);
    for (const double v : wanted) largest = std::max(largest, std::abs(v));
    for (Index c = 0; c < result.cols(); ++c) {
      const double found = result.at(r, c);
      const double right = wanted[static_cast<std::size_t>(c)];
      // Not "greater": a NaN is wrong too.
      if (!(std::abs(found - right) <= kTolerance * largest)) {
        throw Error(
            fmt::format("[{}] element ({}, {}) is {}, but a plain loop finds {}; the kernel is wrong on this "
                        "machine, please report it with the output of laminar-info --build",
                        kernel, r, c, found, right));
      }
    }
  }
}

std::vector<double> plain_sum(const Adjacency& a, const Tensor& x, Index r) {
  std::vector<double> sum(static_cast<std::size_t>(x.cols()), 0.0);
  for (EdgeId e = a.offsets[r]; e < a.offsets[r + 1]; ++e) add_row(sum, value_at(a, e), x, a.sources[e]);
  return sum;
}

std::vector<double> plain_transposed_sum(const Adjacency& a, const Tensor& g, Index j) {
  std::vector<double> sum(static_cast<std::size_t>(g.cols()), 0.0);
  for_targets(a, j, [&](Index r, EdgeId e) { add_row(sum, value_at(a, e), g, r); });
  return sum;
}

std::vector<double> plain_max(const Adjacency& a, const Tensor& x, Index r) {
  if (a.offsets[r] == a.offsets[r + 1]) return std::vector<double>(static_cast<std::size_t>(x.cols()), 0.0);
  std::vector<double> top = row_of(x, a.sources[a.offsets[r]]);
  for (EdgeId e = a.offsets[r]; e < a.offsets[r + 1]; ++e) {
    for (std::size_t c = 0; c < top.size(); ++c) {
      top[c] = std::max(top[c], x.at(a.sources[e], static_cast<Index>(c)));
    }
  }
  return top;
}

std::vector<double> plain_max_gradient(const Adjacency& a, const Tensor& x, const Tensor& g, Index j) {
  std::vector<double> sum(static_cast<std::size_t>(g.cols()), 0.0);
  for_targets(a, j, [&](Index r, EdgeId entry) {
    const std::vector<double> top = plain_max(a, x, r);
    for (std::size_t c = 0; c < sum.size(); ++c) {
      const auto column = static_cast<Index>(c);
      EdgeId first = a.offsets[r];
      while (x.at(a.sources[first], column) != top[c]) ++first;
      if (first == entry) sum[c] += g.at(r, column);
    }
  });
  return sum;
}

PlainAttention::Coefficients PlainAttention::coefficients(Index r, Index h) const {
  const Index width = z.cols() / heads;
  Coefficients c;
  double sum = 0;
  const double target = head_dot(z, r, of_target, 0, h, width);
  std::vector<double> logits;
  for (EdgeId e = a.offsets[r]; e < a.offsets[r + 1]; ++e) {
    const double v = head_dot(z, a.sources[e], of_source, 0, h, width) + target;
    logits.push_back(v > 0 ? v : slope * v);
    c.slopes.push_back(v > 0 ? 1 : slope);
  }
  const double top = logits.empty() ? 0 : *std::max_element(logits.begin(), logits.end());
  for (const double v : logits) sum += c.alpha.emplace_back(std::exp(v - top));
  for (double& v : c.alpha) v /= sum;
  return c;
}

std::vector<double> PlainAttention::row(Index r) const {
  const Index width = z.cols() / heads;
  std::vector<double> y(static_cast<std::size_t>(z.cols()), 0.0);
  for (Index h = 0; h < heads; ++h) {
    const Coefficients c = coefficients(r, h);
    for (std::size_t i = 0; i < c.alpha.size(); ++i) {
      const Index source = a.sources[static_cast<std::size_t>(a.offsets[r]) + i];
      for (Index k = h * width; k < (h + 1) * width; ++k) y[k] += c.alpha[i] * z.at(source, k);
    }
  }
  return y;
}

double PlainAttention::logit_gradient(const Tensor& g, Index r, Index h, Index e, const Coefficients& c) const {
  const Index width = z.cols() / heads;
  const auto dot = [&](std::size_t i) {
    return head_dot(g, r, z, a.sources[static_cast<std::size_t>(a.offsets[r]) + i], h, width);
  };
  double mean = 0;
  for (std::size_t i = 0; i < c.alpha.size(); ++i) mean += c.alpha[i] * dot(i);
  const auto at = static_cast<std::size_t>(e);
  return c.slopes[at] * c.alpha[at] * (dot(at) - mean);
}

std::vector<double> PlainAttention::gradient(const Tensor& g, Index j) const {
  const Index width = z.cols() / heads;
  std::vector<double> dz(static_cast<std::size_t>(z.cols()), 0.0);
  const auto add = [&](Index h, double factor, const Tensor& x, Index r) {
    for (Index k = h * width; k < (h + 1) * width; ++k) dz[k] += factor * x.at(r, k);
  };
  for (Index h = 0; h < heads; ++h) {
    for_targets(a, j, [&](Index r, EdgeId entry) {
      const Coefficients c = coefficients(r, h);
      const Index e = entry - a.offsets[r];
      add(h, c.alpha[static_cast<std::size_t>(e)], g, r);
      add(h, logit_gradient(g, r, h, e, c), of_source, 0);
    });
    const Coefficients own = coefficients(j, h);
    for (Index e = 0; e < static_cast<Index>(own.alpha.size()); ++e) {
      add(h, logit_gradient(g, j, h, e, own), of_target, 0);
    }
  }
  return dz;
}

}  // namespace laminar::apps
