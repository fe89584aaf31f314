// Ranks of MPI from the command line: each holds its part of the graph, and they give what threads give.
#include "laminar/tests/support/ranks.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/apps/support.hpp"

namespace laminar::apps::test {
namespace {

using Words = std::vector<std::string>;

const Words kShort = {"--epochs", "6", "--hidden", "8", "--layers", "3"};

bool has_mpi(const Workspace& w) {
  const Finished build = w.run({"laminar-info", "--build"});
  return build.out.find(" none") == std::string::npos && w.run({"/bin/sh", "-c", "command -v mpirun"}).code == 0;
}

/// A program of this project on so many ranks.
Finished on_ranks(const Workspace& w, int ranks, const std::string& program, const Words& words) {
  const std::string launch =
      fmt::format("{} mpirun -n {} '{}/{}' \"$@\"", testing::launcher_environment(), ranks, LAMINAR_BIN_DIR, program);
  Words all = {"/bin/sh", "-c", launch, "sh"};
  all.insert(all.end(), words.begin(), words.end());
  return w.run(all);
}

Words joined(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("ranks that read their part train and predict to the figures of threads") {
  const Workspace w;
  if (!has_mpi(w)) return;
  const Finished saved =
      w.run({"laminar-partition", w.graph(), "--parts", "2", "--strategy", "random", "--save-as", "mine"});
  CAPTURE(saved.err);
  REQUIRE(saved.code == 0);
  std::string parts;
  for (int v = 0; v < 240; ++v) parts += fmt::format("{}\n", v % 4);
  write_text(w.path("parts.txt"), parts);
  const std::vector<std::pair<int, Words>> runs = {
      {2, {"--mode", "graph", "--partition", "mine"}},
      {4, {"--mode", "graph", "--partition", w.path("parts.txt")}},
      {2, {"--mode", "graph", "--partitions", "2"}},
      {4, {"--mode", "hybrid", "--stages", "2", "--partitions", "2", "--chunks", "4"}},
      {2, {"--mode", "pipeline", "--chunks", "4"}}};
  for (const auto& [ranks, spread] : runs) {
    CAPTURE(fmt::format("{}", spread));
    const Words words = joined(joined({w.graph()}, kShort), spread);
    const Finished threads = w.run(joined({"laminar-train"}, joined(words, {"--checkpoint", w.path("a.h5")})));
    const Finished mpi = on_ranks(w, ranks, "laminar-train", joined(words, {"--checkpoint", w.path("b.h5"), "-v"}));
    CAPTURE(threads.err);
    CAPTURE(mpi.err);
    REQUIRE(threads.code == 0);
    REQUIRE(mpi.code == 0);
    for (const char* key : {"loss", "test_metric", "val_metric", "best_epoch", "bytes_per_epoch"}) {
      CHECK(mpi.result().at(key) == threads.result().at(key));
    }
    if (ranks == 4 && spread[1] == "graph")
      CHECK(mpi.err.find("h of this run's cut into 4 parts") != std::string::npos);
    // A checkpoint of either goes on as the other: it is the same graph, with the same content.
    const Finished on = w.run({"laminar-train", w.graph(), "--checkpoint", w.path("b.h5"), "--resume"});
    CAPTURE(on.err);
    CHECK(on.code == 0);

    const Words of_model = {w.graph(), "--model", w.path("a.h5"), "--embeddings"};
    REQUIRE(w.run(joined({"laminar-predict"}, joined(of_model, {"--out", w.path("one.csv")}))).code == 0);
    if (spread[1] != "graph") continue;
    const Words devices = joined(joined(of_model, spread), {"--out", w.path("many.csv")});
    REQUIRE(w.run(joined({"laminar-predict"}, devices)).code == 0);
    const std::string by_threads = read_text(w.path("many.csv"));
    const Finished predicted = on_ranks(w, ranks, "laminar-predict", devices);
    CAPTURE(predicted.err);
    REQUIRE(predicted.code == 0);
    CHECK(read_text(w.path("many.csv")) == by_threads);
  }
}

TEST_CASE("what is wrong with a partition, or with the file of one rank, is said in a line") {
  const Workspace w;
  if (!has_mpi(w)) return;
  const auto refused = [&](const Finished& f, const std::string& says) {
    CAPTURE(f.err);
    CHECK(f.code != 0);
    std::vector<std::string> said;
    for (const std::string& line : lines_of(f.err)) {
      if (line.find("laminar-train: error: ") != std::string::npos) said.push_back(line);
    }
    REQUIRE(said.size() == 1);
    CHECK(said.front().find(says) != std::string::npos);
  };
  const Words graph_mode = joined(joined({w.graph()}, kShort), {"--mode", "graph"});
  write_text(w.path("short.txt"), "0\n1\n0\n");
  refused(on_ranks(w, 2, "laminar-train", joined(graph_mode, {"--partition", w.path("short.txt")})),
          "short.txt: holds 3 numbers, expected 240");
  refused(on_ranks(w, 2, "laminar-train", joined(graph_mode, {"--partition", "yours"})), "yours");
  std::string parts;
  for (int v = 0; v < 240; ++v) parts += fmt::format("{}\n", v % 3);
  write_text(w.path("three.txt"), parts);
  refused(on_ranks(w, 2, "laminar-train", joined(graph_mode, {"--partition", w.path("three.txt")})), "3 parts");
  // What rank 0 alone finds out.
  refused(on_ranks(w, 3, "laminar-train", joined(joined({w.graph()}, kShort), {"--mode", "auto", "--stages", "2"})),
          "3");
  // Another graph's file at one rank, and one that ends too early.
  datasets::GraphData other = named_blocks();
  other.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(240, {}, {}, {}, false));
  datasets::write(w.path("other.h5"), other);
  const std::string bytes = read_text(w.graph());
  write_text(w.path("cut.h5"), std::string_view(bytes).substr(0, bytes.size() / 2));
  for (const auto& [file, says] :
       {std::pair{"other.h5", "the graph is not the same on all devices"}, std::pair{"cut.h5", "cut.h5"}}) {
    const std::string launch =
        fmt::format("{0} mpirun -n 1 '{1}/laminar-train' '{2}' \"$@\" : -n 1 '{1}/laminar-train' '{3}' \"$@\"",
                    testing::launcher_environment(), LAMINAR_BIN_DIR, w.graph(), w.path(file));
    Words words = joined({"/bin/sh", "-c", launch, "sh"}, kShort);
    const Finished f = w.run(joined(words, {"--mode", "graph", "--partition", "range"}));
    CAPTURE(f.err);
    CHECK(f.code != 0);
    CHECK(f.err.find(says) != std::string::npos);
  }
}

}  // namespace laminar::apps::test
