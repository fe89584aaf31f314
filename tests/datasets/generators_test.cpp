// Generated graphs, and features made of a graph.
#include "laminar/datasets/generators.hpp"

#include <cmath>
#include <set>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/made_features.hpp"
#include "laminar/datasets/statistics.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using core::Index;

std::vector<float> values_of(const core::Tensor& t) { return {t.data<float>(), t.data<float>() + t.size()}; }

GraphData generate(const char* name, const GeneratorOptions& options) {
  const Generator* const generator = find_generator(name);
  REQUIRE(generator != nullptr);
  return generator->run(options).data;
}

/// 0 - 1 - 2 - 3.
GraphData path_of_four(bool directed) {
  GraphData data;
  data.name = "path";
  std::vector<core::VertexId> from = {0, 1, 2};
  std::vector<core::VertexId> to = {1, 2, 3};
  if (!directed) {
    from.insert(from.end(), {1, 2, 3});
    to.insert(to.end(), {0, 1, 2});
  }
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(4, from, to, {}, directed));
  return data;
}

}  // namespace

TEST_CASE("every generator makes simple undirected graphs, the same on any number of threads") {
  for (const auto& generator : generators()) {
    CAPTURE(std::string(generator.name));
    GeneratorOptions options{.vertices = 1000, .degree = 8, .classes = 5, .feature_dim = 3, .seed = 7};
    const GraphData data = generator.run(options).data;
    const auto statistics = statistics_of(*data.graph);
    CHECK(statistics.self_loops == 0);
    CHECK(statistics.parallel_edges == 0);
    CHECK_FALSE(data.graph->directed());
    CHECK(data.features.cols() == 3);
    CHECK(std::set<std::int32_t>(data.labels.classes.begin(), data.labels.classes.end()).size() == 5);
    core::Arena one(1);
    one.execute([&] {
      const GraphData again = generator.run(options).data;
      CHECK(again.graph->fingerprint() == data.graph->fingerprint());
      CHECK(values_of(again.features) == values_of(data.features));
      CHECK(again.labels.classes == data.labels.classes);
    });
    options.feature_dim = 0;
    CHECK_FALSE(static_cast<bool>(generator.run(options).data.features));
    options.classes = 0;
    CHECK_THROWS_AS(generator.run(options), UsageError);
  }
  CHECK(find_generator("none") == nullptr);
}

TEST_CASE("a block model has the edges, the homophily and the skew that were asked for") {
  GeneratorOptions options{.vertices = 4000, .degree = 12, .classes = 6, .homophily = 0.8, .power = 2.5};
  const GraphData skewed = generate("sbm", options);
  CHECK(skewed.graph->num_edges() == 48000);
  const double homophily = edge_homophily(*skewed.graph, skewed.labels).value();
  CHECK(homophily > 0.76);
  CHECK(homophily < 0.84);
  options.power = 0;
  const GraphData even = generate("sbm", options);
  CHECK(statistics_of(*skewed.graph).in_degree.max > 4 * statistics_of(*even.graph).in_degree.max);
  options.homophily = 0;
  CHECK(edge_homophily(*generate("sbm", options).graph, generate("sbm", options).labels).value() == 0);
  options.seed = 2;
  CHECK(generate("sbm", options).graph->fingerprint() != even.graph->fingerprint());
  // More edges than there is room for.
  const auto full = generate_sbm({.vertices = 8, .degree = 4, .classes = 4, .homophily = 1, .feature_dim = 0});
  CHECK(full.notes.size() == 1);
}

TEST_CASE("features lie around the centre of their class") {
  GeneratorOptions options{.vertices = 3000, .degree = 4, .classes = 2, .feature_dim = 8, .noise = 0};
  const GraphData exact = generate("sbm", options);
  double square = 0;
  for (Index c = 0; c < 8; ++c) square += exact.features.at(0, c) * exact.features.at(0, c);
  CHECK(square == doctest::Approx(1));
  options.noise = 0.5;
  const GraphData noisy = generate("sbm", options);
  double sum = 0;
  for (Index i = 0; i < 3000 * 8; ++i) {
    const double z = (noisy.features.data<float>()[i] - exact.features.data<float>()[i]) / 0.5;
    sum += z * z;
  }
  CHECK(sum / 24000 == doctest::Approx(1).epsilon(0.03));
}

TEST_CASE("grids, rings and trees have the edges of their names") {
  const GraphData grid = generate("grid", {.vertices = 6, .degree = 4, .classes = 1});
  // 0 1 2 / 3 4 5
  CHECK(grid.graph->num_edges() == 14);
  CHECK(grid.graph->in_degree(4) == 3);
  CHECK(generate("grid", {.vertices = 16, .degree = 8, .classes = 1}).graph->in_degree(5) == 8);
  const GraphData ring = generate("ring", {.vertices = 10, .degree = 4, .classes = 2});
  for (core::VertexId v = 0; v < 10; ++v) CHECK(ring.graph->in_degree(v) == 4);
  const GraphData ba = generate("ba", {.vertices = 500, .degree = 4, .classes = 2});
  CHECK(ba.graph->num_edges() == 2 * (3 + 2 * 497));
  CHECK(statistics_of(*ba.graph).in_degree.max > 20);
  CHECK(generate("rmat", {.vertices = 1000, .degree = 8, .classes = 2}).graph->num_vertices() == 1024);
  CHECK_THROWS_AS(generate("grid", {.vertices = 16, .degree = 5, .classes = 1}), UsageError);
  CHECK_THROWS_AS(generate("ring", {.vertices = 16, .degree = 3, .classes = 1}), UsageError);
  for (const GeneratorOptions& bad : {GeneratorOptions{.vertices = 3}, GeneratorOptions{.vertices = 10, .degree = 10},
                                      GeneratorOptions{.homophily = 1.1}, GeneratorOptions{.power = 1},
                                      GeneratorOptions{.feature_dim = -1}, GeneratorOptions{.noise = -1}}) {
    CHECK_THROWS_AS(generate("sbm", bad), UsageError);
  }
}

TEST_CASE("features made of degrees, the identity and random numbers") {
  GraphData data = path_of_four(true);
  make_features(data, parse_made_features("degree"), {});
  const auto log2 = std::log(2.0F);
  CHECK(values_of(data.features) == std::vector<float>{0, log2, log2, log2, log2, log2, log2, 0});
  make_features(data, parse_made_features("onehot"), {});
  CHECK_FALSE(static_cast<bool>(data.features));
  CHECK(data.sparse_features.entries() == 4);
  make_features(data, parse_made_features("random,degree"), {.columns = 2, .seed = 3});
  CHECK(data.features.cols() == 4);
  CHECK(data.features.at(1, 3) == doctest::Approx(log2));
  const auto first = values_of(data.features);
  make_features(data, parse_made_features("random,degree"), {.columns = 2, .seed = 4});
  CHECK(values_of(data.features) != first);
  check(data, "test");
  CHECK(parse_made_features("features.csv").empty());
  CHECK(parse_made_features("degree,features.csv").empty());
  CHECK_THROWS_AS(parse_made_features("degree,degree"), UsageError);
  CHECK_THROWS_AS(parse_made_features("degree,onehot"), UsageError);
}

TEST_CASE("PageRank of a path, worked by hand") {
  GraphData data = path_of_four(true);
  make_features(data, parse_made_features("pagerank"), {});
  // p_0 = b, p_1 = b + .85 p_0, ...; the last one's share is spread: b = (.15 + .85 p_3) / 4.
  const double r = 0.85;
  const double shape[] = {1, 1 + r, 1 + r + r * r, 1 + r + r * r + r * r * r};
  const double sum = shape[0] + shape[1] + shape[2] + shape[3];
  for (Index v = 0; v < 4; ++v)
    CHECK(data.features.at(v, 0) == doctest::Approx(std::log(4 * shape[v] / sum)).epsilon(1e-5));
}

TEST_CASE("eigenvectors of the Laplacian of a path, worked by hand") {
  GraphData data = path_of_four(false);
  make_features(data, parse_made_features("laplacian"), {.columns = 2});
  // D^-1/2 A D^-1/2 of the path has the eigenvalues cos(k pi / 3); the vectors are sqrt(d_v) cos(k pi v / 3).
  for (Index k = 1; k <= 2; ++k) {
    double dot = 0;
    double norm = 0;
    for (Index v = 0; v < 4; ++v) {
      const double expected = std::sqrt(v == 0 || v == 3 ? 1.0 : 2.0) * std::cos(static_cast<double>(k * v) * M_PI / 3);
      dot += expected * data.features.at(v, k - 1);
      norm += expected * expected;
    }
    CHECK(std::abs(dot) == doctest::Approx(std::sqrt(norm) * 2).epsilon(1e-5));
  }
  CHECK_THROWS_WITH_AS(make_features(data, parse_made_features("laplacian"), {.columns = 3}),
                       doctest::Contains("expected 1 to 2 for 4 vertices"), Error);
}

}  // namespace laminar::datasets::test
