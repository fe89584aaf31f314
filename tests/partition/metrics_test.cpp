#include "laminar/partition/metrics.hpp"

#include <cmath>
#include <set>
#include <utility>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/partition/predicted_traffic.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

/// What measure() counts, by the definition and one edge after the other: sets of (vertex, other part).
struct Reference {
  std::set<std::pair<VertexId, std::int32_t>> read;  // the part reads the vertex
  std::set<std::pair<VertexId, std::int32_t>> fed;   // the part feeds the vertex
  EdgeId cut = 0;

  Reference(const core::Graph& graph, const Partition& p) {
    for (VertexId v = 0; v < graph.num_vertices(); ++v) {
      for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
        const VertexId u = graph.in_sources()[e];
        if (p.part_of[u] == p.part_of[v]) continue;
        ++cut;
        read.emplace(u, p.part_of[v]);
        fed.emplace(v, p.part_of[u]);
      }
    }
  }
};

void check_against_reference(const core::Graph& graph, const Partition& p) {
  const PartitionMetrics m = measure(graph, p);
  const Reference r(graph, p);
  CHECK(m.edge_cut == (graph.directed() ? r.cut : r.cut / 2));
  CHECK(m.h_in == static_cast<Index>(r.read.size()));
  CHECK(m.h_out == static_cast<Index>(r.fed.size()));
  CHECK(m.total_volume == (graph.directed() ? m.h_in + m.h_out : m.h_in));
  if (!graph.directed()) CHECK(m.h_in == m.h_out);
  std::vector<PartMetrics> parts(static_cast<std::size_t>(p.num_parts));
  std::vector<Index> traffic_in(static_cast<std::size_t>(p.num_parts * p.num_parts), 0);
  std::vector<Index> traffic_out = traffic_in;
  for (const auto& [v, part] : r.read) {
    ++parts[part].receive_in;
    ++parts[p.part_of[v]].send_in;
    ++parts[part].halo;
    ++traffic_in[p.part_of[v] * p.num_parts + part];
  }
  for (const auto& [v, part] : r.fed) {
    ++parts[part].receive_out;
    ++parts[p.part_of[v]].send_out;
    if (!r.read.contains({v, part})) ++parts[part].halo;
    ++traffic_out[p.part_of[v] * p.num_parts + part];
  }
  CHECK(m.traffic_in == traffic_in);
  CHECK(m.traffic_out == traffic_out);
  Index most_received = 0;
  Index most_sent = 0;
  for (Index q = 0; q < p.num_parts; ++q) {
    CAPTURE(q);
    CHECK(m.parts[q].receive_in == parts[q].receive_in);
    CHECK(m.parts[q].receive_out == parts[q].receive_out);
    CHECK(m.parts[q].send_in == parts[q].send_in);
    CHECK(m.parts[q].send_out == parts[q].send_out);
    CHECK(m.parts[q].halo == parts[q].halo);
    const Index both = graph.directed() ? 1 : 0;
    most_received = std::max(most_received, parts[q].receive_in + both * parts[q].receive_out);
    most_sent = std::max(most_sent, parts[q].send_in + both * parts[q].send_out);
  }
  CHECK(m.max_receive_volume == most_received);
  CHECK(m.max_send_volume == most_sent);
}

}  // namespace

TEST_CASE("an undirected path of six vertices in three parts, counted by hand") {
  // 0 - 1 - 2 - 3 - 4 - 5 and 0 - 3; parts {0, 1}, {2, 5}, {3, 4}
  const core::Graph graph = testing::undirected(6, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {0, 3}});
  const PartitionMetrics m = measure(graph, {3, {0, 0, 1, 2, 2, 1}}, {.train = {0, 1, 3}, .width = 10});
  CHECK(m.edge_cut == 4);  // 1-2, 2-3, 4-5, 0-3
  // Read by other parts: 0 by C; 1 by B; 2 by A and C; 3 by A and B; 4 by B; 5 by C.
  CHECK(m.total_volume == 8);
  CHECK(m.h_in == 8);
  CHECK(m.h_out == 8);
  CHECK(m.parts[0].receive_in == 2);  // 2 and 3
  CHECK(m.parts[1].receive_in == 3);  // 1, 3, 4
  CHECK(m.parts[2].receive_in == 3);  // 0, 2, 5
  CHECK(m.parts[0].send_in == 2);
  CHECK(m.parts[1].send_in == 3);
  CHECK(m.parts[2].send_in == 3);
  CHECK(m.max_receive_volume == 3);
  CHECK(m.max_send_volume == 3);
  CHECK(m.traffic_in == std::vector<Index>{0, 1, 1, 1, 0, 2, 1, 2, 0});
  CHECK(m.traffic_out == m.traffic_in);
  CHECK(m.replication_factor == doctest::Approx(14.0 / 6));
  CHECK(m.parts[1].neighbour_parts == 2);
  CHECK(m.parts[0].components == 1);
  CHECK(m.parts[1].components == 2);  // 2 and 5 don't touch
  CHECK(m.parts[2].components == 1);
  CHECK(m.max_components == 2);
  CHECK(m.vertex_balance == 1);
  CHECK(m.parts[0].in_edges == 4);
  CHECK(m.parts[1].in_edges == 3);
  CHECK(m.parts[2].in_edges == 5);
  CHECK(m.edge_balance == doctest::Approx(5.0 / 4));
  CHECK(m.train_balance == doctest::Approx(2.0 / 1));
  CHECK(m.parts[0].memory_bytes == (2 + 2) * 10 * 4 + 4 * 8);
  CHECK(m.parts[2].memory_bytes == (2 + 3) * 10 * 4 + 5 * 8);
  CHECK(m.memory_balance == doctest::Approx(240.0 / ((192 + 224 + 240) / 3.0)));
}

TEST_CASE("a directed star counts forward and backward rows each") {
  // 0 -> 1, 2, 3, 4 with parts {0, 1}, {2, 3}, {4}
  const core::Graph graph = testing::directed(5, {{0, 1}, {0, 2}, {0, 3}, {0, 4}});
  const PartitionMetrics m = measure(graph, {3, {0, 0, 1, 1, 2}});
  CHECK(m.edge_cut == 3);
  CHECK(m.h_in == 2);   // 0 goes to B and to C
  CHECK(m.h_out == 3);  // 2, 3 and 4 come back to A
  CHECK(m.total_volume == 5);
  CHECK(m.parts[0].receive_out == 3);
  CHECK(m.parts[0].send_in == 2);
  CHECK(m.parts[1].send_out == 2);
  CHECK(m.max_receive_volume == 3);
  CHECK(m.max_send_volume == 2);
  CHECK(m.parts[0].halo == 3);
  CHECK(m.replication_factor == 2);
  CHECK(m.parts[1].components == 2);
  CHECK(m.parts[1].neighbour_parts == 1);
}

TEST_CASE("balance is over the share of the capacity") {
  const core::Graph graph = testing::ring(6);
  const Partition p{2, {0, 0, 0, 0, 1, 1}};
  CHECK(measure(graph, p).vertex_balance == doctest::Approx(4.0 / 3));
  CHECK(measure(graph, p, {.capacity = {2, 1}}).vertex_balance == doctest::Approx(1));
  CHECK(measure(graph, p, {.vertex_weights = {1, 1, 1, 1, 1, 5}}).vertex_balance == doctest::Approx(6.0 / 5));
}

TEST_CASE("metrics equal a recount by definition") {
  for (const auto* graphs : {&testing::test_graphs(), &testing::partition_graphs()}) {
    for (const testing::NamedGraph& g : *graphs) {
      CAPTURE(g.name);
      for (const Index parts : {1, 2, 5, 70}) {
        CAPTURE(parts);
        check_against_reference(g.graph, testing::random_labels(g.graph.num_vertices(), parts, 9));
      }
    }
  }
}

TEST_CASE("metrics are the same on any number of threads") {
  const core::Graph graph = testing::undirected_random(3000, 12000, 1);
  const Partition p = testing::random_labels(3000, 7, 2);
  const auto on = [&](int threads) {
    PartitionMetrics m;
    core::Arena(threads).execute([&] { m = measure(graph, p); });
    return m;
  };
  const PartitionMetrics one = on(1);
  for (const int threads : {2, 4}) {
    const PartitionMetrics many = on(threads);
    CHECK(many.traffic_in == one.traffic_in);
    CHECK(many.edge_cut == one.edge_cut);
    CHECK(many.memory_balance == one.memory_balance);
    for (Index q = 0; q < 7; ++q) CHECK(many.parts[q].components == one.parts[q].components);
  }
}

TEST_CASE("more parts than the traffic matrix holds are measured without it") {
  const Index parts = PartitionMetrics::kMostTrafficParts + 1;
  const core::Graph graph = testing::ring(parts);
  Partition p{parts, {}};
  for (Index v = 0; v < parts; ++v) p.part_of.push_back(static_cast<std::int32_t>(v));
  const PartitionMetrics m = measure(graph, p);
  CHECK(m.traffic_in.empty());
  CHECK(m.total_volume == 2 * parts);
  CHECK(m.max_receive_volume == 2);
  CHECK(m.replication_factor == 3);
}

TEST_CASE("an empty graph and a graph without edges cost nothing") {
  const PartitionMetrics none = measure(core::Graph::from_edges(0, {}, {}, {}, false), {1, {}});
  CHECK(none.replication_factor == 1);
  CHECK(none.vertex_balance == 1);
  const PartitionMetrics m = measure(testing::undirected(4, {}), {2, {0, 1, 0, 1}});
  CHECK(m.total_volume == 0);
  CHECK(m.edge_balance == 1);
  CHECK(m.parts[0].components == 2);
}

TEST_CASE("labels and options that don't fit the graph are refused") {
  const core::Graph graph = testing::ring(4);
  CHECK_THROWS_AS(measure(graph, {2, {0, 1, 2, 0}}), Error);
  CHECK_THROWS_AS(measure(graph, {2, {0, 1}}), Error);
  CHECK_THROWS_AS(measure(graph, {2, {0, 1, 0, 1}}, {.train = {4}}), UsageError);
  CHECK_THROWS_AS(measure(graph, {2, {0, 1, 0, 1}}, {.vertex_weights = {1}}), UsageError);
  CHECK_THROWS_AS(measure(graph, {2, {0, 1, 0, 1}}, {.capacity = {1}}), UsageError);
}

TEST_CASE("predicted traffic is the formulas with rows put in") {
  const core::Graph graph = testing::directed(5, {{0, 1}, {0, 2}, {0, 3}, {0, 4}});
  const PartitionMetrics m = measure(graph, {3, {0, 0, 1, 1, 2}});  // h_in + h_out = 5, N = 5
  const PredictedTraffic t = predict_traffic(m, 4, 3, 16, 100);
  CHECK(t.graph_parallel_floats == 4 * 5 * 16 + 2 * 2 * 100);
  CHECK(t.pipeline_floats == 2 * 2 * 5 * 16);
  CHECK(t.hybrid_floats == t.graph_parallel_floats + t.pipeline_floats);
  const std::vector<Index> inside{8, 3};
  const std::vector<Index> between{20};
  const PredictedTraffic unequal = predict_traffic(m, {inside, between, 0});
  CHECK(unequal.graph_parallel_floats == 5 * 11);
  CHECK(unequal.pipeline_floats == 2 * 5 * 20);
  CHECK(volume_bytes(3, 16, 8) == 384);
}
