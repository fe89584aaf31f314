#include "laminar/core/graph.hpp"

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/graphs.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

template <class T>
std::vector<T> list(std::span<const T> s) {
  return {s.begin(), s.end()};
}

}  // namespace

TEST_CASE("a graph from edges holds both directions of look-up") {
  // 2 -> 0, 1 -> 0, 0 -> 2, 2 -> 2, and 1 -> 0 again.
  const std::vector<VertexId> sources = {2, 1, 0, 2, 1};
  const std::vector<VertexId> targets = {0, 0, 2, 2, 0};
  const std::vector<double> weights = {.5, 1, 2, 3, 4};
  const Graph g = Graph::from_edges(3, sources, targets, weights, true);
  CHECK(g.num_vertices() == 3);
  CHECK(g.num_edges() == 5);
  CHECK(g.directed());
  CHECK(g.weighted());
  CHECK(list(g.in_offsets()) == std::vector<EdgeId>{0, 3, 3, 5});
  CHECK(list(g.in_sources()) == std::vector<VertexId>{1, 1, 2, 0, 2});
  CHECK(list(g.in_weights()) == std::vector<double>{1, 4, .5, 2, 3});
  CHECK(list(g.out_offsets()) == std::vector<EdgeId>{0, 1, 3, 5});
  CHECK(list(g.out_targets()) == std::vector<VertexId>{2, 0, 0, 0, 2});
  CHECK(list(g.out_edges()) == std::vector<EdgeId>{3, 0, 1, 2, 4});
  CHECK(g.in_degree(0) == 3);
  CHECK(g.in_degree(1) == 0);
  CHECK(g.out_degree(1) == 2);
}

TEST_CASE("rows given out of order are sorted, weights along") {
  const Graph g = Graph::from_in_csr(3, {0, 3, 5, 5}, {2, 0, 1, 1, 0}, {.2, 0, .1, 1.1, 1}, true);
  CHECK(list(g.in_sources()) == std::vector<VertexId>{0, 1, 2, 0, 1});
  CHECK(list(g.in_weights()) == std::vector<double>{0, .1, .2, 1, 1.1});
  const Graph plain = Graph::from_in_csr(3, {0, 3, 5, 5}, {2, 0, 1, 1, 0}, {}, true);
  CHECK(list(plain.in_sources()) == list(g.in_sources()));
  CHECK_FALSE(plain.weighted());
}

TEST_CASE("out-edges mirror in-edges on all test graphs") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Graph& graph = g.graph;
    Index total = 0;
    for (VertexId v = 0; v < graph.num_vertices(); ++v) {
      total += graph.out_degree(v);
      for (EdgeId p = graph.out_offsets()[v]; p < graph.out_offsets()[v + 1]; ++p) {
        const EdgeId e = graph.out_edges()[p];
        const VertexId target = graph.out_targets()[p];
        CHECK(graph.in_sources()[e] == v);
        CHECK(graph.in_offsets()[target] <= e);
        CHECK(e < graph.in_offsets()[target + 1]);
      }
    }
    CHECK(total == graph.num_edges());
  }
}

TEST_CASE("graphs may be empty") {
  const Graph none = Graph::from_in_csr(0, {0}, {}, {}, false);
  CHECK(none.num_vertices() == 0);
  CHECK(none.num_edges() == 0);
  CHECK(Graph::from_edges(0, {}, {}, {}, false).fingerprint() == none.fingerprint());
  CHECK(Graph::from_edges(3, {}, {}, {}, true).in_degree(2) == 0);
}

TEST_CASE("a fingerprint tells graphs apart") {
  const std::vector<VertexId> s = {0, 1};
  const std::vector<VertexId> t = {1, 2};
  const std::vector<VertexId> u = {2, 1};
  const std::vector<double> w = {1, 2};
  const std::vector<double> w2 = {1, 2.5};
  const auto base = Graph::from_edges(3, s, t, {}, true).fingerprint();
  CHECK(base == Graph::from_in_csr(3, {0, 0, 1, 2}, {0, 1}, {}, true).fingerprint());
  CHECK(base != Graph::from_edges(4, s, t, {}, true).fingerprint());
  CHECK(base != Graph::from_edges(3, s, u, {}, true).fingerprint());
  CHECK(base != Graph::from_edges(3, s, t, w, true).fingerprint());
  CHECK(Graph::from_edges(3, s, t, w, true).fingerprint() != Graph::from_edges(3, s, t, w2, true).fingerprint());
}

TEST_CASE("a graph refuses what can't be") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(Graph::from_in_csr(-1, {}, {}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(Index{1} << 31, {0}, {}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1}, {0}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {1, 1, 1}, {0}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 2, 1}, {0}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1, 1}, {0, 1}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1, 2}, {0, 2}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1, 2}, {0, -1}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1, 2}, {0, 1}, {1}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1, 2}, {0, 1}, {1, nan}, true), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1, 2}, {0, 1}, {infinite, 1}, true), Error);
  const std::vector<VertexId> one = {0};
  const std::vector<VertexId> two = {0, 1};
  const std::vector<VertexId> outside = {0, 2};
  const std::vector<VertexId> negative = {-1, 0};
  const std::vector<double> weight = {1};
  CHECK_THROWS_AS(Graph::from_edges(-1, {}, {}, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_edges(2, one, two, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_edges(2, two, two, weight, true), Error);
  CHECK_THROWS_AS(Graph::from_edges(2, outside, two, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_edges(2, two, outside, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_edges(2, negative, two, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_edges(2, two, negative, {}, true), Error);
  CHECK_THROWS_AS(Graph::from_edges(2, one, one, std::vector<double>{nan}, true), Error);
}

TEST_CASE("edges beside their reverse, by hand") {
  // 1 -> 0 (weight 2), 0 -> 2 (3), 2 -> 0 (4).
  const Graph g = Graph::from_edges(3, std::vector<VertexId>{1, 0, 2}, std::vector<VertexId>{0, 2, 0},
                                    std::vector<double>{2, 3, 4}, true);
  CHECK(g.in_reversed().empty());
  const Graph both = g.with_reversed_edges();
  CHECK(both.num_edges() == 6);
  const auto equal = [](auto span, auto expected) {
    return std::equal(span.begin(), span.end(), expected.begin(), expected.end());
  };
  CHECK(equal(both.in_offsets(), std::vector<EdgeId>{0, 3, 4, 6}));
  CHECK(equal(both.in_sources(), std::vector<VertexId>{1, 2, 2, 0, 0, 0}));
  CHECK(equal(both.in_weights(), std::vector<double>{2, 4, 3, 2, 3, 4}));
  CHECK(equal(both.in_reversed(), std::vector<int>{0, 0, 1, 1, 0, 1}));
  CHECK_THROWS_AS(both.with_reversed_edges(), Error);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1, 2}, {0, 1}, {}, true, {1}), Error);
}
