// Partitions in graph files and in files of their own.
#include "laminar/datasets/partitions.hpp"

#include <csignal>
#include <functional>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/hdf5_reader.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Parts = std::vector<std::int32_t>;

SavedPartition thirds(const core::Graph& graph) {
  return {"thirds", "hand", 3, ~std::uint64_t{0}, graph.fingerprint(), {2, 0, 1, 1, 0}};
}

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void check_equal(const SavedPartition& a, const SavedPartition& b) {
  CHECK(a.name == b.name);
  CHECK(a.strategy == b.strategy);
  CHECK(a.parts == b.parts);
  CHECK(a.seed == b.seed);
  CHECK(a.graph_fingerprint == b.graph_fingerprint);
  CHECK(a.assignment == b.assignment);
}

}  // namespace

TEST_CASE("a partition is added to a graph file, and nothing in it is lost") {
  const TemporaryFolder folder;
  const std::string path = folder / "graph.h5";
  bool like_h5py = false;
  SUBCASE("as this library writes it") { write(path, small_graph()); }
  SUBCASE("as h5py writes it by default") {
    write_like_h5py(path);
    like_h5py = true;
  }
  CAPTURE(like_h5py);
  {
    // What no version of this library knows.
    RawHdf5 raw(path);
    raw.group("/extra");
    raw.put("/extra/numbers", {3}, Parts{4, 5, 6});
    raw.attribute("/extra", "note", std::string("keep me"));
  }
  const GraphData before = read(path);
  const SavedPartition saved = thirds(*before.graph);
  save_partition(path, saved, false);
  CHECK(folder.entries() == 1);

  check_equal(read_partition(path, "thirds"), saved);
  check_equal(load_partition(path, "thirds", *before.graph), saved);
  const GraphData after = read(path);
  CHECK(after.graph->fingerprint() == before.graph->fingerprint());
  CHECK(after.provenance == before.provenance);
  CHECK(after.labels.classes == before.labels.classes);
  CHECK(after.labels.names == before.labels.names);
  CHECK(after.vertex_names == before.vertex_names);
  CHECK(after.splits.size() == before.splits.size());
  CHECK(after.partitions.size() == before.partitions.size() + 1);
  const Hdf5Reader file(path);
  CHECK(file.string_attribute("/extra", "note") == "keep me");
  std::vector<std::int64_t> numbers(3);
  file.read_rows("/extra/numbers", 0, 3, numbers.data());
  CHECK(numbers == std::vector<std::int64_t>{4, 5, 6});
  for (const auto& finding : validate(path)) CHECK(finding.severity == Finding::Severity::kWarning);

  {
    // A name that is taken needs overwrite.
    const std::string bytes = read_bytes(path);
    CHECK_THROWS_AS(save_partition(path, saved, false), UsageError);
    CHECK(read_bytes(path) == bytes);
    SavedPartition other = saved;
    other.parts = 4;
    other.assignment = {3, 3, 0, 1, 2};
    for (int i = 0; i < 20; ++i) save_partition(path, other, true);
    check_equal(read_partition(path, "thirds"), other);
    CHECK(details(path).partition_names.size() == before.partitions.size() + 1);
  }
  {
    // Whoever has the file open goes on reading.
    const auto open_file = open(path);
    SavedPartition other = saved;
    other.name = "more";
    save_partition(path, other, false);
    CHECK(open_file->graph()->fingerprint() == before.graph->fingerprint());
  }
}

TEST_CASE("partitions that are replaced don't pile up in the file") {
  const TemporaryFolder folder;
  const std::string path = folder / "graph.h5";
  constexpr core::Index kVertices = 200'000;
  GraphData data;
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(kVertices, {}, {}, {}, true));
  write(path, data);
  SavedPartition saved{"p", "random", 1 << 16, 1, data.graph->fingerprint(), Parts(kVertices)};
  const core::RandomKey key = core::random_key(3, "noise");
  std::uintmax_t first = 0;
  constexpr int kTimes = 8;
  for (int i = 0; i < kTimes; ++i) {
    for (std::uint64_t v = 0; v < kVertices; ++v) {
      saved.assignment[v] =
          static_cast<std::int32_t>(core::random_below(key, v + kVertices * static_cast<std::uint64_t>(i), 1 << 16));
    }
    save_partition(path, saved, true);
    if (i == 0) first = std::filesystem::file_size(path);
  }
  CHECK(read_partition(path, "p").assignment == saved.assignment);
  // It is random, so hardly compressed: each copy would be about half a megabyte.
  CHECK(std::filesystem::file_size(path) < first + 1'000'000);
}

TEST_CASE("partitions that don't fit are refused, and the file stays") {
  const TemporaryFolder folder;
  const std::string path = folder / "graph.h5";
  write(path, small_graph());
  const std::string before = read_bytes(path);
  const SavedPartition good = thirds(*small_graph().graph);
  const auto refused = [&](const std::function<void(SavedPartition&)>& change) {
    SavedPartition partition = good;
    change(partition);
    return error_of([&] { save_partition(path, partition, true); });
  };
  CHECK(refused([](auto& p) { p.name = "a/b"; }).find("can't be the name") != std::string::npos);
  CHECK(refused([](auto& p) { p.name.clear(); }).find("can't be the name") != std::string::npos);
  CHECK(refused([](auto& p) { p.assignment[3] = 3; }).find("entry 3 is 3, expected 0..2") != std::string::npos);
  CHECK(refused([](auto& p) { p.assignment[0] = -1; }).find("entry 0 is -1") != std::string::npos);
  CHECK(refused([](auto& p) { p.assignment.pop_back(); }).find("4 entries for a graph of 5") != std::string::npos);
  CHECK(refused([](auto& p) { p.parts = 0; }).find("0 parts") != std::string::npos);
  CHECK(refused([](auto& p) { p.graph_fingerprint ^= 1; }).find("another graph") != std::string::npos);
  CHECK(read_bytes(path) == before);
  CHECK_THROWS_AS(save_partition(folder / "missing.h5", good, false), Error);

  const rlimit unlimited = [] {
    rlimit old = {};
    ::getrlimit(RLIMIT_FSIZE, &old);
    return old;
  }();
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t limit : {rlim_t{0}, rlim_t{100}, rlim_t{before.size()}}) {
    const rlimit small = {limit, unlimited.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const std::string full = error_of([&] { save_partition(path, good, false); });
    ::setrlimit(RLIMIT_FSIZE, &unlimited);
    CHECK(full.find(path) == 0);
  }
  std::signal(SIGXFSZ, old_handler);
  CHECK(read_bytes(path) == before);
  CHECK(folder.entries() == 1);
}

TEST_CASE("a partition of another graph is not loaded") {
  const TemporaryFolder folder;
  const std::string path = folder / "graph.h5";
  GraphData data = small_graph();
  data.partitions[0].graph_fingerprint = 7;
  write(path, data);
  CHECK(error_of([&] { load_partition(path, "mine", *data.graph); }).find("made for another graph") !=
        std::string::npos);
  CHECK(error_of([&] { load_partition(path, "yours", *data.graph); }).find("there are: mine") != std::string::npos);
}

TEST_CASE("partitions in files of their own") {
  const TemporaryFolder folder;
  const core::Graph graph = *small_graph().graph;
  SavedPartition saved = thirds(graph);
  SUBCASE("HDF5 keeps all") {
    write_partition_file(folder / "thirds.h5", saved);
    check_equal(read_partition_file(folder / "thirds.h5", graph), saved);
    const core::Graph other = core::Graph::from_edges(5, {}, {}, {}, true);
    CHECK(error_of([&] { read_partition_file(folder / "thirds.h5", other); }).find("another graph") !=
          std::string::npos);
    const core::Graph smaller = core::Graph::from_edges(4, {}, {}, {}, true);
    CHECK(error_of([&] { read_partition_file(folder / "thirds.h5", smaller); }).find("expected int32 [4]") !=
          std::string::npos);
    write(folder / "graph.h5", small_graph());
    CHECK(error_of([&] { read_partition_file(folder / "graph.h5", graph); }).find("is a graph file") !=
          std::string::npos);
    for (const auto& [says, change] : std::vector<std::pair<std::string, std::function<void(RawHdf5&)>>>{
             {"'format' is 'x'", [](RawHdf5& f) { f.attribute("/", "format", std::string("x")); }},
             {"'version' is 2", [](RawHdf5& f) { f.attribute("/", "version", std::int64_t{2}); }},
             {"'parts' is 0", [](RawHdf5& f) { f.attribute("/assignment", "parts", std::int64_t{0}); }},
             {"entry 0 is 2, expected 0..1", [](RawHdf5& f) { f.attribute("/assignment", "parts", std::int64_t{2}); }},
             {"is missing", [](RawHdf5& f) { f.remove("/assignment"); }},
             {"expected int32 [5]", [](RawHdf5& f) { f.put("/assignment", {5}, std::vector<float>(5)); }}}) {
      write_partition_file(folder / "bad.h5", saved);
      {
        RawHdf5 raw(folder / "bad.h5");
        change(raw);
      }
      CHECK_MESSAGE(error_of([&] { read_partition_file(folder / "bad.h5", graph); }).find(says) != std::string::npos,
                    says);
    }
  }
  SUBCASE("text is one number a line") {
    write_partition_file(folder / "thirds.txt", saved);
    CHECK(read_bytes(folder / "thirds.txt") == "2\n0\n1\n1\n0\n");
    const SavedPartition read = read_partition_file(folder / "thirds.txt", graph);
    CHECK(read.assignment == saved.assignment);
    CHECK(read.parts == 3);
    CHECK(read.name == "thirds");
    CHECK(read.graph_fingerprint == saved.graph_fingerprint);
    write_bytes(folder / "other.part.3", "% by another tool\r\n 2\r\n0\r\n\r\n1\r\n1\r\n0");
    CHECK(read_partition_file(folder / "other.part.3", graph).assignment == saved.assignment);
    for (const auto& [text, says] :
         std::vector<std::pair<std::string, std::string>>{{"0\n1\nx\n", "bad.txt:3: 'x' is found"},
                                                          {"0\n-1\n", "bad.txt:2: '-1' is found"},
                                                          {"0\n5\n", "bad.txt:2: '5' is found"},
                                                          {"0 1\n", "bad.txt:1: '0' and more is found"},
                                                          {"0\n1.5\n", "bad.txt:2: '1.5' is found"},
                                                          {"0\n0\n0\n0\n", "holds 4 numbers, expected 5"},
                                                          {"", "holds 0 numbers"},
                                                          {"0\n0\n0\n0\n0\n0\n", "bad.txt:6: expected nothing"}}) {
      write_bytes(folder / "bad.txt", text);
      CHECK_MESSAGE(error_of([&] { read_partition_file(folder / "bad.txt", graph); }).find(says) != std::string::npos,
                    says);
    }
  }
  SUBCASE("what can't be written") {
    CHECK_THROWS_AS(write_partition_file(folder / "no/such.txt", saved), Error);
    CHECK_THROWS_AS(write_partition_file(folder / "no/such.h5", saved), Error);
    saved.assignment[2] = 7;
    CHECK_THROWS_AS(write_partition_file(folder / "a.txt", saved), Error);
    CHECK(folder.entries() == 0);
  }
}

TEST_CASE("damaged files don't crash whoever saves a partition in them") {
  const TemporaryFolder folder;
  const std::string path = folder / "copy.h5";
  const SavedPartition saved = thirds(*small_graph().graph);
  for (const bool like_h5py : {false, true}) {
    if (like_h5py) {
      write_like_h5py(path);
    } else {
      write(path, small_graph());
    }
    const std::string bytes = read_bytes(path);
    const core::RandomKey key = core::random_key(14, like_h5py ? "h5py" : "own");
    int refused = 0;
    constexpr std::uint64_t kFiles = 30;
    for (std::uint64_t i = 0; i < kFiles; ++i) {
      std::string copy = bytes;
      for (std::uint64_t b = 0; b < 8; ++b) {
        const auto at =
            static_cast<std::size_t>(core::random_below(key, 16 * i + 2 * b, static_cast<core::Index>(copy.size())));
        copy[at] = static_cast<char>(core::random_below(key, 16 * i + 2 * b + 1, 256));
      }
      write_bytes(path, copy);
      try {
        save_partition(path, saved, true);
      } catch (const Error&) {
        ++refused;
        CHECK(read_bytes(path) == copy);
      }
    }
    CHECK(refused > static_cast<int>(kFiles) / 4);
  }
}

}  // namespace laminar::datasets::test
