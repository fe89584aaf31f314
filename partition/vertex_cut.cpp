/// DBH (Xie, Yan, Li and Zhang, "Distributed power-law graph computing: theoretical and empirical analysis", NIPS 2014,
/// algorithm 1) and HDRF (Petroni, Querzoni, Daudjee, Kamali and Iacoboni, "HDRF: stream-based partitioning for
/// power-law graphs", CIKM 2015, equations 5 to 8; degrees are those seen so far). Edges come row after row.
#include "laminar/partition/vertex_cut.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/neighbours.hpp"
#include "laminar/core/random.hpp"

namespace laminar::partition {
namespace {

/// Which parts have a copy of which vertex.
class Copies {
 public:
  Copies(Index vertices, Index parts)
      : words_((parts + 63) / 64), bits_(static_cast<std::size_t>(vertices * words_), 0) {}
  void add(Index v, Index part) { bits_[v * words_ + part / 64] |= std::uint64_t{1} << (part % 64); }
  bool has(Index v, Index part) const { return (bits_[v * words_ + part / 64] >> (part % 64) & 1) != 0; }

 private:
  Index words_;
  std::vector<std::uint64_t> bits_;
};

/// One pass of HDRF: what it remembers of the edges that came by.
class Hdrf {
 public:
  Hdrf(Index vertices, Index parts, EdgeId limit)
      : copies_(vertices, parts),
        degrees_(static_cast<std::size_t>(vertices), 0),
        loads_(static_cast<std::size_t>(parts), 0),
        limit_(limit) {}

  std::int32_t place(Index u, Index v) {
    ++degrees_[u];
    ++degrees_[v];
    const auto [smallest, largest] = std::minmax_element(loads_.begin(), loads_.end());
    const auto most = static_cast<double>(*largest);
    const double spread = 1 + most - static_cast<double>(*smallest);
    const double share = static_cast<double>(degrees_[u]) / static_cast<double>(degrees_[u] + degrees_[v]);
    double best_score = -1;
    std::int32_t best = 0;
    for (std::int32_t p = 0; p < static_cast<std::int32_t>(loads_.size()); ++p) {
      if (loads_[p] >= limit_) continue;
      double score = (most - static_cast<double>(loads_[p])) / spread;
      if (copies_.has(u, p)) score += 2 - share;
      if (copies_.has(v, p)) score += 1 + share;
      if (score > best_score) {
        best_score = score;
        best = p;
      }
    }
    copies_.add(u, best);
    copies_.add(v, best);
    ++loads_[best];
    return best;
  }

 private:
  Copies copies_;
  std::vector<EdgeId> degrees_;
  std::vector<EdgeId> loads_;
  EdgeId limit_;
};

/// Calls visit(u, v) for each pair of different vertices with an edge between them, once; u > v.
template <class Visit>
void for_each_pair(const core::Graph& graph, Visit&& visit) {
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    core::for_each_neighbour(graph, v, false, [&](VertexId u, double) {
      if (u > v) visit(static_cast<Index>(u), v);
    });
  }
}

}  // namespace

std::string_view name_of(VertexCutStrategy strategy) { return strategy == VertexCutStrategy::kDbh ? "dbh" : "hdrf"; }

VertexCut cut_vertices(const core::Graph& graph, VertexCutStrategy strategy, Index parts, std::uint64_t seed,
                       double imbalance) {
  if (parts < 1) throw UsageError(fmt::format("--parts is {}, expected at least 1", parts));
  if (!(imbalance >= 0)) throw UsageError(fmt::format("--imbalance is {}, expected at least 0", imbalance));
  const Index n = graph.num_vertices();
  VertexCut result{parts, std::vector<EdgeId>(static_cast<std::size_t>(parts), 0),
                   std::vector<Index>(static_cast<std::size_t>(parts), 0)};
  Copies copies(n, parts);
  const auto assign = [&](Index u, Index v, std::int32_t part) {
    ++result.edges[part];
    for (const Index end : {u, v}) {
      if (!copies.has(end, part)) ++result.vertices[part];
      copies.add(end, part);
    }
  };
  if (strategy == VertexCutStrategy::kDbh) {
    const core::RandomKey key = core::random_key(seed, "degree-based hashing");
    std::vector<Index> degrees(static_cast<std::size_t>(n), 0);
    for_each_pair(graph, [&](Index u, Index v) {
      ++degrees[u];
      ++degrees[v];
    });
    for_each_pair(graph, [&](Index u, Index v) {
      const Index low = degrees[u] < degrees[v] ? u : v;
      assign(u, v, static_cast<std::int32_t>(core::random_below(key, static_cast<std::uint64_t>(low), parts)));
    });
  } else {
    EdgeId pairs = 0;
    for_each_pair(graph, [&](Index, Index) { ++pairs; });
    const double share = static_cast<double>(pairs) / static_cast<double>(parts);
    Hdrf hdrf(n, parts, static_cast<EdgeId>(std::ceil((1 + imbalance) * share)));
    for_each_pair(graph, [&](Index u, Index v) { assign(u, v, hdrf.place(u, v)); });
  }

  Index present = 0;
  for (Index v = 0; v < n; ++v) {
    bool any = false;
    for (Index p = 0; p < parts && !any; ++p) any = copies.has(v, p);
    present += any ? 1 : 0;
  }
  const Index total_copies = std::accumulate(result.vertices.begin(), result.vertices.end(), Index{0});
  const EdgeId total = std::accumulate(result.edges.begin(), result.edges.end(), EdgeId{0});
  if (present > 0) {
    result.replication_factor = static_cast<double>(total_copies) / static_cast<double>(present);
    const EdgeId largest = *std::max_element(result.edges.begin(), result.edges.end());
    result.edge_balance = static_cast<double>(largest * parts) / static_cast<double>(total);
  }
  return result;
}

}  // namespace laminar::partition
