#include "laminar/datasets/checks.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/parallel.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

void SymmetrySums::add(core::VertexId source, core::VertexId target) {
  // The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
  const auto mixed = [](std::uint64_t high, std::uint64_t low) {
    std::uint64_t x = (high << 32U | low) + 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
  };
  const auto s = static_cast<std::uint32_t>(source);
  const auto t = static_cast<std::uint32_t>(target);
  forward_ += mixed(s, t);
  backward_ += mixed(t, s);
}

void SymmetrySums::add(const SymmetrySums& other) {
  forward_ += other.forward_;
  backward_ += other.backward_;
}

namespace {

bool has_both_directions(const core::Graph& graph) {
  SymmetrySums sums;
  std::mutex mutex;
  core::parallel_for_rows(graph.in_offsets(), 0, graph.num_vertices(), [&](Index begin, Index end) {
    SymmetrySums own;
    for (Index v = begin; v < end; ++v) {
      for (core::EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
        own.add(graph.in_sources()[e], static_cast<core::VertexId>(v));
      }
    }
    const std::lock_guard lock(mutex);
    sums.add(own);
  });
  return sums.equal();
}

}  // namespace

Complaint check_symmetric(const core::Graph& graph) {
  if (graph.directed() || has_both_directions(graph)) return std::nullopt;
  // Rows of both directions are ascending, so the graph is symmetric exactly when they are equal.
  const auto in = graph.in_offsets();
  const auto out = graph.out_offsets();
  const auto sources_of = [&](Index v) { return graph.in_sources().subspan(in[v], in[v + 1] - in[v]); };
  const auto targets_of = [&](Index v) { return graph.out_targets().subspan(out[v], out[v + 1] - out[v]); };
  const Index v = core::first_where(graph.num_vertices(), [&](Index i) {
    const auto sources = sources_of(i);
    const auto targets = targets_of(i);
    return !std::equal(sources.begin(), sources.end(), targets.begin(), targets.end());
  });
  if (v == graph.num_vertices()) return std::nullopt;
  const auto sources = sources_of(v);
  const auto targets = targets_of(v);
  const auto [s, t] = std::mismatch(sources.begin(), sources.end(), targets.begin(), targets.end());
  const bool lacks_out = t == targets.end() || (s != sources.end() && *s < *t);
  const Index from = lacks_out ? *s : v;
  const Index to = lacks_out ? v : *t;
  return fmt::format(
      "the graph says that it is undirected, but edge {} -> {} is not there as often as {} -> {}; store "
      "both directions or set directed = 1",
      to, from, from, to);
}

Complaint check_finite(std::span<const float> values) {
  const auto count = static_cast<Index>(values.size());
  const Index bad = core::first_where(count, [&](Index i) { return !std::isfinite(values[i]); });
  if (bad == count) return std::nullopt;
  return fmt::format("entry {} is {}, expected a finite number", bad, values[bad]);
}

namespace {

Complaint check_count(std::size_t found, Index expected) {
  if (found == static_cast<std::size_t>(expected)) return std::nullopt;
  return fmt::format("{} values, expected {}", found, expected);
}

}  // namespace

Complaint check_labels(const core::Labels& labels, Index num_vertices) {
  if (labels.task == core::Task::kNone) return std::nullopt;
  if (labels.num_outputs < 1) return "no vertex has a label and no class is named; remove the labels";
  if (!labels.names.empty()) {
    if (auto wrong = check_count(labels.names.size(), labels.num_outputs)) return "names: " + *wrong;
  }
  switch (labels.task) {
    case core::Task::kNone:
      break;
    case core::Task::kClassification: {
      if (auto wrong = check_count(labels.classes.size(), num_vertices)) return wrong;
      const auto bad = std::find_if(labels.classes.begin(), labels.classes.end(),
                                    [&](std::int32_t c) { return c < -1 || c >= labels.num_outputs; });
      if (bad == labels.classes.end()) break;
      return fmt::format("entry {} is {}, expected 0..{}, or -1 where the class is unknown",
                         bad - labels.classes.begin(), *bad, labels.num_outputs - 1);
    }
    case core::Task::kMultiLabel: {
      if (auto wrong = check_count(labels.multi_label.size(), num_vertices * labels.num_outputs)) return wrong;
      const auto bad =
          std::find_if(labels.multi_label.begin(), labels.multi_label.end(), [](std::uint8_t b) { return b > 1; });
      if (bad == labels.multi_label.end()) break;
      return fmt::format("entry {} is {}, expected 0 or 1", bad - labels.multi_label.begin(), *bad);
    }
    case core::Task::kRegression:
      if (auto wrong = check_count(labels.targets.size(), num_vertices * labels.num_outputs)) return wrong;
      return check_finite(labels.targets);
  }
  return std::nullopt;
}

Complaint check_split(const core::Split& split, Index num_vertices) {
  const std::pair<const char*, const std::vector<VertexId>*> sets[] = {
      {"train", &split.train}, {"val", &split.val}, {"test", &split.test}};
  for (const auto& [name, vertices] : sets) {
    if (vertices->empty()) return fmt::format("{} is empty; train, val and test need a vertex each", name);
    for (std::size_t i = 0; i < vertices->size(); ++i) {
      const VertexId v = (*vertices)[i];
      if (v < 0 || v >= num_vertices) {
        return fmt::format("{} holds vertex {}, expected 0..{}", name, v, num_vertices - 1);
      }
      if (i > 0 && v == (*vertices)[i - 1]) return fmt::format("{} holds vertex {} twice", name, v);
      if (i > 0 && v < (*vertices)[i - 1]) return fmt::format("{} is not in ascending order", name);
    }
  }
  for (const auto& [a, b] : {std::pair(0, 1), std::pair(0, 2), std::pair(1, 2)}) {
    std::vector<VertexId> both;
    std::set_intersection(sets[a].second->begin(), sets[a].second->end(), sets[b].second->begin(),
                          sets[b].second->end(), std::back_inserter(both));
    if (!both.empty()) {
      return fmt::format("vertex {} is in {} and in {}; they must be disjoint", both.front(), sets[a].first,
                         sets[b].first);
    }
  }
  return std::nullopt;
}

Complaint check_object_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
      name.find('\0') != std::string::npos) {
    return fmt::format("'{}' can't be the name of an object in a file", name);
  }
  return std::nullopt;
}

}  // namespace laminar::datasets
