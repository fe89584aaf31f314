#include "laminar/partition/streaming.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/partition/balance.hpp"

namespace laminar::partition {
namespace {

class Streamer {
 public:
  Streamer(core::EdgeStream& stream, const StreamingOptions& options)
      : stream_(stream),
        options_(options),
        key_(core::random_key(options.seed, "streaming partitioner")),
        limits_(part_limits(options.vertex_weights, options.capacity, stream.num_vertices(), options.parts,
                            options.imbalance)),
        shares_(part_limits(options.vertex_weights, options.capacity, stream.num_vertices(), options.parts, 0)),
        part_of_(static_cast<std::size_t>(stream.num_vertices()), -1),
        ties_(limits_.size(), 0) {
    const double total = std::accumulate(shares_.begin(), shares_.end(), 0.0);
    mean_share_ = total / static_cast<double>(options.parts);
    alpha_ = static_cast<double>(stream.num_entries()) / 2 * std::sqrt(static_cast<double>(options.parts)) /
             std::pow(std::max(total, 1.0), 1.5);
  }

  Partition run() {
    for (int pass = 0; pass < options_.passes && one_pass(); ++pass) {
    }
    return {options_.parts, std::move(part_of_)};
  }

 private:
  double weight(Index v) const { return options_.vertex_weights.empty() ? 1.0 : options_.vertex_weights[v]; }

  double score(std::int32_t part, double ties, double w) const {
    if (options_.score == StreamingScore::kLdg) return ties * (1 - held_[part] / limits_[part]);
    const double scale = mean_share_ / shares_[part];
    const double before = held_[part] * scale;
    return ties - alpha_ * (std::pow(before + w * scale, 1.5) - std::pow(before, 1.5));
  }

  /// The part for v: one of those that hold a neighbour, or the lightest of all, as among parts without a neighbour
  /// none scores higher.
  std::int32_t choose(Index v) {
    const double w = weight(v);
    std::int32_t best = by_load_.begin()->second;
    auto best_rank = rank(best, v, w);
    for (const std::int32_t p : touched_) {
      if (held_[p] + w > limits_[p]) continue;
      const auto candidate = rank(p, v, w);
      if (candidate > best_rank) {
        best = p;
        best_rank = candidate;
      }
    }
    return best;
  }

  /// What decides between parts, the first difference counting: room, score, lightness, chance.
  std::tuple<bool, double, double, std::uint32_t> rank(std::int32_t part, Index v, double w) const {
    const auto chance = core::random_block(key_, static_cast<std::uint32_t>(v), static_cast<std::uint32_t>(part), 0)[0];
    return {held_[part] + w <= limits_[part], score(part, ties_[part], w), -held_[part] / limits_[part], chance};
  }

  /// Returns whether a vertex changed its part.
  bool one_pass() {
    held_.assign(limits_.size(), 0.0);
    by_load_.clear();
    for (std::int32_t p = 0; p < static_cast<std::int32_t>(held_.size()); ++p) by_load_.emplace(0.0, p);
    bool changed = false;
    core::EdgeStream::Row row;
    stream_.rewind();
    while (stream_.next(row)) {
      for (const VertexId u : row.neighbours) {
        const std::int32_t p = part_of_[u];
        if (p < 0 || u == row.vertex) continue;
        if (ties_[p] == 0) touched_.push_back(p);
        ties_[p] += 1;
      }
      const std::int32_t chosen = choose(row.vertex);
      for (const std::int32_t p : touched_) ties_[p] = 0;
      touched_.clear();
      changed = changed || part_of_[row.vertex] != chosen;
      part_of_[row.vertex] = chosen;
      by_load_.erase({held_[chosen] / limits_[chosen], chosen});
      held_[chosen] += weight(row.vertex);
      by_load_.emplace(held_[chosen] / limits_[chosen], chosen);
    }
    return changed;
  }

  core::EdgeStream& stream_;
  const StreamingOptions& options_;
  core::RandomKey key_;
  std::vector<double> limits_;
  std::vector<double> shares_;
  std::vector<std::int32_t> part_of_;
  std::vector<double> ties_;           // neighbours of the current vertex in each part
  std::vector<std::int32_t> touched_;  // where ties_ is not 0
  std::vector<double> held_;
  std::set<std::pair<double, std::int32_t>> by_load_;
  double mean_share_ = 0;
  double alpha_ = 0;
};

}  // namespace

Partition stream_partition(core::EdgeStream& stream, const StreamingOptions& options) {
  if (options.parts < 1 || options.parts > stream.num_vertices()) {
    throw UsageError(
        fmt::format("{} parts for {} vertices; no part may be empty", options.parts, stream.num_vertices()));
  }
  if (options.passes < 1) throw UsageError(fmt::format("{} passes, expected at least 1", options.passes));
  Partition result = Streamer(stream, options).run();
  fill_empty_parts(options.parts, result.part_of);
  return result;
}

}  // namespace laminar::partition
