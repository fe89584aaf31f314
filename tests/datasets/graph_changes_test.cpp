#include "laminar/datasets/graph_changes.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Ids = std::vector<core::VertexId>;
using Texts = std::vector<std::string>;

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

core::Index bandwidth(const core::Graph& graph) {
  core::Index widest = 0;
  for (core::Index v = 0; v < graph.num_vertices(); ++v) {
    for (auto e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      widest = std::max(widest, std::abs(v - graph.in_sources()[e]));
    }
  }
  return widest;
}

GraphData shuffled_path() {
  // 5 - 0 - 3 - 1 - 4 - 2, and 6 alone.
  const Ids walk = {5, 0, 3, 1, 4, 2};
  Ids from;
  Ids to;
  for (std::size_t i = 0; i + 1 < walk.size(); ++i) {
    from.insert(from.end(), {walk[i], walk[i + 1]});
    to.insert(to.end(), {walk[i + 1], walk[i]});
  }
  GraphData data;
  data.name = "path";
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(7, from, to, {}, false));
  return data;
}

}  // namespace

TEST_CASE("what is known of vertices and edges follows them into a subgraph") {
  const GraphData all = small_graph();
  const core::Graph& before = *all.graph;
  GraphData data = all;
  const Ids kept = {3, 0, 1};
  keep_vertices(data, kept);
  check(data, "test");
  const core::Graph& after = *data.graph;
  CHECK(after.num_vertices() == 3);
  for (core::VertexId v = 0; v < 3; ++v) {
    CHECK(data.vertex_names[v] == all.vertex_names[kept[v]]);
    CHECK(data.labels.classes[v] == all.labels.classes[kept[v]]);
    for (core::Index c = 0; c < all.features.cols(); ++c) CHECK(data.features.at(v, c) == all.features.at(kept[v], c));
  }
  core::EdgeId inside = 0;
  for (core::VertexId v = 0; v < before.num_vertices(); ++v) {
    const auto at = std::find(kept.begin(), kept.end(), v);
    for (auto e = before.in_offsets()[v]; e < before.in_offsets()[v + 1]; ++e) {
      const auto source = std::find(kept.begin(), kept.end(), before.in_sources()[e]);
      if (at == kept.end() || source == kept.end()) continue;
      ++inside;
      const auto target = at - kept.begin();
      const auto row =
          after.in_sources().subspan(after.in_offsets()[target], after.in_degree(static_cast<core::VertexId>(target)));
      const auto found = std::find(row.begin(), row.end(), source - kept.begin());
      REQUIRE(found != row.end());
      const auto place = after.in_offsets()[target] + (found - row.begin());
      CHECK(after.in_weights()[place] == before.in_weights()[e]);
      for (core::Index c = 0; c < all.edge_features.cols(); ++c) {
        CHECK(data.edge_features.at(place, c) == all.edge_features.at(e, c));
      }
    }
  }
  CHECK(after.num_edges() == inside);
  CHECK(data.partitions.empty());
  GraphData same = all;
  CHECK_THROWS_AS(keep_vertices(same, {}), Error);
  CHECK_THROWS_AS(keep_vertices(same, {0, 0}), Error);
  CHECK_THROWS_AS(keep_vertices(same, {5}), Error);
  CHECK(same.graph->fingerprint() == before.fingerprint());
}

TEST_CASE("splits that lose a part are dropped with a note") {
  GraphData data = shuffled_path();
  data.splits = {{"a", {0, 1}, {2}, {3}}, {"b", {4}, {0}, {2}}};
  const auto notes = keep_vertices(data, {0, 2, 3});
  REQUIRE(data.splits.size() == 1);
  CHECK(data.splits[0].train == Ids{0});
  CHECK(data.splits[0].test == Ids{2});
  CHECK(notes == Texts{"split 'b' was dropped: none of its vertices are left in a part"});
  CHECK(data.vertex_names == Texts{"0", "2", "3"});
  CHECK(data.provenance == "3 of 7 vertices kept");
}

TEST_CASE("both directions of every edge") {
  GraphData data = small_graph();
  REQUIRE(data.graph->directed());
  make_undirected(data);
  CHECK_FALSE(data.graph->directed());
  check(data, "test");
  const auto fingerprint = data.graph->fingerprint();
  CHECK(make_undirected(data).empty());
  CHECK(data.graph->fingerprint() == fingerprint);
}

TEST_CASE("self-loops are added and removed") {
  GraphData data = small_graph();
  data.partitions.clear();
  change_self_loops(data, SelfLoops::kRemove);
  const auto without = data.graph->num_edges();
  check(data, "test");
  CHECK(change_self_loops(data, SelfLoops::kRemove).empty());
  CHECK(change_self_loops(data, SelfLoops::kAdd) == Texts{"5 self-loops added"});
  CHECK(data.graph->num_edges() == without + 5);
  check(data, "test");
  CHECK(change_self_loops(data, SelfLoops::kAdd).empty());
  CHECK_THROWS_AS(parse_self_loops("keep"), UsageError);
}

TEST_CASE("orders of locality bring neighbours together") {
  const GraphData data = shuffled_path();
  for (const auto how : {Relabel::kBfs, Relabel::kRcm}) {
    GraphData ordered = data;
    keep_vertices(ordered, locality_order(*data.graph, how));
    CHECK(ordered.graph->num_vertices() == 7);
    CHECK(bandwidth(*ordered.graph) == 1);
  }
  CHECK(locality_order(*data.graph, Relabel::kBfs) == Ids{6, 2, 4, 1, 3, 0, 5});
  CHECK(locality_order(*data.graph, Relabel::kRcm).back() == 6);
  CHECK(largest_component(*data.graph) == Ids{0, 1, 2, 3, 4, 5});
  CHECK_THROWS_AS(parse_relabel("random"), UsageError);
  // Directions don't count.
  const auto directed = core::Graph::from_edges(4, Ids{3, 1}, Ids{1, 0}, {}, true);
  CHECK(largest_component(directed) == Ids{0, 1, 3});
}

TEST_CASE("vertices by number and by file") {
  const TemporaryFolder folder;
  GraphData data = shuffled_path();
  CHECK(read_vertices(data, "2") == Ids{0, 1});
  write_bytes(folder / "v.txt", "# mine\n4\n2\n");
  CHECK(read_vertices(data, folder / "v.txt") == Ids{4, 2});
  data.vertex_names = {"a", "b", "c", "d", "e", "f", "g"};
  write_bytes(folder / "v.txt", "g\nb\n");
  CHECK(read_vertices(data, folder / "v.txt") == Ids{6, 1});
  write_bytes(folder / "v.txt", "g\nz\n");
  CHECK_THROWS_WITH_AS(read_vertices(data, folder / "v.txt"), doctest::Contains("v.txt:2: 'z' is no vertex"), Error);
  write_bytes(folder / "v.txt", "g\ng\n");
  CHECK_THROWS_WITH_AS(read_vertices(data, folder / "v.txt"), doctest::Contains("second time"), Error);
  CHECK_THROWS_AS(read_vertices(data, "8"), UsageError);
  CHECK_THROWS_AS(read_vertices(data, folder / "none"), Error);
}

}  // namespace laminar::datasets::test
