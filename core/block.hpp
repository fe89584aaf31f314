#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "laminar/core/csr.hpp"
#include "laminar/core/graph.hpp"
#include "laminar/core/source_transform.hpp"
#include "laminar/core/tape.hpp"
#include "laminar/core/tensor.hpp"

namespace laminar::core {

/// How edges are weighted. With w_ij the weight of edge j -> i and D_i = sum_j w_ij over the in-edges of i in the
/// *whole* graph (self-loops included if asked for):
enum class Normalization : std::uint8_t {
  kNone,        ///< a_ij = w_ij
  kSymmetric,   ///< a_ij = w_ij / sqrt(D_i D_j); Kipf and Welling 2017. 0 where D <= 0.
  kRandomWalk,  ///< a_ij = w_ij / D_i: a weighted mean. 0 where D <= 0.
};

/// Which edges: those of the graph, or those that Graph::with_reversed_edges() put beside them.
enum class Direction : std::uint8_t { kForward, kReversed };

/// Which matrix a layer aggregates with.
struct AdjacencySpec {
  Normalization normalization = Normalization::kNone;
  /// Every vertex that has no self-loop gets one of weight 1, as its row's last entry.
  bool self_loops = false;
  /// Use the graph's edge weights; otherwise w_ij = 1.
  bool weights = true;
  Direction direction = Direction::kForward;
  /// All edges' entries times it.
  double factor = 1;
  /// What a vertex counts in its own row besides: if that is not 0, one more entry, the row's last.
  double own = 0;
  bool operator==(const AdjacencySpec&) const = default;
};

inline AdjacencySpec operator*(double factor, AdjacencySpec matrix) {
  matrix.factor *= factor;
  matrix.own *= factor;
  return matrix;
}

/// The matrix A [rows, sources] of a block, with its transpose, so that forward and backward are both gathers. A row's
/// entries stand in the order of their sources' ids in the file, what was added for the vertex itself last.
struct Adjacency {
  Index num_rows = 0;
  Index num_sources = 0;
  std::vector<EdgeId> offsets;
  std::vector<std::int32_t> sources;
  /// [entries, 1]; empty if all entries are 1.
  Tensor values;
  CsrTranspose transposed;
  /// values in the transpose's order; empty likewise.
  Tensor transposed_values;

  EdgeId num_entries() const { return static_cast<EdgeId>(sources.size()); }
  /// Each entry's place in the transpose, the inverse of transposed.positions; made when first asked for. Thread-safe.
  std::span<const EdgeId> places_in_transpose() const;

 private:
  mutable std::once_flag places_made_;
  mutable std::vector<EdgeId> places_;
};

/// The rows a layer aggregates from, transformed, and the block's own rows among them.
struct Sources {
  /// [num_sources, d]
  Var rows;
  /// [num_rows, d]
  Var own;
};

/// Records `rows` [n, d] passed through the steps of `transform`, in order; `ids` [n] = ids in the file, which masks
/// are keyed by and which must outlive the tape.
Var apply(Tape& tape, Var rows, const SourceTransform& transform, std::span<const VertexId> ids);

/// Which rows a chunk's sources are numbered in.
enum class SourceSpace : std::uint8_t {
  kCompact,  ///< the own rows, then each other source once
  kTable,    ///< all vertices of the graph: sources are read in place from a table
};

/// What a layer sees: a bipartite message-passing structure, own (destination) rows <- source rows, the own rows being
/// sources [own_begin, own_begin + num_rows). Copying shares everything. Thread-safe.
class Block {
 public:
  /// All vertices; sources = rows. `file_ids[v]` = the id in the file of vertex v; empty = v itself.
  static Block whole(const Graph& graph, const std::vector<VertexId>& file_ids = {});
  /// Vertices [begin, end) and their in-neighbours. Throws Error if out of range.
  static Block chunk(const Graph& graph, Index begin, Index end, SourceSpace space,
                     const std::vector<VertexId>& file_ids = {});

  Index num_rows() const;
  Index num_sources() const;
  Index own_begin() const;
  bool is_whole() const { return num_rows() == num_sources(); }
  /// Each source row's vertex in the graph, and its id in the file, which random numbers are keyed by.
  std::span<const VertexId> source_vertices() const;
  std::span<const VertexId> source_ids() const;
  /// Ids in the file of the own rows.
  std::span<const VertexId> own_ids() const { return source_ids().subspan(own_begin(), num_rows()); }

  /// The block's matrix; made once a (spec, dtype) and kept.
  std::shared_ptr<const Adjacency> adjacency(const AdjacencySpec& spec, DType dtype) const;

  /// What `make` gives for the permanent `rows` (Tape::is_permanent) and the matrix `spec`, A X: made once and kept
  /// with the rows.
  Tensor kept_sum(const AdjacencySpec& spec, const Tensor& rows, const std::function<Tensor()>& make) const;

  /// Mean over all vertices of the graph of log(in-degree + 1): what PNA's scalers compare a degree with. Made once.
  double mean_log_degree() const;

  /// Attributes of the block's edges [entries, Fe], in the order of the entries of adjacency() without self-loops
  /// added. Made once a dtype. Throws Error if the graph has none, or none of that many edges.
  Tensor edge_features(DType dtype) const;

  /// The source rows of `own` [num_rows, d], passed through `transform` (dropout, projection): identity on a whole
  /// graph, the tape's SourceExchange otherwise. Once a tape. Throws Error if `own` has other rows than the block, or
  /// if the block has sources beyond its own rows and the tape has no exchange.
  Sources sources(Tape& tape, Var own, const SourceTransform& transform = {}) const;

 private:
  struct Data;
  void check_num_sources(Index rows) const;
  /// Puts entries [first, last) of a row into the order of their sources' ids in the file, so that a row is summed in
  /// the same order, and ties are broken alike, however vertices are renumbered.
  template <class T>
  void order_by_id(Adjacency& a, T* values, EdgeId first, EdgeId last) const;
  std::shared_ptr<const Adjacency> make_adjacency(const AdjacencySpec& spec, DType dtype) const;
  explicit Block(std::shared_ptr<Data> data);
  std::shared_ptr<Data> data_;
};

}  // namespace laminar::core
