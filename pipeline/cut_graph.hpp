#pragma once

#include <utility>

#include "laminar/core/graph.hpp"
#include "laminar/partition/layout.hpp"

namespace laminar::pipeline {

/// The graph as it is cut; shared by the devices of a process.
struct CutGraph {
  partition::Layout layout;
  /// Renumbered by the layout.
  core::Graph graph;
  /// Cuts `whole`, numbered as in the file.
  CutGraph(partition::Layout the_layout, const core::Graph& whole)
      : layout(std::move(the_layout)), graph(layout.renumber(whole)) {}
};

}  // namespace laminar::pipeline
