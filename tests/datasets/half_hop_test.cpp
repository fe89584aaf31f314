#include "laminar/datasets/half_hop.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/tests/datasets/support.hpp"

using namespace laminar;
using namespace laminar::datasets;

namespace {

template <class T, class Range>
std::vector<T> list(const Range& range) {
  return {range.begin(), range.end()};
}

std::vector<float> numbers(const core::Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.size()};
}

/// 3 vertices, 1 -> 0 (2), 0 -> 1 (-3), 1 -> 1 (5) and 2 -> 1 (0.5).
GraphData looped_graph() {
  GraphData data;
  data.name = "looped";
  const std::vector<core::VertexId> sources = {1, 0, 1, 2};
  const std::vector<double> weights = {2, -3, 5, 0.5};
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_in_csr(3, {0, 1, 4, 4}, sources, weights, true));
  data.features = core::Tensor::from(3, 2, std::vector<double>{0, 4, 8, 0, -4, 2}, core::DType::kFloat32);
  data.edge_features = core::Tensor::from(4, 1, std::vector<double>{10, 20, 30, 40}, core::DType::kFloat32);
  data.vertex_names = {"a", "b", "c"};
  return data;
}

/// Both directions of a ring of `n` vertices, unweighted and without anything else.
GraphData ring(core::VertexId n) {
  std::vector<core::VertexId> source;
  std::vector<core::VertexId> target;
  for (core::VertexId v = 0; v < n; ++v) {
    source.insert(source.end(), {v, (v + 1) % n});
    target.insert(target.end(), {(v + 1) % n, v});
  }
  GraphData data;
  data.name = "ring";
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(n, source, target, {}, false));
  return data;
}

}  // namespace

TEST_CASE("half-hop of all in-edges, by hand") {
  GraphData data = looped_graph();
  const auto notes = half_hop(data, {.probability = 1, .alpha = 0.25, .seed = 3});
  check(data, "result");
  const auto& g = *data.graph;
  CHECK(g.directed());
  // Slow: 3 of 1 -> 0, 4 of 0 -> 1, 5 of 2 -> 1. The self-loop stays.
  CHECK(list<core::EdgeId>(g.in_offsets()) == std::vector<core::EdgeId>{0, 1, 4, 4, 6, 8, 10});
  CHECK(list<core::VertexId>(g.in_sources()) == std::vector<core::VertexId>{3, 1, 4, 5, 0, 1, 0, 1, 1, 2});
  CHECK(list<double>(g.in_weights()) == std::vector<double>{2, 5, -3, 0.5, 1, 1, 1, 1, 1, 1});
  CHECK(numbers(data.edge_features) == std::vector<float>{10, 30, 20, 40, 10, 10, 20, 20, 40, 40});
  CHECK(numbers(data.features) == std::vector<float>{0, 4, 8, 0, -4, 2, 2, 3, 6, 1, 5, 0.5});
  CHECK(data.vertex_names == std::vector<std::string>{"a", "b", "c", "b->a", "a->b", "c->b"});
  CHECK(data.provenance ==
        "half-hop with probability 1, alpha 0.25 and seed 3: 3 of 4 edges split, vertices 3..5 are slow ones");
  CHECK(notes ==
        std::vector<std::string>{"half-hop: 3 of 4 edges split, vertices 3..5 are slow ones, without label or split"});
}

TEST_CASE("half-hop keeps sparse features sparse, with the same numbers as dense ones") {
  for (const double alpha : {0.0, 0.25, 1.0}) {
    CAPTURE(alpha);
    GraphData dense = looped_graph();
    GraphData sparse = looped_graph();
    sparse.features = {};
    // Row 0 names a column twice, row 2 names them in descending order.
    sparse.sparse_features = core::SparseMatrix(3, 2, {0, 2, 3, 5}, {1, 1, 0, 1, 0}, {1, 3, 8, 2, -4});
    half_hop(dense, {.probability = 1, .alpha = alpha});
    half_hop(sparse, {.probability = 1, .alpha = alpha});
    check(sparse, "result");
    CHECK_FALSE(sparse.features);
    CHECK(numbers(core::to_dense(sparse.sparse_features, core::DType::kFloat32)) == numbers(dense.features));
    // Of the slow rows, only what is not zero is there, once.
    const auto added = std::count_if(dense.features.data<float>() + 6, dense.features.data<float>() + 12,
                                     [](float x) { return x != 0; });
    CHECK(sparse.sparse_features.entries() == 5 + added);
  }
}

TEST_CASE("half-hop leaves splits, and slow vertices have no label") {
  GraphData data = test::small_graph();
  const GraphData before = test::small_graph();
  const auto notes = half_hop(data, {.probability = 1});
  check(data, "result");
  CHECK(data.graph->num_vertices() == 12);
  CHECK(data.graph->num_edges() == 21);
  CHECK(data.labels.classes == std::vector<std::int32_t>{0, 2, -1, 1, 2, -1, -1, -1, -1, -1, -1, -1});
  CHECK(data.labels.names == before.labels.names);
  REQUIRE(data.splits.size() == 2);
  CHECK(data.splits[0].test == before.splits[0].test);
  CHECK(data.vertex_names[11] == "eeeee->dé");
  CHECK(data.provenance.starts_with("made by hand, with ümlauts; half-hop with probability 1, alpha 0.5 and seed 1:"));
  CHECK(data.partitions.empty());
  REQUIRE(notes.size() == 2);
  CHECK(notes[1] == "1 saved partition was dropped, being of the graph before half-hop");

  GraphData several = looped_graph();
  several.labels.task = core::Task::kMultiLabel;
  several.labels.num_outputs = 2;
  several.labels.multi_label = {1, 0, 0, 1, 1, 1};
  GraphData numeric = looped_graph();
  numeric.labels.task = core::Task::kRegression;
  numeric.labels.num_outputs = 1;
  numeric.labels.targets = {1.5, -2, 3};
  half_hop(several, {});
  half_hop(numeric, {});
  check(several, "result");
  check(numeric, "result");
  CHECK(several.labels.multi_label == std::vector<std::uint8_t>{1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0});
  CHECK(numeric.labels.targets == std::vector<float>{1.5, -2, 3, 0, 0, 0});
}

TEST_CASE("half-hop splits all in-edges of a chosen vertex and no others") {
  const core::RandomKey key = core::random_key(7, "half-hop");
  core::VertexId first = 0;
  for (core::VertexId v = 1; v < 6; ++v) {
    if (core::random_uniform(key, v) < core::random_uniform(key, first)) first = v;
  }
  GraphData data = ring(6);
  const double probability = std::nextafter(core::random_uniform(key, first), 1.0);
  half_hop(data, {.probability = probability, .seed = 7});
  check(data, "result");
  const auto& g = *data.graph;
  REQUIRE(g.num_vertices() == 8);
  CHECK(g.num_edges() == 16);
  CHECK_FALSE(g.weighted());
  const auto row = [&](core::VertexId v) {
    return std::vector<core::VertexId>(g.in_sources().begin() + g.in_offsets()[v],
                                       g.in_sources().begin() + g.in_offsets()[v + 1]);
  };
  const auto both = [](core::VertexId a, core::VertexId b) {
    return std::vector<core::VertexId>{std::min(a, b), std::max(a, b)};
  };
  for (core::VertexId v = 0; v < 6; ++v) {
    CHECK(row(v) == (v == first ? both(6, 7) : both((v + 5) % 6, (v + 1) % 6)));
  }
  const auto neighbours = both((first + 5) % 6, (first + 1) % 6);
  CHECK(row(6) == both(neighbours[0], first));
  CHECK(row(7) == both(neighbours[1], first));
}

TEST_CASE("half-hop with probability 0 changes nothing") {
  GraphData data = test::small_graph();
  const GraphData before = test::small_graph();
  CHECK(half_hop(data, {.probability = 0}) ==
        std::vector<std::string>{"half-hop split no edge; the graph is as it was"});
  CHECK(data.graph->fingerprint() == before.graph->fingerprint());
  CHECK(data.partitions.size() == 1);
  CHECK(data.provenance == before.provenance);
  CHECK(numbers(data.features) == numbers(before.features));
  CHECK(data.vertex_names == before.vertex_names);

  GraphData undirected = ring(4);
  half_hop(undirected, {.probability = 0});
  CHECK_FALSE(undirected.graph->directed());
}

TEST_CASE("half-hop draws by the seed alone") {
  const auto fingerprint = [](double probability, std::uint64_t seed) {
    GraphData data = ring(1000);
    half_hop(data, {.probability = probability, .seed = seed});
    return data.graph->fingerprint();
  };
  CHECK(fingerprint(0.3, 5) == fingerprint(0.3, 5));
  CHECK(fingerprint(0.3, 5) != fingerprint(0.3, 6));
  GraphData data = ring(1000);
  half_hop(data, {.probability = 0.3, .seed = 5});
  // 2 slow vertices for each of about 300 chosen; 4.5 standard deviations.
  CHECK(std::abs(static_cast<double>(data.graph->num_vertices() - 1000) - 600) < 130);
}

TEST_CASE("half-hop refuses shares that are none") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {-0.1, 1.5, nan}) {
    GraphData data = looped_graph();
    CHECK_THROWS_AS(half_hop(data, {.probability = bad}), UsageError);
    CHECK_THROWS_AS(half_hop(data, {.alpha = bad}), UsageError);
    CHECK(data.graph->num_vertices() == 3);
  }
  CHECK_THROWS_WITH_AS(check(HalfHop{.probability = 1.5}), "half-hop: the probability is 1.5; expected 0 to 1",
                       UsageError);
  CHECK_THROWS_WITH_AS(check(HalfHop{.alpha = -1}), "half-hop: the alpha is -1; expected 0 to 1", UsageError);
  CHECK_NOTHROW(check(HalfHop{.probability = 0, .alpha = 1}));
}
