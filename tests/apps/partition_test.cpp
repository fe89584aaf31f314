// laminar-partition as a user runs it.
#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/partition_stream.hpp"
#include "laminar/apps/partition_summary.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/partitions.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/graphs.hpp"

namespace laminar::apps::test {
namespace {

/// A ring of 12 vertices in METIS's format: cut into ranges of k, every part has 2 neighbours.
std::string ring_text() {
  std::string text = "12 12\n";
  for (int v = 0; v < 12; ++v)
    text += std::to_string((v + 11) % 12 + 1) + " " + std::to_string((v + 1) % 12 + 1) + "\n";
  return text;
}

Finished partition(const Workspace& w, std::vector<std::string> words) {
  words.insert(words.begin(), "laminar-partition");
  return w.run(words);
}

/// A graph's in-edges as they stand, as a file gives them.
class InEdges final : public core::EdgeStream {
 public:
  explicit InEdges(const core::Graph& graph) : graph_(graph) {}
  core::Index num_vertices() const override { return graph_.num_vertices(); }
  core::EdgeId num_entries() const override { return graph_.num_edges(); }
  void rewind() override { at_ = 0; }
  bool next(Row& row) override {
    if (at_ == graph_.num_vertices()) return false;
    const auto offsets = graph_.in_offsets();
    row.vertex = static_cast<core::VertexId>(at_);
    row.neighbours = graph_.in_sources().subspan(static_cast<std::size_t>(offsets[at_]),
                                                 static_cast<std::size_t>(offsets[at_ + 1] - offsets[at_]));
    ++at_;
    return true;
  }

 private:
  const core::Graph& graph_;
  core::Index at_ = 0;
};

}  // namespace

TEST_CASE("the RESULT line has its keys in their order and the figures of a partition done by hand") {
  const Workspace w;
  write_text(w.path("ring.graph"), ring_text());
  const Finished f =
      partition(w, {w.path("ring.graph"), "--parts", "3", "--strategy", "range", "--out", w.path("p.txt")});
  CHECK(f.code == 0);
  CHECK(f.err.empty());
  CHECK(f.last_line().starts_with(
      "RESULT strategy=range parts=3 edge_cut=3 total_volume=6 max_receive_volume=2 max_send_volume=2 "
      "vertex_balance=1.000000 edge_balance=1.000000 seconds="));
  auto result = f.result();
  CHECK(std::stod(result.at("peak_rss_mib")) > 1);
  CHECK(result.size() == 10);
  CHECK(read_text(w.path("p.txt")) == "0\n0\n0\n0\n1\n1\n1\n1\n2\n2\n2\n2\n");
  CHECK(f.out.find("total volume") != std::string::npos);

  const Finished quiet = partition(w, {w.path("ring.graph"), "-k", "3", "-s", "range", "-q"});
  CHECK(lines_of(quiet.out).size() == 1);
}

TEST_CASE("every format gives the same partition") {
  const Workspace w;
  write_text(w.path("ring.graph"), ring_text());
  std::string edges = "# ring\n";
  for (int v = 0; v < 12; ++v) edges += std::to_string(v) + "," + std::to_string((v + 1) % 12) + "\r\n";
  write_text(w.path("ring.csv"), edges);
  write_text(w.path("ring.data"), edges);
  REQUIRE(w.run({"laminar-convert", "--from", "edges", w.path("ring.csv"), "--out", w.path("ring.h5")}).code == 0);
  for (const char* other : {"ring.mtx", "ring.graphml"}) {
    REQUIRE(w.run({"laminar-convert", w.path("ring.h5"), "--out", w.path(other)}).code == 0);
  }
  // HDF5 is known by its first bytes.
  std::filesystem::copy_file(w.path("ring.h5"), w.path("copy.h5"));
  std::filesystem::copy_file(w.path("ring.h5"), w.path("copy.data"));
  std::vector<std::string> texts;
  for (const auto& words : std::vector<std::vector<std::string>>{{w.path("ring.graph")},
                                                                 {w.path("ring.csv")},
                                                                 {w.path("ring.data"), "--format", "edges"},
                                                                 {w.path("ring.mtx")},
                                                                 {w.path("ring.graphml")},
                                                                 {w.path("copy.h5"), "--format", "laminar"},
                                                                 {w.path("copy.data")},
                                                                 {w.path("ring.h5")}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--parts", "2", "--out", w.path("p.txt"), "-q"});
    CHECK(partition(w, all).code == 0);
    texts.push_back(read_text(w.path("p.txt")));
    CHECK(lines_of(texts.back()).size() == 12);
    CHECK(texts.back() == texts.front());
  }
  check_refused(partition(w, {w.path("ring.data"), "--parts", "2"}), 2, "say --format");
  check_refused(partition(w, {w.path("ring.csv"), "--parts", "2", "--format", "dot"}), 2, "there is no importer 'dot'");
  check_refused(partition(w, {w.path("none.mtx"), "--parts", "2"}), 1, "there is no such file");
  check_refused(partition(w, {w.path("ring.mtx"), "--parts", "2", "--split", "0"}), 2, "has no splits");
  check_refused(partition(w, {w.path("ring.graphml"), "--parts", "2", "--save-as", "x"}), 2, "needs a graph file");
  check_refused(partition(w, {w.path("ring.mtx"), "--parts", "2", "--max-memory", "1e-9"}), 1, "raise --max-memory");
  check_refused(partition(w, {w.path("ring.mtx"), "--parts", "2", "--max-memory", "-1"}), 2, "--max-memory -1");
  write_text(w.path("bad.mtx"), "%%MatrixMarket matrix coordinate pattern general\n3 3 1\n4 1\n");
  check_refused(partition(w, {w.path("bad.mtx"), "--parts", "2"}), 1, "bad.mtx:3: ");
  const Finished directed = partition(w, {w.path("ring.csv"), "--directed", "--parts", "3", "-s", "range", "-q"});
  // Each part receives one row forwards and one backwards.
  CHECK(directed.result().at("total_volume") == "6");
  CHECK(directed.result().at("h_in") == "3");
  CHECK(directed.result().at("h_out") == "3");
  check_refused(partition(w, {w.path("ring.graph"), "--directed", "--parts", "2"}), 2, "--directed is for edge lists");
}

TEST_CASE("partitions are saved in graph files, and refined") {
  const Workspace w;
  const auto save = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {w.graph(), "-q", "--save-as", "mine"});
    return partition(w, words);
  };
  CHECK(save({"--parts", "4", "--seed", "5"}).code == 0);
  const auto saved = datasets::read_partition(w.graph(), "mine");
  CHECK(saved.strategy == "laminar");
  CHECK(saved.parts == 4);
  CHECK(saved.seed == 5);
  const std::string before = read_text(w.graph());
  check_refused(save({"--parts", "2"}), 2, "has a partition 'mine' already");
  CHECK(read_text(w.graph()) == before);
  CHECK(save({"--parts", "2", "--overwrite"}).code == 0);
  CHECK(datasets::read_partition(w.graph(), "mine").parts == 2);
  CHECK(entries(w.folder()) == 1);
  const Finished info = w.run({"laminar-info", w.graph()});
  CHECK(info.out.find("partition mine       laminar, 2 parts, seed 1\n") != std::string::npos);
  CHECK(w.run({"laminar-info", w.graph(), "--check"}).code == 0);
  CHECK(w.train({"-q"}).code == 0);

  // Its number of parts need not be said again.
  for (const std::string& start : {std::string("mine"), w.path("p.h5"), w.path("p.txt")}) {
    CAPTURE(start);
    const Finished f = partition(
        w, {w.graph(), "-q", "--refine", start, "--out", w.path("next.h5"), "--save-as", "next", "--overwrite"});
    CHECK(f.code == 0);
    CHECK(f.result().at("parts") == "2");
    const auto data = datasets::open(w.graph());
    const auto next = datasets::read_partition_file(w.path("next.h5"), *data->graph());
    CHECK(next.assignment == datasets::read_partition(w.graph(), "next").assignment);
    CHECK(next.strategy.find("laminar after") == 0);
    if (start == "mine") {
      datasets::write_partition_file(w.path("p.h5"), next);
      datasets::write_partition_file(w.path("p.txt"), next);
    }
  }
  CHECK(partition(w, {w.graph(), "-q", "--parts", "3", "--start", "bfs"}).code == 0);
  check_refused(partition(w, {w.graph(), "--refine", "yours"}), 2, "there are: mine, next");
  check_refused(partition(w, {w.graph(), "--refine", "mine", "-s", "range"}), 2, "can't start from a partition");
  check_refused(partition(w, {w.graph(), "--refine", "mine", "--start", "bfs"}), 2, "not both");
}

TEST_CASE("two levels of parts") {
  const Workspace w;
  const Finished f = partition(w, {w.graph(), "--parts", "3x2", "--out", w.path("p.txt")});
  CHECK(f.code == 0);
  CHECK(f.result().at("parts") == "6");
  CHECK(f.out.find("between the 3 hosts") != std::string::npos);
  const auto data = datasets::open(w.graph());
  const auto saved = datasets::read_partition_file(w.path("p.txt"), *data->graph());
  CHECK(saved.parts == 6);
  const auto m = partition::measure(*data->graph(), {6, saved.assignment});
  CHECK(m.vertex_balance <= 1.03 + 1.0 / 40);
  const Finished shares =
      partition(w, {w.graph(), "-q", "--parts", "2x2", "--capacity", "3,1,1,1", "--out", w.path("c.txt")});
  CHECK(shares.code == 0);
  const std::string text = read_text(w.path("c.txt"));
  CHECK(std::count(text.begin(), text.end(), '0') > 100);
  check_refused(partition(w, {w.graph(), "--parts", "3x"}), 2, "--parts is '3x'");
  check_refused(partition(w, {w.graph(), "--parts", "99999x99999"}), 2, "--parts is");
}

TEST_CASE("a graph file is partitioned row by row, without its edges in memory") {
  const Workspace w;
  for (const char* strategy : {"fennel", "ldg", "restreaming_ldg"}) {
    const auto run = [&](bool stream) {
      std::vector<std::string> words = {w.graph(), "--parts", "4", "-s", strategy, "-q", "--out", w.path("p.txt")};
      if (stream) words.emplace_back("--stream");
      auto result = partition(w, words).result();
      result.erase("seconds");
      result.erase("peak_rss_mib");
      result["text"] = read_text(w.path("p.txt"));
      return result;
    };
    CHECK(run(true) == run(false));
  }
  check_refused(partition(w, {w.graph(), "--parts", "4", "--stream", "-s", "bfs"}), 2, "needs the whole graph");
  check_refused(partition(w, {w.graph(), "--parts", "4", "--stream", "-s", "ldg", "--save-as", "a"}), 2, "text only");
  check_refused(partition(w, {w.graph(), "--parts", "2x2", "--stream", "-s", "ldg"}), 2, "one level");
  check_refused(partition(w, {w.graph(), "--parts", "241", "--stream", "-s", "ldg"}), 2, "240 vertices");
  check_refused(partition(w, {w.path("a.txt"), "--parts", "2", "--stream", "-s", "ldg"}), 2, "needs a graph file");
}

TEST_CASE("measured row by row is what is measured in memory") {
  for (const auto& g : testing::test_graphs()) {
    CAPTURE(g.name);
    const auto n = static_cast<std::size_t>(g.graph.num_vertices());
    const core::Index parts = std::min<core::Index>(3, g.graph.num_vertices());
    partition::Partition p{parts, std::vector<std::int32_t>(n)};
    for (std::size_t v = 0; v < n; ++v) p.part_of[v] = static_cast<std::int32_t>(v * 7 / 3 % parts);
    const partition::MeasureOptions options = {
        .train = {0}, .vertex_weights = {}, .capacity = std::vector<double>(static_cast<std::size_t>(parts), 2.0)};
    const auto expected = partition::measure(g.graph, p, options);
    InEdges stream(g.graph);
    const auto found = measure_stream(stream, g.graph.directed(), p, options);
    auto a = to_json(expected);
    auto b = to_json(found);
    for (auto* j : {&a, &b}) {
      j->erase("max_components");
      for (auto& part : j->at("by_part")) part.erase("components");
    }
    CHECK(a == b);
    CHECK(found.traffic_in == expected.traffic_in);
    CHECK(found.traffic_out == expected.traffic_out);
  }
}

TEST_CASE("METIS vertex weights count unless they are ignored") {
  const Workspace w;
  write_text(w.path("w.graph"), "4 3 10\n9 2\n1 1 3\n1 2 4\n1 3\n");
  const auto parts = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {w.path("w.graph"), "--parts", "2", "-s", "range", "-q", "--out", w.path("p.txt")});
    CHECK(partition(w, words).code == 0);
    return read_text(w.path("p.txt"));
  };
  CHECK(parts({}) == "0\n1\n1\n1\n");
  CHECK(parts({"--ignore-weights"}) == "0\n0\n1\n1\n");
}

TEST_CASE("--json has all figures") {
  const Workspace w;
  CHECK(partition(w, {w.graph(), "--parts", "3", "-s", "range", "-q", "--json", w.path("p.json")}).code == 0);
  const auto j = nlohmann::json::parse(read_text(w.path("p.json")));
  CHECK(j.at("strategy") == "range");
  CHECK(j.at("metrics").at("parts") == 3);
  CHECK(j.at("metrics").at("by_part").size() == 3);
  CHECK(j.at("metrics").at("by_part").at(0).at("vertices") == 80);
}

TEST_CASE("what can't be meant or done is one line, and leaves files as they were") {
  const Workspace w;
  const std::string g = w.graph();
  write_text(w.path("bad.graph"), "3 1\n2\n");
  const std::string before = read_text(g);
  for (const auto& [words, code, says] : std::vector<std::tuple<std::vector<std::string>, int, std::string>>{
           {{}, 2, "a graph is needed"},
           {{g}, 2, "--parts is missing"},
           {{w.path("none.h5"), "--parts", "2"}, 1, "there is no such file"},
           {{w.path("bad.graph"), "--parts", "2"}, 1, "bad.graph:3: the file ends after 1 of 3 vertices"},
           {{g, "--parts", "0"}, 2, "--parts is '0'"},
           {{g, "--parts", "241"}, 2, "the graph has 240 vertices"},
           {{g, "--parts", "2", "-s", "metiss"}, 2, "'metiss' is not known"},
           {{g, "--parts", "2", "--imbalance", "-1"}, 2, "--imbalance is -1"},
           {{g, "--parts", "2", "--objective", "tot"}, 2, "--objective is 'tot'"},
           {{g, "--parts", "2", "--preset", "good"}, 2, "--preset is 'good'"},
           {{g, "--parts", "2", "--capacity", "1,,2"}, 2, "--capacity is '1,,2'"},
           {{g, "--parts", "2", "--capacity", "1,2,3"}, 2, "3 values for 2 parts"},
           {{g, "--parts", "2", "-s", "range", "--edge-imbalance", "0.1"}, 2, "does not heed --edge-imbalance"},
           {{g, "--parts", "2", "--threads", "-1"}, 2, "--threads is -1"},
           {{g, "--parts", "2", "--split", "nix"}, 2, "there is no split 'nix'"},
           {{g, "--parts", "2", "--save-as", "range"}, 2, "the name of a strategy"},
           {{g, "--parts", "2", "--save-as", "a/b"}, 2, "without slashes"},
           {{w.path("bad.graph"), "--parts", "2", "--save-as", "a"}, 1, "bad.graph"},
           {{g, "--parts", "2", "--overwrite"}, 2, "--overwrite goes with --save-as"},
           {{g, "--parts", "2", "--out", g}, 2, "would overwrite the graph"},
           {{g, "--parts", "2", "--out", w.path("no/p.txt")}, 1, "--out"},
           {{g, "--parts", "2", "--out", "/dev/null"}, 1, "no regular file"},
           {{g, "--parts", "2", "--out", w.path("p"), "--json", w.path("p")}, 2, "are the same file"},
           {{g, "--parts", "2", "--refine", w.path("bad.graph")}, 1, "bad.graph:1:"}}) {
    check_refused(partition(w, words), code, says);
  }
  CHECK(read_text(g) == before);
  CHECK(entries(w.folder()) == 2);
  // One part is fine.
  CHECK(partition(w, {g, "--parts", "1", "-q"}).result().at("total_volume") == "0");
}

TEST_CASE("a full disk is an error and leaves the graph and older files") {
  const Workspace w;
  write_text(w.path("p.h5"), "precious");
  const std::string before = read_text(w.graph());
  const auto run = [&](const std::vector<std::string>& words) {
    std::vector<std::string> all = {
        "/bin/sh", "-c",      "trap '' XFSZ; ulimit -f 1; exec \"" LAMINAR_BIN_DIR "/laminar-partition\" \"$@\" 2>&1",
        "sh",      w.graph(), "--parts",
        "2",       "-q"};
    all.insert(all.end(), words.begin(), words.end());
    return w.run(all).out;
  };
  for (const auto& words : {std::vector<std::string>{"--out", w.path("p.h5")}, {"--save-as", "mine"}}) {
    const std::string said = run(words);
    CHECK_MESSAGE(said.find("laminar-partition: error: ") == 0, said);
    CHECK(lines_of(said).size() == 1);
  }
  CHECK(read_text(w.path("p.h5")) == "precious");
  CHECK(read_text(w.graph()) == before);
  CHECK(entries(w.folder()) == 2);
}

TEST_CASE("--help, --version and --list") {
  const Workspace w;
  CHECK(partition(w, {"--help"}).out.find("Usage: laminar-partition GRAPH") == 0);
  CHECK(partition(w, {"--version"}).out.find("laminar-partition ") == 0);
  const std::string list = partition(w, {"--list"}).out;
  for (const char* name : {"range ", "laminar ", "fennel "}) CHECK(list.find(name) != std::string::npos);
}

}  // namespace laminar::apps::test
