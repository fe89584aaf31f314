/// Edge features: on graphs and blocks, and in messages.
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/error.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;

Graph with_features(const Graph& graph, Index width) {
  return graph.with_edge_features(random_tensor(graph.num_edges(), width, DType::kFloat32, 5));
}

ParameterList edge_parameters(Index edge_width, Index width) {
  ParameterList parameters;
  parameters.push_back(random_parameter("weight", edge_width, width, kDouble, 6));
  parameters.push_back(random_parameter("bias", 1, width, kDouble, 7));
  return parameters;
}

Builder message_sum(const Block& block, const ParameterList& p, bool rectified) {
  return [&block, &p, rectified](Tape& tape, const std::vector<Var>& in) {
    EdgeMessage m = src(block.sources(tape, in[0])) + edge(*p[0], *p[1]);
    return sum(tape, block, rectified ? relu(m) : m);
  };
}

}  // namespace

TEST_CASE("edge messages, by hand") {
  // 0 -> 2 with f = (1, 0), 1 -> 2 with f = (0, 2), 2 -> 0 with f = (1, 1).
  const Graph g = Graph::from_in_csr(3, {0, 1, 1, 3}, {2, 0, 1}, {}, true)
                      .with_edge_features(Tensor::from(3, 2, std::vector<double>{1, 1, 1, 0, 0, 2}, DType::kFloat32));
  ParameterList p;
  p.push_back(random_parameter("weight", 2, 2, kDouble, 6));
  p.push_back(random_parameter("bias", 1, 2, kDouble, 7));
  p[0]->value.copy_from(Tensor::from(2, 2, std::vector<double>{10, -10, 100, 1}));
  p[1]->value.copy_from(Tensor::from(1, 2, std::vector<double>{1, 2}));
  const Block block = Block::whole(g);
  Tape tape(context(kDouble));
  const Var x = tape.input(Tensor::from(3, 2, std::vector<double>{1, 2, 3, 4, 5, 6}), true);
  const Var y = message_sum(block, p, true)(tape, {x});
  // 0: (5 + 110 + 1, 6 - 9 + 2 -> 0); 2: (1 + 10 + 1, 2 - 10 + 2 -> 0) + (3 + 200 + 1, 4 + 2 + 2).
  CHECK(values_of(tape.value(y)) == std::vector<double>{116, 0, 0, 0, 216, 8});
  tape.add_gradient(y, Tensor::from(3, 2, std::vector<double>{1, 1, 1, 1, 1, 1}));
  tape.backward();
  CHECK(values_of(tape.take_gradient(x)) == std::vector<double>{1, 0, 1, 1, 1, 0});
  CHECK(values_of(p[0]->gradient) == std::vector<double>{2, 0, 3, 2});
  CHECK(values_of(p[1]->gradient) == std::vector<double>{3, 1});
}

TEST_CASE("gradients of edge messages on every graph") {
  for (const NamedGraph& g : test_graphs()) {
    const Block block = Block::whole(with_features(g.graph, 2));
    for (const bool rectified : {false, true}) {
      const ParameterList parameters = edge_parameters(2, 3);
      check_gradients(g.name + ", edge messages", message_sum(block, parameters, rectified),
                      {random_tensor(g.graph.num_vertices(), 3, kDouble, 1)}, parameters);
    }
  }
}

TEST_CASE("a block's edge features follow its edges, parallel ones too, however vertices are renumbered and chunked") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Graph graph = with_features(g.graph, 2);
    const Index n = graph.num_vertices();
    const Block whole = Block::whole(graph);
    const Tensor expected = whole.edge_features(DType::kFloat32);
    // Backwards.
    std::vector<VertexId> file_ids;
    std::vector<EdgeId> offsets{0};
    std::vector<VertexId> sources;
    for (Index v = n - 1; v >= 0; --v) {
      file_ids.push_back(static_cast<VertexId>(v));
      for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
        sources.push_back(static_cast<VertexId>(n - 1 - graph.in_sources()[e]));
      }
      offsets.push_back(static_cast<EdgeId>(sources.size()));
    }
    const Graph moved = Graph::from_in_csr(n, offsets, sources, {}, true).with_edge_features(graph.edge_features());
    for (const SourceSpace space : {SourceSpace::kCompact, SourceSpace::kTable}) {
      const Block chunk = Block::chunk(moved, 0, (n + 1) / 2, space, file_ids);
      const auto a = chunk.adjacency({Normalization::kNone, false, false}, DType::kFloat32);
      const Tensor found = chunk.edge_features(DType::kFloat32);
      REQUIRE(found.rows() == a->num_entries());
      for (Index r = 0; r < chunk.num_rows(); ++r) {
        const EdgeId there = graph.in_offsets()[chunk.own_ids()[r]];
        for (EdgeId e = a->offsets[r]; e < a->offsets[r + 1]; ++e) {
          CHECK(graph.in_sources()[there + e - a->offsets[r]] == chunk.source_ids()[a->sources[e]]);
          for (Index c = 0; c < 2; ++c) CHECK(found.at(e, c) == expected.at(there + e - a->offsets[r], c));
        }
      }
    }
  }
}

TEST_CASE("edge features that don't fit are refused") {
  const Graph graph = ring(4);
  CHECK_THROWS_AS(graph.with_edge_features(random_tensor(7, 2, DType::kFloat32, 1)), Error);
  CHECK_THROWS_AS(graph.with_edge_features(random_tensor(8, 2, kDouble, 1)), Error);
  CHECK_THROWS_AS(graph.with_edge_features(Tensor()), Error);
  CHECK_THROWS_WITH_AS(Block::whole(graph).edge_features(kDouble), doctest::Contains("no edge features"), Error);
  const Graph featured = with_features(graph, 2);
  // Those of another graph.
  CHECK_THROWS_AS(Block::whole(star(4).with_edge_features(featured.edge_features())).edge_features(kDouble), Error);
  const Block block = Block::whole(featured);
  Tape tape(context(kDouble));
  const Sources x = block.sources(tape, tape.input(random_tensor(4, 3, kDouble, 1), true));
  const ParameterList good = edge_parameters(2, 3);
  const ParameterList narrow = edge_parameters(2, 2);
  const ParameterList other = edge_parameters(1, 3);
  CHECK_NOTHROW(sum(tape, block, src(x) + edge(*good[0], *good[1])));
  CHECK_THROWS_AS(sum(tape, block, src(x) + edge(*narrow[0], *narrow[1])), Error);
  CHECK_THROWS_AS(sum(tape, block, src(x) + edge(*other[0], *other[1])), Error);
  CHECK_THROWS_AS(sum(tape, block, src(x) * symmetric_norm() + edge(*good[0], *good[1])), Error);
}
