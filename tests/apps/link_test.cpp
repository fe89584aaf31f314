#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/pair_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/hdf5_reader.hpp"
#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/datasets.hpp"

// Link prediction, as a user meets it.
namespace laminar::apps::test {

TEST_CASE("links are trained, shown and written") {
  const Workspace w;
  const Finished f =
      w.train({"--task", "link", "--hits", "5,20", "--link-baselines", "--epochs", "10", "--json", w.path("r.json"),
               "--report", w.path("r.html"), "--curves", w.path("c.csv"), "--predictions", w.path("e.csv")});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  const auto result = f.result();
  CHECK(result.at("metric") == "roc-auc");
  CHECK(result.at("test_roc_auc") == result.at("test_metric"));
  CHECK(result.contains("test_hits@20"));
  CHECK(result.contains("test_mrr"));
  CHECK(f.err.find("pairs: ") != std::string::npos);
  CHECK(f.out.find("common neighbours") != std::string::npos);
  CHECK(f.out.find("untrained model") != std::string::npos);
  const auto json = nlohmann::json::parse(read_text(w.path("r.json")));
  CHECK(json.at("configuration").at("model").at("decoder") == "dot");
  const auto& run = json.at("runs").at(0);
  CHECK(run.at("links").at("hits@5").at("test").is_number());
  CHECK(run.at("link_baselines").at("common neighbours").at("roc-auc").at("val").is_number());
  CHECK(json.at("summary").at("links").at("mrr").at("test").at("mean").is_number());
  CHECK(read_text(w.path("r.html")).find("id=\"links\"") != std::string::npos);
  CHECK(lines_of(read_text(w.path("c.csv"))).size() == 11);
  CHECK(lines_of(read_text(w.path("e.csv"))).front().starts_with("vertex,name,embedding_0,embedding_1"));
  // The chosen metric is that of the best epoch, and runs have means.
  const Finished runs = w.train({"--task", "link", "--runs", "2", "--metric", "hits@10", "--decoder", "mlp"});
  CHECK(runs.code == 0);
  CHECK(runs.result().at("metric") == "hits@10");
  CHECK(runs.out.find("+-") != std::string::npos);
  CHECK(runs.err.find("split random, seed 2") != std::string::npos);
}

TEST_CASE("a model of links scores pairs, on its graph and on others") {
  const Workspace w;
  REQUIRE(w.train({"--task", "link", "--decoder", "mlp", "--checkpoint", w.path("m.h5"), "-q"}).code == 0);
  const auto trained = w.train({"--task", "link", "--decoder", "mlp", "-q"}).result();
  write_text(w.path("pairs.txt"), "source\ttarget\n0\t1\n\n# by name\nv5\tseven, \"the\" seventh\n");
  const auto predict = [&](std::vector<std::string> words, const std::string& graph) {
    std::vector<std::string> all = {"laminar-predict", graph, "--model", w.path("m.h5")};
    all.insert(all.end(), words.begin(), words.end());
    return w.run(all);
  };
  const Finished f = predict({"--pairs", w.path("pairs.txt"), "--out", w.path("s.csv")}, w.graph());
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  CHECK(f.result().at("val_metric") == trained.at("val_metric"));
  CHECK(f.result().at("test_metric") == trained.at("test_metric"));
  CHECK(f.err.find("--all-edges lets all pass") != std::string::npos);
  const auto rows = lines_of(read_text(w.path("s.csv")));
  REQUIRE(rows.size() == 3);
  CHECK(rows[0] == "source,target,source_name,target_name,score,probability,joined");
  CHECK(rows[1].starts_with("0,1,v0,v1,"));
  CHECK(rows[2].starts_with("5,7,v5,\"seven, \"\"the\"\" seventh\","));

  const Finished all =
      predict({"--pairs", w.path("pairs.txt"), "--out", w.path("s.h5"), "--all-edges", "-q"}, w.graph());
  CHECK(all.code == 0);
  CHECK(all.result().at("metric") == "none");
  const datasets::Hdf5Reader file(w.path("s.h5"));
  CHECK(file.array_info("/score").shape == std::vector<core::Index>{2});
  CHECK(file.array_info("/joined").shape == std::vector<core::Index>{2});

  CHECK(predict({"--out", w.path("e.h5"), "--stages", "2"}, w.graph()).code == 0);
  CHECK(datasets::Hdf5Reader(w.path("e.h5")).array_info("/embeddings").shape == std::vector<core::Index>{240, 8});
  datasets::write(w.path("other.h5"), testing::block_model({.vertices = 90}));
  write_text(w.path("numbers.csv"), "0,89\n");
  const Finished other = predict({"--pairs", w.path("numbers.csv"), "--out", w.path("o.csv")}, w.path("other.h5"));
  CHECK(other.code == 0);
  CHECK(other.result().at("metric") == "none");

  const auto refused = [&](std::vector<std::string> words, int code, const std::string& text) {
    words.insert(words.end(), {"--out", w.path("x.csv")});
    const Finished r = predict(words, w.graph());
    CAPTURE(r.err);
    CHECK(r.code == code);
    CHECK(lines_of(r.err).size() == 1);
    CHECK(r.err.find(text) != std::string::npos);
  };
  write_text(w.path("bad.txt"), "0 1\n0 nobody\n");
  refused({"--pairs", w.path("bad.txt")}, 1, "line 2: there is no vertex 'nobody'; expected a name");
  refused({"--pairs", w.path("none.txt")}, 1, "none.txt");
  refused({"--split", "random"}, 2, "--split is of models of labels");
  refused({"--embeddings"}, 2, "--embeddings");
  REQUIRE(w.train({"--checkpoint", w.path("labels.h5"), "-q"}).code == 0);
  const Finished labels = w.run({"laminar-predict", w.graph(), "--model", w.path("labels.h5"), "--out", w.path("x.csv"),
                                 "--pairs", w.path("pairs.txt")});
  CHECK(labels.code == 2);
  CHECK(labels.err.find("--pairs is of models of links") != std::string::npos);
}

TEST_CASE("a training of links goes on, in a pipeline too") {
  const Workspace w;
  const std::vector<std::string> links = {"--task", "link", "--decoder", "mlp", "-q"};
  auto part = links;
  part.insert(part.end(), {"--checkpoint", w.path("m.h5"), "--stop-after", "4"});
  REQUIRE(w.train(part).code == 0);
  const Finished resumed = w.run({"laminar-train", w.graph(), "--checkpoint", w.path("m.h5"), "--resume", "-q"});
  CHECK(resumed.code == 0);
  const auto whole = w.train(links).result();
  CHECK(resumed.result().at("loss") == whole.at("loss"));
  auto stages = links;
  stages.insert(stages.end(), {"--stages", "2", "--chunks", "1"});
  CHECK(w.train(stages).result().at("test_metric") == whole.at("test_metric"));
  const Finished changed =
      w.run({"laminar-train", w.graph(), "--checkpoint", w.path("m.h5"), "--resume", "--decoder", "dot"});
  CHECK(changed.code == 1);
  CHECK(changed.err.find("--decoder is dot") != std::string::npos);
}

TEST_CASE("what does not go with links, or only with them, is refused") {
  const Workspace w;
  const auto refused = [&](const std::vector<std::string>& words, const std::string& text) {
    const Finished f = w.train(words);
    CAPTURE(f.err);
    CHECK(f.code == 2);
    CHECK(f.err.find(text) != std::string::npos);
  };
  refused({"--task", "graph"}, "What Laminar does not do");
  refused({"--task", "edges"}, "expected labels (of vertices) or link (see");
  refused({"--task", "temporal"}, "have no times");
  refused({"--task", "node"}, "the graph file says");
  refused({"--decoder", "dot"}, "--decoder is of --task link");
  refused({"--link-baselines"}, "--link-baselines is of --task link");
  refused({"--task", "link", "--split", "random"}, "--split is of labels");
  refused({"--task", "link", "--class-weights", "balanced"}, "--class-weights is of labels");
  refused({"--task", "link", "--metric", "accuracy"}, "metric accuracy is of vertices");
  refused({"--metric", "mrr"}, "metric mrr does not go with");
  refused({"--task", "link", "--mode", "auto"}, "--mode auto");
  refused({"--task", "link", "--partitions", "2"}, "2 parts");
  refused({"--task", "link", "--stages", "2", "--chunks", "4"}, "4 chunks");
  refused({"--task", "link", "--link-split", "90/10"}, "e.g. 85/5/10");
  refused({"--task", "link", "--decoder", "cosine"}, "dot and mlp");
  refused({"--task", "link", "--decoder", "mlp", "--decoder-layers", "0"}, "--decoder-layers is 0");
}

TEST_CASE("pairs are read line by line") {
  const Workspace w;
  const auto read = [&](const char* text, const std::vector<std::string>& names = {}) {
    write_text(w.path("p"), text);
    return read_pairs(w.path("p"), 10, names);
  };
  using Pairs = std::vector<pipeline::Pair>;
  CHECK(read("source,target\n1,2\r\n# no\n\n 3 , 0 \n") == Pairs{{1, 2}, {3, 0}});
  CHECK(read("1 2\n4    5\n6\t7") == Pairs{{1, 2}, {4, 5}, {6, 7}});
  // A name wins over a number, and may have blanks where tabs are between.
  CHECK(read("1\ta b\n", {"x", "y", "1", "a b"}) == Pairs{{2, 3}});
  for (const char* bad : {"", "1", "1,2,3", "1 2 3", "1,10", "-1,2", "1,1", "a,b", "1,", "source,target\n"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(read(bad), Error);
  }
}

}  // namespace laminar::apps::test
