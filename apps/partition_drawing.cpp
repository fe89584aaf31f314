#include "laminar/apps/partition_drawing.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "laminar/apps/html.hpp"
#include "laminar/apps/partition_charts.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"

namespace laminar::apps {
namespace {

using core::EdgeId;
using core::Index;
using core::VertexId;

constexpr int kSmoothings = 60;
constexpr int kSteps = 120;
constexpr EdgeId kMostDrawnEdges = 20'000;

template <class F>
void for_each_neighbour(const core::Graph& graph, Index v, F&& f) {
  for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) f(graph.in_sources()[e]);
  if (!graph.directed()) return;
  for (EdgeId e = graph.out_offsets()[v]; e < graph.out_offsets()[v + 1]; ++e) f(graph.out_targets()[e]);
}

/// To mean 0 and mean square 1; y also loses what it shares with x.
void normalise(std::vector<Point>& places) {
  const auto n = static_cast<double>(places.size());
  Point mean;
  for (const Point& p : places) mean = {mean.x + p.x / n, mean.y + p.y / n};
  double xx = 0;
  double xy = 0;
  for (Point& p : places) {
    p = {p.x - mean.x, p.y - mean.y};
    xx += p.x * p.x;
    xy += p.x * p.y;
  }
  double yy = 0;
  for (Point& p : places) {
    if (xx > 0) p.y -= p.x * xy / xx;
    yy += p.y * p.y;
  }
  for (Point& p : places) {
    if (xx > 0) p.x /= std::sqrt(xx / n);
    if (yy > 0) p.y /= std::sqrt(yy / n);
  }
}

std::vector<Point> smoothed_places(const core::Graph& graph) {
  const Index n = graph.num_vertices();
  const core::RandomKey key = core::random_key(1, "graph drawing");
  std::vector<Point> places(static_cast<std::size_t>(n));
  for (Index v = 0; v < n; ++v) {
    const auto at = static_cast<std::uint64_t>(2 * v);
    places[v] = {core::random_normal(key, at), core::random_normal(key, at + 1)};
  }
  for (int i = 0; i < kSmoothings; ++i) {
    std::vector<Point> next(places.size());
    for (Index v = 0; v < n; ++v) {
      Point sum = places[v];
      double count = 1;
      for_each_neighbour(graph, v, [&](VertexId u) {
        sum = {sum.x + places[u].x, sum.y + places[u].y};
        ++count;
      });
      next[v] = {sum.x / count, sum.y / count};
    }
    places = std::move(next);
    normalise(places);
  }
  return places;
}

}  // namespace

std::vector<Point> layout_graph(const core::Graph& graph, double side) {
  const Index n = graph.num_vertices();
  std::vector<Point> places = smoothed_places(graph);
  // In units in which an edge wants to be 1 long.
  const double radius = std::sqrt(static_cast<double>(n)) / 2;
  for (Index v = 0; v < n; ++v) {
    // Outliers of the smoothed places are pulled in; no two vertices may start in one place.
    const core::RandomKey key = core::random_key(2, "graph drawing");
    places[v].x = radius * std::tanh(places[v].x) + 0.1 * core::random_normal(key, static_cast<std::uint64_t>(2 * v));
    places[v].y =
        radius * std::tanh(places[v].y) + 0.1 * core::random_normal(key, static_cast<std::uint64_t>(2 * v + 1));
  }
  std::vector<Point> next(places.size());
  for (int step = 0; step < kSteps; ++step) {
    const double longest = 0.2 * radius * (1 - static_cast<double>(step) / kSteps) + 0.02;
    constexpr Index kGrain = 64;
    core::parallel_for(n, kGrain, [&](Index begin, Index end) {
      for (Index v = begin; v < end; ++v) {
        const Point p = places[v];
        Point force = {-0.02 * p.x, -0.02 * p.y};
        for (const Point& q : places) {
          const double dx = p.x - q.x;
          const double dy = p.y - q.y;
          const double squared = dx * dx + dy * dy + 1e-4;
          force = {force.x + dx / squared, force.y + dy / squared};
        }
        double degree = 0;
        Point pull;
        for_each_neighbour(graph, v, [&](VertexId u) {
          const double dx = places[u].x - p.x;
          const double dy = places[u].y - p.y;
          const double distance = std::sqrt(dx * dx + dy * dy);
          pull = {pull.x + dx * distance, pull.y + dy * distance};
          ++degree;
        });
        // A hub would be torn by the sum of its edges.
        if (degree > 0) force = {force.x + pull.x / std::sqrt(degree), force.y + pull.y / std::sqrt(degree)};
        const double size = std::sqrt(force.x * force.x + force.y * force.y);
        const double scale = size > longest ? longest / size : 1;
        next[v] = {p.x + force.x * scale, p.y + force.y * scale};
      }
    });
    std::swap(places, next);
  }
  // What lies far out, such as isolated vertices, must not shrink the rest: the square holds all but the outermost 1 %.
  std::vector<double> distances;
  distances.reserve(places.size());
  for (const Point& p : places) distances.push_back(std::max(std::abs(p.x), std::abs(p.y)));
  std::sort(distances.begin(), distances.end());
  const double reach = std::max(distances[(distances.size() - 1) * 99 / 100], 1e-9);
  for (Point& p : places) {
    p.x = side / 2 * (1 + 0.96 * std::clamp(p.x / reach, -1.0, 1.0));
    p.y = side / 2 * (1 + 0.96 * std::clamp(p.y / reach, -1.0, 1.0));
  }
  return places;
}

std::string drawing_edges(const core::Graph& graph, const std::vector<Point>& places, const std::string& id) {
  std::string path = fmt::format("<path id=\"{}\" class=\"edge\" d=\"", id);
  // Of a dense graph every k-th edge.
  const EdgeId stride = std::max<EdgeId>(1, graph.num_edges() / (graph.directed() ? 1 : 2) / kMostDrawnEdges + 1);
  EdgeId count = 0;
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const VertexId u = graph.in_sources()[e];
      if (u == v || (!graph.directed() && u > v) || count++ % stride != 0) continue;
      fmt::format_to(std::back_inserter(path), "M{:.0f} {:.0f}L{:.0f} {:.0f}", places[u].x, places[u].y, places[v].x,
                     places[v].y);
    }
  }
  return path + "\"/>";
}

std::string drawing_figure(const std::string& id, const std::string& title, const std::vector<Point>& places,
                           const std::vector<std::int32_t>& part_of, Index parts, const std::string& edges_id,
                           double side) {
  std::vector<std::string> paths(static_cast<std::size_t>(parts));
  for (std::size_t v = 0; v < places.size(); ++v) {
    fmt::format_to(std::back_inserter(paths[part_of[v]]), "M{:.0f} {:.0f}h0", places[v].x, places[v].y);
  }
  std::string html = fmt::format(
      "<figure class=\"card\" id=\"{}\"><figcaption><h3>{}</h3></figcaption><svg class=\"drawing\" viewBox=\"0 0 "
      "{:.0f} "
      "{:.0f}\" role=\"img\" aria-label=\"{}\"><use href=\"#{}\"/>",
      id, escape(title), side, side, escape(title), edges_id);
  for (std::size_t p = 0; p < paths.size(); ++p) {
    html += fmt::format("<path class=\"part\" style=\"--c:{}\" d=\"{}\"/>", list_color(p), paths[p]);
  }
  return html + "</svg></figure>\n";
}

}  // namespace laminar::apps
