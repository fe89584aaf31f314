#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/random.hpp"
#include "laminar/core/wide_registers.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/reference.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

constexpr DType kDouble = DType::kFloat64;
constexpr double kSlope = 0.2;

ParameterList vectors(Index width, DType dtype = kDouble) {
  ParameterList p;
  p.push_back(random_parameter("source vector", 1, width, dtype, 11));
  p.push_back(random_parameter("target vector", 1, width, dtype, 12));
  return p;
}

Var attend(Tape& tape, const Block& block, Var own, const ParameterList& p, const AttentionOptions& options,
           double slope = kSlope) {
  const Sources z = block.sources(tape, own);
  return softmax_sum(tape, block, leaky_relu(dot(src(z), *p[0]) + dot(dst(z), *p[1]), slope), src(z), options);
}

/// Coefficients alpha_ij * mask as a matrix [n, n]: one head over one-hot rows, whose scores come from the vectors.
Tensor coefficients(const Block& block, double dropout, bool training, bool self_loops = false) {
  const Index n = block.num_rows();
  Tensor identity = Tensor::zeros(n, n, kDouble);
  for (Index v = 0; v < n; ++v) identity.set(v, v, 1);
  const ParameterList p = vectors(n);
  Tape tape(context(kDouble, training));
  const Var y = attend(tape, block, tape.input(identity, true), p, {1, self_loops, dropout});
  return tape.value(y).clone();
}

}  // namespace

TEST_CASE("attention, by hand") {
  // 0 -> 2 and 1 -> 2. With a = (1, 0) and b = (0, 1) the logits at 2 are z_00 + z_21 and z_10 + z_21.
  const Graph g = Graph::from_edges(3, std::vector<VertexId>{0, 1}, std::vector<VertexId>{2, 2}, {}, true);
  const Block block = Block::whole(g);
  ParameterList p = vectors(2);
  p[0]->value.copy_from(Tensor::from(1, 2, std::vector<double>{1, 0}));
  p[1]->value.copy_from(Tensor::from(1, 2, std::vector<double>{0, 1}));
  Tape tape(context(kDouble));
  const Var z = tape.input(Tensor::from(3, 2, std::vector<double>{3, 10, -6, 20, 7, 1}), true);
  const Tensor y = tape.value(attend(tape, block, z, p, {.heads = 1, .self_loops = false}));
  // Logits 4 and .2 * -5 = -1.
  const double first = 1 / (1 + std::exp(-5.0));
  CHECK(y.at(2, 0) == doctest::Approx(first * 3 + (1 - first) * -6).epsilon(1e-14));
  CHECK(y.at(2, 1) == doctest::Approx(first * 10 + (1 - first) * 20).epsilon(1e-14));
  CHECK(values_of(y.slice_rows(0, 2)) == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("attention agrees with the reference, forward and backward") {
  for (const NamedGraph& g : test_graphs()) {
    CAPTURE(g.name);
    const Block block = Block::whole(g.graph);
    const Index n = g.graph.num_vertices();
    for (const DType dtype : {DType::kFloat32, kDouble}) {
      const double tolerance = dtype == DType::kFloat32 ? 1e-5 : 1e-12;
      // Numbers of heads and widths that kernels are made for, and others.
      struct Heads {
        Index count, width;
      };
      for (const auto [heads, width] :
           {Heads{1, 27}, {1, 64}, {3, 9}, {9, 3}, {4, 16}, {4, 48}, {8, 4}, {8, 8}, {8, 16}, {8, 32}, {16, 8}}) {
        for (const bool self_loops : {false, true}) {
          CAPTURE(heads);
          CAPTURE(width);
          CAPTURE(self_loops);
          const ParameterList p = vectors(heads * width, dtype);
          const Tensor z = random_tensor(n, heads * width, dtype, 1);
          const Tensor dy = output_gradient(n, heads * width, dtype);
          const Pass pass = run_pass(
              context(dtype),
              [&](Tape& t, const std::vector<Var>& in) {
                return attend(t, block, in[0], p, {heads, self_loops, 0});
              },
              {z}, p);
          const auto edges = reference_edges(g.graph, {Normalization::kNone, self_loops, false});
          const ReferenceAttention expected =
              reference_attention(edges, z, p[0]->value, p[1]->value, heads, kSlope, &dy);
          CHECK(relative_difference(pass.output, expected.y) <= tolerance);
          CHECK(relative_difference(pass.input_gradients[0], expected.dz) <= tolerance);
          // What the vectors get is a sum of terms as large as dz's that may cancel, so its rounding error has dz's
          // scale.
          const auto close = [&](const Tensor& a, const Tensor& b) {
            return relative_difference(a, b) * std::max(norm(a), norm(b)) <= tolerance * norm(expected.dz);
          };
          CHECK(close(pass.parameter_gradients[0], expected.dsource));
          CHECK(close(pass.parameter_gradients[1], expected.dtarget));
        }
      }
    }
  }
}

TEST_CASE("kernels in float32 agree with those in float64, dropout and falling scores included") {
  // One row of many edges among rows of few, and rows without any.
  const Graph graphs[] = {star(300), directed_random(90, 400, false, 4)};
  struct Shape {
    Index heads, width;
  };
  for (const Graph& graph : graphs) {
    const Block block = Block::whole(graph);
    const Index n = graph.num_vertices();
    for (const auto [heads, width] : {Shape{1, 15},
                                      {1, 16},
                                      {1, 17},
                                      {1, 32},
                                      {1, 40},
                                      {1, 58},
                                      {1, 65},
                                      {1, 128},
                                      {1, 129},
                                      {8, 8},
                                      {8, 16},
                                      {16, 8},
                                      {16, 16}}) {
      for (const double dropout : {0.0, 0.4}) {
        for (const double slope : {kSlope, 0.0, -0.5}) {
          CAPTURE(heads);
          CAPTURE(width);
          CAPTURE(dropout);
          CAPTURE(slope);
          const auto run = [&, count = heads, d = heads * width](DType dtype) {
            const ParameterList p = vectors(d, dtype);
            return run_pass(
                context(dtype, true),
                [&](Tape& t, const std::vector<Var>& in) {
                  return attend(t, block, in[0], p, {count, true, dropout}, slope);
                },
                {random_tensor(n, d, dtype, 1)}, p);
          };
          const Pass found = run(DType::kFloat32);
          const Pass expected = run(kDouble);
          CHECK(relative_difference(found.output, expected.output) <= 1e-5);
          CHECK(relative_difference(found.input_gradients[0], expected.input_gradients[0]) <= 1e-5);
          const double scale = norm(expected.input_gradients[0]);
          for (const std::size_t k : {0, 1}) {
            const Tensor& a = found.parameter_gradients[k];
            const Tensor& b = expected.parameter_gradients[k];
            CHECK(relative_difference(a, b) * std::max(norm(a), norm(b)) <= 1e-5 * scale);
          }
        }
      }
    }
  }
}

TEST_CASE("kernels for long and for short registers give the same bits") {
  const Graph graph = directed_random(90, 700, false, 4);
  const Block block = Block::whole(graph);
  for (const auto& [heads, width] : {std::pair<Index, Index>{1, 16}, {1, 40}, {1, 58}, {1, 128}, {8, 8}, {8, 16}}) {
    for (const DType kept : {DType::kFloat32, DType::kBfloat16}) {
      CAPTURE(heads);
      CAPTURE(width);
      const auto run = [&, count = heads, d = heads * width](bool wide) {
        allow_wide_registers(wide);
        const ParameterList p = vectors(d, DType::kFloat32);
        TapeContext c = context(DType::kFloat32, true);
        c.bfloat16 = kept == DType::kBfloat16;
        return run_pass(
            c,
            [&](Tape& t, const std::vector<Var>& in) {
              const Sources z = block.sources(t, in[0]);
              return softmax_sum(t, block, leaky_relu(dot(src(z), *p[0]) + dot(dst(z), *p[1]), kSlope), src(z),
                                 {count, true, 0.4});
            },
            {random_tensor(graph.num_vertices(), d, DType::kFloat32, 1).to(kept)}, p);
      };
      const Pass shorter = run(false);
      const Pass longer = run(true);
      CHECK(same_bits(shorter.output, longer.output));
      CHECK(same_bits(shorter.input_gradients[0], longer.input_gradients[0]));
      for (const std::size_t k : {0, 1})
        CHECK(same_bits(shorter.parameter_gradients[k], longer.parameter_gradients[k]));
    }
  }
}

TEST_CASE("gradients of attention on every graph") {
  for (const NamedGraph& g : test_graphs()) {
    const Block block = Block::whole(g.graph);
    const ParameterList p = vectors(6);
    const Tensor z = random_tensor(g.graph.num_vertices(), 6, kDouble, 1);
    for (const Index heads : {1, 3}) {
      for (const bool self_loops : {false, true}) {
        for (const double dropout : {0.0, 0.4}) {
          check_gradients(g.name + ", attention with " + std::to_string(heads) + " heads, self-loops " +
                              std::to_string(self_loops) + ", dropout " + std::to_string(dropout),
                          [&](Tape& t, const std::vector<Var>& in) {
                            return attend(t, block, in[0], p, {heads, self_loops, dropout});
                          },
                          {z}, p, {.training = dropout > 0});
        }
      }
    }
  }
}

TEST_CASE("gradients of scores that rise again below zero") {
  const Block block = Block::whole(test_graphs()[1].graph);
  const ParameterList p = vectors(6);
  const Tensor z = random_tensor(block.num_rows(), 6, kDouble, 1);
  for (const Index heads : {1, 3}) {
    for (const double slope : {-0.5, 0.0, 1.0}) {
      check_gradients("attention with slope " + std::to_string(slope),
                      [&](Tape& t, const std::vector<Var>& in) {
                        return attend(t, block, in[0], p, {heads, true, 0.3}, slope);
                      },
                      {z}, p, {.training = true});
    }
  }
}

TEST_CASE("gradients of a score with one vector for both ends") {
  const Block block = Block::whole(test_graphs()[1].graph);
  ParameterList p = vectors(6);
  p.pop_back();
  const Tensor z = random_tensor(block.num_rows(), 6, kDouble, 1);
  check_gradients(
      "attention with one vector",
      [&](Tape& t, const std::vector<Var>& in) {
        const Sources x = block.sources(t, in[0]);
        return softmax_sum(t, block, leaky_relu(dot(src(x), *p[0]) + dot(dst(x), *p[0])), src(x), {.heads = 3});
      },
      {z}, p);
}

TEST_CASE("scores of the same rows are those of rows that only look the same") {
  const Block block = Block::whole(test_graphs()[1].graph);
  for (const Index heads : {1, 3, 8}) {
    const Index d = heads * 16;
    const Tensor z = random_tensor(block.num_rows(), d, DType::kFloat32, 1);
    const Tensor dy = random_tensor(block.num_rows(), d, DType::kFloat32, 2);
    const auto run = [&](bool together) {
      const ParameterList p = vectors(d, DType::kFloat32);
      Tape tape(context(DType::kFloat32));
      const Var in = tape.input(z, true);
      const Var of_targets = together ? in : tape.input(z, true);
      const Sources x = {block.sources(tape, in).rows, of_targets};
      const Sources own = {x.rows, together ? x.rows : of_targets};
      const Var y =
          softmax_sum(tape, block, leaky_relu(dot(src(own), *p[0]) + dot(dst(own), *p[1])), src(own), {.heads = heads});
      tape.add_gradient(y, dy);
      const Tensor value = tape.value(y).clone();
      tape.backward();
      Tensor dz = tape.take_gradient(in);
      std::vector<Tensor> gradients = {p[0]->gradient.clone(), p[1]->gradient.clone()};
      if (!together) {
        const Tensor rest = tape.take_gradient(of_targets);
        for (Index i = 0; i < dz.size(); ++i) dz.data<float>()[i] += rest.data<float>()[i];
      }
      return std::pair(std::vector<Tensor>{value, gradients[0], gradients[1]}, dz);
    };
    const auto [one, dz_one] = run(true);
    const auto [two, dz_two] = run(false);
    for (std::size_t i = 0; i < one.size(); ++i) CHECK(same_bits(one[i], two[i]));
    CHECK(relative_difference(dz_one, dz_two) < 1e-6);
  }
}

TEST_CASE("constant rows are attended to as well") {
  const Block block = Block::whole(test_graphs()[1].graph);
  const ParameterList p = vectors(6);
  const Tensor z = random_tensor(block.num_rows(), 6, kDouble, 1);
  check_gradients(
      "attention over constants",
      [&](Tape& t, const std::vector<Var>&) { return attend(t, block, t.input(z, false), p, {.heads = 2}); }, {}, p);
  Tape tape(context(kDouble));
  const Var y = attend(tape, block, tape.input(z, false), p, {.heads = 2});
  tape.add_gradient(y, output_gradient(block.num_rows(), 6, kDouble));
  tape.backward_to_sources();
  CHECK_FALSE(static_cast<bool>(tape.take_source_gradient()));
}

TEST_CASE("large logits don't overflow") {
  const Block block = Block::whole(star(5));
  for (const DType dtype : {DType::kFloat32, kDouble}) {
    const ParameterList p = vectors(4, dtype);
    const Tensor z = random_tensor(5, 4, dtype, 1, 1e4);
    const Pass pass = run_pass(
        context(dtype), [&](Tape& t, const std::vector<Var>& in) { return attend(t, block, in[0], p, {}); }, {z}, p);
    CHECK(std::isfinite(norm(pass.output)));
    CHECK(std::isfinite(norm(pass.input_gradients[0])));
  }
}

TEST_CASE("dropout thins coefficients and keeps their mean") {
  const Block block = Block::whole(undirected_random(60, 600, 5));
  const Tensor plain = coefficients(block, 0.4, false);
  const Tensor thinned = coefficients(block, 0.4, true);
  const double scale = DropoutRate(0.4).scale;
  double edges = 0;
  double kept = 0;
  for (Index i = 0; i < 60; ++i) {
    double total = 0;
    for (Index j = 0; j < 60; ++j) {
      total += plain.at(i, j);
      if (plain.at(i, j) == 0) {
        CHECK(thinned.at(i, j) == 0);
        continue;
      }
      ++edges;
      if (thinned.at(i, j) == 0) continue;
      ++kept;
      CHECK(thinned.at(i, j) == doctest::Approx(scale * plain.at(i, j)).epsilon(1e-14));
    }
    CHECK(total == doctest::Approx(1).epsilon(1e-14));
  }
  CHECK(edges == 1200);
  CHECK(std::abs(kept / edges - 0.6) < 5 * std::sqrt(0.24 / edges));
}

TEST_CASE("an edge's mask follows the file ids of its ends") {
  // The same graph with its vertices renumbered, and file ids that undo it.
  const Graph graph = directed_random(20, 120, false, 6);
  std::vector<VertexId> renumbered(20);
  std::iota(renumbered.begin(), renumbered.end(), VertexId{0});
  for (std::size_t v = 0; v < 20; ++v) renumbered[v] = static_cast<VertexId>((v * 7 + 3) % 20);
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  for (VertexId v = 0; v < 20; ++v) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      sources.push_back(renumbered[graph.in_sources()[e]]);
      targets.push_back(renumbered[v]);
    }
  }
  std::vector<VertexId> ids(20);
  for (std::size_t v = 0; v < 20; ++v) ids[renumbered[v]] = static_cast<VertexId>(v);
  const Tensor a = coefficients(Block::whole(graph), 0.5, true, true);
  const Tensor b = coefficients(Block::whole(Graph::from_edges(20, sources, targets, {}, true), ids), 0.5, true, true);
  for (Index i = 0; i < 20; ++i) {
    for (Index j = 0; j < 20; ++j) {
      CHECK((a.at(i, j) == 0) == (b.at(renumbered[i], renumbered[j]) == 0));
    }
  }
}

TEST_CASE("parallel edges, heads and directions have masks of their own") {
  // Sixteen heads, three edges 0 -> 1, and 64 edges i -> i + 1 back and forth: over so many draws none can stay alike.
  const Index heads = 16;
  std::vector<VertexId> sources = {0, 0, 0};
  std::vector<VertexId> targets = {1, 1, 1};
  for (VertexId v = 2; v < 66; v += 2) {
    sources.insert(sources.end(), {v, v + 1});
    targets.insert(targets.end(), {v + 1, v});
  }
  const Block block = Block::whole(Graph::from_edges(66, sources, targets, {}, true));
  Tensor ones(66, heads, kDouble);
  ones.fill(1);
  const ParameterList p = vectors(heads);
  Tape tape(context(kDouble, true));
  const Tensor y = tape.value(attend(tape, block, tape.input(ones, true), p, {heads, false, 0.5}));
  // Row 1 adds three equal coefficients of 1/3, each kept (times 2) or not: not all or nothing in every head.
  bool mixed = false;
  for (Index h = 0; h < heads; ++h) {
    const double thirds = y.at(1, h) * 1.5;
    CHECK(thirds == doctest::Approx(std::round(thirds)).epsilon(1e-12));
    mixed = mixed || (std::round(thirds) != 0 && std::round(thirds) != 3);
  }
  CHECK(mixed);
  bool heads_differ = false;
  bool directions_differ = false;
  for (Index v = 2; v < 66; v += 2) {
    for (Index h = 0; h < heads; ++h) {
      heads_differ = heads_differ || y.at(v, h) != y.at(v, 0);
      directions_differ = directions_differ || y.at(v, h) != y.at(v + 1, h);
    }
  }
  CHECK(heads_differ);
  CHECK(directions_differ);
}

TEST_CASE("dropped coefficients are dropped in the backward too") {
  // Against the reference with the masks that the forward shows.
  const Graph graph = directed_random(15, 70, false, 8);
  const Block block = Block::whole(graph);
  const Tensor plain = coefficients(block, 0.5, false, true);
  const Tensor thinned = coefficients(block, 0.5, true, true);
  const auto edges = reference_edges(graph, {Normalization::kNone, true, false});
  const auto mask = [&](std::size_t e, Index) {
    return thinned.at(edges[e].target, edges[e].source) / plain.at(edges[e].target, edges[e].source);
  };
  const ParameterList p = vectors(5);
  const Tensor z = random_tensor(15, 5, kDouble, 2);
  const Tensor dy = output_gradient(15, 5, kDouble);
  const Pass pass = run_pass(
      context(kDouble, true),
      [&](Tape& t, const std::vector<Var>& in) {
        return attend(t, block, in[0], p, {1, true, 0.5});
      },
      {z}, p);
  const ReferenceAttention expected = reference_attention(edges, z, p[0]->value, p[1]->value, 1, kSlope, &dy, mask);
  CHECK(relative_difference(pass.output, expected.y) <= 1e-12);
  CHECK(relative_difference(pass.input_gradients[0], expected.dz) <= 1e-12);
  CHECK(relative_difference(pass.parameter_gradients[0], expected.dsource) <= 1e-11);
  CHECK(relative_difference(pass.parameter_gradients[1], expected.dtarget) <= 1e-11);
}

TEST_CASE("a score is one source term and one target term, in any order") {
  const Block block = Block::whole(ring(5));
  const ParameterList p = vectors(4);
  Tape tape(context(kDouble));
  const Sources z = block.sources(tape, tape.input(random_tensor(5, 4, kDouble, 1), true));
  const Var a = softmax_sum(tape, block, leaky_relu(dot(src(z), *p[0]) + dot(dst(z), *p[1])), src(z));
  const Var b = softmax_sum(tape, block, leaky_relu(dot(dst(z), *p[1]) + dot(src(z), *p[0])), src(z));
  CHECK(same_bits(tape.value(a), tape.value(b)));
  CHECK_THROWS_AS(dot(src(z), *p[0]) + dot(src(z), *p[1]), Error);
  CHECK_THROWS_AS(dot(dst(z), *p[0]) + dot(dst(z), *p[1]), Error);
}

TEST_CASE("attention refuses what doesn't fit") {
  const Block block = Block::whole(ring(5));
  const ParameterList p = vectors(4);
  const ParameterList wide = vectors(6);
  Tape tape(context(kDouble, true));
  const Sources z = block.sources(tape, tape.input(random_tensor(5, 4, kDouble, 1), true));
  const Score score = dot(src(z), *p[0]) + dot(dst(z), *p[1]);
  CHECK_NOTHROW(softmax_sum(tape, block, score, src(z), {.heads = 2}));
  CHECK_THROWS_AS(softmax_sum(tape, block, score, src(z), {.heads = 3}), Error);
  CHECK_THROWS_AS(softmax_sum(tape, block, score, src(z), {.heads = 0}), Error);
  CHECK_THROWS_AS(softmax_sum(tape, block, score, src(z), {.heads = -1}), Error);
  CHECK_THROWS_AS(softmax_sum(tape, block, dot(src(z), *wide[0]) + dot(dst(z), *p[1]), src(z)), Error);
  CHECK_THROWS_AS(softmax_sum(tape, block, dot(src(z), *p[0]) + dot(dst(z), *wide[1]), src(z)), Error);
  CHECK_THROWS_AS(softmax_sum(tape, block, score, src(z) * edge_weight()), Error);
  CHECK_THROWS_AS(softmax_sum(tape, Block::whole(ring(6)), score, src(z)), Error);
  CHECK_THROWS_AS(softmax_sum(tape, block, score, src(z), {.dropout = 1}), UsageError);
  CHECK_THROWS_AS(softmax_sum(tape, block, score, src(z), {.dropout = -0.1}), UsageError);
  const Target short_of_rows{tape.input(random_tensor(3, 4, kDouble, 1), true)};
  CHECK_THROWS_AS(softmax_sum(tape, block, dot(src(z), *p[0]) + dot(short_of_rows, *p[1]), src(z)), Error);
}
