#include "laminar/pipeline/pair_split.hpp"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/pair_baseline.hpp"
#include "laminar/tests/support/datasets.hpp"

using namespace laminar;
using pipeline::Pair;
using pipeline::PairSplit;

namespace {

std::vector<Pair> joined(std::initializer_list<const std::vector<Pair>*> sets) {
  std::vector<Pair> all;
  for (const auto* set : sets) all.insert(all.end(), set->begin(), set->end());
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("every pair is in one set, and messages are of training pairs only") {
  for (const bool directed : {false, true}) {
    CAPTURE(directed);
    const auto data = testing::block_model_dataset({.directed = directed});
    const auto graph = data->graph();
    const PairSplit split = pipeline::split_links(*graph, {}, 7);
    const std::vector<Pair> all = pipeline::pairs_of(*graph);
    CHECK(joined({&split.train, &split.val, &split.test}) == all);
    const auto n = static_cast<double>(all.size());
    CHECK(split.test.size() == static_cast<std::size_t>(0.10 * n + 1e-9));
    CHECK(split.val.size() == static_cast<std::size_t>(0.05 * n + 1e-9));
    for (const auto* set : {&split.train, &split.val, &split.test, &split.train_sample}) {
      CHECK(std::is_sorted(set->begin(), set->end()));
    }
    CHECK(split.train_sample.size() == split.val.size());
    CHECK(std::includes(split.train.begin(), split.train.end(), split.train_sample.begin(), split.train_sample.end()));

    // No held-out pair passes messages, in either direction, and every training edge does.
    CHECK(pipeline::pairs_of(*split.message_graph) == split.train);
    CHECK(split.message_graph->directed() == directed);
    CHECK(split.message_graph->num_edges() == static_cast<core::EdgeId>((directed ? 1 : 2) * split.train.size()));

    const pipeline::PairSet whole(graph->num_vertices(), all);
    for (const auto& [negatives, set] : {std::pair{&split.val_negatives, &split.val},
                                         {&split.test_negatives, &split.test},
                                         {&split.train_sample_negatives, &split.train_sample}}) {
      CHECK(negatives->size() == set->size());
      for (const Pair& p : *negatives) CHECK_FALSE(whole.contains(p.u, p.v));
    }
    CHECK(split.val_negatives != split.test_negatives);
  }
}

TEST_CASE("self-loops, weights and parallel edges keep their places") {
  // The pair {0, 1} has three edges; pairs 0-1, 1-2, 2-3, 3-0 and a loop at 2.
  const std::vector<core::VertexId> sources = {0, 1, 0, 1, 2, 3, 2};
  const std::vector<core::VertexId> targets = {1, 0, 1, 2, 3, 0, 2};
  const std::vector<double> weights = {1, 2, 3, 4, 5, 6, 7};
  const auto graph = core::Graph::from_edges(4, sources, targets, weights, true);
  const pipeline::PairOptions options{.val = 0.25, .test = 0.25};
  std::set<std::vector<Pair>> kept;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const PairSplit split = pipeline::split_links(graph, options, seed);
    CHECK(split.test.size() == 1);
    CHECK(split.val.size() == 1);
    kept.insert(split.train);
    const core::Graph& messages = *split.message_graph;
    REQUIRE(messages.num_edges() == std::ssize(split.message_edges));
    bool loop = false;
    for (core::EdgeId e = 0; e < messages.num_edges(); ++e) {
      const auto at = static_cast<std::size_t>(e);
      const auto before = static_cast<std::size_t>(split.message_edges[at]);
      CHECK(messages.in_sources()[at] == graph.in_sources()[before]);
      CHECK(messages.in_weights()[at] == graph.in_weights()[before]);
      loop = loop || messages.in_weights()[at] == 7;
    }
    CHECK(loop);
    const pipeline::PairSet train(4, split.train);
    const core::EdgeId expected = 1 + (train.contains(0, 1) ? 3 : 0) + (train.contains(1, 2) ? 1 : 0) +
                                  (train.contains(2, 3) ? 1 : 0) + (train.contains(0, 3) ? 1 : 0);
    CHECK(messages.num_edges() == expected);
  }
  CHECK(kept.size() > 1);
}

TEST_CASE("the split is of the edges, not of their order, and of the seed") {
  const std::vector<core::VertexId> a = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 3};
  const std::vector<core::VertexId> b = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 5, 8};
  const pipeline::PairOptions options{.val = 0.2, .test = 0.2};
  const PairSplit one = pipeline::split_links(core::Graph::from_edges(10, a, b, {}, true), options, 1);
  const PairSplit reversed = pipeline::split_links(core::Graph::from_edges(10, b, a, {}, true), options, 1);
  CHECK(one.train == reversed.train);
  CHECK(one.test == reversed.test);
  CHECK(one.test_negatives == reversed.test_negatives);
  CHECK(one.test != pipeline::split_links(core::Graph::from_edges(10, a, b, {}, true), options, 2).test);
}

TEST_CASE("a dataset of links has the message edges with their attributes, and no labels") {
  const auto data = testing::block_model_dataset({.edge_features = 2});
  auto split = std::make_shared<PairSplit>(pipeline::split_links(*data->graph(), {}, 1));
  const pipeline::PairDataset links(*data, {.hidden = 16, .decoder = layers::DecoderKind::kDot}, split);
  CHECK(links.schema().task == core::Task::kNone);
  CHECK(links.schema().num_outputs == 16);
  CHECK(links.schema().num_edges == split->message_graph->num_edges());
  CHECK(links.labels().task == core::Task::kNone);
  CHECK(links.split("random").train.empty());
  CHECK_THROWS_AS(links.split("0"), UsageError);
  const core::Tensor all = data->edge_features();
  const core::Tensor kept = links.edge_features();
  REQUIRE(kept.rows() == split->message_graph->num_edges());
  for (core::Index e = 0; e < kept.rows(); ++e) {
    CHECK(kept.at(e, 1) == all.at(split->message_edges[static_cast<std::size_t>(e)], 1));
  }
}

TEST_CASE("too few pairs and options that mean nothing are refused") {
  const std::vector<core::VertexId> a = {0, 1, 2, 3};
  const std::vector<core::VertexId> b = {1, 2, 3, 4};
  const auto path = core::Graph::from_edges(5, a, b, {}, true);
  CHECK_THROWS_AS(pipeline::split_links(path, {}, 1), Error);
  CHECK_THROWS_AS(pipeline::split_links(path, {.val = 0.5, .test = 0.5}, 1), UsageError);
  CHECK_THROWS_AS(pipeline::validate(pipeline::PairOptions{.val = 0}), UsageError);
  CHECK_THROWS_AS(pipeline::validate(pipeline::PairOptions{.negatives = 0}), UsageError);
  CHECK_THROWS_AS(pipeline::validate(pipeline::PairOptions{.eval_negatives = 5000}), UsageError);
  pipeline::PairOptions o;
  pipeline::set_pair_split("70/10/20", o);
  CHECK(o.val == 0.1);
  CHECK(o.test == 0.2);
  CHECK(pipeline::pair_split_text(o) == "70/10/20");
  pipeline::set_hits("1,20", o);
  CHECK(pipeline::hits_text(o) == "1,20");
  for (const char* bad : {"", "85/5", "85/5/5", "95/5/0", "a/b/c", "85/5/10/0"}) {
    CHECK_THROWS_AS(pipeline::set_pair_split(bad, o), UsageError);
  }
  for (const char* bad : {"", "0", "1,", "-5", "1;2", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}) {
    CHECK_THROWS_AS(pipeline::set_hits(bad, o), UsageError);
  }
}

TEST_CASE("common neighbours by hand") {
  // Training pairs 0-1, 0-2, 1-3, 2-3, 3-4: 0 and 3 share 1 and 2; 1 and 2 share 0 and 3; 1 and 4 share 3; 0 and 4
  // none.
  PairSplit split;
  split.train = {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {3, 4}};
  split.val = {{0, 3}};
  split.val_negatives = {{0, 4}};
  split.test = {{1, 2}, {1, 4}};
  split.test_negatives = {{0, 4}, {1, 4}};
  const std::vector<core::VertexId> none;
  split.message_graph = std::make_shared<core::Graph>(core::Graph::from_edges(5, none, none, {}, false));
  const auto figures = pipeline::common_neighbours(split, {.hits = {1}});
  REQUIRE(figures.size() == 4);
  CHECK(figures[0].name == "roc-auc");
  CHECK(figures[0].val == 1);
  // Positives 2, 1 against 0, 1: three and a half of four.
  CHECK(figures[0].test == 3.5 / 4);
  CHECK(figures[2].name == "hits@1");
  CHECK(figures[2].test == 0.5);
  CHECK(figures[3].name == "mrr");
  CHECK(figures[3].test == doctest::Approx((1 + 1 / 1.5) / 2));
}
