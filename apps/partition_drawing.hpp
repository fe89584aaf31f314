#pragma once

#include <string>
#include <vector>

#include "laminar/apps/axis.hpp"
#include "laminar/core/graph.hpp"

namespace laminar::apps {

/// Vertices beyond which a graph is not drawn.
inline constexpr core::Index kMostDrawnVertices = 3000;

/// A place for each vertex of a small graph in a square of `side`, so that neighbours lie close: places drawn by their
/// vertex's number, smoothed along the edges (power iteration towards the slowest-varying vectors), then forces
/// (Fruchterman and Reingold 1991: edges pull by distance^2 / k, all pairs push by k^2 / distance, a weak pull to the
/// centre holds components together). The same on every run and any number of threads. O(vertices^2).
std::vector<Point> layout_graph(const core::Graph& graph, double side);

/// The edges of such a drawing as an SVG <path> with that id, to be used by drawings; at most 20 000 of them.
std::string drawing_edges(const core::Graph& graph, const std::vector<Point>& places, const std::string& id);

/// A figure of the graph coloured by part, over the edges of that id.
std::string drawing_figure(const std::string& id, const std::string& title, const std::vector<Point>& places,
                           const std::vector<std::int32_t>& part_of, core::Index parts, const std::string& edges_id,
                           double side);

}  // namespace laminar::apps
