// laminar-partition-bench as a user runs it, and what it is made of.
#include "laminar/apps/partition_bench.hpp"

#include <chrono>
#include <cmath>
#include <csignal>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/partition_bench_table.hpp"
#include "laminar/apps/partition_charts.hpp"
#include "laminar/apps/partition_drawing.hpp"
#include "laminar/apps/partition_options.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/graphs.hpp"

namespace laminar::apps::test {
namespace {

using partition::Partition;
using partition::PartitionOptions;

Finished bench(const Workspace& w, std::vector<std::string> words) {
  words.insert(words.begin(), "laminar-partition-bench");
  return w.run(words);
}

/// Tells in a remark how many threads work in its process.
Partition count_threads(const core::Graph& graph, const PartitionOptions& options) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  core::parallel_for(8, 1, [&](core::Index, core::Index) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  Partition p{options.parts, std::vector<std::int32_t>(static_cast<std::size_t>(graph.num_vertices()))};
  for (std::size_t v = 0; v < p.part_of.size(); ++v) p.part_of[v] = static_cast<std::int32_t>(v % options.parts);
  p.remarks.push_back(threads.size() > 1 ? "several threads" : "one thread");
  return p;
}

Partition fail_on_purpose(const core::Graph&, const PartitionOptions& options) {
  if (options.seed == 1) std::raise(SIGKILL);
  throw Error("on purpose");
}

LAMINAR_PARTITIONER(count_threads, &count_threads, {.name = "test_threads", .summary = "for this test"})
LAMINAR_PARTITIONER(fail_on_purpose, &fail_on_purpose, {.name = "test_failure", .summary = "for this test"})

BenchEntry entry(std::string name, std::vector<double> totals) {
  BenchEntry e{.name = std::move(name), .parts = 4, .compared = false, .runs = {}, .remarks = {}, .failure = {}};
  for (const double total : totals) {
    BenchFigures figures;
    figures.total_volume = total;
    figures.edge_balance = 1.5;
    figures.seconds = std::numeric_limits<double>::quiet_NaN();
    e.runs.push_back({1, figures, {}});
  }
  return e;
}

}  // namespace

TEST_CASE("a benchmark prints tables and writes a page and JSON") {
  const Workspace w;
  write_text(w.path("other.txt"), [] {
    std::string text = "# seconds=1.25 peak_rss_mib=77\n";
    for (int v = 0; v < 240; ++v) text += std::to_string(v % 3) + "\n";
    return text;
  }());
  const Finished f =
      bench(w, {w.graph(), "--parts", "2,3", "--seeds", "2", "--compare", "theirs=" + w.path("other.txt"), "--report",
                w.path("b.html"), "--json", w.path("b.json")});
  CHECK(f.code == 0);
  const auto lines = lines_of(f.out);
  CHECK(std::count_if(lines.begin(), lines.end(), [](const auto& l) { return l.find("laminar ") == 0; }) == 2);
  const auto theirs = std::find_if(lines.begin(), lines.end(), [](const auto& l) { return l.find("theirs ") == 0; });
  REQUIRE(theirs != lines.end());
  CHECK(theirs->find("1.250") != std::string::npos);
  CHECK(f.out.find("vertex cuts") != std::string::npos);
  CHECK(f.err.find("ETA") != std::string::npos);

  const auto j = nlohmann::json::parse(read_text(w.path("b.json")));
  CHECK(j.at("program") == "laminar-partition-bench");
  CHECK(j.at("graph").at("vertices") == 240);
  std::size_t compared = 0;
  for (const auto& e : j.at("entries")) {
    compared += e.at("compared").get<bool>() ? 1 : 0;
    REQUIRE(e.at("runs").size() == (e.at("compared").get<bool>() ? 1 : 2));
    for (const auto& run : e.at("runs")) {
      CHECK(run.at("total_volume").get<double>() > 0);
      CHECK(e.at("least").at("total_volume") <= run.at("total_volume"));
      CHECK(e.at("largest").at("total_volume") >= run.at("total_volume"));
      CHECK(run.at("peak_rss_mib").get<double>() > 1);
    }
  }
  CHECK(compared == 1);
  // 3 communities: nothing ordinary beats the strategy that looks for them.
  CHECK(j.at("best").at(1).at("parts") == 3);

  const std::string page = read_text(w.path("b.html"));
  CHECK(page.find("<!doctype html>") == 0);
  for (const char* part : {"<h2>2 parts</h2>", "id=\"time-3\"", "id=\"busiest-3\"", "id=\"balance-3\"",
                           "id=\"traffic-3-0\"", "id=\"drawing-3-0\"", "Vertex cuts", "theirs (compared)", "</html>"}) {
    CHECK_MESSAGE(page.find(part) != std::string::npos, part);
  }
  CHECK(page.find("http:") == std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
}

TEST_CASE("a benchmark goes on where a strategy can't, and says so") {
  const Workspace w;
  const Finished f = bench(w, {w.graph(), "--parts", "2", "--seeds", "1", "--strategies", "range,laminar", "-q",
                               "--edge-imbalance", "0.5", "--no-vertex-cuts"});
  CHECK(f.code == 0);
  CHECK(f.out.find("range: strategy 'range' does not heed --edge-imbalance") != std::string::npos);
  CHECK(f.out.find("laminar ") != std::string::npos);
  CHECK(f.err.empty());
  const Finished none = bench(w, {w.graph(), "--parts", "2", "--strategies", "range", "-q", "--edge-imbalance", "0.5"});
  CHECK(none.code == 1);
  CHECK(none.err.find("no strategy gave a partition") != std::string::npos);
}

TEST_CASE("strategies with options of their own stand side by side") {
  const Workspace w;
  const Finished f = bench(w, {w.graph(), "--parts", "3", "--seeds", "2", "-q", "--no-vertex-cuts", "--json",
                               w.path("v.json"), "--objective", "total", "--strategies",
                               "laminar,laminar:preset=fast,laminar:objective=max:edge-imbalance=.2"});
  CHECK_MESSAGE(f.code == 0, f.err);
  const auto j = nlohmann::json::parse(read_text(w.path("v.json")));
  REQUIRE(j.at("entries").size() == 3);
  CHECK(j.at("entries").at(1).at("name") == "laminar:preset=fast");
  // The same as the option gives that holds for all.
  const Finished same =
      bench(w, {w.graph(), "--parts", "3", "--seeds", "2", "-q", "--no-vertex-cuts", "--json", w.path("s.json"),
                "--objective", "max", "--edge-imbalance", ".2", "--strategies", "laminar"});
  CHECK_MESSAGE(same.code == 0, same.err);
  const auto expected = nlohmann::json::parse(read_text(w.path("s.json"))).at("entries").at(0).at("runs");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& run = j.at("entries").at(2).at("runs").at(i);
    for (const char* key : {"edge_cut", "total_volume", "max_receive_volume", "edge_balance"}) {
      CHECK(run.at(key) == expected.at(i).at(key));
    }
    CHECK(run.at("edge_balance").get<double>() <= 1.2 + 1e-9);
  }
}

TEST_CASE("what a benchmark refuses") {
  const Workspace w;
  write_text(w.path("short.txt"), "0\n1\n");
  for (const auto& [words, code, says] : std::vector<std::tuple<std::vector<std::string>, int, std::string>>{
           {{}, 2, "a graph is needed"},
           {{w.graph(), "--parts", "2,x"}, 2, "--parts is '2,x'"},
           {{w.graph(), "--parts", "2x2"}, 2, "--parts is '2x2'"},
           {{w.graph(), "--parts", "241"}, 2, "the graph has 240 vertices"},
           {{w.graph(), "--strategies", "nix"}, 2, "'nix' is not known"},
           {{w.graph(), "--strategies", "none"}, 2, "needs --compare"},
           {{w.graph(), "--strategies", "laminar:speed=3"}, 2, "speed"},
           {{w.graph(), "--strategies", "laminar:preset=slow"}, 2, "'laminar:preset=slow'"},
           {{w.graph(), "--strategies", "laminar:"}, 2, "expected NAME, or NAME:OPTION=VALUE"},
           {{w.graph(), "--seeds", "0"}, 2, "--seeds is 0"},
           {{w.graph(), "--compare", w.path("short.txt")}, 1, "holds 2 numbers, expected 240"},
           {{w.graph(), "--compare", "=x"}, 2, "expected FILE, or NAME=FILE"},
           {{w.graph(), "--compare", w.path("none")}, 1, "there is no such file"},
           {{w.graph(), "--report", w.graph()}, 2, "would overwrite the graph"},
           {{w.graph(), "--json", w.path("no/b.json")}, 1, "--json"}}) {
    CAPTURE(says);
    const Finished f = bench(w, words);
    CAPTURE(f.err);
    CHECK(f.code == code);
    CHECK(lines_of(f.err).size() == 1);
    CHECK(f.err.find(says) != std::string::npos);
  }
}

TEST_CASE("runs in child processes") {
  const core::Graph graph = testing::grid(8, 8);
  std::vector<std::string> remarks;
  const PartitionOptions options = {.parts = 2, .seed = 1};
  // Threads that other tests have started in this process are not in the child; laminar-partition-bench starts none.
  const BenchRun run = run_in_child(graph, {"range", options, 2}, {}, remarks);
  CHECK(run.figures.edge_cut == 8);
  CHECK(run.figures.total_volume == 16);
  CHECK(run.figures.max_receive_volume == 8);
  CHECK(run.figures.vertex_balance == 1);
  CHECK(run.figures.seconds >= 0);
  CHECK(run.figures.peak_rss_mib > 1);
  CHECK(run.part_of.size() == 64);
  CHECK(remarks.empty());

  CHECK_THROWS_WITH_AS(run_in_child(graph, {"test_failure", options, 1}, {}, remarks), doctest::Contains("signal 9"),
                       Error);
  CHECK_THROWS_WITH_AS(run_in_child(graph, {"test_failure", {.parts = 2, .seed = 2}, 1}, {}, remarks), "on purpose",
                       Error);
  CHECK_THROWS_AS(run_in_child(graph, {"no_such", options, 1}, {}, remarks), UsageError);

  // The process has started no thread of oneTBB up to here, so children have as many as they ask for.
  run_in_child(graph, {"test_threads", options, 1}, {}, remarks);
  CHECK(remarks == std::vector<std::string>{"one thread"});
  run_in_child(graph, {"test_threads", options, 2}, {}, remarks);
  CHECK(remarks == std::vector<std::string>{"one thread", "several threads"});
}

TEST_CASE("medians, spreads and the best of a column") {
  std::vector<BenchEntry> entries;
  add_entry(entries, entry("a", {4}));
  add_entry(entries, entry("b", {5, 1}));
  add_entry(entries, entry("a", {8}));
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].runs.size() == 2);
  CHECK(entries[0].median().total_volume == 6);
  CHECK(entries[0].typical().figures.total_volume == 4);
  CHECK(entries[1].median().total_volume == 3);
  CHECK(entries[1].least().total_volume == 1);
  CHECK(entries[1].largest().total_volume == 5);
  CHECK(std::isnan(entries[0].median().seconds));
  const std::string table = bench_table(entries, 4, false);
  const auto lines = lines_of(table);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].find("4 parts") == 0);
  CHECK(lines[0].find("seconds") == std::string::npos);
  CHECK(lines[1].find("b") == 0);
  CHECK(lines[1].find(" 3*") != std::string::npos);
  CHECK(lines[1].find("66.7 %") != std::string::npos);
  CHECK(lines[2].find(" 6 ") != std::string::npos);
  // Equal values are best together.
  CHECK(lines[2].find("1.500*") != std::string::npos);
  CHECK(bench_table(entries, 4, true).find("\x1b[1m") != std::string::npos);
  CHECK(bench_table({}, 4, false) == "4 parts \n");
}

TEST_CASE("numbers of parts and lists") {
  CHECK(parse_parts("8").first == 8);
  CHECK(parse_parts("8").second == 1);
  CHECK(parse_parts("4x8").first == 4);
  CHECK(parse_parts("4x8").second == 8);
  for (const char* text :
       {"", "0", "-1", "x", "4x", "x8", "4x0", "4x8x2", "2.5", "1e3", "99999999999", "65536x65536"}) {
    CHECK_THROWS_AS(parse_parts(text), UsageError);
  }
  CHECK(split_at_commas("a, b ,c") == std::vector<std::string>{"a", "b", "c"});
  for (const char* text : {"", ",", "a,", "a,,b"}) CHECK_THROWS_AS(split_at_commas(text), UsageError);
  CHECK(parse_compared("x/y.part.8").name == "y.part");
  CHECK(parse_compared("n=x/y=z").name == "n");
  CHECK(parse_compared("n=x/y=z").path == "x/y=z");
}

TEST_CASE("charts leave out what has no place") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  ScatterChart chart = {
      .id = "s", .title = "a & b", .note = "", .x_title = "x", .y_title = "y", .logarithmic_x = true, .dots = {}};
  CHECK(scatter_chart(chart).empty());
  chart.dots = {{"good", 0.1, 5, 0}, {"lost", kNan, 5, 1}, {"zero", 0, 5, 2}};
  const std::string html = scatter_chart(chart);
  CHECK(html.find("a &amp; b") != std::string::npos);
  CHECK(html.find(">good<") != std::string::npos);
  CHECK(html.find("lost") == std::string::npos);
  CHECK(html.find("zero") == std::string::npos);
  CHECK(html.find("nan") == std::string::npos);
  CHECK(balance_chart("b", {"vertices"}, {}).empty());
  CHECK(balance_chart("b", {"vertices"}, {{"a", {kNan}}, {"b", {1.5}}}).find("nan") == std::string::npos);
  CHECK(traffic_map("t", "t", {0, 1, 2}, 2).empty());
  CHECK(traffic_map("t", "t", {0, 0, 0, 0}, 2).find("<path") == std::string::npos);
  CHECK(traffic_map("t", "t", {0, 3, 1, 0}, 2).find("the darkest is 3") != std::string::npos);
}

TEST_CASE("a drawing puts neighbours close, inside its square, the same each time") {
  const core::Graph graph = testing::grid(12, 12);
  const auto places = layout_graph(graph, 100);
  double edges = 0;
  double all = 0;
  for (core::Index v = 0; v < 144; ++v) {
    CHECK((places[v].x >= 0 && places[v].x <= 100 && places[v].y >= 0 && places[v].y <= 100));
    for (core::Index u = 0; u < 144; ++u) all += std::hypot(places[u].x - places[v].x, places[u].y - places[v].y);
    for (core::EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const auto u = graph.in_sources()[e];
      edges += std::hypot(places[u].x - places[v].x, places[u].y - places[v].y);
    }
  }
  CHECK(edges / static_cast<double>(graph.num_edges()) < 0.3 * all / (144 * 144));
  core::Arena one(1);
  one.execute([&] {
    const auto again = layout_graph(graph, 100);
    for (std::size_t v = 0; v < again.size(); ++v) CHECK((again[v].x == places[v].x && again[v].y == places[v].y));
  });
  for (const auto& g : testing::test_graphs()) {
    for (const Point& p : layout_graph(g.graph, 10)) CHECK((std::isfinite(p.x) && std::isfinite(p.y)));
  }
}

}  // namespace laminar::apps::test
