#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/core/sparse_matrix.hpp"
#include "laminar/core/tensor.hpp"

namespace laminar::core {

/// What is to be predicted of a vertex.
enum class Task : std::uint8_t { kNone, kClassification, kMultiLabel, kRegression };

/// "none", "classification", "multi-label", "regression".
std::string_view name_of(Task task);

/// Targets of all vertices; the array that matches `task` is filled, the others are empty.
struct Labels {
  Task task = Task::kNone;
  /// Number of classes, labels or regression targets: the width of a model's output.
  Index num_outputs = 0;
  /// Classification: [N], -1 = unknown.
  std::vector<std::int32_t> classes;
  /// Multi-label: [N, num_outputs], 0 or 1.
  std::vector<std::uint8_t> multi_label;
  /// Regression: [N, num_outputs].
  std::vector<float> targets;
  /// Names of the outputs; empty, or num_outputs of them.
  std::vector<std::string> names;
};

/// Three disjoint sets of vertices, each ascending.
struct Split {
  std::string name;
  std::vector<VertexId> train;
  std::vector<VertexId> val;
  std::vector<VertexId> test;
};

/// What a model and its user need to know of a dataset before its arrays are read.
struct DatasetSchema {
  std::string name;
  Index num_vertices = 0;
  EdgeId num_edges = 0;
  bool directed = false;
  bool weighted = false;
  /// 0 = no features.
  Index num_features = 0;
  bool sparse_features = false;
  /// Stored feature entries: N * num_features if dense.
  EdgeId feature_entries = 0;
  /// The last of num_features: rows of a table of embeddings that is trained along; see
  /// pipeline::with_learned_features().
  Index num_learned = 0;
  Task task = Task::kNone;
  Index num_outputs = 0;
  std::vector<std::string> output_names;
  std::vector<std::string> split_names;
  bool has_vertex_names = false;
  /// 0 = no edge features.
  Index num_edge_features = 0;
};

/// Rows of features on demand, so that a device loads only its own.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual Index rows() const = 0;
  virtual Index cols() const = 0;
  virtual bool sparse() const = 0;
  /// Rows [begin, end) as float32. Throws Error if out of range or sparse().
  virtual Tensor read_dense(Index begin, Index end) const = 0;
  /// Rows [begin, end). Throws Error if out of range or not sparse().
  virtual SparseMatrix read_sparse(Index begin, Index end) const = 0;
};

/// Some consecutive rows of a graph, for work that must not hold all of them.
struct GraphRows {
  /// Rows [begin, end).
  Index begin = 0;
  Index end = 0;
  /// [N + 1] Of the whole graph, as Graph::in_offsets().
  std::span<const EdgeId> offsets;
  /// In-edges offsets[begin] to offsets[end], as they stand in the graph; weights empty if unweighted or not asked for.
  std::span<const VertexId> sources;
  std::span<const double> weights;
  /// [edges, Fe] float32; empty if there are none or they are not asked for.
  Tensor edge_features;

  EdgeId num_edges() const { return static_cast<EdgeId>(sources.size()); }
};

/// What GraphRows hold beside sources.
struct WantedRows {
  bool weights = false;
  bool edge_features = false;
};

/// A graph with what is known of its vertices. Implementations read lazily where they can; const members may be called
/// from one thread at a time.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual const DatasetSchema& schema() const = 0;
  virtual std::shared_ptr<const Graph> graph() const = 0;
  /// Calls `visit` with all rows of graph(), ascending, some at a time, each time valid until the next; holds O(N)
  /// numbers and some rows beside, if the implementation can, and all of graph() otherwise. Throws Error as graph().
  virtual void visit_rows(const WantedRows& wanted, const std::function<void(const GraphRows&)>& visit) const;
  /// That of graph(), which need not be held for it.
  virtual std::uint64_t graph_fingerprint() const { return graph()->fingerprint(); }
  /// Throws Error if there are no features.
  virtual const RowSource& features() const = 0;
  /// Attributes of the edges [E, Fe] float32 in the order of graph()->in_sources(), or empty.
  virtual Tensor edge_features() const { return {}; }
  /// task = kNone if there are no labels.
  virtual const Labels& labels() const = 0;
  /// Throws UsageError, naming those there are, if there is none of that name.
  virtual Split split(std::string_view name) const = 0;
  /// The users' own ids, or empty.
  virtual std::vector<std::string> vertex_names() const = 0;
};

}  // namespace laminar::core
