#include "laminar/core/tape.hpp"

#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/rows.hpp"
#include "laminar/tests/core/aggregation_cases.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;

SparseMatrix sparse_rows() { return {2, 2, {0, 1, 1}, {1}, {3}}; }

}  // namespace

TEST_CASE("a tape keeps shapes, values and what needs a gradient") {
  Tape tape(context(kDouble));
  const Var x = tape.input(random_tensor(3, 2, kDouble, 1), true);
  const Var constant = tape.input(random_tensor(3, 2, kDouble, 2), false);
  const Var sparse = tape.input(sparse_rows());
  CHECK(tape.rows(x) == 3);
  CHECK(tape.cols(x) == 2);
  CHECK(tape.rows(sparse) == 2);
  CHECK(tape.is_sparse(sparse));
  CHECK_FALSE(tape.is_sparse(x));
  CHECK(tape.sparse(sparse).entries() == 1);
  CHECK(tape.needs_gradient(x));
  CHECK_FALSE(tape.needs_gradient(constant));
  CHECK_FALSE(tape.needs_gradient(sparse));
  CHECK(tape.needs_gradient(add(tape, x, constant)));
  CHECK_FALSE(tape.needs_gradient(add(tape, constant, constant)));
  const auto p = random_parameter("p", 2, 2, kDouble, 3);
  const Var v = tape.parameter(*p);
  CHECK(tape.parameter(*p).id == v.id);
  CHECK(tape.needs_gradient(v));
}

TEST_CASE("a tape that records nothing needs no gradient") {
  TapeContext c = context(kDouble);
  c.record = false;
  Tape tape(c);
  const auto p = random_parameter("p", 2, 2, kDouble, 3);
  const Var y = linear(tape, tape.input(random_tensor(3, 2, kDouble, 1), true), *p);
  CHECK_FALSE(tape.needs_gradient(y));
  tape.add_gradient(y, random_tensor(3, 2, kDouble, 2));
  tape.backward();
  CHECK(norm(p->gradient) == 0);
  CHECK(tape.aggregation() == nullptr);
}

TEST_CASE("values of another tape or of another kind are refused") {
  Tape tape(context(kDouble));
  const Var dense = tape.input(random_tensor(2, 2, kDouble, 1), true);
  CHECK_THROWS_AS(tape.sparse(dense), Error);
  for (const Var v : {Var{}, Var{99}}) {
    CHECK_THROWS_AS(tape.value(v), Error);
    CHECK_THROWS_AS(tape.sparse(v), Error);
    CHECK_THROWS_AS(tape.rows(v), Error);
    CHECK_THROWS_AS(tape.needs_gradient(v), Error);
    CHECK_THROWS_AS(tape.take_gradient(v), Error);
    CHECK_THROWS_AS(add(tape, dense, v), Error);
  }
  CHECK_THROWS_AS(tape.add_gradient(dense, random_tensor(2, 3, kDouble, 1)), Error);
  CHECK_THROWS_AS(tape.add_gradient(dense, random_tensor(3, 2, kDouble, 1)), Error);
  CHECK_THROWS_AS(tape.add_gradient(dense, random_tensor(2, 2, DType::kFloat32, 1)), Error);
  CHECK_THROWS_AS(Tape(TapeContext{}), Error);
}

TEST_CASE("a sparse value has a dense form, which goes with it") {
  Tape tape(context(kDouble));
  const Var sparse = tape.input(sparse_rows());
  CHECK(values_of(tape.value(sparse)) == std::vector<double>{0, 3, 0, 0});
  CHECK(tape.is_sparse(sparse));
  CHECK(values_of(tape.value(scale(tape, 2, sparse))) == std::vector<double>{0, 6, 0, 0});
  tape.finish_forward({});
  CHECK_THROWS_AS(tape.value(sparse), Error);
}

TEST_CASE("finish_forward releases what nothing needs") {
  const TapeContext c = context(kDouble);
  const auto activations = [&] { return c.pool->live_bytes(MemoryPurpose::kActivations); };
  {
    Tape tape(c);
    const Var x = tape.input(random_tensor(64, 8, kDouble, 1), true);
    const Var sparse = tape.input(sparse_rows());
    const Var twice = scale(tape, 2, x);                        // its backward reads nothing
    const Var kept = activate(tape, twice, Activation::kTanh);  // its backward reads its result
    const Var y = scale(tape, 3, kept);
    const std::size_t one = 64 * 8 * sizeof(double);
    CHECK(activations() == 3 * one);
    const std::vector<Var> outputs = {y};
    tape.finish_forward(outputs);
    CHECK(activations() == 2 * one);
    CHECK(tape.saved_bytes() == 2 * one);
    CHECK_NOTHROW(tape.value(y));
    CHECK_THROWS_AS(tape.value(twice), Error);
    CHECK_THROWS_AS(tape.value(kept), Error);
    CHECK_THROWS_AS(tape.value(x), Error);
    CHECK_THROWS_AS(tape.sparse(sparse), Error);
    CHECK(tape.rows(twice) == 64);
    tape.add_gradient(y, output_gradient(64, 8, kDouble));
    tape.backward();
    CHECK(static_cast<bool>(tape.take_gradient(x)));
  }
  for (std::size_t i = 0; i < kNumMemoryPurposes; ++i) {
    CHECK(c.pool->live_bytes(static_cast<MemoryPurpose>(i)) == 0);
  }
}

TEST_CASE("every aggregation saves something and gives it back") {
  const Block block = Block::whole(test_graphs()[0].graph);
  for (const AggregationCase& aggregation : aggregation_cases()) {
    CAPTURE(aggregation.name);
    const ParameterList parameters = aggregation_parameters(kDouble);
    const TapeContext c = context(kDouble, aggregation.training);
    {
      Tape tape(c);
      const Var x = tape.input(random_tensor(block.num_rows(), kAggregationWidth, kDouble, 1), true);
      const Var y = aggregation.apply(tape, block, x, parameters);
      CHECK(tape.aggregation() != nullptr);
      const std::vector<Var> outputs = {y};
      tape.finish_forward(outputs);
      CHECK(tape.saved_bytes() >= static_cast<std::size_t>(tape.value(y).size()) * sizeof(double));
    }
    CHECK(c.pool->live_bytes(MemoryPurpose::kActivations) == 0);
  }
}

TEST_CASE("a gradient given from outside is never written") {
  Tape tape(context(kDouble));
  const Var x = tape.input(random_tensor(3, 2, kDouble, 1), true);
  const Var y = add(tape, x, x);
  const Tensor dy = output_gradient(3, 2, kDouble);
  const Tensor before = dy.clone();
  tape.add_gradient(y, dy);
  tape.add_gradient(x, dy);
  tape.backward();
  CHECK(same_bits(dy, before));
  const Tensor dx = tape.take_gradient(x);
  Tensor expected(3, 2, kDouble);
  for (Index i = 0; i < 6; ++i) expected.data<double>()[i] = 3 * dy.data<double>()[i];
  CHECK(relative_difference(dx, expected) <= 1e-15);
  CHECK_FALSE(static_cast<bool>(tape.take_gradient(x)));
}

TEST_CASE("a shared gradient is not spoilt for its other holder") {
  // add() hands its own gradient to both inputs; x's then gets more, z's must not.
  Tape tape(context(kDouble));
  const Var x = tape.input(random_tensor(3, 2, kDouble, 1), true);
  const Var z = tape.input(random_tensor(3, 2, kDouble, 2), true);
  const Var more = scale(tape, 4, x);
  const Var y = add(tape, x, z);
  const Tensor dy = output_gradient(3, 2, kDouble);
  tape.add_gradient(y, dy);
  tape.add_gradient(more, dy);
  tape.backward();
  CHECK(same_bits(tape.take_gradient(z), dy));
  Tensor expected = dy.clone();
  for (Index i = 0; i < 6; ++i) expected.data<double>()[i] *= 5;
  CHECK(relative_difference(tape.take_gradient(x), expected) <= 1e-15);
}

TEST_CASE("a sink in place is the gradient itself if nothing else holds it") {
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(Tensor::zeros(2, 2, DType::kFloat64), true);
  Tensor dy = Tensor::from(2, 2, std::vector<double>{1, 2, 3, 4});
  const Tensor held = dy;
  {
    // Held by the test as well: another one.
    GradientSink sink = tape.sink_in_place(x, dy);
    CHECK_FALSE(sink.accumulate);
    CHECK(sink.tensor.raw() != held.raw());
    sink.tensor.fill(7);
  }
  // What has a gradient already gets more of it.
  CHECK(tape.sink_in_place(x, dy.clone()).accumulate);
  const Var z = tape.input(Tensor::zeros(2, 2, DType::kFloat64), true);
  const Tensor alone = dy.clone();
  const GradientSink sink = tape.sink_in_place(z, alone);
  CHECK_FALSE(sink.accumulate);
  CHECK(sink.tensor.raw() == alone.raw());
  CHECK(tape.take_gradient(z).raw() == alone.raw());
  CHECK(values_of(held) == std::vector<double>{1, 2, 3, 4});
  // A parameter's gradient is always added to.
  const auto p = random_parameter("p", 2, 2, DType::kFloat64, 1);
  CHECK(tape.sink_in_place(tape.parameter(*p), dy.clone()).accumulate);
}

TEST_CASE("a sink says whether to add") {
  Tape tape(context(kDouble));
  const Var x = tape.input(random_tensor(3, 2, kDouble, 1), true);
  GradientSink first = tape.sink(x);
  CHECK_FALSE(first.accumulate);
  first.tensor.fill(1);
  GradientSink second = tape.sink(x);
  CHECK(second.accumulate);
  CHECK(second.tensor.raw() == first.tensor.raw());
  const auto p = random_parameter("p", 2, 2, kDouble, 3);
  GradientSink of_parameter = tape.sink(tape.parameter(*p));
  CHECK(of_parameter.accumulate);
  CHECK(of_parameter.tensor.raw() == p->gradient.raw());
  tape.add_gradient(tape.parameter(*p), random_tensor(2, 2, kDouble, 4));
  tape.add_gradient(tape.parameter(*p), random_tensor(2, 2, kDouble, 4));
  CHECK(p->gradient.at(1, 1) == 2 * random_tensor(2, 2, kDouble, 4).at(1, 1));
}

TEST_CASE("the split at the sources gives what backward() gives") {
  const Graph graph = test_graphs()[2].graph;
  const Block block = Block::whole(graph);
  const Index n = graph.num_vertices();
  const Tensor x = random_tensor(n, 5, kDouble, 1);
  const Tensor dy = output_gradient(n, kAggregationWidth, kDouble);
  for (const AggregationCase& aggregation : aggregation_cases()) {
    CAPTURE(aggregation.name);
    ParameterList parameters = aggregation_parameters(kDouble);
    parameters.push_back(random_parameter("weight", 5, kAggregationWidth, kDouble, 3));
    const auto build = [&](Tape& tape, Var in) {
      const Var pre = linear(tape, in, *parameters[2]);
      const Var m = aggregation.apply(tape, block, pre, parameters);
      return activate(tape, add(tape, m, pre), Activation::kTanh);
    };
    std::vector<std::vector<Tensor>> results;
    for (const bool split : {false, true}) {
      zero_gradients(parameters);
      Tape tape(context(kDouble, aggregation.training));
      const Var in = tape.input(x, true);
      const Var y = build(tape, in);
      tape.add_gradient(y, dy);
      if (split) {
        tape.backward_to_sources();
        CHECK(tape.aggregation() == nullptr);
        CHECK_FALSE(static_cast<bool>(tape.take_gradient(in)));
        const Tensor g = tape.take_source_gradient();
        REQUIRE(static_cast<bool>(g));
        CHECK(g.rows() == n);
        tape.backward_from_sources(g.clone());
      } else {
        tape.backward();
      }
      results.push_back({tape.take_gradient(in).clone()});
      for (const auto& p : parameters) results.back().push_back(p->gradient.clone());
    }
    for (std::size_t i = 0; i < results[0].size(); ++i) CHECK(same_bits(results[0][i], results[1][i]));
  }
}

TEST_CASE("gradients pass through the sources to what came before") {
  const Block block = Block::whole(test_graphs()[2].graph);
  const Tensor x = random_tensor(block.num_rows(), 4, kDouble, 1);
  for (const AggregationCase& aggregation : aggregation_cases()) {
    ParameterList parameters = aggregation_parameters(kDouble);
    parameters.push_back(random_parameter("weight", 4, kAggregationWidth, kDouble, 3));
    check_gradients(aggregation.name + " of projected rows",
                    [&](Tape& tape, const std::vector<Var>& in) {
                      const Var pre = activate(tape, linear(tape, in[0], *parameters[2]), Activation::kTanh);
                      return activate(tape, aggregation.apply(tape, block, pre, parameters), Activation::kTanh);
                    },
                    {x}, parameters, {.training = aggregation.training});
  }
}

TEST_CASE("constant sources have no gradient, and the split still runs") {
  const Block block = Block::whole(ring(6));
  Tape tape(context(kDouble));
  const auto weight = random_parameter("weight", 4, 3, kDouble, 1);
  const Var x = tape.input(random_tensor(6, 4, kDouble, 1), false);
  const Var m = sum(tape, block, src(block.sources(tape, x)));
  CHECK(tape.aggregation() == nullptr);
  tape.add_gradient(linear(tape, m, *weight), output_gradient(6, 3, kDouble));
  tape.backward_to_sources();
  CHECK_FALSE(static_cast<bool>(tape.take_source_gradient()));
  tape.backward_from_sources(Tensor());
  CHECK(norm(weight->gradient) > 0);
}

TEST_CASE("source rows come in once a tape") {
  const Block block = Block::whole(ring(5));
  Tape tape(context(kDouble));
  const Var x = tape.input(random_tensor(5, 2, kDouble, 1), true);
  block.sources(tape, x);
  CHECK_THROWS_AS(block.sources(tape, x), Error);
}

TEST_CASE("a tape can be moved with its recording") {
  const Block block = Block::whole(ring(5));
  Tape first(context(kDouble));
  const Var x = first.input(random_tensor(5, 2, kDouble, 1), true);
  const Var y = sum(first, block, src(block.sources(first, x)));
  Tape second = std::move(first);
  second.add_gradient(y, output_gradient(5, 2, kDouble));
  second.backward();
  CHECK(static_cast<bool>(second.take_gradient(x)));
}

TEST_CASE("random streams follow the order of operations") {
  Tape a(context(kDouble));
  Tape b(context(kDouble));
  const RandomKey first = a.next_random_key();
  const RandomKey second = a.next_random_key();
  CHECK(first.k0 != second.k0);
  CHECK(b.next_random_key().k0 == first.k0);
  CHECK(b.next_random_key().k0 == second.k0);
}

TEST_CASE("constants are what depends on no parameter and no learnt input, also where nothing is recorded") {
  for (const bool record : {true, false}) {
    TapeContext c = context(kDouble);
    c.record = record;
    Tape tape(c);
    const auto p = random_parameter("p", 2, 2, kDouble, 3);
    const Var constant = tape.input(random_tensor(3, 2, kDouble, 1), false);
    const Var learnt = tape.input(random_tensor(3, 2, kDouble, 2), true);
    CHECK(tape.is_constant(constant));
    CHECK(tape.is_constant(tape.input(sparse_rows())));
    CHECK(tape.is_constant(add(tape, constant, constant)));
    CHECK(tape.is_constant(slice_rows(tape, constant, 0, 2)));
    CHECK_FALSE(tape.is_constant(learnt));
    CHECK_FALSE(tape.is_constant(add(tape, constant, learnt)));
    CHECK_FALSE(tape.is_constant(tape.parameter(*p)));
    CHECK_FALSE(tape.is_constant(linear(tape, constant, *p)));
  }
}

TEST_CASE("an aggregation that is linear in the source rows themselves has a matrix") {
  const Block block = Block::whole(test_graphs()[2].graph);
  const Index n = block.num_rows();
  const auto weight = random_parameter("weight", 3, 3, kDouble, 2);
  const AdjacencySpec spec{.normalization = Normalization::kRandomWalk, .self_loops = true};
  enum class Case { kLinear, kMax, kProjected, kDropped, kScaled, kConstant };
  for (const Case what :
       {Case::kLinear, Case::kMax, Case::kProjected, Case::kDropped, Case::kScaled, Case::kConstant}) {
    CAPTURE(static_cast<int>(what));
    Tape tape(context(kDouble, true));
    CHECK(tape.linear_matrix() == nullptr);
    const Var x = tape.input(random_tensor(n, 3, kDouble, 1), what != Case::kConstant);
    const SourceTransform transform = what == Case::kProjected ? projection(*weight)
                                      : what == Case::kDropped ? vertex_dropout(0.5)
                                                               : SourceTransform();
    Sources s = block.sources(tape, x, transform);
    if (what == Case::kScaled) s.rows = scale(tape, 2, s.rows);
    const Var y = what == Case::kMax ? max(tape, block, src(s)) : sum(tape, block, src(s) * spec);
    tape.add_gradient(y, output_gradient(n, 3, kDouble));
    if (what == Case::kLinear) {
      REQUIRE(tape.linear_matrix() != nullptr);
      CHECK(*tape.linear_matrix() == spec);
    } else {
      CHECK(tape.linear_matrix() == nullptr);
      CHECK_THROWS_WITH_AS(tape.backward_to_aggregation(), doctest::Contains("[pull]"), Error);
    }
  }
}

TEST_CASE("backward to the aggregation gives what its backward would have read, and runs the rest") {
  const Block block = Block::whole(test_graphs()[2].graph);
  const Index n = block.num_rows();
  const Tensor x = random_tensor(n, 3, kDouble, 1);
  const Tensor dy = output_gradient(n, 4, kDouble);
  const AdjacencySpec spec = symmetric_norm(true);
  ParameterList parameters;
  parameters.push_back(random_parameter("after", 3, 4, kDouble, 2));
  std::vector<Tensor> sources, weights;
  for (const bool pulled : {false, true}) {
    zero_gradients(parameters);
    Tape tape(context(kDouble));
    const Sources s = block.sources(tape, tape.input(x, true));
    tape.add_gradient(linear(tape, sum(tape, block, src(s) * spec), *parameters[0]), dy);
    if (pulled) {
      const Tensor z = tape.backward_to_aggregation();
      CHECK(tape.linear_matrix() == nullptr);
      CHECK_FALSE(static_cast<bool>(tape.take_source_gradient()));
      Tensor g(n, 3, kDouble);
      const std::vector<Index> offsets{0, n};
      const std::vector<double> ones{1};
      pull(*block.adjacency(spec, kDouble), 0, n, z, {offsets, ones}, g);
      sources.push_back(g);
    } else {
      tape.backward_to_sources();
      sources.push_back(tape.take_source_gradient());
    }
    weights.push_back(parameters[0]->gradient.clone());
  }
  CHECK(relative_difference(sources[0], sources[1]) <= 1e-14);
  CHECK(norm(sources[0]) > 0);
  CHECK(same_bits(weights[0], weights[1]));
  // What no gradient reaches gives none.
  Tape tape(context(kDouble));
  const Sources s = block.sources(tape, tape.input(x, true));
  sum(tape, block, src(s) * spec);
  CHECK_FALSE(static_cast<bool>(tape.backward_to_aggregation()));
}

namespace {

/// Knows all vertices' rows before the transform, and gives a block its sources transformed.
class TransformingExchange final : public SourceExchange {
 public:
  TransformingExchange(Tensor table, TapeContext c) : table_(std::move(table)), context_(std::move(c)) {}
  Tensor sources(const Block&, const Tensor&, bool constant) override {
    asked_for_constant = constant;
    return table_;
  }
  SparseMatrix sources(const Block&, const SparseMatrix&) override { throw Error("not asked for"); }
  bool transforms() const override { return true; }
  Tensor transformed_sources(const Block& block, const TransformedRows& rows) override {
    own = rows.own.clone();
    transformed = rows.transformed.clone();
    first_random_op = rows.first_random_op;
    // The masks of these rows are drawn as those of the block's own.
    context_.first_random_op = rows.first_random_op;
    Tape tape(context_);
    return tape.value(apply(tape, tape.input(table_, true), rows.transform, block.source_ids()));
  }
  Tensor own, transformed;
  std::uint64_t first_random_op = 0;
  bool asked_for_constant = false;

 private:
  Tensor table_;
  TapeContext context_;
};

}  // namespace

TEST_CASE("an exchange that transforms rows is asked for transformed ones, and gets their gradient back") {
  const Graph graph = ring(6);
  const Block block = Block::chunk(graph, 1, 4, SourceSpace::kCompact);
  const Index sources = block.num_sources();
  const auto weight = random_parameter("weight", 3, 2, kDouble, 2);
  const SourceTransform transform = vertex_dropout(0.5) | projection(*weight);
  Tensor table(sources, 3, kDouble);
  const Tensor all = random_tensor(6, 3, kDouble, 1);
  for (Index r = 0; r < sources; ++r) {
    for (Index c = 0; c < 3; ++c) table.set(r, c, all.at(block.source_vertices()[static_cast<std::size_t>(r)], c));
  }
  TransformingExchange exchange(table, context(kDouble, true));
  Tape tape(context(kDouble, true, &exchange));
  static_cast<void>(tape.next_random_key());
  const Var x = tape.input(all.slice_rows(1, 4).clone(), true);
  const Sources s = block.sources(tape, x, transform);
  CHECK(exchange.first_random_op == 1);
  CHECK(same_bits(exchange.own, all.slice_rows(1, 4).clone()));
  CHECK(tape.rows(s.rows) == sources);
  CHECK(tape.cols(s.rows) == 2);
  // Own rows are the same among the sources, dropout masks included.
  CHECK(same_bits(tape.value(s.own).clone(), exchange.transformed));
  CHECK(
      same_bits(tape.value(s.rows).slice_rows(block.own_begin(), block.own_begin() + 3).clone(), exchange.transformed));
  tape.add_gradient(sum(tape, block, src(s)), output_gradient(3, 2, kDouble));
  tape.backward_to_sources();
  const Tensor g = tape.take_source_gradient();
  CHECK(g.rows() == sources);
  CHECK(g.cols() == 2);
  CHECK(norm(weight->gradient) == 0);
  // What all consumers want of the transformed own rows goes on through the transform.
  tape.backward_from_sources(output_gradient(3, 2, kDouble));
  CHECK(norm(weight->gradient) > 0);
  CHECK(norm(tape.take_gradient(x)) > 0);

  // Constant rows are exchanged as they are and transformed by the tape.
  Tape constants(context(kDouble, true, &exchange));
  const Sources c = block.sources(constants, constants.input(all.slice_rows(1, 4).clone(), false), transform);
  CHECK(exchange.asked_for_constant);
  CHECK(constants.cols(c.rows) == 2);
}

TEST_CASE("an exchange that transforms nothing says so") {
  class Plain final : public SourceExchange {
   public:
    Tensor sources(const Block&, const Tensor& own, bool) override { return own; }
    SparseMatrix sources(const Block&, const SparseMatrix& own) override { return own; }
  };
  Plain plain;
  CHECK_FALSE(plain.transforms());
  const Block block = Block::whole(ring(3));
  const Tensor rows = random_tensor(3, 2, kDouble, 1);
  CHECK_THROWS_WITH_AS(plain.transformed_sources(block, {rows, rows, {}, 0}), doctest::Contains("[sources]"), Error);
}

TEST_CASE("two aggregations of the same sources: no pull for either, and their gradients add up") {
  const Block block = Block::whole(directed_random(12, 40, true, 3));
  const Builder both = [&](Tape& tape, const std::vector<Var>& in) {
    const Sources x = block.sources(tape, in[0]);
    const Var y = combine(tape, 2, sum(tape, block, src(x) * edge_weight()), 3, mean(tape, block, src(x)));
    CHECK(tape.linear_matrix() == nullptr);
    return y;
  };
  check_gradients("two aggregations", both, {random_tensor(12, 3, DType::kFloat64, 1)});
}
