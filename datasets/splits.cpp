#include "laminar/datasets/splits.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

struct Draw {
  std::uint64_t number;
  VertexId vertex;
};

void check_fractions(const SplitFractions& f) {
  // A little over 1 is rounding: .6 + .2 + .2.
  const bool good = f.train > 0 && f.val > 0 && f.test > 0 && f.train + f.val + f.test <= 1.0 + 1e-9;
  if (!good) {
    throw UsageError(
        fmt::format("a split of {:g}/{:g}/{:g} percent was asked for; expected three positive shares of at "
                    "most 100 together",
                    100 * f.train, 100 * f.val, 100 * f.test));
  }
}

/// The vertices whose label is known, in random order.
std::vector<VertexId> shuffled(const core::Labels& labels, Index num_vertices, std::uint64_t seed) {
  const core::RandomKey key = core::random_key(seed, "split");
  std::vector<Draw> draws;
  for (Index v = 0; v < num_vertices; ++v) {
    if (labels.task == core::Task::kClassification && labels.classes[v] < 0) continue;
    const auto block = core::random_block(key, static_cast<std::uint32_t>(v), 0, 0);
    draws.push_back({(std::uint64_t{block[1]} << 32) | block[0], static_cast<VertexId>(v)});
  }
  std::sort(draws.begin(), draws.end(), [](const Draw& a, const Draw& b) {
    return a.number != b.number ? a.number < b.number : a.vertex < b.vertex;
  });
  std::vector<VertexId> vertices;
  vertices.reserve(draws.size());
  for (const Draw& draw : draws) vertices.push_back(draw.vertex);
  return vertices;
}

core::Split cut_in_three(std::string name, const std::vector<VertexId>& order, const SplitFractions& fractions) {
  const auto n = static_cast<double>(order.size());
  const auto cut = [&](double share) {
    return std::min(order.size(), static_cast<std::size_t>(std::llround(share * n)));
  };
  const std::size_t cuts[] = {0, cut(fractions.train), cut(fractions.train + fractions.val),
                              cut(fractions.train + fractions.val + fractions.test)};
  core::Split split;
  split.name = std::move(name);
  std::vector<VertexId>* const sets[] = {&split.train, &split.val, &split.test};
  for (std::size_t s = 0; s < 3; ++s) {
    for (std::size_t i = cuts[s]; i < cuts[s + 1]; ++i) sets[s]->push_back(order[i]);
    if (sets[s]->empty()) {
      throw Error(
          fmt::format("{} labelled vertices are too few for a split of {:g}/{:g}/{:g} percent; ask for no split",
                      order.size(), 100 * fractions.train, 100 * fractions.val, 100 * fractions.test));
    }
    std::sort(sets[s]->begin(), sets[s]->end());
  }
  return split;
}

}  // namespace

core::Split random_split(std::string name, const core::Labels& labels, Index num_vertices,
                         const SplitFractions& fractions, std::uint64_t seed) {
  check_fractions(fractions);
  return cut_in_three(std::move(name), shuffled(labels, num_vertices, seed), fractions);
}

core::Split degree_split(std::string name, const core::Labels& labels, const core::Graph& graph,
                         const SplitFractions& fractions, std::uint64_t seed) {
  check_fractions(fractions);
  auto order = shuffled(labels, graph.num_vertices(), seed);
  std::stable_sort(order.begin(), order.end(),
                   [&](VertexId a, VertexId b) { return graph.in_degree(a) > graph.in_degree(b); });
  return cut_in_three(std::move(name), order, fractions);
}

std::vector<core::Split> fold_splits(const core::Labels& labels, Index num_vertices, Index folds, std::uint64_t seed) {
  if (folds < 3) throw UsageError(fmt::format("{} folds were asked for; expected 3 or more", folds));
  const auto order = shuffled(labels, num_vertices, seed);
  const auto n = static_cast<Index>(order.size());
  if (n < folds) throw Error(fmt::format("{} labelled vertices are too few for {} folds", n, folds));
  std::vector<core::Split> splits(static_cast<std::size_t>(folds));
  for (Index k = 0; k < folds; ++k) splits[k].name = fmt::format("fold{}", k);
  for (Index fold = 0; fold < folds; ++fold) {
    for (Index i = n * fold / folds; i < n * (fold + 1) / folds; ++i) {
      for (Index k = 0; k < folds; ++k) {
        auto& set = k == fold ? splits[k].test : (k + 1) % folds == fold ? splits[k].val : splits[k].train;
        set.push_back(order[i]);
      }
    }
  }
  for (auto& split : splits) {
    for (auto* set : {&split.train, &split.val, &split.test}) std::sort(set->begin(), set->end());
  }
  return splits;
}

SplitRequest parse_split_request(std::string_view text) {
  SplitRequest request;
  if (text == "published") return request;
  if (text == "none") {
    request.kind = SplitRequest::Kind::kNone;
    return request;
  }
  const std::string_view word = text.substr(0, text.find(':'));
  std::string_view rest = text.substr(std::min(text.size(), word.size() + 1));
  bool good = word.size() == text.size() || !rest.empty();
  if (word == "folds") {
    request.kind = SplitRequest::Kind::kFolds;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), request.folds);
    good = error == std::errc{} && end == rest.data() + rest.size() && request.folds >= 3;
  } else {
    request.kind = word == "degree" ? SplitRequest::Kind::kDegree : SplitRequest::Kind::kRandom;
    good = good && (word == "random" || word == "degree");
    double* const shares[] = {&request.fractions.train, &request.fractions.val, &request.fractions.test};
    for (std::size_t i = 0; i < 3 && good && word.size() < text.size(); ++i) {
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), *shares[i]);
      good = error == std::errc{};
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
      *shares[i] /= 100;
      const bool last = i == 2;
      good = good && (last ? rest.empty() : !rest.empty() && rest.front() == '/');
      if (!rest.empty()) rest.remove_prefix(1);
    }
  }
  if (!good) {
    throw UsageError(
        fmt::format("split '{}': expected published, none, random, random:TRAIN/VAL/TEST or degree:TRAIN/VAL/TEST in "
                    "percent, such as random:60/20/20, or folds:K with K of 3 or more",
                    text));
  }
  if (request.kind != SplitRequest::Kind::kFolds) check_fractions(request.fractions);
  return request;
}

}  // namespace laminar::datasets
