#include "laminar/core/block.hpp"

#include <algorithm>
#include <cmath>
#include <list>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/dropout.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/rows.hpp"

namespace laminar::core {

struct Block::Data {
  explicit Data(Graph g) : graph(std::move(g)) {}
  Graph graph;
  Index begin = 0;
  Index num_rows = 0;
  Index own_begin = 0;
  std::vector<VertexId> vertices;
  std::vector<VertexId> file_ids;  // empty: the vertices themselves
  // From a graph vertex to its source row; empty = identity. -1 = not a source.
  std::vector<std::int32_t> source_of;

  struct Cached {
    AdjacencySpec spec;
    DType dtype;
    std::shared_ptr<const Adjacency> adjacency;
  };
  struct KeptSum {
    AdjacencySpec spec;
    // Held, so that its address stays its own.
    Tensor rows;
    Tensor sum;
  };
  std::mutex mutex;
  std::list<Cached> cache;
  std::list<KeptSum> sums;
  std::optional<double> mean_log_degree;
  std::map<DType, Tensor> edge_features;
};

namespace {

bool has_self_loop(const Graph& graph, Index v) {
  const auto first = graph.in_sources().begin() + graph.in_offsets()[v];
  const auto last = graph.in_sources().begin() + graph.in_offsets()[v + 1];
  return std::binary_search(first, last, static_cast<VertexId>(v));
}

/// Whether a self-loop of weight 1 is added.
bool gets_self_loop(const Graph& graph, const AdjacencySpec& spec, Index v) {
  return spec.self_loops && !has_self_loop(graph, v);
}

/// Whether in-edge e is one that `spec` asks for.
bool is_wanted(const Graph& graph, const AdjacencySpec& spec, EdgeId e) {
  const auto marks = graph.in_reversed();
  return marks.empty() || (marks[e] != 0) == (spec.direction == Direction::kReversed);
}

Index count_entries(const Graph& graph, const AdjacencySpec& spec, Index v) {
  if (graph.in_reversed().empty()) return graph.in_degree(static_cast<VertexId>(v));
  Index count = 0;
  for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) count += is_wanted(graph, spec, e) ? 1 : 0;
  return count;
}

/// D_v of Normalization, of a vertex whose row may not be there.
double degree(const Graph& graph, const AdjacencySpec& spec, Index v) {
  const RowSums* sums = graph.row_sums().get();
  const bool reversed = spec.direction == Direction::kReversed;
  const bool weighted = spec.weights && graph.weighted();
  double d = 0;
  if (sums != nullptr) {
    d = weighted ? (reversed ? sums->reversed_weights : sums->weights)[v]
                 : static_cast<double>((reversed ? sums->reversed_edges : sums->edges)[v]);
  } else if (weighted) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      if (is_wanted(graph, spec, e)) d += graph.in_weights()[e];
    }
  } else {
    d = static_cast<double>(count_entries(graph, spec, v));
  }
  // Added last, so that the sum of the weights is the one of RowSums.
  const bool has_loop = sums != nullptr ? sums->self_loops[v] != 0 : has_self_loop(graph, v);
  return spec.self_loops && !has_loop ? d + 1 : d;
}

/// In-edges in the whole graph, reversed ones too, of a vertex whose row may not be there.
Index whole_in_degree(const Graph& graph, Index v) {
  const RowSums* sums = graph.row_sums().get();
  if (sums == nullptr) return graph.in_degree(static_cast<VertexId>(v));
  return sums->edges[v] + (sums->reversed_edges.empty() ? 0 : sums->reversed_edges[v]);
}

/// The normalised value of an entry; `scale` holds 1/sqrt(D) or 1/D a vertex.
double entry_value(Normalization normalization, double weight, const std::vector<double>& scale, Index target,
                   Index source) {
  switch (normalization) {
    case Normalization::kNone:
      return weight;
    case Normalization::kSymmetric:
      return scale[source] * weight * scale[target];
    case Normalization::kRandomWalk:
      return weight * scale[target];
  }
  return weight;
}

std::vector<double> scales(const Graph& graph, const AdjacencySpec& spec) {
  std::vector<double> scale;
  if (spec.normalization == Normalization::kNone) return scale;
  scale.resize(static_cast<std::size_t>(graph.num_vertices()));
  parallel_for(graph.num_vertices(), 1024, [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      const double d = degree(graph, spec, v);
      if (d > 0) scale[v] = spec.normalization == Normalization::kSymmetric ? 1 / std::sqrt(d) : 1 / d;
    }
  });
  return scale;
}

}  // namespace

Block::Block(std::shared_ptr<Data> data) : data_(std::move(data)) {}

Block Block::whole(const Graph& graph, const std::vector<VertexId>& file_ids) {
  return chunk(graph, 0, graph.num_vertices(), SourceSpace::kTable, file_ids);
}

Block Block::chunk(const Graph& graph, Index begin, Index end, SourceSpace space,
                   const std::vector<VertexId>& file_ids) {
  const Index n = graph.num_vertices();
  if (begin < 0 || begin > end || end > n) {
    throw Error(fmt::format("[block] vertices {}..{} of a graph with {}", begin, end, n));
  }
  if (!file_ids.empty() && static_cast<Index>(file_ids.size()) != n) {
    throw Error(fmt::format("[block] {} file ids for {} vertices", file_ids.size(), n));
  }
  auto data = std::make_shared<Data>(graph);
  data->begin = begin;
  data->num_rows = end - begin;
  if (space == SourceSpace::kTable) {
    data->own_begin = begin;
    data->vertices.resize(static_cast<std::size_t>(n));
    std::iota(data->vertices.begin(), data->vertices.end(), VertexId{0});
    data->file_ids = file_ids;
    return Block(std::move(data));
  }
  data->source_of.assign(static_cast<std::size_t>(n), -1);
  for (Index v = begin; v < end; ++v) {
    data->source_of[v] = static_cast<std::int32_t>(v - begin);
    data->vertices.push_back(static_cast<VertexId>(v));
  }
  std::vector<VertexId> others(graph.in_sources().begin() + graph.in_offsets()[begin],
                               graph.in_sources().begin() + graph.in_offsets()[end]);
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  for (const VertexId v : others) {
    if (data->source_of[v] >= 0) continue;
    data->source_of[v] = static_cast<std::int32_t>(data->vertices.size());
    data->vertices.push_back(v);
  }
  if (!file_ids.empty()) {
    for (const VertexId v : data->vertices) data->file_ids.push_back(file_ids[v]);
  }
  return Block(std::move(data));
}

Index Block::num_rows() const { return data_->num_rows; }
Index Block::num_sources() const { return static_cast<Index>(data_->vertices.size()); }
Index Block::own_begin() const { return data_->own_begin; }
std::span<const VertexId> Block::source_vertices() const { return data_->vertices; }
std::span<const VertexId> Block::source_ids() const {
  return data_->file_ids.empty() ? std::span<const VertexId>(data_->vertices) : data_->file_ids;
}

std::shared_ptr<const Adjacency> Block::adjacency(const AdjacencySpec& spec, DType dtype) const {
  const auto find = [&]() -> std::shared_ptr<const Adjacency> {
    for (const auto& cached : data_->cache) {
      if (cached.spec == spec && cached.dtype == dtype) return cached.adjacency;
    }
    return nullptr;
  };
  {
    const std::lock_guard lock(data_->mutex);
    if (auto found = find()) return found;
  }
  // Made without the lock, as the loops inside run other tasks while they wait; of two made at once the first is kept.
  auto made = make_adjacency(spec, dtype);
  const std::lock_guard lock(data_->mutex);
  if (auto found = find()) return found;
  data_->cache.push_back({spec, dtype, made});
  return made;
}

template <class T>
void Block::order_by_id(Adjacency& a, T* values, EdgeId first, EdgeId last) const {
  const auto before = [&](std::int32_t x, std::int32_t y) { return data_->file_ids[x] < data_->file_ids[y]; };
  const auto begin = a.sources.begin() + first;
  if (std::is_sorted(begin, a.sources.begin() + last, before)) return;
  std::vector<std::pair<std::int32_t, T>> entries;
  for (EdgeId e = first; e < last; ++e) entries.emplace_back(a.sources[e], values != nullptr ? values[e] : T(1));
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const auto& x, const auto& y) { return before(x.first, y.first); });
  for (EdgeId e = first; e < last; ++e) {
    a.sources[e] = entries[static_cast<std::size_t>(e - first)].first;
    if (values != nullptr) values[e] = entries[static_cast<std::size_t>(e - first)].second;
  }
}

std::shared_ptr<const Adjacency> Block::make_adjacency(const AdjacencySpec& spec, DType dtype) const {
  const Graph& graph = data_->graph;
  if (spec.direction == Direction::kReversed && graph.in_reversed().empty() && graph.num_edges() > 0) {
    throw Error("[block] reversed edges are asked for, but the graph has none; a layer declares .reversed_edges");
  }
  const bool valued = spec.normalization != Normalization::kNone || (spec.weights && graph.weighted()) ||
                      spec.factor != 1 || (spec.own != 0 && spec.own != 1);
  const std::vector<double> scale = scales(graph, spec);
  auto made = std::make_shared<Adjacency>();
  made->num_rows = num_rows();
  made->num_sources = num_sources();
  made->offsets.assign(static_cast<std::size_t>(num_rows()) + 1, 0);
  for (Index r = 0; r < num_rows(); ++r) {
    const Index v = data_->begin + r;
    const Index added = (gets_self_loop(graph, spec, v) ? 1 : 0) + (spec.own != 0 ? 1 : 0);
    made->offsets[r + 1] = made->offsets[r] + count_entries(graph, spec, v) + added;
  }
  made->sources.resize(static_cast<std::size_t>(made->offsets.back()));
  if (valued) made->values = Tensor(made->num_entries(), 1, dtype);
  dispatch(dtype, [&]<class T>(T) {
    T* values = valued ? made->values.data<T>() : nullptr;
    parallel_for_rows(made->offsets, 0, num_rows(), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const Index v = data_->begin + r;
        EdgeId at = made->offsets[r];
        const auto put = [&](Index source, double value) {
          made->sources[at] = data_->source_of.empty() ? static_cast<std::int32_t>(source) : data_->source_of[source];
          if (values != nullptr) values[at] = static_cast<T>(value);
          ++at;
        };
        const auto put_edge = [&](Index source, double weight) {
          put(source, spec.factor * entry_value(spec.normalization, weight, scale, v, source));
        };
        for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
          if (!is_wanted(graph, spec, e)) continue;
          put_edge(graph.in_sources()[e], spec.weights && graph.weighted() ? graph.in_weights()[e] : 1.0);
        }
        if (!data_->file_ids.empty()) order_by_id(*made, values, made->offsets[r], at);
        if (gets_self_loop(graph, spec, v)) put_edge(v, 1.0);
        if (spec.own != 0) put(v, spec.own);
      }
    });
    made->transposed = transpose_csr(num_sources(), made->offsets, made->sources);
    if (valued) {
      made->transposed_values = Tensor(made->num_entries(), 1, dtype);
      T* out = made->transposed_values.data<T>();
      parallel_for(made->num_entries(), 1 << 14, [&](Index begin, Index end) {
        for (Index e = begin; e < end; ++e) out[e] = values[made->transposed.positions[e]];
      });
    }
  });
  return made;
}

Tensor Block::kept_sum(const AdjacencySpec& spec, const Tensor& rows, const std::function<Tensor()>& make) const {
  const std::scoped_lock lock(data_->mutex);
  for (const Data::KeptSum& kept : data_->sums) {
    if (kept.spec == spec && kept.rows.raw() == rows.raw() && kept.rows.rows() == rows.rows() &&
        kept.rows.cols() == rows.cols() && kept.rows.dtype() == rows.dtype()) {
      return kept.sum;
    }
  }
  data_->sums.push_back({spec, rows, make()});
  return data_->sums.back().sum;
}

double Block::mean_log_degree() const {
  {
    const std::lock_guard lock(data_->mutex);
    if (data_->mean_log_degree) return *data_->mean_log_degree;
  }
  // By degree, ascending, so that the sum does not depend on how vertices are numbered.
  const Graph& graph = data_->graph;
  std::map<Index, Index> vertices_of;
  for (Index v = 0; v < graph.num_vertices(); ++v) ++vertices_of[whole_in_degree(graph, v)];
  double sum = 0;
  for (const auto& [d, count] : vertices_of) sum += static_cast<double>(count) * std::log(static_cast<double>(d) + 1);
  const double mean = sum / static_cast<double>(std::max<Index>(graph.num_vertices(), 1));
  const std::lock_guard lock(data_->mutex);
  data_->mean_log_degree = mean;
  return mean;
}

Tensor Block::edge_features(DType dtype) const {
  {
    const std::lock_guard lock(data_->mutex);
    if (const auto found = data_->edge_features.find(dtype); found != data_->edge_features.end()) return found->second;
  }
  const Graph& graph = data_->graph;
  const auto& features = graph.edge_features();
  if (features == nullptr) throw Error("[block] the graph has no edge features");
  // A row's entries stand in the order of their sources' ids in the file, parallel ones in the file's order: just as
  // the file's row does.
  const auto adjacency = this->adjacency({Normalization::kNone, false, false}, dtype);
  const Index width = features->values.cols();
  const auto file_rows = static_cast<Index>(features->offsets.size()) - 1;
  Tensor rows(adjacency->num_entries(), width, dtype);
  const auto* in = features->values.data<float>();
  for (Index r = 0; r < num_rows(); ++r) {
    const VertexId v = own_ids()[static_cast<std::size_t>(r)];
    const EdgeId count = adjacency->offsets[r + 1] - adjacency->offsets[r];
    if (v >= file_rows || features->offsets[v + 1] - features->offsets[v] != count) {
      throw Error(
          fmt::format("[block] the edge features are of another graph: vertex {} has {} in-edges here", v, count));
    }
  }
  dispatch(dtype, [&]<class T>(T) {
    T* out = rows.data<T>();
    parallel_for(num_rows(), row_grain(width), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const EdgeId from = features->offsets[own_ids()[static_cast<std::size_t>(r)]] * width;
        const EdgeId first = adjacency->offsets[r] * width;
        const EdgeId last = adjacency->offsets[r + 1] * width;
        for (EdgeId i = first; i < last; ++i) out[i] = static_cast<T>(in[from + i - first]);
      }
    });
  });
  const std::lock_guard lock(data_->mutex);
  return data_->edge_features.try_emplace(dtype, std::move(rows)).first->second;
}

std::span<const EdgeId> Adjacency::places_in_transpose() const {
  std::call_once(places_made_, [this] {
    places_.resize(sources.size());
    // By one thread: in a parallel loop it could take up another task, which would wait here for ever.
    for (EdgeId t = 0; t < num_entries(); ++t) places_[static_cast<std::size_t>(transposed.positions[t])] = t;
  });
  return places_;
}

void Block::check_num_sources(Index rows) const {
  if (rows != num_sources()) {
    throw Error(fmt::format("[sources] the exchange gave {} rows for a block with {} sources", rows, num_sources()));
  }
}

Var apply(Tape& tape, Var rows, const SourceTransform& transform, std::span<const VertexId> ids) {
  for (const SourceTransform::Step& step : transform.steps()) {
    rows =
        step.projection != nullptr ? linear(tape, rows, *step.projection) : dropout(tape, rows, step.dropout_rate, ids);
  }
  return rows;
}

Sources Block::sources(Tape& tape, Var own, const SourceTransform& transform) const {
  if (tape.rows(own) != num_rows()) {
    throw Error(fmt::format("[sources] {} rows were given for a block of {}", tape.rows(own), num_rows()));
  }
  SourceExchange* exchange = tape.context().exchange;
  if (exchange == nullptr && !is_whole()) {
    throw Error("[sources] this block has sources beyond its own rows, so the tape needs an exchange that brings them");
  }
  Var rows;
  if (exchange != nullptr && exchange->transforms() && !tape.is_constant(own)) {
    const std::uint64_t first_random_op = tape.random_ops();
    const Var transformed = apply(tape, own, transform, own_ids());
    rows = tape.record_sources(
        transformed,
        exchange->transformed_sources(*this, {tape.value(own), tape.value(transformed), transform, first_random_op}));
    check_num_sources(tape.rows(rows));
    return {rows, transformed};
  }
  if (tape.is_sparse(own)) {
    const SparseMatrix& x = tape.sparse(own);
    rows = tape.record_sources(exchange == nullptr ? x : exchange->sources(*this, x));
  } else {
    // An exchange deals in the tape's dtype, but for constants, which are features.
    const bool constant = tape.is_constant(own);
    const Tensor& x = exchange == nullptr || constant ? tape.kept(own) : tape.value(own);
    rows = tape.record_sources(own, exchange == nullptr ? x : exchange->sources(*this, x, constant));
  }
  check_num_sources(tape.rows(rows));
  rows = apply(tape, rows, transform, source_ids());
  return {rows, is_whole() ? rows : slice_rows(tape, rows, own_begin(), own_begin() + num_rows())};
}

}  // namespace laminar::core
