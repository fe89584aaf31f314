#include "laminar/core/part_graph.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::core {

namespace {

/// Takes in the rows of a graph one after the other.
class PartReader {
 public:
  PartReader(const DatasetSchema& schema, std::span<const std::int32_t> part_of, Index num_parts, Index part,
             const PartContents& contents)
      : directed_(schema.directed),
        weighted_(schema.weighted),
        part_of_(part_of),
        num_parts_(num_parts),
        part_(static_cast<std::int32_t>(part)),
        contents_(contents) {
    const std::size_t n = part_of.size();
    offsets_.reserve(n + 1);
    offsets_.push_back(0);
    on_border_.resize(n);
    reads_own_.resize(n);
    sums_.edges.resize(n);
    sums_.self_loops.resize(n);
    if (weighted_) sums_.weights.resize(n);
    if (contents.reversed_edges) sums_.reversed_edges.resize(n);
    if (contents.reversed_edges && weighted_) sums_.reversed_weights.resize(n);
    place_.assign(n, -1);
    for (std::size_t v = 0; v < n; ++v) {
      if (part_of[v] == part_) place_[v] = num_own_++;
    }
    readers_.resize(static_cast<std::size_t>(num_own_) * static_cast<std::size_t>(num_parts));
  }

  void add(const GraphRows& rows) {
    if (rows.begin == 0) reserve(rows);
    for (Index v = rows.begin; v < rows.end; ++v) {
      const EdgeId first = rows.offsets[v] - rows.offsets[rows.begin];
      const EdgeId last = rows.offsets[v + 1] - rows.offsets[rows.begin];
      see(v, rows.sources.subspan(first, last - first),
          weighted_ ? rows.weights.subspan(first, last - first) : std::span<const double>());
      if (place_[v] >= 0) keep(rows, first, last);
      offsets_.push_back(static_cast<EdgeId>(sources_.size()));
    }
  }

  PartGraph finish() {
    std::shared_ptr<const EdgeFeatures> features;
    if (contents_.edge_features) {
      features = std::make_shared<const EdgeFeatures>(EdgeFeatures{offsets_, std::move(features_)});
    }
    std::vector<std::uint8_t> marks;
    if (contents_.reversed_edges) marks = put_reversed();
    const auto n = static_cast<Index>(part_of_.size());
    Graph graph = Graph::from_in_csr(n, std::move(offsets_), std::move(sources_), std::move(weights_), directed_,
                                     std::move(marks))
                      .with_row_sums(std::make_shared<const RowSums>(std::move(sums_)))
                      .with_edge_features(std::move(features));
    const auto num_readers = static_cast<Index>(std::count(reads_own_.begin(), reads_own_.end(), true));
    return {std::move(graph), part_, num_parts_, std::move(on_border_), std::move(readers_), num_readers};
  }

 private:
  void reserve(const GraphRows& rows) {
    EdgeId own = 0;
    for (std::size_t v = 0; v < place_.size(); ++v) {
      if (place_[v] >= 0) own += rows.offsets[v + 1] - rows.offsets[v];
    }
    sources_.reserve(static_cast<std::size_t>(own));
    if (weighted_) weights_.reserve(static_cast<std::size_t>(own));
    if (contents_.edge_features) features_ = Tensor(own, rows.edge_features.cols(), DType::kFloat32);
  }

  void set_reader(VertexId own, std::int32_t part) {
    readers_[static_cast<std::size_t>(place_[own]) * static_cast<std::size_t>(num_parts_) +
             static_cast<std::size_t>(part)] = true;
  }

  /// What any row tells.
  void see(Index v, std::span<const VertexId> sources, std::span<const double> weights) {
    const std::int32_t reader = part_of_[v];
    sums_.edges[v] = static_cast<EdgeId>(sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const VertexId u = sources[i];
      const std::int32_t source = part_of_[u];
      if (u == v) sums_.self_loops[v] = 1;
      if (weighted_) sums_.weights[v] += weights[i];
      if (source != reader) {
        on_border_[v] = on_border_[u] = 1;
        if (source == part_) {
          set_reader(u, reader);
          reads_own_[v] = true;
        } else if (reader == part_ && contents_.reversed_edges) {
          set_reader(static_cast<VertexId>(v), source);
          reads_own_[u] = true;
        }
      }
      if (!contents_.reversed_edges) continue;
      ++sums_.reversed_edges[u];
      if (weighted_) sums_.reversed_weights[u] += weights[i];
      if (source == part_) out_.push_back({place_[u], static_cast<VertexId>(v), weighted_ ? weights[i] : 1});
    }
  }

  /// An own row, edges [first, last) of `rows`.
  void keep(const GraphRows& rows, EdgeId first, EdgeId last) {
    if (contents_.edge_features) {
      const Index width = features_.cols();
      std::copy_n(rows.edge_features.data<float>() + first * width, (last - first) * width,
                  features_.data<float>() + static_cast<Index>(sources_.size()) * width);
    }
    const auto from = rows.sources.subspan(first, last - first);
    sources_.insert(sources_.end(), from.begin(), from.end());
    if (!weighted_) return;
    const auto weights = rows.weights.subspan(first, last - first);
    weights_.insert(weights_.end(), weights.begin(), weights.end());
  }

  /// Puts the own vertices' out-edges, in the order of their targets, behind their in-edges; returns the marks.
  std::vector<std::uint8_t> put_reversed() {
    std::stable_sort(out_.begin(), out_.end(), [](const Out& a, const Out& b) { return a.place < b.place; });
    std::vector<EdgeId> offsets{0};
    std::vector<VertexId> sources;
    std::vector<double> weights;
    std::vector<std::uint8_t> marks;
    sources.reserve(sources_.size() + out_.size());
    marks.reserve(sources_.size() + out_.size());
    offsets.reserve(offsets_.size());
    auto next = out_.begin();
    for (std::size_t v = 0; v < place_.size(); ++v) {
      const auto put = [&](VertexId other, double weight, bool reversed) {
        sources.push_back(other);
        if (weighted_) weights.push_back(weight);
        marks.push_back(reversed ? 1 : 0);
      };
      for (EdgeId e = offsets_[v]; e < offsets_[v + 1]; ++e) put(sources_[e], weighted_ ? weights_[e] : 1, false);
      for (; next != out_.end() && place_[v] == next->place; ++next) put(next->target, next->weight, true);
      offsets.push_back(static_cast<EdgeId>(sources.size()));
    }
    offsets_ = std::move(offsets);
    sources_ = std::move(sources);
    weights_ = std::move(weights);
    out_ = {};
    return marks;
  }

  /// An out-edge of an own vertex.
  struct Out {
    std::int32_t place;
    VertexId target;
    double weight;
  };

  bool directed_;
  bool weighted_;
  std::span<const std::int32_t> part_of_;
  Index num_parts_;
  std::int32_t part_;
  PartContents contents_;
  /// Of each vertex among the own ones, ascending; -1 of others.
  std::vector<std::int32_t> place_;
  std::int32_t num_own_ = 0;
  std::vector<EdgeId> offsets_;
  std::vector<VertexId> sources_;
  std::vector<double> weights_;
  Tensor features_;
  std::vector<Out> out_;
  RowSums sums_;
  std::vector<std::uint8_t> on_border_;
  std::vector<bool> readers_;
  std::vector<bool> reads_own_;
};

}  // namespace

PartGraph read_part(const Dataset& data, std::span<const std::int32_t> part_of, Index num_parts, Index part,
                    const PartContents& contents) {
  const DatasetSchema& schema = data.schema();
  if (static_cast<Index>(part_of.size()) != schema.num_vertices) {
    throw Error(
        fmt::format("[part graph] parts of {} vertices for a graph of {}", part_of.size(), schema.num_vertices));
  }
  if (part < 0 || part >= num_parts) throw Error(fmt::format("[part graph] part {} of {}", part, num_parts));
  for (const std::int32_t p : part_of) {
    if (p < 0 || p >= num_parts) throw Error(fmt::format("[part graph] a vertex of part {} of {}", p, num_parts));
  }
  if (contents.reversed_edges && contents.edge_features) {
    throw Error("[part graph] edges that are reversed have no features of their own, but both are asked for");
  }
  PartReader reader(schema, part_of, num_parts, part, contents);
  data.visit_rows({schema.weighted, contents.edge_features}, [&](const GraphRows& rows) { reader.add(rows); });
  return reader.finish();
}

}  // namespace laminar::core
