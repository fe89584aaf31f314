#include "laminar/partition/streaming.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"
#include "laminar/tests/partition/support.hpp"

using namespace laminar;
using namespace laminar::partition;

namespace {

/// Rows as a file would give them: the sources of in-edges, whatever stands there. Counts the passes.
class RawStream final : public core::EdgeStream {
 public:
  explicit RawStream(const core::Graph& graph) : graph_(graph) {}
  Index num_vertices() const override { return graph_.num_vertices(); }
  EdgeId num_entries() const override { return graph_.num_edges(); }
  void rewind() override {
    at_ = 0;
    ++passes;
  }
  bool next(Row& row) override {
    if (at_ == graph_.num_vertices()) return false;
    const auto begin = static_cast<std::size_t>(graph_.in_offsets()[at_]);
    row = {at_, graph_.in_sources().subspan(begin, static_cast<std::size_t>(graph_.in_degree(at_)))};
    ++at_;
    return true;
  }
  int passes = 0;

 private:
  const core::Graph& graph_;
  VertexId at_ = 0;
};

}  // namespace

TEST_CASE("LDG places six vertices as by hand") {
  // Triangles 0 1 2 and 3 4 5, joined by 2 - 3. Room for 3 each.
  const core::Graph graph = testing::undirected(6, {{0, 1}, {0, 2}, {1, 2}, {3, 4}, {3, 5}, {4, 5}, {2, 3}});
  core::GraphEdgeStream stream(graph);
  const Partition p = stream_partition(stream, {.parts = 2, .imbalance = 0, .score = StreamingScore::kLdg});
  CHECK(p.part_of == std::vector<std::int32_t>{0, 0, 0, 1, 1, 1});
}

TEST_CASE("Fennel leaves a crowded part for an empty one, by hand") {
  // The path 0 - ... - 5: alpha = 5 sqrt(2) / 6^1.5 = .481. Beside its neighbour in part 0, vertex 3 scores
  // 1 - .481 (4^1.5 - 3^1.5) = -.35, vertex 4 1 - .481 (5^1.5 - 4^1.5) = -.53; alone in part 1 each scores -.481.
  const core::Graph graph = testing::undirected(6, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}});
  core::GraphEdgeStream stream(graph);
  const Partition p = stream_partition(stream, {.parts = 2, .imbalance = 1, .score = StreamingScore::kFennel});
  CHECK(p.part_of == std::vector<std::int32_t>{0, 0, 0, 0, 1, 1});
}

TEST_CASE("one pass is one pass, and restreaming stops when nothing moves") {
  const core::Graph graph = testing::clique_ring(4, 10);
  RawStream once(graph);
  stream_partition(once, {.parts = 4});
  CHECK(once.passes == 1);
  RawStream often(graph);
  stream_partition(often, {.parts = 4, .score = StreamingScore::kLdg, .passes = 50});
  CHECK(often.passes < 50);
}

TEST_CASE("a file's rows of an undirected graph give what the graph gives, loops or not") {
  std::vector<std::pair<int, int>> pairs;
  const core::Graph base = testing::undirected_random(300, 1200, 8);
  for (VertexId v = 0; v < 300; ++v) {
    for (EdgeId e = base.in_offsets()[v]; e < base.in_offsets()[v + 1]; ++e) {
      if (base.in_sources()[e] < v) pairs.emplace_back(base.in_sources()[e], v);
    }
  }
  const core::Graph graph = testing::undirected(300, pairs);
  for (const StreamingScore score : {StreamingScore::kLdg, StreamingScore::kFennel}) {
    RawStream raw(graph);
    core::GraphEdgeStream stream(graph);
    const StreamingOptions options{.parts = 5, .score = score, .passes = 3};
    CHECK(stream_partition(raw, options).part_of == stream_partition(stream, options).part_of);
  }
}

TEST_CASE("more passes cut fewer edges") {
  const core::Graph graph = testing::undirected_random(1000, 4000, 6);
  for (const char* strategy : {"ldg", "fennel"}) {
    CAPTURE(strategy);
    const auto cut = [&](const std::string& name) {
      return measure(graph, Partitioners::instance().run(name, graph, {.parts = 4})).edge_cut;
    };
    CHECK(cut(std::string("restreaming_") + strategy) < cut(strategy));
  }
}

TEST_CASE("weights without room for whole vertices still place every vertex") {
  const core::Graph graph = testing::star(6);
  core::GraphEdgeStream stream(graph);
  const std::vector<double> weights{100, 1, 1, 100, 1, 1};
  const Partition p = stream_partition(stream, {.parts = 3, .imbalance = 0, .vertex_weights = weights});
  validate(p, 6);
  CHECK(p.part_of[0] != p.part_of[3]);
}

TEST_CASE("streaming options out of range are refused") {
  const core::Graph graph = testing::ring(4);
  core::GraphEdgeStream stream(graph);
  CHECK_THROWS_AS(stream_partition(stream, {.parts = 0}), UsageError);
  CHECK_THROWS_AS(stream_partition(stream, {.parts = 5}), UsageError);
  CHECK_THROWS_AS(stream_partition(stream, {.parts = 2, .passes = 0}), UsageError);
}
