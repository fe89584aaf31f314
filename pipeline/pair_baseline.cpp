#include "laminar/pipeline/pair_baseline.hpp"

#include <algorithm>

#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/pair_objective.hpp"

namespace laminar::pipeline {
namespace {

/// The vertices that each is paired with, ascending.
std::vector<std::vector<VertexId>> neighbours(const std::vector<Pair>& pairs, Index n) {
  std::vector<std::vector<VertexId>> of(static_cast<std::size_t>(n));
  for (const Pair& p : pairs) {
    of[static_cast<std::size_t>(p.u)].push_back(p.v);
    of[static_cast<std::size_t>(p.v)].push_back(p.u);
  }
  for (auto& list : of) std::sort(list.begin(), list.end());
  return of;
}

double in_common(const std::vector<VertexId>& a, const std::vector<VertexId>& b) {
  double count = 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (*i == *j) ++count;
    const bool first = *i <= *j;
    const bool second = *j <= *i;
    if (first) ++i;
    if (second) ++j;
  }
  return count;
}

}  // namespace

std::vector<PairFigure> common_neighbours(const PairSplit& split, const PairOptions& options) {
  const auto of = neighbours(split.train, split.message_graph->num_vertices());
  const auto scores = [&](const std::vector<Pair>& pairs) {
    std::vector<double> s(pairs.size());
    constexpr Index kGrain = 256;
    core::parallel_for(std::ssize(pairs), kGrain, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Pair& p = pairs[static_cast<std::size_t>(i)];
        s[static_cast<std::size_t>(i)] =
            in_common(of[static_cast<std::size_t>(p.u)], of[static_cast<std::size_t>(p.v)]);
      }
    });
    return s;
  };
  const std::vector<double> val = pair_figures({scores(split.val), scores(split.val_negatives)}, options);
  const std::vector<double> test = pair_figures({scores(split.test), scores(split.test_negatives)}, options);
  const std::vector<std::string> names = pair_figure_names(options);
  std::vector<PairFigure> figures;
  for (std::size_t i = 0; i < names.size(); ++i) figures.push_back({names[i], val[i], test[i]});
  return figures;
}

}  // namespace laminar::pipeline
