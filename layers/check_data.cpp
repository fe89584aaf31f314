#include "laminar/layers/check_data.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "laminar/core/random.hpp"

namespace laminar::layers::checks {

using namespace core;

namespace {

struct EdgeList {
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  std::vector<double> weights;

  void add(Index source, Index target) {
    sources.push_back(static_cast<VertexId>(source));
    targets.push_back(static_cast<VertexId>(target));
  }
  void add_both(Index a, Index b) {
    add(a, b);
    add(b, a);
  }
  /// Weights in (0, 2), away from 0.
  void weigh(std::uint64_t seed) {
    const RandomKey key = random_key(seed, "edge weights");
    for (std::size_t e = weights.size(); e < sources.size(); ++e) {
      weights.push_back(0.1 + 1.8 * random_uniform(key, e));
    }
  }
  Graph graph(Index vertices, bool directed) const {
    return Graph::from_edges(vertices, sources, targets, weights, directed);
  }
};

/// Distinct pairs of different vertices; with `unordered`, {a, b} is the same as {b, a}.
std::vector<std::pair<Index, Index>> random_pairs(Index vertices, Index count, bool unordered, std::uint64_t seed) {
  const RandomKey key = random_key(seed, "edges");
  std::set<std::pair<Index, Index>> seen;
  std::vector<std::pair<Index, Index>> pairs;
  for (std::uint64_t i = 0; static_cast<Index>(pairs.size()) < count; i += 2) {
    Index a = random_below(key, i, vertices);
    Index b = random_below(key, i + 1, vertices);
    if (unordered && a > b) std::swap(a, b);
    if (a != b && seen.insert({a, b}).second) pairs.emplace_back(a, b);
  }
  return pairs;
}

}  // namespace

Tensor random_tensor(Index rows, Index cols, DType dtype, std::uint64_t seed, double scale) {
  const RandomKey key = random_key(seed, "test tensor");
  std::vector<double> values(static_cast<std::size_t>(rows * cols));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * random_normal(key, i);
  return Tensor::from(rows, cols, values, dtype);
}

TapeContext context(DType dtype, bool training, SourceExchange* exchange) {
  TapeContext c;
  c.pool = MemoryPool::create();
  c.dtype = dtype;
  c.training = training;
  c.seed = 7;
  c.exchange = exchange;
  return c;
}

std::vector<double> values_of(const Tensor& a) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(a.size()));
  for (Index r = 0; r < a.rows(); ++r) {
    for (Index c = 0; c < a.cols(); ++c) values.push_back(a.at(r, c));
  }
  return values;
}

double norm(const Tensor& a) {
  double squares = 0;
  for (const double v : values_of(a)) squares += v * v;
  return std::sqrt(squares);
}

double relative_difference(const Tensor& a, const Tensor& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return std::numeric_limits<double>::infinity();
  const std::vector<double> x = values_of(a);
  const std::vector<double> y = values_of(b);
  double squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) squares += (x[i] - y[i]) * (x[i] - y[i]);
  if (squares == 0) return 0;
  return std::sqrt(squares) / std::max(norm(a), norm(b));
}

Graph undirected_random(Index vertices, Index edges, std::uint64_t seed) {
  EdgeList list;
  for (const auto& [a, b] : random_pairs(vertices, edges, true, seed)) list.add_both(a, b);
  return list.graph(vertices, false);
}

Graph directed_random(Index vertices, Index edges, bool weighted, std::uint64_t seed) {
  EdgeList list;
  for (const auto& [a, b] : random_pairs(vertices, edges, false, seed)) list.add(a, b);
  if (weighted) list.weigh(seed);
  return list.graph(vertices, true);
}

Graph directed_weighted_hub(Index vertices, Index edges, std::uint64_t seed) {
  EdgeList list;
  for (const auto& [a, b] : random_pairs(vertices, edges, false, seed)) {
    if (a != 0 && b != 0) list.add(a, b);
  }
  for (Index v = 1; v < vertices; ++v) list.add_both(0, v);
  list.weigh(seed);
  return list.graph(vertices, true);
}

Graph ring(Index vertices) {
  EdgeList list;
  for (Index v = 0; v < vertices; ++v) list.add_both(v, (v + 1) % vertices);
  return list.graph(vertices, false);
}

Graph star(Index vertices) {
  EdgeList list;
  for (Index v = 1; v < vertices; ++v) list.add_both(0, v);
  return list.graph(vertices, false);
}

Graph grid(Index width, Index height) {
  EdgeList list;
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      if (x + 1 < width) list.add_both(y * width + x, y * width + x + 1);
      if (y + 1 < height) list.add_both(y * width + x, (y + 1) * width + x);
    }
  }
  return list.graph(width * height, false);
}

const std::vector<NamedGraph>& test_graphs() {
  static const std::vector<NamedGraph> graphs = [] {
    std::vector<NamedGraph> all;
    all.push_back({"undirected", undirected_random(13, 24, 1)});
    all.push_back({"directed", directed_random(12, 30, false, 2)});
    all.push_back({"directed weighted with a hub", directed_weighted_hub(14, 25, 3)});
    {
      EdgeList list;  // vertices 0, 4 and 8 have no edge; 5 is only read, 6 only reads
      for (const auto& [a, b] : {std::pair{1, 2}, {2, 1}, {2, 3}, {5, 6}, {5, 7}, {7, 6}, {3, 7}}) list.add(a, b);
      all.push_back({"isolated vertices", list.graph(9, true)});
    }
    {
      EdgeList list;
      for (Index v = 0; v < 7; ++v) list.add_both(v, (v + 1) % 7);
      for (const Index v : {0, 3, 6}) list.add(v, v);
      list.weigh(4);
      all.push_back({"self-loops", list.graph(7, false)});
    }
    {
      EdgeList list;
      for (const auto& [a, b] : {std::pair{0, 1}, {2, 1}, {0, 1}, {0, 1}, {1, 2}, {1, 2}, {3, 3}, {3, 3}, {4, 0}}) {
        list.add(a, b);
      }
      list.weigh(5);
      all.push_back({"parallel edges", list.graph(6, true)});
    }
    all.push_back({"single vertex", EdgeList{}.graph(1, false)});
    {
      EdgeList list;
      list.add(0, 0);
      all.push_back({"single vertex with a self-loop", list.graph(1, true)});
    }
    all.push_back({"no edges", EdgeList{}.graph(5, false)});
    all.push_back({"star", star(9)});
    all.push_back({"ring", ring(8)});
    all.push_back({"grid", grid(4, 3)});
    return all;
  }();
  return graphs;
}

}  // namespace laminar::layers::checks
