#include "laminar/core/edge_stream.hpp"

#include "laminar/core/neighbours.hpp"

namespace laminar::core {

bool GraphEdgeStream::next(Row& row) {
  if (at_ == graph_.num_vertices()) return false;
  neighbours_.clear();
  for_each_neighbour(graph_, at_, false, [&](VertexId u, double) { neighbours_.push_back(u); });
  row = {static_cast<VertexId>(at_++), neighbours_};
  return true;
}

}  // namespace laminar::core
