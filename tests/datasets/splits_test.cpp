// Splits, edge lists, statistics and the registry of importers.
#include "laminar/datasets/splits.hpp"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/checks.hpp"
#include "laminar/datasets/importer.hpp"
#include "laminar/datasets/statistics.hpp"
#include "laminar/datasets/transforms.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {

using core::Index;
using core::VertexId;

namespace {

core::Labels labels_of(std::vector<std::int32_t> classes) {
  core::Labels labels;
  labels.task = core::Task::kClassification;
  labels.num_outputs = 2;
  labels.classes = std::move(classes);
  return labels;
}

}  // namespace

TEST_CASE("a random split is disjoint, complete and of the labelled vertices only") {
  core::Labels labels = labels_of(std::vector<std::int32_t>(1000, 1));
  for (std::size_t v = 0; v < 1000; v += 10) labels.classes[v] = -1;
  const auto split = random_split("s", labels, 1000, {}, 5);
  CHECK(split.train.size() == 540);
  CHECK(split.val.size() == 180);
  CHECK(split.test.size() == 180);
  std::set<VertexId> all;
  for (const auto* set : {&split.train, &split.val, &split.test}) {
    CHECK(std::is_sorted(set->begin(), set->end()));
    for (const VertexId v : *set) {
      CHECK(v % 10 != 0);
      CHECK(all.insert(v).second);
    }
  }
  CHECK(all.size() == 900);
  CHECK(random_split("s", labels, 1000, {}, 5).train == split.train);
  CHECK(random_split("s", labels, 1000, {}, 6).train != split.train);
  CHECK(random_split("s", labels, 1000, {.1, .2, .3}, 5).test.size() == 270);
  // Without classes every vertex counts.
  CHECK(random_split("s", {}, 10, {}, 5).train.size() == 6);
}

TEST_CASE("a random split is the same on every machine") {
  const auto split = random_split("s", {}, 10, {}, 1);
  // Computed apart from this code, from Philox4x32-10's definition.
  CHECK(split.train == std::vector<VertexId>{0, 1, 4, 5, 7, 8});
  CHECK(split.val == std::vector<VertexId>{3, 6});
  CHECK(split.test == std::vector<VertexId>{2, 9});
}

TEST_CASE("splits that can't be made") {
  CHECK_THROWS_AS(random_split("s", {}, 3, {}, 1), Error);
  CHECK_THROWS_AS(random_split("s", labels_of({-1, -1, -1, -1, 0}), 5, {}, 1), Error);
  CHECK_THROWS_AS(random_split("s", {}, 100, {.5, .5, .5}, 1), UsageError);
  CHECK_THROWS_AS(random_split("s", {}, 100, {.5, 0, .5}, 1), UsageError);
  CHECK_THROWS_AS(random_split("s", {}, 100, {-.5, .5, .5}, 1), UsageError);
}

TEST_CASE("splits in words") {
  CHECK(parse_split_request("published").kind == SplitRequest::Kind::kPublished);
  CHECK(parse_split_request("none").kind == SplitRequest::Kind::kNone);
  CHECK(parse_split_request("random").fractions.val == .2);
  const auto request = parse_split_request("random:10/20.5/30");
  CHECK(request.kind == SplitRequest::Kind::kRandom);
  CHECK(request.fractions.train == .1);
  CHECK(request.fractions.val == .205);
  CHECK(request.fractions.test == .3);
  for (const char* bad : {"", "rand", "random:", "random:60/20", "random:60/20/20/1", "random:60/20/30", "random:a/b/c",
                          "random:60/20/20x", "random:nan/20/20", "random:-1/20/20", "random:0/50/50", "60/20/20"}) {
    CAPTURE(std::string(bad));
    CHECK_THROWS_AS(parse_split_request(bad), UsageError);
  }
}

TEST_CASE("edge lists") {
  EdgeList edges{.source = {1, 0, 2, 1, 2}, .target = {0, 1, 2, 0, 0}, .weight = {1, 2, 3, 4, 5}};
  SUBCASE("self-loops go") {
    remove_self_loops(edges);
    CHECK(edges.source == std::vector<VertexId>{1, 0, 1, 2});
    CHECK(edges.weight == std::vector<double>{1, 2, 4, 5});
  }
  SUBCASE("of parallel edges the heaviest stays") {
    CHECK(remove_duplicates(edges) == 1);
    CHECK(edges.source == std::vector<VertexId>{1, 2, 0, 2});
    CHECK(edges.target == std::vector<VertexId>{0, 0, 1, 2});
    CHECK(edges.weight == std::vector<double>{4, 5, 2, 3});
    CHECK(remove_duplicates(edges) == 0);
  }
  SUBCASE("both directions, once each") {
    to_undirected(edges);
    CHECK(edges.source == std::vector<VertexId>{1, 2, 0, 0, 2});
    CHECK(edges.target == std::vector<VertexId>{0, 0, 1, 2, 2});
    CHECK(edges.weight == std::vector<double>{4, 5, 4, 5, 3});
    CHECK(make_graph(3, edges, false).num_edges() == 5);
  }
  SUBCASE("without weights") {
    edges.weight.clear();
    to_undirected(edges);
    CHECK(edges.source.size() == 5);
    CHECK(edges.weight.empty());
  }
  SUBCASE("no edges") {
    EdgeList none;
    to_undirected(none);
    remove_self_loops(none);
    CHECK(none.source.empty());
  }
}

TEST_CASE("statistics") {
  const std::vector<VertexId> source = {0, 0, 1, 2, 3};
  const std::vector<VertexId> target = {1, 1, 1, 0, 0};
  const auto graph = core::Graph::from_edges(5, source, target, {}, true);
  const auto s = statistics_of(graph);
  CHECK(s.in_degree.min == 0);
  CHECK(s.in_degree.max == 3);
  CHECK(s.in_degree.mean == 1);
  CHECK(s.out_degree.max == 2);
  CHECK(s.isolated_vertices == 1);
  CHECK(s.self_loops == 1);
  CHECK(s.parallel_edges == 1);
  // 0->1 twice (same class), 2->0 (same), 3->0 (unknown), the self-loop not counted.
  const auto labels = labels_of({0, 0, 0, -1, 1});
  CHECK(edge_homophily(graph, labels) == 1.0);
  CHECK(edge_homophily(graph, labels_of({0, 1, 0, -1, 1})) == doctest::Approx(1.0 / 3));
  CHECK_FALSE(edge_homophily(graph, labels_of({-1, -1, -1, -1, -1})).has_value());
  CHECK_FALSE(edge_homophily(graph, {}).has_value());
  CHECK(class_counts(labels) == std::vector<Index>{3, 1, 1});
  CHECK(class_counts({}).empty());
}

TEST_CASE("the registry of importers") {
  std::set<std::string_view> names;
  const TemporaryFolder folder;
  write_bytes(folder / "file", "neither an archive nor a folder of lists");
  for (const auto& importer : importers()) {
    CAPTURE(std::string(importer.name));
    CHECK(names.insert(importer.name).second);
    CHECK_FALSE(importer.summary.empty());
    CHECK(&find_importer(importer.name) == &importer);
    CHECK_THROWS_AS(importer.run(folder / "missing", {}), Error);
    CHECK_THROWS_AS(importer.run(folder / "file", {}), Error);
    CHECK_THROWS_AS(importer.run(folder.path(), {}), Error);
  }
  try {
    find_importer("no such");
    FAIL("an unknown importer was found");
  } catch (const UsageError& error) {
    CHECK(std::string(error.what()) ==
          "there is no importer 'no such'; there are: anndata, debian, edges, "
          "graphml, laminar, metis, mtx, npz, ogb");
  }
}

TEST_CASE("splits that importers add") {
  GraphData data = small_graph();
  const auto with = [&](std::size_t published, const char* request, std::vector<std::int32_t> classes) {
    GraphData copy = data;
    copy.labels.classes = std::move(classes);
    copy.splits.resize(published);
    add_splits(copy, std::vector{parse_split_request(request)}, 1);
    return copy.splits.size();
  };
  CHECK(with(2, "published", {0, 1, 2, 1, 0}) == 2);
  CHECK(with(0, "published", {0, 1, 2, 1, 0}) == 1);
  CHECK(with(0, "published", {0, 1, 2, -1, -1}) == 0);
  CHECK(with(2, "none", {0, 1, 2, 1, 0}) == 0);
  CHECK(with(1, "random", {0, 1, 2, 1, 0}) == 2);
  CHECK(with(2, "folds:5", {0, 1, 2, 1, 0}) == 7);
  CHECK(with(0, "degree", {0, 1, 2, 1, 0}) == 1);
  CHECK_THROWS_AS(with(0, "folds:6", {0, 1, 2, 1, 0}), Error);
  data.splits.back().name = "random";
  CHECK_THROWS_WITH_AS(with(2, "random", {0, 1, 2, 1, 0}), doctest::Contains("there is a split 'random' already"),
                       Error);
  data.labels = {};
  CHECK(with(0, "published", {}) == 0);
}

TEST_CASE("folds test every labelled vertex once") {
  const auto labels = labels_of({0, 1, 0, -1, 1, 0, 1, 0});
  const auto splits = fold_splits(labels, 8, 3, 5);
  REQUIRE(splits.size() == 3);
  std::multiset<core::VertexId> tested;
  for (std::size_t k = 0; k < 3; ++k) {
    CHECK(splits[k].name == "fold" + std::to_string(k));
    CHECK(splits[k].val == splits[(k + 1) % 3].test);
    CHECK_FALSE(check_split(splits[k], 8).has_value());
    CHECK(splits[k].train.size() + splits[k].val.size() + splits[k].test.size() == 7);
    tested.insert(splits[k].test.begin(), splits[k].test.end());
  }
  CHECK(tested == std::multiset<core::VertexId>{0, 1, 2, 4, 5, 6, 7});
  CHECK(fold_splits(labels, 8, 3, 5)[0].test == splits[0].test);
  CHECK_THROWS_AS(fold_splits(labels, 8, 2, 5), UsageError);
  CHECK_THROWS_AS(fold_splits(labels, 8, 8, 5), Error);
  for (const char* bad : {"folds", "folds:", "folds:2", "folds:x", "degree:1", "degree:", "random:"}) {
    CHECK_THROWS_AS(parse_split_request(bad), UsageError);
  }
}

TEST_CASE("a split by degree trains on the vertices of highest degree") {
  // In-degrees 0, 1, 2, 3, 3.
  const std::vector<core::VertexId> from = {0, 0, 1, 0, 1, 2, 0, 1, 2};
  const std::vector<core::VertexId> to = {1, 2, 2, 3, 3, 3, 4, 4, 4};
  const auto graph = core::Graph::from_edges(5, from, to, {}, true);
  const auto split = degree_split("d", labels_of({0, 1, 0, 1, 0}), graph, {0.4, 0.2, 0.4}, 3);
  CHECK(split.train == std::vector<core::VertexId>{3, 4});
  CHECK(split.val == std::vector<core::VertexId>{2});
  CHECK(split.test == std::vector<core::VertexId>{0, 1});
}

}  // namespace laminar::datasets::test
