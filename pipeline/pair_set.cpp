#include "laminar/pipeline/pair_set.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::pipeline {
namespace {

constexpr std::uint64_t kAttempts = 64;

}  // namespace

std::vector<Pair> pairs_of(const core::Graph& graph) {
  std::vector<Pair> pairs;
  const auto offsets = graph.in_offsets();
  const auto sources = graph.in_sources();
  for (Index row = 0; row < graph.num_vertices(); ++row) {
    const auto v = static_cast<VertexId>(row);
    for (auto e = offsets[static_cast<std::size_t>(row)]; e < offsets[static_cast<std::size_t>(row) + 1]; ++e) {
      const VertexId u = sources[static_cast<std::size_t>(e)];
      if (u != v) pairs.push_back({std::min(u, v), std::max(u, v)});
    }
  }
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

PairSet::PairSet(Index num_vertices, const std::vector<Pair>& pairs)
    : offsets_(static_cast<std::size_t>(num_vertices) + 1, 0) {
  larger_.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Pair& p = pairs[i];
    if (p.u < 0 || p.u >= p.v || p.v >= num_vertices || (i > 0 && !(pairs[i - 1] < p))) {
      throw Error(fmt::format("[pairs] ({}, {}) of {} vertices stands where it can't", p.u, p.v, num_vertices));
    }
    ++offsets_[static_cast<std::size_t>(p.u) + 1];
    larger_.push_back(p.v);
  }
  for (std::size_t v = 1; v < offsets_.size(); ++v) offsets_[v] += offsets_[v - 1];
}

bool PairSet::contains(VertexId a, VertexId b) const {
  const auto u = static_cast<std::size_t>(std::min(a, b));
  return std::binary_search(larger_.begin() + offsets_[u], larger_.begin() + offsets_[u + 1], std::max(a, b));
}

Pair PairSet::draw(core::RandomKey key, std::uint64_t i) const {
  const Index n = num_vertices();
  VertexId a = 0;
  VertexId b = 0;
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const std::uint64_t place = 2 * (i * kAttempts + attempt);
    a = static_cast<VertexId>(core::random_below(key, place, n));
    b = static_cast<VertexId>(core::random_below(key, place + 1, n));
    if (a != b && !contains(a, b)) return {std::min(a, b), std::max(a, b)};
  }
  // So dense a graph is small: the next free pair from the last one on.
  while (a == b || contains(a, b)) {
    b = static_cast<VertexId>((b + 1) % n);
    if (b == 0) a = static_cast<VertexId>((a + 1) % n);
  }
  return {std::min(a, b), std::max(a, b)};
}

std::vector<Pair> PairSet::draw_others(Index count, core::RandomKey key) const {
  const auto n = static_cast<double>(num_vertices());
  if (!(static_cast<double>(size()) < n * (n - 1) / 2)) {
    throw Error(fmt::format("all pairs of the graph's {} vertices are joined, so there is nothing to tell edges from",
                            num_vertices()));
  }
  std::vector<Pair> drawn(static_cast<std::size_t>(count));
  constexpr Index kGrain = 4096;
  core::parallel_for(count, kGrain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) drawn[static_cast<std::size_t>(i)] = draw(key, static_cast<std::uint64_t>(i));
  });
  return drawn;
}

}  // namespace laminar::pipeline
