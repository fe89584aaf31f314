#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/generated_data.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

constexpr Index kGrain = 1024;
constexpr int kMostRounds = 200;
// Numbers that an edge may draw: its ends and what chooses them.
constexpr std::uint64_t kDraws = 64;

using Pair = std::pair<VertexId, VertexId>;

/// Vertices by class, with running sums of their weights, so that a draw in proportion is a binary search.
class Model {
 public:
  explicit Model(const GeneratorOptions& o)
      : homophily_(o.classes > 1 ? o.homophily : 1),
        classes_(static_cast<std::size_t>(o.vertices)),
        begin_(static_cast<std::size_t>(o.classes) + 1),
        order_(static_cast<std::size_t>(o.vertices)),
        sums_(static_cast<std::size_t>(o.vertices) + 1),
        key_(core::random_key(o.seed, "edges")) {
    const auto class_key = core::random_key(o.seed, "classes");
    const auto weight_key = core::random_key(o.seed, "weights");
    for (Index v = 0; v < o.vertices; ++v) {
      classes_[v] = static_cast<std::int32_t>(core::random_below(class_key, static_cast<std::uint64_t>(v), o.classes));
      ++begin_[classes_[v] + 1];
    }
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    auto next = begin_;
    for (Index v = 0; v < o.vertices; ++v) order_[next[classes_[v]]++] = static_cast<VertexId>(v);
    const double most = std::sqrt(static_cast<double>(o.vertices) * o.degree);
    for (std::size_t i = 0; i < order_.size(); ++i) {
      double weight = 1;
      if (o.power > 0) {
        const double r = core::random_uniform(weight_key, static_cast<std::uint64_t>(order_[i]));
        weight = std::min(most, std::pow(1 - r, -1 / (o.power - 1)));
      }
      sums_[i + 1] = sums_[i] + weight;
    }
  }

  const std::vector<std::int32_t>& classes() const { return classes_; }

  /// Candidate `i`: its ends in ascending order, or (-1, -1) for a loop.
  Pair draw(std::uint64_t i) const {
    const std::uint64_t at = i * kDraws;
    const VertexId u = vertex(core::random_uniform(key_, at), 0, order_.size());
    const auto c = static_cast<std::size_t>(classes_[u]);
    const std::size_t begin = begin_[c];
    const std::size_t end = begin_[c + 1];
    VertexId v = u;
    if (core::random_uniform(key_, at + 1) < homophily_) {
      v = vertex(core::random_uniform(key_, at + 2), begin, end);
    } else {
      // One of the others: the range without u's class, as if the class were cut out.
      const double outside = sums_.back() - (sums_[end] - sums_[begin]);
      if (outside <= 0) return {-1, -1};
      double target = core::random_uniform(key_, at + 2) * outside;
      if (target >= sums_[begin]) target += sums_[end] - sums_[begin];
      v = at_sum(target, 0, order_.size());
      if (classes_[v] == classes_[u]) return {-1, -1};
    }
    if (u == v) return {-1, -1};
    return {std::min(u, v), std::max(u, v)};
  }

 private:
  VertexId vertex(double uniform, std::size_t begin, std::size_t end) const {
    return at_sum(sums_[begin] + uniform * (sums_[end] - sums_[begin]), begin, end);
  }
  VertexId at_sum(double sum, std::size_t begin, std::size_t end) const {
    const auto first = sums_.begin() + static_cast<std::ptrdiff_t>(begin) + 1;
    const auto last = sums_.begin() + static_cast<std::ptrdiff_t>(end);
    return order_[static_cast<std::size_t>(std::upper_bound(first, last, sum) - sums_.begin()) - 1];
  }

  double homophily_;
  std::vector<std::int32_t> classes_;
  std::vector<std::size_t> begin_;
  std::vector<VertexId> order_;
  std::vector<double> sums_;
  core::RandomKey key_;
};

}  // namespace

ImportResult generate_sbm(const GeneratorOptions& options) {
  check(options, "sbm");
  const Model model(options);
  const auto wanted =
      static_cast<std::size_t>(std::llround(static_cast<double>(options.vertices) * options.degree / 2));
  std::vector<Pair> edges;
  std::uint64_t drawn = 0;
  // Whole rounds of candidates, so that the result doesn't depend on which thread draws which.
  for (int round = 0; edges.size() < wanted && round < kMostRounds; ++round) {
    const std::size_t missing = wanted - edges.size();
    std::vector<Pair> candidates(missing);
    core::parallel_for(static_cast<Index>(missing), kGrain, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) candidates[i] = model.draw(drawn + static_cast<std::uint64_t>(i));
    });
    drawn += missing;
    candidates.erase(std::remove(candidates.begin(), candidates.end(), Pair{-1, -1}), candidates.end());
    std::sort(candidates.begin(), candidates.end());
    const auto middle = static_cast<std::ptrdiff_t>(edges.size());
    edges.insert(edges.end(), candidates.begin(), candidates.end());
    std::inplace_merge(edges.begin(), edges.begin() + middle, edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  }
  EdgeTable table;
  table.source.reserve(edges.size());
  table.target.reserve(edges.size());
  for (const auto& [u, v] : edges) {
    table.source.push_back(u);
    table.target.push_back(v);
  }
  ImportResult result = finish(options, "sbm", std::move(table), model.classes());
  if (edges.size() < wanted) {
    result.notes.push_back(
        fmt::format("only {} of {} edges were found that are not there already", edges.size(), wanted));
  }
  return result;
}

}  // namespace laminar::datasets
