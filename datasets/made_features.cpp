#include "laminar/datasets/made_features.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/checks.hpp"
#include "laminar/datasets/laplacian.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;

namespace {

constexpr std::array<std::string_view, 5> kWords = {"degree", "onehot", "pagerank", "laplacian", "random"};
constexpr Index kGrain = 4096;

/// Columns [first, first + count) of the features.
struct Columns {
  float* data;
  Index stride;
  float& at(Index v, Index c) const { return data[v * stride + c]; }
};

Index width_of(MadeFeatures kind, const core::Graph& graph, const MadeFeatureOptions& options) {
  switch (kind) {
    case MadeFeatures::kDegree:
      return graph.directed() ? 2 : 1;
    case MadeFeatures::kPageRank:
      return 1;
    case MadeFeatures::kOneHot:
    case MadeFeatures::kLaplacian:
    case MadeFeatures::kRandom:
      break;
  }
  return options.columns;
}

void put_degrees(const core::Graph& graph, const Columns& x) {
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    const auto vertex = static_cast<core::VertexId>(v);
    x.at(v, 0) = static_cast<float>(std::log1p(static_cast<double>(graph.in_degree(vertex))));
    if (graph.directed()) x.at(v, 1) = static_cast<float>(std::log1p(static_cast<double>(graph.out_degree(vertex))));
  }
}

void put_pagerank(const core::Graph& graph, const Columns& x) {
  constexpr double kDamping = 0.85;
  constexpr int kMostRounds = 200;
  constexpr double kTolerance = 1e-10;
  const Index n = graph.num_vertices();
  const auto offsets = graph.in_offsets();
  const auto sources = graph.in_sources();
  std::vector<double> rank(static_cast<std::size_t>(n), 1.0 / static_cast<double>(n));
  std::vector<double> share(rank.size());
  std::vector<double> next(rank.size());
  for (int round = 0; round < kMostRounds; ++round) {
    const double kept = core::parallel_sum(n, kGrain, [&](Index begin, Index end) {
      double sum = 0;
      for (Index v = begin; v < end; ++v) {
        const auto degree = static_cast<double>(graph.out_degree(static_cast<core::VertexId>(v)));
        share[v] = degree > 0 ? rank[v] / degree : 0;
        if (degree == 0) sum += rank[v];
      }
      return sum;
    });
    const double base = (1 - kDamping + kDamping * kept) / static_cast<double>(n);
    core::parallel_for_rows(offsets, 0, n, [&](Index begin, Index end) {
      for (Index v = begin; v < end; ++v) {
        double sum = 0;
        for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) sum += share[sources[e]];
        next[v] = base + kDamping * sum;
      }
    });
    const double change = core::parallel_sum(n, kGrain, [&](Index begin, Index end) {
      double sum = 0;
      for (Index v = begin; v < end; ++v) sum += std::abs(next[v] - rank[v]);
      return sum;
    });
    rank.swap(next);
    if (change < kTolerance) break;
  }
  for (Index v = 0; v < n; ++v) x.at(v, 0) = static_cast<float>(std::log(static_cast<double>(n) * rank[v]));
}

void put_random(Index n, Index columns, std::uint64_t seed, const Columns& x) {
  const core::RandomKey key = core::random_key(seed, "random features");
  core::parallel_for(n, core::row_grain(columns), [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      for (Index c = 0; c < columns; ++c) {
        x.at(v, c) = static_cast<float>(core::random_normal(key, static_cast<std::uint64_t>(v * columns + c)));
      }
    }
  });
}

core::SparseMatrix identity(const GraphData& data) {
  const Index n = data.graph->num_vertices();
  if (n > kMaxSparseColumns) {
    throw Error(fmt::format("{}: {} vertices are too many for --features onehot, expected at most {}", data.name, n,
                            kMaxSparseColumns));
  }
  std::vector<EdgeId> offsets(static_cast<std::size_t>(n) + 1);
  std::iota(offsets.begin(), offsets.end(), EdgeId{0});
  std::vector<std::int32_t> columns(static_cast<std::size_t>(n));
  std::iota(columns.begin(), columns.end(), 0);
  return {n, n, std::move(offsets), std::move(columns), std::vector<float>(static_cast<std::size_t>(n), 1.0F)};
}

}  // namespace

std::vector<MadeFeatures> parse_made_features(std::string_view text) {
  std::vector<MadeFeatures> kinds;
  bool learned = false;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    const auto found = std::find(kWords.begin(), kWords.end(), word);
    learned = learned || word == "learned";
    if (found != kWords.end()) {
      kinds.push_back(static_cast<MadeFeatures>(found - kWords.begin()));
    } else if (word != "learned") {
      return {};
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (learned) {
    throw UsageError(
        fmt::format("--features {}: embeddings are not made beforehand but trained along: laminar-train GRAPH.h5 "
                    "--features learned, or --features given,learned beside what the file has",
                    text));
  }
  auto sorted = kinds;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    throw UsageError(fmt::format("--features {}: a word stands twice", text));
  }
  if (kinds.size() > 1 && std::find(kinds.begin(), kinds.end(), MadeFeatures::kOneHot) != kinds.end()) {
    throw UsageError(fmt::format("--features {}: onehot can't stand beside others", text));
  }
  return kinds;
}

void make_features(GraphData& data, const std::vector<MadeFeatures>& kinds, const MadeFeatureOptions& options) {
  const core::Graph& graph = *data.graph;
  const Index n = graph.num_vertices();
  std::string words;
  for (const auto kind : kinds) {
    if (!words.empty()) words += ',';
    words += kWords[static_cast<std::size_t>(kind)];
  }
  if (kinds.front() == MadeFeatures::kOneHot) {
    data.sparse_features = identity(data);
    data.features = {};
  } else {
    Index cols = 0;
    for (const auto kind : kinds) cols += width_of(kind, graph, options);
    core::Tensor features(n, cols, core::DType::kFloat32);
    Columns at{features.data<float>(), cols};
    for (const auto kind : kinds) {
      if (kind == MadeFeatures::kDegree) put_degrees(graph, at);
      if (kind == MadeFeatures::kPageRank) put_pagerank(graph, at);
      if (kind == MadeFeatures::kRandom) put_random(n, options.columns, options.seed, at);
      if (kind == MadeFeatures::kLaplacian) {
        const auto vectors = laplacian_eigenvectors(graph, options.columns, data.name);
        for (Index v = 0; v < n; ++v) {
          for (Index c = 0; c < options.columns; ++c) at.at(v, c) = static_cast<float>(vectors[c][v]);
        }
      }
      at.data += width_of(kind, graph, options);
    }
    data.features = std::move(features);
    data.sparse_features = {};
  }
  data.provenance += fmt::format("; features made from the graph: {}", words);
  const bool drawn = std::find(kinds.begin(), kinds.end(), MadeFeatures::kRandom) != kinds.end();
  if (drawn) data.provenance += fmt::format(" (seed {})", options.seed);
}

}  // namespace laminar::datasets
