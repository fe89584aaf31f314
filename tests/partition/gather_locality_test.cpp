#include "laminar/partition/gather_locality.hpp"

#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/orderings.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

TEST_CASE("on a ring every source but the first of all was read a few edges ago") {
  // Rows read 1 9, 0 2, 1 3, 2 4, ...: each source is read twice, four edges apart but for those of the ends. The first
  // edges fill the cache and are not counted.
  constexpr int kVertices = 1000;
  std::vector<std::pair<int, int>> pairs;
  for (int v = 0; v < kVertices; ++v) pairs.emplace_back(v, (v + 1) % kVertices);
  const core::Graph ring = testing::undirected(kVertices, pairs);
  CHECK(gather_reuse(ring, {}, 4) == doctest::Approx(0.5).epsilon(0.02));
  CHECK(gather_reuse(ring, {}, 2) < 0.02);
  const std::vector<VertexId> shuffled = random_order(kVertices, 1);
  CHECK(gather_reuse(ring, shuffled, 4) < 0.02);
  std::vector<VertexId> as_numbered(kVertices);
  std::iota(as_numbered.begin(), as_numbered.end(), 0);
  CHECK(gather_reuse(ring, as_numbered, 4) == gather_reuse(ring, {}, 4));
}

TEST_CASE("of a large graph stretches are looked at, and they tell the same") {
  constexpr int kVertices = 200'000;
  std::vector<std::pair<int, int>> pairs;
  for (int v = 0; v + 1 < kVertices; ++v) pairs.emplace_back(v, v + 1);
  CHECK(gather_reuse(testing::undirected(kVertices, pairs), {}, 4) == doctest::Approx(0.5).epsilon(0.02));
}

TEST_CASE("a graph without edges reuses nothing, and what can't be meant is refused") {
  const core::Graph none = testing::undirected(5, {});
  CHECK(gather_reuse(none, {}, 10) == 0);
  CHECK_THROWS_AS(gather_reuse(none, {}, 0), Error);
  CHECK_THROWS_AS(gather_reuse(none, std::vector<VertexId>{0, 1}, 10), Error);
}
