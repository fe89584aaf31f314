#include "laminar/tests/support/reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace laminar::testing {

using namespace core;

namespace {

void add_to(Tensor& t, Index row, Index col, double value) { t.set(row, col, t.at(row, col) + value); }

}  // namespace

std::vector<ReferenceEdge> reference_edges(const Graph& graph, const AdjacencySpec& spec) {
  std::vector<ReferenceEdge> edges;
  const Index n = graph.num_vertices();
  for (VertexId v = 0; v < n; ++v) {
    bool loop = false;
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const VertexId u = graph.in_sources()[e];
      loop = loop || u == v;
      edges.push_back({u, v, spec.weights && graph.weighted() ? graph.in_weights()[e] : 1.0});
    }
    if (spec.self_loops && !loop) edges.push_back({v, v, 1.0});
  }
  std::vector<double> degree(static_cast<std::size_t>(n));
  for (const ReferenceEdge& e : edges) degree[e.target] += e.value;
  for (ReferenceEdge& e : edges) {
    const double di = degree[e.target];
    const double dj = degree[e.source];
    if (spec.normalization == Normalization::kSymmetric) e.value = di > 0 && dj > 0 ? e.value / std::sqrt(di * dj) : 0;
    if (spec.normalization == Normalization::kRandomWalk) e.value = di > 0 ? e.value / di : 0;
  }
  if (spec.factor == 1 && spec.own == 0) return edges;
  for (ReferenceEdge& e : edges) e.value *= spec.factor;
  if (spec.own != 0) {
    for (VertexId v = 0; v < n; ++v) edges.push_back({v, v, spec.own});
    std::stable_sort(edges.begin(), edges.end(),
                     [](const ReferenceEdge& a, const ReferenceEdge& b) { return a.target < b.target; });
  }
  return edges;
}

Tensor reference_sum(const std::vector<ReferenceEdge>& edges, const Tensor& x) {
  Tensor y = Tensor::zeros(x.rows(), x.cols(), DType::kFloat64);
  for (const ReferenceEdge& e : edges) {
    for (Index c = 0; c < x.cols(); ++c) add_to(y, e.target, c, e.value * x.at(e.source, c));
  }
  return y;
}

Tensor reference_sum_transposed(const std::vector<ReferenceEdge>& edges, const Tensor& dy) {
  Tensor dx = Tensor::zeros(dy.rows(), dy.cols(), DType::kFloat64);
  for (const ReferenceEdge& e : edges) {
    for (Index c = 0; c < dy.cols(); ++c) add_to(dx, e.source, c, e.value * dy.at(e.target, c));
  }
  return dx;
}

Tensor reference_max(const std::vector<ReferenceEdge>& edges, const Tensor& x, const Tensor* dy, Tensor* dx) {
  Tensor y = Tensor::zeros(x.rows(), x.cols(), DType::kFloat64);
  if (dx != nullptr) *dx = Tensor::zeros(x.rows(), x.cols(), DType::kFloat64);
  for (VertexId v = 0; v < x.rows(); ++v) {
    for (Index c = 0; c < x.cols(); ++c) {
      const ReferenceEdge* best = nullptr;
      for (const ReferenceEdge& e : edges) {
        if (e.target == v && (best == nullptr || x.at(e.source, c) > x.at(best->source, c))) best = &e;
      }
      if (best == nullptr) continue;
      y.set(v, c, x.at(best->source, c));
      if (dx != nullptr) add_to(*dx, best->source, c, dy->at(v, c));
    }
  }
  return y;
}

ReferenceAttention reference_attention(const std::vector<ReferenceEdge>& edges, const Tensor& z, const Tensor& source,
                                       const Tensor& target, Index heads, double slope, const Tensor* dy,
                                       const std::function<double(std::size_t, Index)>& mask) {
  const Index n = z.rows();
  const Index width = z.cols() / heads;
  const auto zeros = [](Index rows, Index cols) { return Tensor::zeros(rows, cols, DType::kFloat64); };
  ReferenceAttention out{zeros(n, z.cols()), zeros(n, z.cols()), zeros(1, z.cols()), zeros(1, z.cols())};
  for (Index h = 0; h < heads; ++h) {
    const auto dot = [&](const Tensor& a, Index row_a, const Tensor& b, Index row_b) {
      double sum = 0;
      for (Index c = h * width; c < (h + 1) * width; ++c) sum += a.at(row_a, c) * b.at(row_b, c);
      return sum;
    };
    std::vector<double> raw(edges.size());
    std::vector<double> alpha(edges.size());
    std::vector<double> largest(static_cast<std::size_t>(n), -std::numeric_limits<double>::infinity());
    std::vector<double> total(static_cast<std::size_t>(n));
    const auto logit = [&](std::size_t e) { return raw[e] > 0 ? raw[e] : slope * raw[e]; };
    for (std::size_t e = 0; e < edges.size(); ++e) {
      raw[e] = dot(z, edges[e].source, source, 0) + dot(z, edges[e].target, target, 0);
      largest[edges[e].target] = std::max(largest[edges[e].target], logit(e));
    }
    for (std::size_t e = 0; e < edges.size(); ++e) {
      alpha[e] = std::exp(logit(e) - largest[edges[e].target]);
      total[edges[e].target] += alpha[e];
    }
    const auto keep = [&](std::size_t e) { return mask ? mask(e, h) : 1.0; };
    for (std::size_t e = 0; e < edges.size(); ++e) {
      alpha[e] /= total[edges[e].target];
      for (Index c = h * width; c < (h + 1) * width; ++c) {
        add_to(out.y, edges[e].target, c, keep(e) * alpha[e] * z.at(edges[e].source, c));
      }
    }
    if (dy == nullptr) continue;
    std::vector<double> mean(static_cast<std::size_t>(n));
    const auto wanted = [&](std::size_t e) { return keep(e) * dot(*dy, edges[e].target, z, edges[e].source); };
    for (std::size_t e = 0; e < edges.size(); ++e) mean[edges[e].target] += alpha[e] * wanted(e);
    for (std::size_t e = 0; e < edges.size(); ++e) {
      const auto [j, i, value] = edges[e];
      const double draw = (raw[e] > 0 ? 1 : slope) * alpha[e] * (wanted(e) - mean[i]);
      for (Index c = h * width; c < (h + 1) * width; ++c) {
        add_to(out.dz, j, c, keep(e) * alpha[e] * dy->at(i, c) + draw * source.at(0, c));
        add_to(out.dz, i, c, draw * target.at(0, c));
        add_to(out.dsource, 0, c, draw * z.at(j, c));
        add_to(out.dtarget, 0, c, draw * z.at(i, c));
      }
    }
  }
  return out;
}

}  // namespace laminar::testing
