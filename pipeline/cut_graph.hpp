#pragma once

#include <utility>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/core/part_graph.hpp"
#include "laminar/partition/layout.hpp"

namespace laminar::pipeline {

/// The graph as it is cut; shared by the devices of a process.
struct CutGraph {
  partition::Layout layout;
  /// Renumbered by the layout.
  core::Graph graph;
  /// The one part whose rows are there; -1: all are.
  partition::Index held_part = -1;
  /// Of the held part, [own rows, parts]: whether a part reads an own row; empty if all parts are there.
  std::vector<bool> readers;

  /// Cuts `whole`, numbered as in the file.
  CutGraph(partition::Layout the_layout, const core::Graph& whole)
      : layout(std::move(the_layout)), graph(layout.renumber(whole)) {}
  /// Puts one part in its place. Throws Error if it is not a part of the layout.
  CutGraph(partition::Layout the_layout, const core::PartGraph& part);

  /// The graph numbered as in the file. Throws Error unless all parts are there.
  core::Graph in_file_order() const;
};

}  // namespace laminar::pipeline
