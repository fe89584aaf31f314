/// The gradient of row u is the sum over its pairs (u, v) of g_uv * h_v: a gather by vertex over the pairs, sorted by
/// their ends, so that no two threads add to the same row. A perceptron sees its pairs in panels, as the products of
/// all pairs may be many times the embeddings.
#include "laminar/pipeline/pair_scorer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/tape.hpp"

namespace laminar::pipeline {

using core::Tensor;

namespace {

constexpr Index kGrain = 512;
constexpr Index kSumGrain = 4096;

void check_range(std::span<const Pair> pairs, Index rows) {
  for (const Pair& p : pairs) {
    if (p.u < 0 || p.v < 0 || p.u >= rows || p.v >= rows) {
      throw Error(fmt::format("[pairs] ({}, {}) of {} rows", p.u, p.v, rows));
    }
  }
}

/// log(1 + exp(x)), which never overflows.
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

template <class T>
double dot(const T* x, const T* y, Index d) {
  // Eight sums side by side, in a fixed shape, fill a vector register.
  constexpr Index kLanes = 8;
  std::array<T, kLanes> sums{};
  Index c = 0;
  for (; c + kLanes <= d; c += kLanes) {
    for (Index k = 0; k < kLanes; ++k) sums[static_cast<std::size_t>(k)] += x[c + k] * y[c + k];
  }
  double sum = 0;
  for (const T s : sums) sum += static_cast<double>(s);
  for (; c < d; ++c) sum += static_cast<double>(x[c] * y[c]);
  return sum;
}

/// For each row the pairs that it is an end of, in their order.
struct Incidence {
  struct Entry {
    VertexId other;
    std::uint32_t pair;
  };
  std::vector<core::EdgeId> offsets;
  std::vector<Entry> entries;

  Incidence(std::span<const Pair> pairs, Index rows) : offsets(static_cast<std::size_t>(rows) + 1, 0) {
    for (const Pair& p : pairs) {
      ++offsets[static_cast<std::size_t>(p.u) + 1];
      ++offsets[static_cast<std::size_t>(p.v) + 1];
    }
    for (std::size_t r = 1; r < offsets.size(); ++r) offsets[r] += offsets[r - 1];
    entries.resize(2 * pairs.size());
    std::vector<core::EdgeId> next(offsets.begin(), offsets.end() - 1);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const Pair& p = pairs[i];
      const auto number = static_cast<std::uint32_t>(i);
      entries[static_cast<std::size_t>(next[static_cast<std::size_t>(p.u)]++)] = {p.v, number};
      entries[static_cast<std::size_t>(next[static_cast<std::size_t>(p.v)]++)] = {p.u, number};
    }
  }

  /// Calls f(row, entry) for the entries of every row, the rows in parallel.
  template <class F>
  void for_each(const F& f) const {
    core::parallel_for_rows(offsets, 0, static_cast<Index>(offsets.size()) - 1, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const auto at = static_cast<std::size_t>(r);
        for (auto e = offsets[at]; e < offsets[at + 1]; ++e) f(r, entries[static_cast<std::size_t>(e)]);
      }
    });
  }
};

/// z_i = h_u * h_v.
void products(const Tensor& rows, std::span<const Pair> pairs, Tensor& to) {
  const Index d = rows.cols();
  core::dispatch(rows.dtype(), [&]<class T>(T) {
    const T* h = rows.data<T>();
    T* z = to.data<T>();
    core::parallel_for(std::ssize(pairs), kGrain, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Pair& p = pairs[static_cast<std::size_t>(i)];
        const T* x = h + p.u * d;
        const T* y = h + p.v * d;
        for (Index c = 0; c < d; ++c) z[i * d + c] = x[c] * y[c];
      }
    });
  });
}

void dot_scores(const Tensor& rows, std::span<const Pair> pairs, std::vector<double>& scores) {
  const Index d = rows.cols();
  core::dispatch(rows.dtype(), [&]<class T>(T) {
    const T* h = rows.data<T>();
    core::parallel_for(std::ssize(pairs), kGrain, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Pair& p = pairs[static_cast<std::size_t>(i)];
        scores[static_cast<std::size_t>(i)] = dot(h + p.u * d, h + p.v * d, d);
      }
    });
  });
}

std::vector<VertexId> numbers(Index begin, Index end) {
  std::vector<VertexId> ids;
  for (Index i = begin; i < end; ++i) ids.push_back(static_cast<VertexId>(i));
  return ids;
}

/// The sum of the losses of scores, and each score's slope times `scale` in its place.
double loss_of(std::span<double> scores, std::size_t positives, double scale) {
  return core::parallel_sum(std::ssize(scores), kSumGrain, [&](Index begin, Index end) {
    double sum = 0;
    for (Index i = begin; i < end; ++i) {
      double& s = scores[static_cast<std::size_t>(i)];
      const bool positive = static_cast<std::size_t>(i) < positives;
      sum += softplus(positive ? -s : s);
      s = scale * (sigmoid(s) - (positive ? 1 : 0));
    }
    return sum;
  });
}

}  // namespace

PairScorer::PairScorer(const layers::Decoder& decoder, std::shared_ptr<core::MemoryPool> pool)
    : decoder_(decoder), pool_(std::move(pool)) {}

core::TapeContext PairScorer::context(const Tensor& rows) const {
  core::TapeContext c;
  c.pool = pool_;
  c.dtype = rows.dtype();
  return c;
}

std::vector<double> PairScorer::scores(const Tensor& rows, std::span<const Pair> pairs) const {
  check_range(pairs, rows.rows());
  std::vector<double> all(pairs.size());
  if (decoder_.kind() == layers::DecoderKind::kDot) {
    dot_scores(rows, pairs, all);
    return all;
  }
  core::TapeContext unrecorded = context(rows);
  unrecorded.record = false;
  for (Index begin = 0; begin < std::ssize(pairs); begin += kPanelPairs) {
    const Index end = std::min<Index>(begin + kPanelPairs, std::ssize(pairs));
    const std::vector<VertexId> ids = numbers(begin, end);
    core::Tape tape(unrecorded);
    Tensor z = tape.allocate(end - begin, rows.cols());
    products(rows, pairs.subspan(static_cast<std::size_t>(begin), ids.size()), z);
    const Tensor& y = tape.value(decoder_(tape, tape.input(z, false), ids));
    for (Index i = begin; i < end; ++i) all[static_cast<std::size_t>(i)] = y.at(i - begin, 0);
  }
  return all;
}

double PairScorer::loss(const Tensor& rows, std::span<const Pair> pairs, std::size_t positives, std::uint64_t seed,
                        Index epoch, Index layer, Tensor& gradient) const {
  check_range(pairs, rows.rows());
  if (pairs.empty()) throw Error("[pairs] there are no pairs to take a loss of");
  gradient.fill(0);
  if (decoder_.kind() == layers::DecoderKind::kMlp) {
    core::TapeContext recorded = context(rows);
    recorded.training = true;
    recorded.seed = seed;
    recorded.epoch = static_cast<std::uint64_t>(epoch);
    recorded.layer = static_cast<std::uint64_t>(layer);
    return perceptron_loss(rows, pairs, positives, recorded, gradient);
  }
  std::vector<double> slopes(pairs.size());
  dot_scores(rows, pairs, slopes);
  const auto count = static_cast<double>(pairs.size());
  const double sum = loss_of(slopes, positives, 1 / count);
  const Incidence incidence(pairs, rows.rows());
  const Index d = rows.cols();
  core::dispatch(rows.dtype(), [&]<class T>(T) {
    const T* h = rows.data<T>();
    T* g = gradient.data<T>();
    incidence.for_each([&](Index r, const Incidence::Entry& e) {
      const T slope = static_cast<T>(slopes[e.pair]);
      const T* other = h + e.other * d;
      for (Index c = 0; c < d; ++c) g[r * d + c] += slope * other[c];
    });
  });
  return sum / count;
}

double PairScorer::perceptron_loss(const Tensor& rows, std::span<const Pair> pairs, std::size_t positives,
                                   const core::TapeContext& recorded, Tensor& gradient) const {
  const Index d = rows.cols();
  const auto count = static_cast<double>(pairs.size());
  double sum = 0;
  for (Index begin = 0; begin < std::ssize(pairs); begin += kPanelPairs) {
    const Index end = std::min<Index>(begin + kPanelPairs, std::ssize(pairs));
    const std::vector<VertexId> ids = numbers(begin, end);
    const auto panel = pairs.subspan(static_cast<std::size_t>(begin), ids.size());
    core::Tape tape(recorded);
    Tensor z = tape.allocate(end - begin, d);
    products(rows, panel, z);
    const core::Var input = tape.input(std::move(z), true);
    const core::Var output = decoder_(tape, input, ids);
    std::vector<double> slopes(ids.size());
    for (Index i = 0; i < end - begin; ++i) slopes[static_cast<std::size_t>(i)] = tape.value(output).at(i, 0);
    const std::size_t left =
        positives > static_cast<std::size_t>(begin) ? positives - static_cast<std::size_t>(begin) : 0;
    sum += loss_of(slopes, left, 1 / count);
    Tensor dy = tape.allocate(end - begin, 1, core::MemoryPurpose::kGradients);
    for (Index i = 0; i < end - begin; ++i) dy.set(i, 0, slopes[static_cast<std::size_t>(i)]);
    tape.add_gradient(output, std::move(dy));
    tape.backward();
    const Tensor dz = tape.take_gradient(input);
    const Incidence incidence(panel, rows.rows());
    core::dispatch(rows.dtype(), [&]<class T>(T) {
      const T* h = rows.data<T>();
      const T* of_products = dz.data<T>();
      T* g = gradient.data<T>();
      incidence.for_each([&](Index r, const Incidence::Entry& e) {
        const T* other = h + e.other * d;
        const T* product = of_products + static_cast<Index>(e.pair) * d;
        for (Index c = 0; c < d; ++c) g[r * d + c] += product[c] * other[c];
      });
    });
  }
  return sum / count;
}

double pair_loss(std::span<const double> positives, std::span<const double> negatives) {
  const auto sum = [](std::span<const double> scores, double sign) {
    return core::parallel_sum(std::ssize(scores), kSumGrain, [&](Index begin, Index end) {
      double s = 0;
      for (Index i = begin; i < end; ++i) s += softplus(sign * scores[static_cast<std::size_t>(i)]);
      return s;
    });
  };
  return (sum(positives, -1) + sum(negatives, 1)) / static_cast<double>(positives.size() + negatives.size());
}

}  // namespace laminar::pipeline
