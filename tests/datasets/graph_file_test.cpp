// What is written is what is read, whatever a graph has or lacks, by whichever door.
#include "laminar/datasets/graph_file.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using core::Index;

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

void check_equal(const core::Tensor& a, const core::Tensor& b) {
  REQUIRE(a.rows() == b.rows());
  REQUIRE(a.cols() == b.cols());
  if (a.size() > 0) CHECK(std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

void check_equal(const core::SparseMatrix& a, const core::SparseMatrix& b) {
  REQUIRE(static_cast<bool>(a) == static_cast<bool>(b));
  if (!a) return;
  CHECK(a.cols() == b.cols());
  CHECK(copy_of(a.offsets()) == copy_of(b.offsets()));
  CHECK(copy_of(a.columns()) == copy_of(b.columns()));
  CHECK(copy_of(a.values()) == copy_of(b.values()));
}

void check_equal(const core::Graph& a, const core::Graph& b) {
  CHECK(a.directed() == b.directed());
  CHECK(copy_of(a.in_offsets()) == copy_of(b.in_offsets()));
  CHECK(copy_of(a.in_sources()) == copy_of(b.in_sources()));
  CHECK(copy_of(a.in_weights()) == copy_of(b.in_weights()));
  CHECK(a.fingerprint() == b.fingerprint());
}

void check_equal(const core::Labels& a, const core::Labels& b) {
  CHECK(a.task == b.task);
  CHECK(a.num_outputs == b.num_outputs);
  CHECK(a.classes == b.classes);
  CHECK(a.multi_label == b.multi_label);
  CHECK(a.targets == b.targets);
  CHECK(a.names == b.names);
}

void check_equal(const core::Split& a, const core::Split& b) {
  CHECK(a.name == b.name);
  CHECK(a.train == b.train);
  CHECK(a.val == b.val);
  CHECK(a.test == b.test);
}

void check_equal(const GraphData& a, const GraphData& b) {
  CHECK(a.name == b.name);
  CHECK(a.provenance == b.provenance);
  check_equal(*a.graph, *b.graph);
  check_equal(a.features, b.features);
  check_equal(a.sparse_features, b.sparse_features);
  check_equal(a.edge_features, b.edge_features);
  check_equal(a.labels, b.labels);
  REQUIRE(a.splits.size() == b.splits.size());
  for (std::size_t i = 0; i < a.splits.size(); ++i) check_equal(a.splits[i], b.splits[i]);
  CHECK(a.vertex_names == b.vertex_names);
  REQUIRE(a.partitions.size() == b.partitions.size());
  for (std::size_t i = 0; i < a.partitions.size(); ++i) {
    CHECK(a.partitions[i].name == b.partitions[i].name);
    CHECK(a.partitions[i].strategy == b.partitions[i].strategy);
    CHECK(a.partitions[i].parts == b.partitions[i].parts);
    CHECK(a.partitions[i].seed == b.partitions[i].seed);
    CHECK(a.partitions[i].graph_fingerprint == b.partitions[i].graph_fingerprint);
    CHECK(a.partitions[i].assignment == b.partitions[i].assignment);
  }
}

GraphData undirected_sparse() {
  GraphData data;
  data.name = "undirected";
  const std::vector<core::VertexId> source = {0, 1, 1, 2, 2, 2, 2};
  const std::vector<core::VertexId> target = {1, 0, 2, 1, 2, 1, 1};
  // 2-1 thrice, once in the other direction only thrice as well, and a self-loop.
  std::vector<core::VertexId> s = source;
  std::vector<core::VertexId> t = target;
  s.insert(s.end(), {1, 1});
  t.insert(t.end(), {2, 2});
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(4, s, t, {}, false));
  data.sparse_features = core::SparseMatrix(4, 6, {0, 2, 2, 3, 5}, {0, 5, 3, 1, 2}, {1, 2, 3, 4, 5.5F});
  data.labels.task = core::Task::kMultiLabel;
  data.labels.num_outputs = 3;
  data.labels.multi_label = {0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0};
  return data;
}

GraphData single_vertex() {
  GraphData data;
  data.name = "one";
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(1, {}, {}, {}, true));
  return data;
}

void check_round_trip(const GraphData& data) {
  const TemporaryFolder folder;
  for (const int compression : {0, 1, 9}) {
    write(folder / "graph.h5", data, {.compression = compression});
    check_equal(read(folder / "graph.h5"), data);
    CHECK(folder.entries() == 1);
  }
}

/// The rows that a dataset shows are those of its graph, block by block.
void check_rows(const core::Dataset& data) {
  const auto graph = data.graph();
  const core::Tensor features = data.edge_features();
  Index at = 0;
  std::vector<core::VertexId> sources;
  std::vector<double> weights;
  std::vector<float> shown;
  data.visit_rows({.weights = true, .edge_features = true}, [&](const core::GraphRows& rows) {
    CHECK(rows.begin == at);
    at = rows.end;
    CHECK(copy_of(rows.offsets) == copy_of(graph->in_offsets()));
    REQUIRE(rows.num_edges() == rows.offsets[rows.end] - rows.offsets[rows.begin]);
    sources.insert(sources.end(), rows.sources.begin(), rows.sources.end());
    weights.insert(weights.end(), rows.weights.begin(), rows.weights.end());
    const core::Tensor& x = rows.edge_features;
    if (x.size() > 0) shown.insert(shown.end(), x.data<float>(), x.data<float>() + x.size());
  });
  CHECK(at == graph->num_vertices());
  CHECK(sources == copy_of(graph->in_sources()));
  CHECK(weights == copy_of(graph->in_weights()));
  REQUIRE(static_cast<Index>(shown.size()) == features.size());
  if (!shown.empty()) CHECK(std::memcmp(shown.data(), features.raw(), features.bytes()) == 0);
  data.visit_rows({}, [](const core::GraphRows& rows) {
    CHECK(rows.weights.empty());
    CHECK(rows.edge_features.size() == 0);
  });
}

void check_same_schema(const core::DatasetSchema& a, const core::DatasetSchema& b) {
  CHECK(a.name == b.name);
  CHECK(a.num_vertices == b.num_vertices);
  CHECK(a.num_edges == b.num_edges);
  CHECK(a.directed == b.directed);
  CHECK(a.weighted == b.weighted);
  CHECK(a.num_features == b.num_features);
  CHECK(a.sparse_features == b.sparse_features);
  CHECK(a.feature_entries == b.feature_entries);
  CHECK(a.task == b.task);
  CHECK(a.num_outputs == b.num_outputs);
  CHECK(a.output_names == b.output_names);
  CHECK(a.split_names == b.split_names);
  CHECK(a.has_vertex_names == b.has_vertex_names);
}

void check_same_dataset(const core::Dataset& a, const core::Dataset& b) {
  check_same_schema(a.schema(), b.schema());
  check_equal(*a.graph(), *b.graph());
  check_equal(a.labels(), b.labels());
  CHECK(a.vertex_names() == b.vertex_names());
  for (const auto& name : a.schema().split_names) check_equal(a.split(name), b.split(name));
  const Index n = a.schema().num_vertices;
  if (a.schema().num_features == 0) {
    CHECK_THROWS_AS(a.features(), Error);
    CHECK_THROWS_AS(b.features(), Error);
    return;
  }
  for (Index begin = 0; begin <= n; ++begin) {
    for (Index end = begin; end <= n; ++end) {
      CAPTURE(begin);
      CAPTURE(end);
      if (a.features().sparse()) {
        check_equal(a.features().read_sparse(begin, end), b.features().read_sparse(begin, end));
      } else {
        check_equal(a.features().read_dense(begin, end), b.features().read_dense(begin, end));
      }
    }
  }
  for (const core::Dataset* d : {&a, &b}) {
    const auto& rows = d->features();
    CHECK(rows.rows() == n);
    CHECK(rows.cols() == a.schema().num_features);
    const auto read_rows = [&](Index begin, Index end) {
      rows.sparse() ? static_cast<void>(rows.read_sparse(begin, end)) : static_cast<void>(rows.read_dense(begin, end));
    };
    CHECK_THROWS_AS(read_rows(-1, 1), Error);
    CHECK_THROWS_AS(read_rows(2, 1), Error);
    CHECK_THROWS_AS(read_rows(0, n + 1), Error);
    if (rows.sparse()) {
      CHECK_THROWS_AS(rows.read_dense(0, 1), Error);
    } else {
      CHECK_THROWS_AS(rows.read_sparse(0, 1), Error);
    }
    CHECK_THROWS_AS(d->split("no such"), UsageError);
  }
}

}  // namespace

TEST_CASE("a graph file keeps everything") {
  SUBCASE("directed, weighted, dense features, classes, splits, names, partitions") { check_round_trip(small_graph()); }
  SUBCASE("undirected, parallel edges, a self-loop, an isolated vertex, sparse features, multi-label") {
    check_round_trip(undirected_sparse());
  }
  SUBCASE("a single vertex without edges, features or labels") { check_round_trip(single_vertex()); }
  SUBCASE("regression") {
    GraphData data = small_graph();
    data.labels = {};
    data.labels.task = core::Task::kRegression;
    data.labels.num_outputs = 2;
    data.labels.targets = {0, 1, -2.5F, 3, 4, 5, 6, 7, 8, 9e30F};
    check_round_trip(data);
  }
  SUBCASE("classes without names, of which the last has no vertex") {
    GraphData data = small_graph();
    data.labels.names.clear();
    data.labels.num_outputs = 9;
    check_round_trip(data);
  }
  SUBCASE("an empty sparse matrix and a text of 100,000 bytes") {
    GraphData data = single_vertex();
    data.sparse_features = core::SparseMatrix(1, 3, {0, 0}, {}, {});
    data.provenance = std::string(100'000, 'x');
    check_round_trip(data);
  }
}

TEST_CASE("a file and its data in memory are the same Dataset") {
  const TemporaryFolder folder;
  for (const GraphData& data : {small_graph(), undirected_sparse(), single_vertex()}) {
    CAPTURE(data.name);
    write(folder / "graph.h5", data);
    check_same_dataset(*open(folder / "graph.h5"), *from_memory(data));
  }
}

TEST_CASE("files as h5py and scipy write them are read") {
  const TemporaryFolder folder;
  write_like_h5py(folder / "h5py.h5");
  const GraphData expected = small_graph();
  SUBCASE("other widths, bool attributes, texts of variable length, unsorted rows") {
    check_equal(read(folder / "h5py.h5"), expected);
    CHECK(validate(folder / "h5py.h5").empty());
  }
  SUBCASE("no edge weights") {
    RawHdf5(folder / "h5py.h5").remove("/graph/data");
    const auto data = open(folder / "h5py.h5");
    CHECK_FALSE(data->schema().weighted);
    CHECK(data->graph()->in_weights().empty());
  }
  SUBCASE("edge weights that are all 1 are none, unless the graph says so") {
    RawHdf5(folder / "h5py.h5").put("/graph/data", {7}, std::vector<double>(7, 1.0));
    CHECK_FALSE(open(folder / "h5py.h5")->schema().weighted);
    RawHdf5(folder / "h5py.h5").bool_attribute("/graph", "weighted", true);
    CHECK(open(folder / "h5py.h5")->graph()->weighted());
  }
  SUBCASE("classes are counted where they have no names") {
    RawHdf5(folder / "h5py.h5").remove_attribute("/vertices/labels", "classes");
    CHECK(open(folder / "h5py.h5")->schema().num_outputs == 3);
  }
  SUBCASE("without a name the file's counts") {
    RawHdf5(folder / "h5py.h5").remove_attribute("/", "name");
    CHECK(open(folder / "h5py.h5")->schema().name == "h5py");
  }
  SUBCASE("splits in any order") {
    RawHdf5(folder / "h5py.h5").put("/splits/0/test", {2}, std::vector<std::int64_t>{4, 3});
    CHECK(open(folder / "h5py.h5")->split("0").test == std::vector<core::VertexId>{3, 4});
  }
  SUBCASE("a regression target a vertex") {
    RawHdf5 raw(folder / "h5py.h5");
    raw.put("/vertices/labels", {5}, std::vector<double>{1, 2, 3, 4, 5});
    CHECK(open(folder / "h5py.h5")->labels().targets == std::vector<float>{1, 2, 3, 4, 5});
  }
}

TEST_CASE("a file shows the rows of its graph without holding it, and tells its fingerprint") {
  const TemporaryFolder folder;
  const auto check_file = [](const std::filesystem::path& path) {
    // Before the graph has been read, and while it is held.
    const auto data = open(path);
    const std::uint64_t fingerprint = data->graph_fingerprint();
    CHECK(fingerprint == data->graph()->fingerprint());
    const auto graph = data->graph();
    CHECK(open(path)->graph_fingerprint() == fingerprint);
    CHECK(from_memory(read(path))->graph_fingerprint() == fingerprint);
    check_rows(*open(path));
    check_rows(*from_memory(read(path)));
  };
  for (const GraphData& data : {small_graph(), undirected_sparse(), single_vertex()}) {
    write(folder / "graph.h5", data);
    check_file(folder / "graph.h5");
  }
  // Rows that are not ascending.
  write_like_h5py(folder / "foreign.h5");
  check_file(folder / "foreign.h5");
  // More edges than are read at once.
  constexpr Index kRing = 300'000;
  GraphData ring;
  ring.name = "ring";
  std::vector<core::EdgeId> offsets{0};
  std::vector<core::VertexId> sources;
  for (Index v = 0; v < kRing; ++v) {
    for (const Index u : {(v + kRing - 1) % kRing, (v + 1) % kRing}) sources.push_back(static_cast<core::VertexId>(u));
    offsets.push_back(static_cast<core::EdgeId>(sources.size()));
  }
  ring.graph = std::make_shared<const core::Graph>(
      core::Graph::from_in_csr(kRing, std::move(offsets), std::move(sources), {}, false));
  write(folder / "ring.h5", ring);
  check_file(folder / "ring.h5");
}

TEST_CASE("splits stand in the order of their numbers, then of their names") {
  const TemporaryFolder folder;
  GraphData data = small_graph();
  data.splits.clear();
  for (const char* name : {"random", "10", "2", "0"}) data.splits.push_back({name, {0}, {1}, {3}});
  write(folder / "graph.h5", data);
  CHECK(open(folder / "graph.h5")->schema().split_names == std::vector<std::string>{"0", "2", "10", "random"});
}

TEST_CASE("a file opened lazily outlives nothing but itself") {
  const TemporaryFolder folder;
  write(folder / "graph.h5", small_graph());
  std::shared_ptr<const core::Graph> graph;
  {
    const auto data = open(folder / "graph.h5");
    graph = data->graph();
    CHECK(data->graph() == graph);
  }
  CHECK(graph->num_edges() == 7);
}

TEST_CASE("details and saved partitions") {
  const TemporaryFolder folder;
  write(folder / "graph.h5", small_graph());
  const FileDetails found = details(folder / "graph.h5");
  CHECK(found.provenance == "made by hand, with ümlauts");
  CHECK(found.num_edge_features == 2);
  CHECK(found.file_bytes == std::filesystem::file_size(folder / "graph.h5"));
  CHECK(found.partition_names == std::vector<std::string>{"mine"});
  CHECK(read_partition(folder / "graph.h5", "mine").assignment == small_graph().partitions[0].assignment);
  CHECK_THROWS_AS(read_partition(folder / "graph.h5", "yours"), UsageError);
}

TEST_CASE("a write that fails leaves the older file and nothing else") {
  const TemporaryFolder folder;
  write(folder / "graph.h5", small_graph());
  const std::string before = read_bytes(folder / "graph.h5");
  SUBCASE("data that is refused") {
    GraphData data = small_graph();
    data.labels.classes[0] = 3;
    CHECK_THROWS_AS(write(folder / "graph.h5", data), Error);
  }
  SUBCASE("a weight that float32 can't hold") {
    GraphData data = single_vertex();
    const std::vector<core::VertexId> loop = {0};
    const std::vector<double> weight = {1e300};
    data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(1, loop, loop, weight, true));
    CHECK_THROWS_AS(write(folder / "graph.h5", data), Error);
  }
  SUBCASE("a compression level that is none") {
    CHECK_THROWS_AS(write(folder / "graph.h5", small_graph(), {.compression = 10}), UsageError);
  }
  SUBCASE("a folder that isn't there, and one in the file's place") {
    CHECK_THROWS_AS(write(folder / "missing/graph.h5", small_graph()), Error);
    CHECK_THROWS_AS(write(folder.path(), small_graph()), Error);
  }
  SUBCASE("no more room") {
    GraphData data = small_graph();
    data.features = core::Tensor(5, 200'000, core::DType::kFloat32);
    for (Index i = 0; i < data.features.size(); ++i)
      data.features.data<float>()[i] = static_cast<float>(i * 7919 % 104729);
    rlimit old = {};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    // From a file that can't even begin to one that lacks its last bytes.
    for (const rlim_t limit : {rlim_t{0}, rlim_t{100}, rlim_t{5'000}, rlim_t{1'000'000}, rlim_t{3'900'000}}) {
      CAPTURE(limit);
      const rlimit small = {limit, old.rlim_max};
      ::setrlimit(RLIMIT_FSIZE, &small);
      bool refused = false;
      try {
        write(folder / "graph.h5", data, {.compression = 0});
      } catch (const Error&) {
        refused = true;
      }
      ::setrlimit(RLIMIT_FSIZE, &old);
      CHECK(refused);
    }
    std::signal(SIGXFSZ, old_handler);
  }
  CHECK(read_bytes(folder / "graph.h5") == before);
  CHECK(folder.entries() == 1);
  // The library still works.
  write(folder / "graph.h5", undirected_sparse());
  check_equal(read(folder / "graph.h5"), undirected_sparse());
}

TEST_CASE("check() refuses data that contradicts itself") {
  const auto refused = [](auto&& change) {
    GraphData data = small_graph();
    change(data);
    CHECK_THROWS_AS(check(data, "test"), Error);
    CHECK_THROWS_AS(from_memory(data), Error);
  };
  CHECK_NOTHROW(check(small_graph(), "test"));
  const auto graph_of = [](Index n, const std::vector<core::VertexId>& s, const std::vector<core::VertexId>& t,
                           bool directed) {
    return std::make_shared<const core::Graph>(core::Graph::from_edges(n, s, t, {}, directed));
  };
  refused([](GraphData& d) { d = GraphData{}; });
  refused([&](GraphData& d) { d = {}, d.graph = graph_of(0, {}, {}, true); });
  refused([&](GraphData& d) { d = {}, d.graph = graph_of(2, {0}, {1}, false); });
  refused([&](GraphData& d) { d.graph = graph_of(6, {0}, {1}, true); });
  refused([](GraphData& d) { d.features = core::Tensor::zeros(4, 3, core::DType::kFloat32); });
  refused([](GraphData& d) { d.features = core::Tensor::zeros(5, 3, core::DType::kFloat64); });
  refused([](GraphData& d) { d.features.set(2, 1, std::numeric_limits<double>::quiet_NaN()); });
  refused([](GraphData& d) { d.sparse_features = core::SparseMatrix(5, 1, {0, 0, 0, 0, 0, 0}, {}, {}); });
  refused([](GraphData& d) { d.edge_features = core::Tensor::zeros(6, 1, core::DType::kFloat32); });
  refused([](GraphData& d) { d.labels.classes.pop_back(); });
  refused([](GraphData& d) { d.labels.classes[1] = -2; });
  refused([](GraphData& d) { d.labels.names.pop_back(); });
  refused([](GraphData& d) { d.splits[1].name = "0"; });
  refused([](GraphData& d) { d.splits[1].name = "a/b"; });
  refused([](GraphData& d) { d.splits[1].name = ""; });
  refused([](GraphData& d) { d.splits[0].val.clear(); });
  refused([](GraphData& d) { d.splits[0].val = {0}; });
  refused([](GraphData& d) { d.splits[0].test = {4, 3}; });
  refused([](GraphData& d) { d.splits[0].test = {4, 4}; });
  refused([](GraphData& d) { d.splits[0].test = {5}; });
  refused([](GraphData& d) { d.vertex_names.pop_back(); });
  refused([](GraphData& d) { d.partitions[0].assignment[0] = 2; });
  refused([](GraphData& d) { d.partitions[0].assignment.pop_back(); });
  refused([](GraphData& d) { d.partitions[0].name = ".."; });
}

}  // namespace laminar::datasets::test
