#include "laminar/core/graph.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/csr.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/hash.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::core {

struct Graph::Arrays {
  std::vector<EdgeId> in_offsets;
  std::vector<VertexId> in_sources;
  std::vector<double> in_weights;
  std::vector<std::uint8_t> in_reversed;
  bool directed = false;

  /// Half of a graph's memory, which most of what is done with graphs never asks for.
  const CsrTranspose& out() const {
    if (const CsrTranspose* made = out_made.load(std::memory_order_acquire)) return *made;
    // Made without the lock, as the loops inside run other tasks while they wait; of two made at once the first is
    // kept.
    auto made = std::make_unique<const CsrTranspose>(
        transpose_csr(static_cast<Index>(in_offsets.size()) - 1, in_offsets, in_sources));
    const std::lock_guard lock(mutex);
    if (out_kept == nullptr) {
      out_kept = std::move(made);
      out_made.store(out_kept.get(), std::memory_order_release);
    }
    return *out_kept;
  }
  std::size_t out_bytes() const {
    const CsrTranspose* made = out_made.load(std::memory_order_acquire);
    if (made == nullptr) return 0;
    return made->offsets.size() * sizeof(EdgeId) + made->rows.size() * (sizeof(VertexId) + sizeof(EdgeId));
  }

 private:
  mutable std::mutex mutex;
  mutable std::unique_ptr<const CsrTranspose> out_kept;
  mutable std::atomic<const CsrTranspose*> out_made = nullptr;
};

namespace {

void check_size(Index num_vertices) {
  if (num_vertices < 0 || num_vertices > std::numeric_limits<VertexId>::max()) {
    throw Error(
        fmt::format("[graph] {} vertices; a graph holds 0 to {}", num_vertices, std::numeric_limits<VertexId>::max()));
  }
}

/// Sorts each row by source where needed; stable, so parallel edges keep their order.
void sort_rows(std::span<const EdgeId> offsets, std::vector<VertexId>& sources, std::vector<double>& weights,
               std::vector<std::uint8_t>& reversed) {
  struct Entry {
    VertexId source;
    std::uint8_t reversed;
    double weight;
  };
  const auto n = static_cast<Index>(offsets.size()) - 1;
  parallel_for_rows(offsets, 0, n, [&](Index begin, Index end) {
    std::vector<Entry> row;
    for (Index v = begin; v < end; ++v) {
      const auto first = sources.begin() + offsets[v];
      const auto last = sources.begin() + offsets[v + 1];
      if (std::is_sorted(first, last)) continue;
      if (weights.empty() && reversed.empty()) {
        std::sort(first, last);
        continue;
      }
      row.clear();
      for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) {
        row.push_back({sources[e], reversed.empty() ? std::uint8_t{0} : reversed[e], weights.empty() ? 1 : weights[e]});
      }
      std::stable_sort(row.begin(), row.end(), [](const Entry& a, const Entry& b) { return a.source < b.source; });
      for (std::size_t i = 0; i < row.size(); ++i) {
        sources[offsets[v] + i] = row[i].source;
        if (!weights.empty()) weights[offsets[v] + i] = row[i].weight;
        if (!reversed.empty()) reversed[offsets[v] + i] = row[i].reversed;
      }
    }
  });
}

}  // namespace

Graph::Graph(std::shared_ptr<const Arrays> arrays) : arrays_(std::move(arrays)) {}

Graph Graph::from_in_csr(Index num_vertices, std::vector<EdgeId> offsets, std::vector<VertexId> sources,
                         std::vector<double> weights, bool directed, std::vector<std::uint8_t> reversed) {
  check_size(num_vertices);
  check_csr("graph", num_vertices, num_vertices, offsets, sources);
  if (!weights.empty() && weights.size() != sources.size()) {
    throw Error(fmt::format("[graph] {} weights for {} edges", weights.size(), sources.size()));
  }
  if (!reversed.empty() && reversed.size() != sources.size()) {
    throw Error(fmt::format("[graph] {} marks for {} edges", reversed.size(), sources.size()));
  }
  const auto count = static_cast<Index>(weights.size());
  if (const Index bad = first_where(count, [&](Index e) { return !std::isfinite(weights[e]); }); bad < count) {
    throw Error(fmt::format("[graph] the weight of edge {} is {}; weights must be finite", bad, weights[bad]));
  }
  sort_rows(offsets, sources, weights, reversed);
  auto arrays = std::make_shared<Arrays>();
  arrays->in_offsets = std::move(offsets);
  arrays->in_sources = std::move(sources);
  arrays->in_weights = std::move(weights);
  arrays->in_reversed = std::move(reversed);
  arrays->directed = directed;
  return Graph(std::move(arrays));
}

Graph Graph::from_edges(Index num_vertices, std::span<const VertexId> sources, std::span<const VertexId> targets,
                        std::span<const double> weights, bool directed) {
  check_size(num_vertices);
  if (sources.size() != targets.size() || (!weights.empty() && weights.size() != sources.size())) {
    throw Error(fmt::format("[graph] {} sources, {} targets and {} weights; they must be as many", sources.size(),
                            targets.size(), weights.size()));
  }
  for (std::size_t e = 0; e < sources.size(); ++e) {
    if (sources[e] < 0 || sources[e] >= num_vertices || targets[e] < 0 || targets[e] >= num_vertices) {
      throw Error(fmt::format("[graph] edge {} is {} -> {}, but vertices are 0..{}", e, sources[e], targets[e],
                              num_vertices - 1));
    }
  }
  std::vector<EdgeId> offsets(static_cast<std::size_t>(num_vertices) + 1);
  for (const VertexId t : targets) ++offsets[t + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  std::vector<EdgeId> next(offsets.begin(), offsets.end() - 1);
  std::vector<VertexId> in_sources(sources.size());
  std::vector<double> in_weights(weights.size());
  for (std::size_t e = 0; e < sources.size(); ++e) {
    const EdgeId at = next[targets[e]]++;
    in_sources[at] = sources[e];
    if (!weights.empty()) in_weights[at] = weights[e];
  }
  return from_in_csr(num_vertices, std::move(offsets), std::move(in_sources), std::move(in_weights), directed);
}

Index Graph::num_vertices() const { return static_cast<Index>(arrays_->in_offsets.size()) - 1; }
EdgeId Graph::num_edges() const { return static_cast<EdgeId>(arrays_->in_sources.size()); }
bool Graph::directed() const { return arrays_->directed; }
bool Graph::weighted() const { return !arrays_->in_weights.empty(); }
std::span<const EdgeId> Graph::in_offsets() const { return arrays_->in_offsets; }
std::span<const VertexId> Graph::in_sources() const { return arrays_->in_sources; }
std::span<const double> Graph::in_weights() const { return arrays_->in_weights; }
std::span<const std::uint8_t> Graph::in_reversed() const { return arrays_->in_reversed; }
std::span<const EdgeId> Graph::out_offsets() const { return arrays_->out().offsets; }
std::span<const VertexId> Graph::out_targets() const { return arrays_->out().rows; }
std::span<const EdgeId> Graph::out_edges() const { return arrays_->out().positions; }

Graph Graph::with_reversed_edges() const {
  if (!in_reversed().empty()) throw Error("[graph] the edges have been reversed already");
  const Index n = num_vertices();
  std::vector<EdgeId> offsets(static_cast<std::size_t>(n) + 1, 0);
  std::vector<VertexId> sources;
  std::vector<double> weights;
  std::vector<std::uint8_t> reversed;
  sources.reserve(2 * static_cast<std::size_t>(num_edges()));
  reversed.reserve(sources.capacity());
  for (Index v = 0; v < n; ++v) {
    const auto put = [&](VertexId other, EdgeId edge, bool is_reversed) {
      sources.push_back(other);
      reversed.push_back(is_reversed ? 1 : 0);
      if (weighted()) weights.push_back(in_weights()[edge]);
    };
    for (EdgeId e = in_offsets()[v]; e < in_offsets()[v + 1]; ++e) put(in_sources()[e], e, false);
    for (EdgeId e = out_offsets()[v]; e < out_offsets()[v + 1]; ++e) put(out_targets()[e], out_edges()[e], true);
    offsets[v + 1] = static_cast<EdgeId>(sources.size());
  }
  return from_in_csr(n, std::move(offsets), std::move(sources), std::move(weights), directed(), std::move(reversed));
}

Graph Graph::with_edge_features(Tensor values) const {
  if (values.rows() != num_edges() || values.cols() < 1 || values.dtype() != DType::kFloat32) {
    throw Error(fmt::format("[graph] edge features {} [{}, {}] for {} edges, expected f32 with a row each",
                            name_of(values.dtype()), values.rows(), values.cols(), num_edges()));
  }
  return with_edge_features(std::make_shared<const EdgeFeatures>(
      EdgeFeatures{{in_offsets().begin(), in_offsets().end()}, std::move(values)}));
}

Graph Graph::with_edge_features(std::shared_ptr<const EdgeFeatures> features) const {
  Graph graph(*this);
  graph.edge_features_ = std::move(features);
  return graph;
}

Graph Graph::with_row_sums(std::shared_ptr<const RowSums> sums) const {
  Graph graph(*this);
  graph.row_sums_ = std::move(sums);
  return graph;
}

std::size_t RowSums::bytes() const {
  return (edges.size() + reversed_edges.size()) * sizeof(EdgeId) +
         (weights.size() + reversed_weights.size()) * sizeof(double) + self_loops.size();
}

std::size_t Graph::bytes() const {
  const Arrays& a = *arrays_;
  return a.in_offsets.size() * sizeof(EdgeId) + a.in_sources.size() * sizeof(VertexId) +
         a.in_weights.size() * sizeof(double) + a.in_reversed.size() + a.out_bytes() +
         (row_sums_ == nullptr ? 0 : row_sums_->bytes());
}

RowSums row_sums_of(const Graph& graph) {
  const auto n = static_cast<std::size_t>(graph.num_vertices());
  const bool weighted = graph.weighted();
  const auto marks = graph.in_reversed();
  RowSums sums;
  sums.edges.resize(n);
  sums.self_loops.resize(n);
  if (weighted) sums.weights.resize(n);
  if (!marks.empty()) sums.reversed_edges.resize(n);
  if (!marks.empty() && weighted) sums.reversed_weights.resize(n);
  parallel_for_rows(graph.in_offsets(), 0, graph.num_vertices(), [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
        const bool reversed = !marks.empty() && marks[e] != 0;
        ++(reversed ? sums.reversed_edges : sums.edges)[v];
        if (weighted) (reversed ? sums.reversed_weights : sums.weights)[v] += graph.in_weights()[e];
        if (graph.in_sources()[e] == v) sums.self_loops[v] = 1;
      }
    }
  });
  return sums;
}

std::uint64_t Graph::fingerprint() const {
  Fnv1a hash;
  hash.add(static_cast<std::uint64_t>(num_vertices()));
  hash.add(std::uint64_t{arrays_->directed ? 1U : 0U});
  for (const EdgeId o : arrays_->in_offsets) hash.add(static_cast<std::uint64_t>(o));
  for (const VertexId s : arrays_->in_sources) hash.add(static_cast<std::uint64_t>(s));
  for (const double w : arrays_->in_weights) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &w, sizeof bits);
    hash.add(bits);
  }
  return hash.value();
}

}  // namespace laminar::core
