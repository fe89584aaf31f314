/// What pipelining rests on: for every aggregation the chunks of a graph give the rows that the whole graph gives, bit
/// for bit, their source gradients add up to the whole graph's, and a pull gives the same as the backward.
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/elementwise.hpp"
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

constexpr DType kBoth[] = {DType::kFloat32, DType::kFloat64};

/// Cuts of [0, n] in `chunks` pieces whose sizes grow; some are empty if n is small.
std::vector<Index> uneven_cuts(Index n, Index chunks) {
  std::vector<Index> cuts;
  for (Index c = 0; c <= chunks; ++c) cuts.push_back(n * c * c / (chunks * chunks));
  return cuts;
}

/// File ids that are not the vertices themselves, so that a mix-up of the two shows.
std::vector<VertexId> shifted_ids(Index n) {
  std::vector<VertexId> ids;
  for (Index v = 0; v < n; ++v) ids.push_back(static_cast<VertexId>(1000 + (v * 5 + 3) % (n * 7 + 1)));
  return ids;
}

struct Whole {
  explicit Whole(const Graph& graph) : block(Block::whole(graph, shifted_ids(graph.num_vertices()))) {}
  Block block;
  Tensor x;
  Tensor y;
  Tensor dy;
  Tensor source_gradient;
  ParameterList parameters;
};

/// `before_backward` gets the tape when the aggregation is recorded.
Whole run_whole(const Graph& graph, const AggregationCase& aggregation, DType dtype,
                const std::function<void(Tape&, const Whole&)>& before_backward = {}) {
  Whole whole(graph);
  const Index n = graph.num_vertices();
  whole.x = random_tensor(n, kAggregationWidth, dtype, 11);
  whole.dy = output_gradient(n, kAggregationWidth, dtype);
  whole.parameters = aggregation_parameters(dtype);
  Tape tape(context(dtype, aggregation.training));
  const Var y = aggregation.apply(tape, whole.block, tape.input(whole.x, true), whole.parameters);
  whole.y = tape.value(y);
  if (before_backward) before_backward(tape, whole);
  tape.add_gradient(y, whole.dy);
  tape.backward_to_sources();
  whole.source_gradient = tape.take_source_gradient();
  return whole;
}

template <class F>
void for_all(F&& f) {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    for (const AggregationCase& aggregation : aggregation_cases()) {
      CAPTURE(aggregation.name);
      for (const DType dtype : kBoth) {
        CAPTURE(std::string(core::name_of(dtype)));
        f(g.graph, aggregation, dtype);
      }
    }
  }
}

}  // namespace

TEST_CASE("chunks give the whole graph's rows and gradients") {
  for_all([](const Graph& graph, const AggregationCase& aggregation, DType dtype) {
    const Whole whole = run_whole(graph, aggregation, dtype);
    const Index n = graph.num_vertices();
    const double tolerance = dtype == DType::kFloat64 ? 1e-12 : 1e-5;
    for (const Index chunks : {1, 3, 7}) {
      for (const SourceSpace space : {SourceSpace::kCompact, SourceSpace::kTable}) {
        CAPTURE(chunks);
        CAPTURE(space == SourceSpace::kTable);
        TableExchange exchange(whole.x);
        Tensor gradient = Tensor::zeros(n, kAggregationWidth, dtype);
        const ParameterList parameters = aggregation_parameters(dtype);
        const std::vector<Index> cuts = uneven_cuts(n, chunks);
        for (Index c = 0; c < chunks; ++c) {
          const Block block = Block::chunk(graph, cuts[c], cuts[c + 1], space, shifted_ids(n));
          Tape tape(context(dtype, aggregation.training, &exchange));
          const Var own = tape.input(whole.x.slice_rows(cuts[c], cuts[c + 1]), true);
          const Var y = aggregation.apply(tape, block, own, parameters);
          CHECK(same_bits(tape.value(y), whole.y.slice_rows(cuts[c], cuts[c + 1])));
          tape.add_gradient(y, whole.dy.slice_rows(cuts[c], cuts[c + 1]));
          tape.backward_to_sources();
          scatter_add(block, tape.take_source_gradient(), gradient);
        }
        CHECK(relative_difference(gradient, whole.source_gradient) <= tolerance);
        for (std::size_t p = 0; p < parameters.size(); ++p) {
          const Tensor& expected = whole.parameters[p]->gradient;
          const Tensor& found = parameters[p]->gradient;
          // Where all softmaxes have one entry the gradient is 0 to rounding.
          const bool both_vanish = norm(found) <= tolerance && norm(expected) <= tolerance;
          CHECK((both_vanish || relative_difference(found, expected) <= tolerance));
        }
      }
    }
  });
}

TEST_CASE("rows and gradients have the same bits however the ranges are cut") {
  for_all([](const Graph& graph, const AggregationCase& aggregation, DType dtype) {
    const Index n = graph.num_vertices();
    Tensor rows(n, kAggregationWidth, dtype);
    Tensor gradient(n, kAggregationWidth, dtype);
    // As wide as any aggregation's: heads of attention, columns of gates.
    Tensor scores(n, kAggregationWidth, dtype);
    Tensor rows_again(n, kAggregationWidth, dtype);
    const auto in_pieces = [&](Tape& tape, const Whole& whole) {
      AggregationNode* node = tape.aggregation();
      REQUIRE(node != nullptr);
      const std::vector<Index> cuts = uneven_cuts(n, 4);
      SourceGradients sinks{{gradient, false}, {scores, false}};
      for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
        node->forward_rows(whole.x, rows_again, cuts[c], cuts[c + 1]);
        node->backward_rows(whole.dy, cuts[c], cuts[c + 1], sinks);
      }
      rows.copy_from(rows_again);
      // Once more from a Z that is another tensor, as the executor's tables are.
      Tensor one_go(n, kAggregationWidth, dtype);
      Tensor one_go_scores(n, kAggregationWidth, dtype);
      SourceGradients whole_sinks{{one_go, false}, {one_go_scores, false}};
      node->backward_rows(whole.dy.clone(), 0, n, whole_sinks);
      CHECK(same_bits(gradient, one_go));
    };
    const Whole whole = run_whole(graph, aggregation, dtype, in_pieces);
    CHECK(same_bits(rows, whole.y));
    // The source gradient of attention and gates has further terms, through the scores.
    const bool has_scores = aggregation.name.starts_with("attention") || aggregation.name == "gates";
    if (!has_scores) CHECK(same_bits(gradient, whole.source_gradient));
  });
}

TEST_CASE("a pull over source ranges gives the backward's bits") {
  for_all([](const Graph& graph, const AggregationCase& aggregation, DType dtype) {
    const Index n = graph.num_vertices();
    if (!aggregation.linear) return;
    std::vector<Tensor> pulled;
    const auto pull_all = [&](Tape& tape, const Whole& whole) {
      REQUIRE(tape.aggregation()->linear_matrix() != nullptr);
      const auto matrix = whole.block.adjacency(*tape.aggregation()->linear_matrix(), dtype);
      for (const Index chunks : {1, 3, 7}) {
        const std::vector<Index> cuts = uneven_cuts(n, chunks);
        const std::vector<double> ones(static_cast<std::size_t>(chunks), 1.0);
        Tensor all(n, kAggregationWidth, dtype);
        for (Index c = 0; c < chunks; ++c) {
          Tensor out = all.slice_rows(cuts[c], cuts[c + 1]);
          pull(*matrix, cuts[c], cuts[c + 1], whole.dy, {cuts, ones}, out);
        }
        pulled.push_back(all);
      }
    };
    const Whole whole = run_whole(graph, aggregation, dtype, pull_all);
    for (const Tensor& p : pulled) CHECK(same_bits(p, whole.source_gradient));
  });
}

TEST_CASE("a pull counts consumers by their chunk") {
  struct Mode {
    double fresh, stale;
  };
  const std::vector<AdjacencySpec> specs = all_adjacency_specs();
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Index n = g.graph.num_vertices();
    for (std::size_t s = 0; s < specs.size(); ++s) {
      const std::vector<ReferenceEdge> edges = reference_edges(g.graph, specs[s]);
      for (const Index chunks : {1, 3, 7}) {
        const std::vector<Index> cuts = uneven_cuts(n, chunks);
        const auto chunk_of = [&](Index v) {
          Index c = 0;
          while (v >= cuts[c + 1]) ++c;
          return c;
        };
        for (const Mode mode : {Mode{1, 0}, Mode{0, 0}, Mode{2, 0}, Mode{1, 1}, Mode{0.5, -0.25}}) {
          const auto coefficient = [&](Index source_chunk, Index target_chunk) {
            return source_chunk == target_chunk ? 1.0 : target_chunk > source_chunk ? mode.fresh : mode.stale;
          };
          run_whole(g.graph, aggregation_cases()[s], DType::kFloat64, [&](Tape& tape, const Whole& whole) {
            std::vector<ReferenceEdge> counted = edges;
            for (ReferenceEdge& e : counted) e.value *= coefficient(chunk_of(e.source), chunk_of(e.target));
            const Tensor expected = reference_sum_transposed(counted, whole.dy);
            Tensor found(n, kAggregationWidth, DType::kFloat64);
            const auto matrix = whole.block.adjacency(*tape.aggregation()->linear_matrix(), DType::kFloat64);
            for (Index c = 0; c < chunks; ++c) {
              std::vector<double> coefficients;
              for (Index t = 0; t < chunks; ++t) coefficients.push_back(coefficient(c, t));
              Tensor out = found.slice_rows(cuts[c], cuts[c + 1]);
              pull(*matrix, cuts[c], cuts[c + 1], whole.dy, {cuts, coefficients}, out);
            }
            CHECK(relative_difference(found, expected) <= 1e-14);
          });
        }
      }
    }
  }
}

TEST_CASE("a pull that can't be is refused") {
  const Graph graph = ring(6);
  const std::vector<Index> offsets = {0, 2, 6};
  const std::vector<double> ones = {1, 1};
  Tensor out(6, kAggregationWidth, DType::kFloat64);
  const auto& cases = aggregation_cases();
  run_whole(graph, cases.front(), DType::kFloat64, [&](Tape& tape, const Whole& whole) {
    const auto matrix = whole.block.adjacency(*tape.aggregation()->linear_matrix(), DType::kFloat64);
    const PullWeights weights{offsets, ones};
    CHECK_NOTHROW(pull(*matrix, 0, 6, whole.dy, weights, out));
    CHECK_THROWS_AS(pull(*matrix, 0, 7, whole.dy, weights, out), Error);
    CHECK_THROWS_AS(pull(*matrix, -1, 5, whole.dy, weights, out), Error);
    CHECK_THROWS_AS(pull(*matrix, 4, 3, whole.dy, weights, out), Error);
    CHECK_THROWS_AS(pull(*matrix, 0, 5, whole.dy, weights, out), Error);
    CHECK_THROWS_AS(pull(*matrix, 0, 6, whole.dy.slice_rows(0, 5), weights, out), Error);
    CHECK_THROWS_AS(pull(*matrix, 0, 6, whole.dy.to(DType::kFloat32), weights, out), Error);
    Tensor narrow(6, 2, DType::kFloat64);
    CHECK_THROWS_AS(pull(*matrix, 0, 6, whole.dy, weights, narrow), Error);
    CHECK_THROWS_AS(pull(*matrix, 0, 6, whole.dy, {std::span(offsets).first(2), ones}, out), Error);
    CHECK_THROWS_AS(pull(*matrix, 0, 6, whole.dy, {std::span(offsets).first(2), std::span(ones).first(1)}, out), Error);
  });
  for (const AggregationCase& aggregation : cases) {
    if (aggregation.linear) continue;
    run_whole(graph, aggregation, DType::kFloat64, [&](Tape& tape, const Whole&) {
      CHECK(tape.aggregation()->linear_matrix() == nullptr);
      CHECK(tape.linear_matrix() == nullptr);
      CHECK_THROWS_AS(tape.backward_to_aggregation(), Error);
    });
  }
}

TEST_CASE("a chunk's tape split at its sources gives the own rows' gradient") {
  // x -> scale -> sources -> sum, with a self term beside: each chunk hands its source gradients out, and gets back
  // what all chunks want of its rows. The result must be the whole graph's.
  const Graph graph = test_graphs()[2].graph;
  const Index n = graph.num_vertices();
  for (const AggregationCase& aggregation : aggregation_cases()) {
    CAPTURE(aggregation.name);
    const ParameterList parameters = aggregation_parameters(DType::kFloat64);
    const Tensor x = random_tensor(n, kAggregationWidth, DType::kFloat64, 5);
    const auto build = [&](Tape& tape, const Block& block, Var own) {
      const Var pre = scale(tape, 0.5, own);
      return add(tape, aggregation.apply(tape, block, pre, parameters), add(tape, pre, own));
    };
    const Block whole = Block::whole(graph);
    const Pass expected =
        run_pass(context(DType::kFloat64, aggregation.training),
                 [&](Tape& tape, const std::vector<Var>& in) { return build(tape, whole, in[0]); }, {x}, {});
    Tensor table = x.clone();
    for (Index i = 0; i < table.size(); ++i) table.data<double>()[i] *= 0.5;
    TableExchange exchange(table);
    const std::vector<Index> cuts = uneven_cuts(n, 3);
    std::vector<Tape> tapes;
    std::vector<Var> inputs;
    Tensor wanted = Tensor::zeros(n, kAggregationWidth, DType::kFloat64);
    const Tensor dy = output_gradient(n, kAggregationWidth, DType::kFloat64);
    for (std::size_t c = 0; c < 3; ++c) {
      const Block block = Block::chunk(graph, cuts[c], cuts[c + 1], SourceSpace::kCompact);
      tapes.emplace_back(context(DType::kFloat64, aggregation.training, &exchange));
      inputs.push_back(tapes[c].input(x.slice_rows(cuts[c], cuts[c + 1]), true));
      const Var y = build(tapes[c], block, inputs[c]);
      tapes[c].add_gradient(y, dy.slice_rows(cuts[c], cuts[c + 1]));
      tapes[c].backward_to_sources();
      scatter_add(block, tapes[c].take_source_gradient(), wanted);
    }
    Tensor found(n, kAggregationWidth, DType::kFloat64);
    for (std::size_t c = 0; c < 3; ++c) {
      tapes[c].backward_from_sources(wanted.slice_rows(cuts[c], cuts[c + 1]));
      found.slice_rows(cuts[c], cuts[c + 1]).copy_from(tapes[c].take_gradient(inputs[c]));
    }
    CHECK(relative_difference(found, expected.input_gradients[0]) <= 1e-12);
  }
}
