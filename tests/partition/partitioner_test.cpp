#include "laminar/partition/partitioner.hpp"

#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/graphs.hpp"

using namespace laminar;
using namespace laminar::partition;

TEST_CASE("every strategy gives a valid partition of every graph without empty parts") {
  for (const std::string& name : Partitioners::instance().names()) {
    CAPTURE(name);
    for (const testing::NamedGraph& g : testing::test_graphs()) {
      CAPTURE(g.name);
      for (const Index parts : {1, 2, 3}) {
        if (parts > g.graph.num_vertices()) continue;
        const Partition p = Partitioners::instance().run(name, g.graph, {.parts = parts});
        CHECK(p.num_parts == parts);
        CHECK(static_cast<Index>(p.part_of.size()) == g.graph.num_vertices());
        const std::vector<Index> sizes = part_sizes(p);
        CHECK(std::accumulate(sizes.begin(), sizes.end(), Index{0}) == g.graph.num_vertices());
        for (const Index size : sizes) CHECK(size > 0);
      }
    }
  }
}

TEST_CASE("range cuts in the file's order by weight and capacity") {
  const core::Graph graph = core::Graph::from_edges(6, {}, {}, {}, true);
  const auto run = [&](const PartitionOptions& o) { return Partitioners::instance().run("range", graph, o).part_of; };
  CHECK(run({.parts = 3}) == std::vector<std::int32_t>{0, 0, 1, 1, 2, 2});
  CHECK(run({.parts = 2, .capacity = {2, 1}}) == std::vector<std::int32_t>{0, 0, 0, 0, 1, 1});
  CHECK(run({.parts = 2, .vertex_weights = {5, 1, 1, 1, 1, 1}}) == std::vector<std::int32_t>{0, 1, 1, 1, 1, 1});
}

TEST_CASE("options out of range are refused by name") {
  const core::Graph graph = core::Graph::from_edges(4, {}, {}, {}, true);
  const auto run = [&](const PartitionOptions& o) { return Partitioners::instance().run("range", graph, o); };
  CHECK_THROWS_AS(run({.parts = 0}), UsageError);
  CHECK_THROWS_AS(run({.parts = 5}), UsageError);
  CHECK_THROWS_AS(run({.imbalance = -1}), UsageError);
  CHECK_THROWS_AS(run({.edge_imbalance = .1}), UsageError);  // range does not heed it
  CHECK_THROWS_AS(run({.capacity = {1}}), UsageError);
  CHECK_THROWS_AS(run({.capacity = {1, 0}}), UsageError);
  CHECK_THROWS_AS(run({.vertex_weights = {1}}), UsageError);
  CHECK_THROWS_AS(run({.time_limit_s = -1}), UsageError);
  CHECK_THROWS_AS(run({.start = {0, 1, 0, 1}}), UsageError);  // range can't refine
  CHECK_THROWS_AS(Partitioners::instance().run("no_such", graph, {}), UsageError);
  CHECK_THROWS_AS(validate(Partition{2, {0, 1, 2, 0}}, 4), Error);
  CHECK_THROWS_AS(validate(Partition{2, {0, 1}}, 4), Error);
}
