#pragma once

#include <span>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// A graph seen one row after the other, in the order of the vertices, for work that must not hold all edges at once.
/// A pass is `rewind(); while (next(row)) ...`. Not thread-safe.
class EdgeStream {
 public:
  struct Row {
    VertexId vertex = 0;
    /// Valid until the next call. What counts as a neighbour is the stream's to say: a file gives sources of in-edges,
    /// as they stand there, duplicates and the vertex itself included.
    std::span<const VertexId> neighbours;
  };

  EdgeStream() = default;
  virtual ~EdgeStream() = default;
  EdgeStream(const EdgeStream&) = delete;
  EdgeStream& operator=(const EdgeStream&) = delete;

  virtual Index num_vertices() const = 0;
  /// Neighbours in all rows of a pass, or a little more.
  virtual EdgeId num_entries() const = 0;
  /// Goes back before the first row.
  virtual void rewind() = 0;
  /// The next row, each vertex once, ascending from 0; false after the last. May throw Error if a source fails.
  virtual bool next(Row& row) = 0;
};

/// A graph in memory as a stream. A vertex's neighbours are all other vertices with an edge to or from it, each once,
/// ascending. The graph must outlive the stream.
class GraphEdgeStream final : public EdgeStream {
 public:
  explicit GraphEdgeStream(const Graph& graph) : graph_(graph) {}

  Index num_vertices() const override { return graph_.num_vertices(); }
  EdgeId num_entries() const override { return graph_.directed() ? 2 * graph_.num_edges() : graph_.num_edges(); }
  void rewind() override { at_ = 0; }
  bool next(Row& row) override;

 private:
  const Graph& graph_;
  Index at_ = 0;
  std::vector<VertexId> neighbours_;
};

}  // namespace laminar::core
