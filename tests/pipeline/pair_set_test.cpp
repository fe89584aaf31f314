#include "laminar/pipeline/pair_set.hpp"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

using namespace laminar;
using pipeline::Pair;
using pipeline::PairSet;

TEST_CASE("an edge, its reverse and its parallels are one pair; a self-loop is none") {
  const std::vector<core::VertexId> sources = {0, 1, 0, 3, 2, 2};
  const std::vector<core::VertexId> targets = {1, 0, 1, 1, 2, 0};
  const auto graph = core::Graph::from_edges(4, sources, targets, {}, true);
  CHECK(pipeline::pairs_of(graph) == std::vector<Pair>{{0, 1}, {0, 2}, {1, 3}});
}

TEST_CASE("a set knows its pairs in both orders") {
  const PairSet set(5, {{0, 1}, {0, 4}, {2, 3}});
  CHECK(set.size() == 3);
  CHECK(set.num_vertices() == 5);
  CHECK(set.contains(0, 4));
  CHECK(set.contains(4, 0));
  CHECK(set.contains(3, 2));
  CHECK_FALSE(set.contains(1, 4));
  CHECK_FALSE(set.contains(0, 0));
}

TEST_CASE("pairs that can't stand in a set are refused") {
  for (const auto& bad :
       std::vector<std::vector<Pair>>{{{1, 0}}, {{1, 1}}, {{-1, 0}}, {{0, 5}}, {{0, 1}, {0, 1}}, {{2, 3}, {0, 1}}}) {
    CHECK_THROWS_AS(PairSet(5, bad), Error);
  }
}

TEST_CASE("others are no pairs of the set, in range, and the same on any number of threads") {
  const std::vector<Pair> pairs = {{0, 1}, {0, 4}, {2, 3}, {3, 9}};
  const PairSet set(10, pairs);
  const core::RandomKey key = core::random_key(3, "test");
  std::vector<Pair> one, four;
  core::Arena(1).execute([&] { one = set.draw_others(20'000, key); });
  core::Arena(4).execute([&] { four = set.draw_others(20'000, key); });
  CHECK(one == four);
  std::set<Pair> seen;
  for (const Pair& p : one) {
    REQUIRE(p.u < p.v);
    REQUIRE(p.v < 10);
    REQUIRE_FALSE(set.contains(p.u, p.v));
    seen.insert(p);
  }
  // All 45 - 4 others, each about as often: 20 000 / 41 = 488, with a standard deviation of 22.
  CHECK(seen.size() == 41);
  for (const Pair& p : seen) CHECK(std::abs(std::count(one.begin(), one.end(), p) - 488) < 110);
  // Fewer are the first of more; another key gives others.
  CHECK(set.draw_others(5, key) == std::vector<Pair>(one.begin(), one.begin() + 5));
  CHECK(set.draw_others(5, core::random_key(4, "test")) != std::vector<Pair>(one.begin(), one.begin() + 5));
}

TEST_CASE("the last free pair is found, and a full graph has none") {
  std::vector<Pair> pairs;
  for (core::VertexId u = 0; u < 30; ++u) {
    for (core::VertexId v = u + 1; v < 30; ++v) {
      if (u != 17 || v != 23) pairs.push_back({u, v});
    }
  }
  const core::RandomKey key = core::random_key(3, "test");
  CHECK(PairSet(30, pairs).draw_others(3, key) == std::vector<Pair>{{17, 23}, {17, 23}, {17, 23}});
  pairs.push_back({17, 23});
  std::sort(pairs.begin(), pairs.end());
  CHECK_THROWS_AS(PairSet(30, pairs).draw_others(1, key), Error);
}
