#include "laminar/pipeline/cut_graph.hpp"

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

CutGraph::CutGraph(partition::Layout the_layout, const core::PartGraph& part)
    : layout(std::move(the_layout)), graph(layout.renumber(part.graph)), held_part(part.part) {
  const auto parts = static_cast<std::size_t>(layout.num_parts());
  const bool fits = part.num_parts == layout.num_parts() && part.part < layout.num_parts();
  const partition::Range own = fits ? layout.part(part.part) : partition::Range{};
  if (!fits || static_cast<std::size_t>(own.size()) * parts != part.readers.size()) {
    throw Error(fmt::format("[cut graph] part {} of {} does not fit a layout of {} parts", part.part, part.num_parts,
                            layout.num_parts()));
  }
  readers.resize(part.readers.size());
  // Own vertices in the file's order.
  std::size_t from = 0;
  for (const core::VertexId v : layout.new_ids()) {
    if (!own.contains(v)) continue;
    const auto to = static_cast<std::size_t>(v - own.begin) * parts;
    for (std::size_t q = 0; q < parts; ++q) readers[to + q] = part.readers[from + q];
    from += parts;
  }
}

core::Graph CutGraph::in_file_order() const {
  if (held_part >= 0) throw Error("[cut graph] only one part of the graph is there");
  return layout.restore(graph);
}

}  // namespace laminar::pipeline
