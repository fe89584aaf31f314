#include "laminar/core/block.hpp"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/core/aggregation_cases.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/reference.hpp"
#include "laminar/tests/support/table_exchange.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;

template <class T>
std::vector<T> list(std::span<const T> s) {
  return {s.begin(), s.end()};
}

/// 0 -> 1 (weight 2), 2 -> 1 (weight 3), 1 -> 2 (weight 4), 2 -> 2 (weight 5); vertex 3 alone.
Graph small() {
  return Graph::from_edges(4, std::vector<VertexId>{0, 2, 1, 2}, std::vector<VertexId>{1, 1, 2, 2},
                           std::vector<double>{2, 3, 4, 5}, true);
}

std::vector<double> entries(const Block& block, const AdjacencySpec& spec) {
  return values_of(block.adjacency(spec, kDouble)->values);
}

}  // namespace

TEST_CASE("a whole graph is a block whose sources are its rows") {
  const Block block = Block::whole(small(), {7, 5, 3, 1});
  CHECK(block.is_whole());
  CHECK(block.num_rows() == 4);
  CHECK(block.num_sources() == 4);
  CHECK(block.own_begin() == 0);
  CHECK(list(block.source_vertices()) == std::vector<VertexId>{0, 1, 2, 3});
  CHECK(list(block.source_ids()) == std::vector<VertexId>{7, 5, 3, 1});
  CHECK(list(block.own_ids()) == std::vector<VertexId>{7, 5, 3, 1});
  CHECK(list(Block::whole(small()).source_ids()) == std::vector<VertexId>{0, 1, 2, 3});
}

TEST_CASE("a chunk knows its sources") {
  const std::vector<VertexId> ids = {7, 5, 3, 1};
  const Block compact = Block::chunk(small(), 1, 2, SourceSpace::kCompact, ids);
  CHECK_FALSE(compact.is_whole());
  CHECK(compact.num_rows() == 1);
  CHECK(compact.own_begin() == 0);
  CHECK(list(compact.source_vertices()) == std::vector<VertexId>{1, 0, 2});
  CHECK(list(compact.source_ids()) == std::vector<VertexId>{5, 7, 3});
  CHECK(list(compact.own_ids()) == std::vector<VertexId>{5});
  const auto a = compact.adjacency({Normalization::kNone, false, true}, kDouble);
  // In the order of ids in the file: 3, 7.
  CHECK(a->sources == std::vector<std::int32_t>{2, 1});
  CHECK(values_of(a->values) == std::vector<double>{3, 2});

  const Block table = Block::chunk(small(), 1, 3, SourceSpace::kTable, ids);
  CHECK(table.num_rows() == 2);
  CHECK(table.num_sources() == 4);
  CHECK(table.own_begin() == 1);
  CHECK(list(table.own_ids()) == std::vector<VertexId>{5, 3});
  const auto b = table.adjacency({Normalization::kNone, true, true}, kDouble);
  CHECK(b->offsets == std::vector<EdgeId>{0, 3, 5});
  CHECK(b->sources == std::vector<std::int32_t>{2, 0, 1, 2, 1});
  CHECK(values_of(b->values) == std::vector<double>{3, 2, 1, 5, 4});
  CHECK(b->transposed.offsets == std::vector<EdgeId>{0, 1, 3, 5, 5});
  CHECK(b->transposed.rows == std::vector<std::int32_t>{0, 0, 1, 0, 1});
  CHECK(values_of(b->transposed_values) == std::vector<double>{2, 1, 4, 3, 5});

  const Block nothing = Block::chunk(small(), 2, 2, SourceSpace::kCompact);
  CHECK(nothing.num_rows() == 0);
  CHECK(nothing.num_sources() == 0);
}

TEST_CASE("adjacencies, by hand") {
  const Block block = Block::whole(small());
  // Weighted in-degrees are 0, 5, 9, 0; with self-loops (vertex 2 has one) 1, 6, 9, 1.
  CHECK_FALSE(static_cast<bool>(block.adjacency({Normalization::kNone, false, false}, kDouble)->values));
  CHECK(entries(block, {Normalization::kNone, false, true}) == std::vector<double>{2, 3, 4, 5});
  CHECK(entries(block, {Normalization::kRandomWalk, false, true}) ==
        std::vector<double>{2 * (1.0 / 5), 3 * (1.0 / 5), 4 * (1.0 / 9), 5 * (1.0 / 9)});
  CHECK(entries(block, {Normalization::kRandomWalk, false, false}) == std::vector<double>{.5, .5, .5, .5});
  const std::vector<double> symmetric = entries(block, {Normalization::kSymmetric, true, true});
  const std::vector<double> expected = {
      1, 2 / std::sqrt(6.0), 3 / std::sqrt(54.0), 1.0 / 6, 4 / std::sqrt(54.0), 5.0 / 9, 1};
  REQUIRE(symmetric.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(symmetric[i] == doctest::Approx(expected[i]).epsilon(1e-15));
  CHECK(entries(block, .5 * AdjacencySpec{Normalization::kNone, false, true}) == std::vector<double>{1, 1.5, 2, 2.5});
  CHECK(entries(block, .5 * (.5 * AdjacencySpec{Normalization::kNone, false, false})) ==
        std::vector<double>{.25, .25, .25, .25});
  // A vertex's own entry is its row's last, beside a self-loop, and is not normalised.
  CHECK_FALSE(static_cast<bool>(block.adjacency({.weights = false, .own = 1}, kDouble)->values));
  CHECK(block.adjacency({.weights = false, .own = 1}, kDouble)->sources ==
        std::vector<std::int32_t>{0, 0, 2, 1, 1, 2, 2, 3});
  CHECK(entries(block, .5 * AdjacencySpec{.normalization = Normalization::kRandomWalk, .self_loops = true, .own = 3}) ==
        std::vector<double>{.5, 1.5, .5 * (2 * (1.0 / 6)), .5 * (3 * (1.0 / 6)), .5 * (1.0 / 6), 1.5,
                            .5 * (4 * (1.0 / 9)), .5 * (5 * (1.0 / 9)), 1.5, .5, 1.5});
  // Without self-loops nothing enters 0, so D_0 = 0 and what comes from it counts 0.
  CHECK(entries(block, {Normalization::kSymmetric, false, true})[0] == 0);
}

TEST_CASE("weights that cancel or are negative give 0, not a NaN") {
  const Graph g = Graph::from_edges(3, std::vector<VertexId>{0, 1, 0}, std::vector<VertexId>{2, 2, 1},
                                    std::vector<double>{1, -1, -2}, true);
  const Block block = Block::whole(g);
  for (const auto normalization : {Normalization::kSymmetric, Normalization::kRandomWalk}) {
    CHECK(entries(block, {normalization, false, true}) == std::vector<double>{0, 0, 0});
  }
}

TEST_CASE("adjacencies of all test graphs agree with the definition") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Block block = Block::whole(g.graph);
    for (const AdjacencySpec& spec : all_adjacency_specs()) {
      CAPTURE(testing::name_of(spec));
      const auto a = block.adjacency(spec, kDouble);
      const std::vector<ReferenceEdge> expected = reference_edges(g.graph, spec);
      REQUIRE(a->num_entries() == static_cast<EdgeId>(expected.size()));
      std::size_t at = 0;
      for (Index r = 0; r < a->num_rows; ++r) {
        for (EdgeId e = a->offsets[r]; e < a->offsets[r + 1]; ++e, ++at) {
          CHECK(expected[at].target == r);
          CHECK(expected[at].source == a->sources[e]);
          CHECK((a->values ? a->values.at(e, 0) : 1.0) == doctest::Approx(expected[at].value).epsilon(1e-14));
        }
      }
    }
  }
}

TEST_CASE("an entry's place in the transpose is where its position is kept") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const auto a = Block::whole(g.graph).adjacency({Normalization::kSymmetric, true, true}, kDouble);
    const auto places = a->places_in_transpose();
    REQUIRE(static_cast<EdgeId>(places.size()) == a->num_entries());
    CHECK(places.data() == a->places_in_transpose().data());
    for (EdgeId e = 0; e < a->num_entries(); ++e) {
      CHECK(a->transposed.positions[static_cast<std::size_t>(places[static_cast<std::size_t>(e)])] == e);
    }
  }
}

TEST_CASE("an adjacency is made once") {
  const Block block = Block::whole(small());
  const Block copy = block;
  const AdjacencySpec spec{Normalization::kSymmetric, true, true};
  CHECK(block.adjacency(spec, kDouble) == copy.adjacency(spec, kDouble));
  CHECK(block.adjacency(spec, kDouble) != block.adjacency(spec, DType::kFloat32));
  CHECK(block.adjacency(spec, DType::kFloat32)->values.dtype() == DType::kFloat32);
}

TEST_CASE("sources are the rows themselves on a whole graph") {
  const Block block = Block::whole(small());
  Tape tape(context(kDouble));
  const Var x = tape.input(random_tensor(4, 3, kDouble, 1), true);
  const Sources s = block.sources(tape, x);
  CHECK(s.rows.id == s.own.id);
  CHECK(tape.value(s.rows).raw() == tape.value(x).raw());
}

TEST_CASE("sparse sources stay sparse") {
  const SparseMatrix x(4, 5, {0, 1, 2, 4, 4}, {4, 0, 1, 3}, {1, 2, 3, 4});
  {
    Tape tape(context(kDouble));
    const Sources s = Block::whole(small()).sources(tape, tape.input(x));
    CHECK(tape.is_sparse(s.rows));
  }
  const Block chunk = Block::chunk(small(), 1, 2, SourceSpace::kCompact);
  TableExchange exchange(x);
  Tape tape(context(kDouble, false, &exchange));
  const Sources s = chunk.sources(tape, tape.input(x.slice_rows(1, 2)));
  CHECK(tape.rows(s.rows) == 3);
  CHECK(list(tape.sparse(s.rows).values()) == std::vector<float>{2, 1, 3, 4});
  CHECK(list(tape.sparse(s.own).values()) == std::vector<float>{2});
}

TEST_CASE("a transform works on source rows, the same on a chunk as on the whole") {
  const Graph graph = test_graphs()[2].graph;
  const Index n = graph.num_vertices();
  std::vector<VertexId> ids;
  for (Index v = 0; v < n; ++v) ids.push_back(static_cast<VertexId>(900 - 3 * v));
  ParameterList p;
  p.push_back(random_parameter("projection", 4, 3, kDouble, 1));
  const SourceTransform transform = vertex_dropout(0.5) | projection(*p[0]) | vertex_dropout(0.2);
  const Tensor x = random_tensor(n, 4, kDouble, 2);
  const Block whole = Block::whole(graph, ids);
  Tape tape(context(kDouble, true));
  const Tensor expected = tape.value(whole.sources(tape, tape.input(x, true), transform).rows);
  CHECK(expected.cols() == 3);
  for (const SourceSpace space : {SourceSpace::kCompact, SourceSpace::kTable}) {
    const Block chunk = Block::chunk(graph, 3, 8, space, ids);
    TableExchange exchange(x);
    Tape part(context(kDouble, true, &exchange));
    const Sources s = chunk.sources(part, part.input(x.slice_rows(3, 8), true), transform);
    CHECK(same_bits(part.value(s.own), expected.slice_rows(3, 8)));
    for (Index r = 0; r < chunk.num_sources(); ++r) {
      const Index v = chunk.source_vertices()[r];
      CHECK(same_bits(part.value(s.rows).slice_rows(r, r + 1), expected.slice_rows(v, v + 1)));
    }
  }
  check_gradients(
      "sources with a transform",
      [&](Tape& t, const std::vector<Var>& in) { return sum(t, whole, src(whole.sources(t, in[0], transform))); }, {x},
      p, {.training = true});
}

TEST_CASE("a transform is checked") {
  CHECK_THROWS_AS(vertex_dropout(1), UsageError);
  CHECK_THROWS_AS(vertex_dropout(-1), UsageError);
  CHECK(SourceTransform().steps().empty());
}

TEST_CASE("a block refuses what can't be") {
  const Graph g = small();
  CHECK_THROWS_AS(Block::chunk(g, -1, 2, SourceSpace::kTable), Error);
  CHECK_THROWS_AS(Block::chunk(g, 3, 2, SourceSpace::kTable), Error);
  CHECK_THROWS_AS(Block::chunk(g, 0, 5, SourceSpace::kCompact), Error);
  CHECK_THROWS_AS(Block::whole(g, {1, 2}), Error);
  CHECK_THROWS_AS(Block::chunk(g, 0, 2, SourceSpace::kCompact, {1, 2, 3, 4, 5}), Error);

  const Block whole = Block::whole(g);
  const Block chunk = Block::chunk(g, 1, 2, SourceSpace::kCompact);
  {
    Tape tape(context(kDouble));
    CHECK_THROWS_AS(whole.sources(tape, tape.input(random_tensor(3, 2, kDouble, 1), true)), Error);
    // No exchange.
    CHECK_THROWS_AS(chunk.sources(tape, tape.input(random_tensor(1, 2, kDouble, 1), true)), Error);
  }
  {
    struct TooFew final : SourceExchange {
      Tensor sources(const Block&, const Tensor& own, bool) override { return own; }
      SparseMatrix sources(const Block&, const SparseMatrix& own) override { return own; }
    } too_few;
    Tape tape(context(kDouble, false, &too_few));
    CHECK_THROWS_AS(chunk.sources(tape, tape.input(random_tensor(1, 2, kDouble, 1), true)), Error);
  }
}

TEST_CASE("sparse sources are asked for once a tape as well") {
  const Graph g = Graph::from_edges(2, std::vector<VertexId>{0}, std::vector<VertexId>{1}, {}, true);
  const Block block = Block::whole(g);
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(SparseMatrix(2, 1, {0, 1, 2}, {0, 0}, {1, 2}));
  block.sources(tape, x);
  CHECK_THROWS_AS(block.sources(tape, x), Error);
}

TEST_CASE("a block's matrix has the edges of one direction, normalised by themselves") {
  const Graph plain = directed_random(20, 70, true, 3);
  const Graph both = plain.with_reversed_edges();
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  std::vector<double> weights;
  for (VertexId v = 0; v < 20; ++v) {
    for (EdgeId e = plain.in_offsets()[v]; e < plain.in_offsets()[v + 1]; ++e) {
      sources.push_back(v);
      targets.push_back(plain.in_sources()[e]);
      weights.push_back(plain.in_weights()[e]);
    }
  }
  const Graph reversed = Graph::from_edges(20, sources, targets, weights, true);
  for (AdjacencySpec spec : all_adjacency_specs()) {
    for (const Direction direction : {Direction::kForward, Direction::kReversed}) {
      const Graph& graph = direction == Direction::kForward ? plain : reversed;
      const auto expected = Block::whole(graph).adjacency(spec, DType::kFloat64);
      spec.direction = direction;
      const auto found = Block::whole(both).adjacency(spec, DType::kFloat64);
      CHECK(found->offsets == expected->offsets);
      CHECK(found->sources == expected->sources);
      CHECK(relative_difference(found->values, expected->values) <= 1e-14);
    }
  }
  CHECK_THROWS_AS(Block::whole(plain).adjacency({.direction = Direction::kReversed}, DType::kFloat64), Error);
}

TEST_CASE("the mean of log(in-degree + 1), by hand") {
  CHECK(Block::whole(star(5)).mean_log_degree() == doctest::Approx((std::log(5.0) + 4 * std::log(2.0)) / 5));
  CHECK(Block::chunk(star(5), 1, 2, SourceSpace::kCompact).mean_log_degree() ==
        Block::whole(star(5)).mean_log_degree());
}
