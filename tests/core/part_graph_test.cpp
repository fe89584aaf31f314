#include "laminar/core/part_graph.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/block.hpp"
#include "laminar/core/error.hpp"
#include "laminar/tests/support/graphs.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

namespace {

/// A graph in memory that shows `step` rows at a time.
class Rows final : public Dataset {
 public:
  explicit Rows(Graph graph, Index step = 3, Tensor features = {})
      : graph_(std::make_shared<const Graph>(std::move(graph))), step_(step), features_(std::move(features)) {
    schema_.num_vertices = graph_->num_vertices();
    schema_.num_edges = graph_->num_edges();
    schema_.directed = graph_->directed();
    schema_.weighted = graph_->weighted();
  }
  const DatasetSchema& schema() const override { return schema_; }
  std::shared_ptr<const Graph> graph() const override { return graph_; }
  const RowSource& features() const override { throw Error("none"); }
  Tensor edge_features() const override { return features_; }
  const Labels& labels() const override { return labels_; }
  Split split(std::string_view) const override { return {}; }
  std::vector<std::string> vertex_names() const override { return {}; }
  void visit_rows(const WantedRows& wanted, const std::function<void(const GraphRows&)>& visit) const override {
    Dataset::visit_rows(wanted, [&](const GraphRows& all) {
      for (Index begin = 0; begin < all.end; begin += step_) {
        GraphRows rows = all;
        rows.begin = begin;
        rows.end = std::min(begin + step_, all.end);
        const EdgeId first = all.offsets[begin];
        const EdgeId count = all.offsets[rows.end] - first;
        rows.sources = all.sources.subspan(first, count);
        if (!all.weights.empty()) rows.weights = all.weights.subspan(first, count);
        if (all.edge_features) rows.edge_features = all.edge_features.slice_rows(first, first + count);
        visit(rows);
      }
    });
  }

 private:
  std::shared_ptr<const Graph> graph_;
  Index step_;
  Tensor features_;
  DatasetSchema schema_;
  Labels labels_;
};

std::vector<std::int32_t> ranges(Index n, Index parts) {
  std::vector<std::int32_t> of;
  for (Index v = 0; v < n; ++v) of.push_back(static_cast<std::int32_t>(v * parts / n));
  return of;
}

std::vector<std::int32_t> scattered(Index n, Index parts) {
  std::vector<std::int32_t> of;
  for (Index v = 0; v < n; ++v) of.push_back(static_cast<std::int32_t>((v * 5 + v / 3) % parts));
  return of;
}

void check_sums(const RowSums& a, const RowSums& b) {
  CHECK(a.edges == b.edges);
  CHECK(a.weights == b.weights);
  CHECK(a.self_loops == b.self_loops);
  CHECK(a.reversed_edges == b.reversed_edges);
  CHECK(a.reversed_weights == b.reversed_weights);
}

template <class T>
std::vector<T> list(std::span<const T> s) {
  return {s.begin(), s.end()};
}

}  // namespace

TEST_CASE("a part has its own rows as they stand in the whole graph, no other, and tells of all vertices") {
  for (const auto& [name, original] : test_graphs()) {
    for (const bool reversed : {false, true}) {
      CAPTURE(name);
      CAPTURE(reversed);
      const Graph whole = reversed ? original.with_reversed_edges() : original;
      const Index n = whole.num_vertices();
      const std::vector<std::int32_t> part_of = scattered(n, 3);
      for (Index part = 0; part < 3; ++part) {
        const PartGraph own = read_part(Rows(original), part_of, 3, part, {.reversed_edges = reversed});
        REQUIRE(own.graph.num_vertices() == n);
        EdgeId edges = 0;
        for (Index v = 0; v < n; ++v) {
          const auto vertex = static_cast<VertexId>(v);
          if (part_of[v] != part) {
            CHECK(own.graph.in_degree(vertex) == 0);
            continue;
          }
          const Index degree = whole.in_degree(vertex);
          edges += degree;
          REQUIRE(own.graph.in_degree(vertex) == degree);
          const EdgeId here = own.graph.in_offsets()[v];
          const EdgeId there = whole.in_offsets()[v];
          CHECK(list(own.graph.in_sources().subspan(here, degree)) == list(whole.in_sources().subspan(there, degree)));
          if (whole.weighted()) {
            CHECK(list(own.graph.in_weights().subspan(here, degree)) ==
                  list(whole.in_weights().subspan(there, degree)));
          }
          if (reversed) {
            CHECK(list(own.graph.in_reversed().subspan(here, degree)) ==
                  list(whole.in_reversed().subspan(there, degree)));
          }
        }
        CHECK(own.graph.num_edges() == edges);
        REQUIRE(own.graph.row_sums() != nullptr);
        const RowSums all = row_sums_of(whole);
        // A graph without edges has no marks, and so its sums have none.
        if (whole.num_edges() > 0) check_sums(*own.graph.row_sums(), all);

        // Who reads whom, by looking at every edge.
        std::set<std::pair<VertexId, std::int32_t>> readers;
        std::set<VertexId> reading;
        std::vector<std::uint8_t> border(static_cast<std::size_t>(n), 0);
        for (Index v = 0; v < n; ++v) {
          for (EdgeId e = whole.in_offsets()[v]; e < whole.in_offsets()[v + 1]; ++e) {
            const VertexId u = whole.in_sources()[e];
            if (part_of[u] == part_of[v]) continue;
            border[u] = border[v] = 1;
            if (part_of[u] != part) continue;
            readers.insert({u, part_of[v]});
            reading.insert(static_cast<VertexId>(v));
          }
        }
        CHECK(own.on_border == border);
        CHECK(own.num_readers == static_cast<Index>(reading.size()));
        std::size_t at = 0;
        for (Index v = 0; v < n; ++v) {
          if (part_of[v] != part) continue;
          for (std::int32_t q = 0; q < 3; ++q) {
            CHECK(own.readers[at++] == (readers.count({static_cast<VertexId>(v), q}) > 0));
          }
        }
        CHECK(at == own.readers.size());
      }
    }
  }
}

TEST_CASE("matrices of a part are the rows of those of the whole graph, bit for bit") {
  std::vector<AdjacencySpec> specs;
  for (const auto normalization : {Normalization::kNone, Normalization::kSymmetric, Normalization::kRandomWalk}) {
    for (const bool loops : {false, true}) {
      for (const bool weights : {false, true}) {
        for (const auto direction : {Direction::kForward, Direction::kReversed}) {
          specs.push_back({normalization, loops, weights, direction});
        }
      }
    }
  }
  specs.push_back({.normalization = Normalization::kSymmetric, .self_loops = true, .own = .5});
  for (const auto& [name, original] : test_graphs()) {
    CAPTURE(name);
    const Graph whole = original.with_reversed_edges();
    const Index n = whole.num_vertices();
    const std::vector<std::int32_t> part_of = ranges(n, 2);
    for (Index part = 0; part < 2; ++part) {
      const auto first = std::find(part_of.begin(), part_of.end(), part) - part_of.begin();
      const auto last = std::find(part_of.begin() + first, part_of.end(), part + 1) - part_of.begin();
      if (first == n) continue;
      const PartGraph own = read_part(Rows(original, 7), part_of, 2, part, {.reversed_edges = true});
      const Block a = Block::chunk(whole, first, last, SourceSpace::kCompact);
      const Block b = Block::chunk(own.graph, first, last, SourceSpace::kCompact);
      CHECK(a.mean_log_degree() == b.mean_log_degree());
      for (const AdjacencySpec& spec : specs) {
        if (whole.num_edges() == 0) continue;
        const auto x = a.adjacency(spec, DType::kFloat64);
        const auto y = b.adjacency(spec, DType::kFloat64);
        CHECK(x->offsets == y->offsets);
        CHECK(x->sources == y->sources);
        CHECK(x->transposed.positions == y->transposed.positions);
        for (EdgeId e = 0; e < x->num_entries(); ++e) {
          const double wanted = x->values ? x->values.at(e, 0) : 1;
          CHECK((y->values ? y->values.at(e, 0) : 1) == wanted);
        }
      }
    }
  }
}

TEST_CASE("a part has the features of its own edges") {
  const Graph whole = directed_random(40, 150, true, 3);
  Tensor features(whole.num_edges(), 2, DType::kFloat32);
  for (Index i = 0; i < features.size(); ++i) features.data<float>()[i] = static_cast<float>(i);
  const Graph with_features = whole.with_edge_features(features);
  const std::vector<std::int32_t> part_of = ranges(40, 4);
  for (Index part = 0; part < 4; ++part) {
    const PartGraph own = read_part(Rows(whole, 6, features), part_of, 4, part, {.edge_features = true});
    REQUIRE(own.graph.edge_features() != nullptr);
    CHECK(own.graph.edge_features()->values.rows() == own.graph.num_edges());
    const Tensor a =
        Block::chunk(with_features, part * 10, part * 10 + 10, SourceSpace::kCompact).edge_features(DType::kFloat32);
    const Tensor b =
        Block::chunk(own.graph, part * 10, part * 10 + 10, SourceSpace::kCompact).edge_features(DType::kFloat32);
    REQUIRE(a.rows() == b.rows());
    for (Index i = 0; i < a.size(); ++i) CHECK(a.data<float>()[i] == b.data<float>()[i]);
  }
}

TEST_CASE("parts that do not fit the graph are refused") {
  const Rows data(ring(6));
  CHECK_THROWS_WITH_AS(read_part(data, std::vector<std::int32_t>{0, 1}, 2, 0),
                       doctest::Contains("parts of 2 vertices for a graph of 6"), Error);
  CHECK_THROWS_WITH_AS(read_part(data, std::vector<std::int32_t>{0, 1, 2, 0, 1, 0}, 2, 0),
                       doctest::Contains("a vertex of part 2 of 2"), Error);
  CHECK_THROWS_WITH_AS(read_part(data, std::vector<std::int32_t>(6, 0), 2, 2), doctest::Contains("part 2 of 2"), Error);
  CHECK_THROWS_AS(read_part(data, std::vector<std::int32_t>(6, 0), 2, -1), Error);
  CHECK_THROWS_AS(read_part(data, std::vector<std::int32_t>{0, 1, -1, 0, 1, 0}, 2, 0), Error);
  CHECK_THROWS_AS(
      read_part(data, std::vector<std::int32_t>(6, 0), 1, 0, {.reversed_edges = true, .edge_features = true}), Error);
}

TEST_CASE("the transpose is made when it is asked for") {
  const Graph graph = ring(10);
  const std::size_t without = graph.bytes();
  CHECK(without == 11 * 8 + 20 * 4);
  CHECK(graph.out_degree(0) == 2);
  CHECK(graph.bytes() == without + 11 * 8 + 20 * (4 + 8));
}
