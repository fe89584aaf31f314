// Each text format holds a graph so that its importer reads the same one again.
#include <algorithm>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/export_graph.hpp"
#include "laminar/datasets/generators.hpp"
#include "laminar/datasets/graph_changes.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/importer.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

std::vector<float> values_of(const core::Tensor& t) {
  return t ? std::vector<float>(t.data<float>(), t.data<float>() + t.size()) : std::vector<float>{};
}

/// Directed, weighted, with difficult names, features of vertices and edges, and classes.
GraphData difficult() {
  GraphData data;
  data.name = "difficult";
  const std::vector<core::VertexId> from = {0, 1, 1, 2, 3, 3};
  const std::vector<core::VertexId> to = {1, 2, 3, 0, 3, 0};
  const std::vector<double> weights = {0.1F, -2.5, 1e-30F, 3e30F, 7, 1};
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(4, from, to, weights, true));
  data.vertex_names = {"Zo\xc3\xab, \"J\"", " 7", "#tag & <b>", "plain"};
  data.edge_features =
      core::Tensor::from(6, 2, std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0.5, -1}, core::DType::kFloat32);
  data.features =
      core::Tensor::from(4, 3, std::vector<double>{1, 0, 0.25, -4, 5, 6, 7, 8, 9, 10, 11, 12}, core::DType::kFloat32);
  data.labels.task = core::Task::kClassification;
  data.labels.num_outputs = 2;
  data.labels.names = {"cat & co", "dog"};
  data.labels.classes = {0, 1, -1, 1};
  return data;
}

GraphData again(const TemporaryFolder& folder, const GraphData& data, const char* name, const ImportOptions& options) {
  export_graph(data, folder / name);
  return importer_for(folder / name).run(folder / name, options).data;
}

}  // namespace

TEST_CASE("a directed graph with names, weights and features") {
  const TemporaryFolder folder;
  const GraphData data = difficult();
  ImportOptions directed;
  directed.directed = true;
  directed.edges.edge_features = "rest";
  for (const char* name : {"g.graphml", "g.csv", "g.tsv"}) {
    CAPTURE(std::string(name));
    GraphData read = again(folder, data, name, directed);
    // Tables number vertices by their first mention.
    std::vector<core::VertexId> order;
    for (const auto& wanted : data.vertex_names) {
      const auto at = std::find(read.vertex_names.begin(), read.vertex_names.end(), wanted);
      REQUIRE(at != read.vertex_names.end());
      order.push_back(static_cast<core::VertexId>(at - read.vertex_names.begin()));
    }
    keep_vertices(read, order);
    CHECK(read.vertex_names == data.vertex_names);
    CHECK(read.graph->fingerprint() == data.graph->fingerprint());
    CHECK(values_of(read.edge_features) == values_of(data.edge_features));
    if (std::string(name) != "g.graphml") continue;
    CHECK(values_of(read.features) == values_of(data.features));
    CHECK(read.labels.classes == data.labels.classes);
    CHECK(read.labels.names == data.labels.names);
  }
  GraphData read = again(folder, data, "g.mtx", {});
  CHECK(read.graph->fingerprint() == data.graph->fingerprint());
  CHECK(export_graph(data, folder / "g.mtx") ==
        std::vector<std::string>{"the format has no place for: features, labels, names of vertices, edge features"});
  CHECK_THROWS_WITH_AS(export_graph(data, folder / "g.graph"), doctest::Contains("say --undirected"), Error);
  CHECK_FALSE(std::filesystem::exists(folder / "g.graph"));
}

TEST_CASE("an undirected graph") {
  const TemporaryFolder folder;
  GraphData data = difficult();
  make_undirected(data);
  data.vertex_names.clear();
  for (const char* name : {"g.graphml", "g.csv", "g.mtx"}) {
    CAPTURE(std::string(name));
    ImportOptions options;
    options.edges.edge_features = "rest";
    const GraphData read = again(folder, data, name, options);
    CHECK_FALSE(read.graph->directed());
    CHECK(read.graph->fingerprint() == data.graph->fingerprint());
    if (std::string(name) != "g.mtx") CHECK(values_of(read.edge_features) == values_of(data.edge_features));
  }
  CHECK_THROWS_WITH_AS(export_graph(data, folder / "g.graph"), doctest::Contains("the weight of an edge"), Error);
  change_self_loops(data, SelfLoops::kRemove);
  const auto weights = std::vector<double>(static_cast<std::size_t>(data.graph->num_edges()), 2.5);
  data.graph = std::make_shared<const core::Graph>(
      core::Graph::from_in_csr(4, {data.graph->in_offsets().begin(), data.graph->in_offsets().end()},
                               {data.graph->in_sources().begin(), data.graph->in_sources().end()}, weights, false));
  CHECK(again(folder, data, "g.graph", {}).graph->fingerprint() == data.graph->fingerprint());
  // And a graph file through its own importer.
  write(folder / "g.h5", data);
  CHECK(importer_for(folder / "g.h5").run(folder / "g.h5", {}).data.graph->fingerprint() == data.graph->fingerprint());
}

TEST_CASE("a file of several blocks") {
  const TemporaryFolder folder;
  const GraphData data = generate_ring({.vertices = 60000, .degree = 4, .classes = 1, .feature_dim = 0}).data;
  for (const char* name : {"g.csv", "g.mtx", "g.graph"}) {
    CHECK(again(folder, data, name, {}).graph->fingerprint() == data.graph->fingerprint());
  }
}

TEST_CASE("what a format can't hold") {
  const TemporaryFolder folder;
  GraphData data = difficult();
  data.vertex_names[0] = "two\nlines";
  CHECK_THROWS_WITH_AS(export_graph(data, folder / "g.csv"), doctest::Contains("holds a line end"), Error);
  CHECK(again(folder, data, "g.graphml", {}).vertex_names[0] == "two\nlines");
  data.vertex_names[0] = "bell\a";
  CHECK_THROWS_WITH_AS(export_graph(data, folder / "g.graphml"), doctest::Contains("that XML can't"), Error);
  CHECK(is_export("a.mtx"));
  CHECK_FALSE(is_export("a.h5"));
  CHECK_THROWS_WITH_AS(importer_for(folder / "none.csv"), doctest::Contains("there is no such file"), Error);
  write_bytes(folder / "odd.xyz", "");
  CHECK_THROWS_WITH_AS(importer_for(folder / "odd.xyz"), doctest::Contains("say --from SOURCE"), UsageError);
}

}  // namespace laminar::datasets::test
