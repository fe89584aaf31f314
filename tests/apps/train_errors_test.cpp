#include <filesystem>

#include <doctest/doctest.h>

#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/datasets.hpp"

namespace laminar::apps::test {
namespace {

/// One line on stderr, the exit code, no result, and nothing new in the folder.
void check_refused(const Workspace& w, const Finished& f, int code, const std::string& text, std::size_t files = 1) {
  CAPTURE(f.err);
  CHECK(f.code == code);
  CHECK(lines_of(f.err).size() == 1);
  CHECK(f.err.starts_with("laminar-"));
  CHECK(f.err.find(": error: ") != std::string::npos);
  CHECK(f.err.find(text) != std::string::npos);
  CHECK((f.err.find("--help") != std::string::npos) == (code == 2));
  CHECK(f.out.find("RESULT") == std::string::npos);
  CHECK(entries(w.folder()) == files);
}

}  // namespace

TEST_CASE("wrong options are usage errors") {
  const Workspace w;
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--lyers", "3"}, "did you mean '--layers'"},
      {{"--layer", "sgae"}, "did you mean 'sage'"},
      {{"--layer", "transformer"}, "gcn, gcnii, gin"},
      {{"--gat.heads", "4"}, "--gat.heads is an option of layer 'gat'"},
      {{"--layer", "gat", "--gat.haeds", "4"}, "did you mean '--gat.heads'"},
      {{"--layer", "gat", "--gat.heads", "0"}, "heads"},
      {{"--layer", "gat", "--gat.heads", "3"}, "3"},
      {{"--layer", "sage", "--sage.aggregator", "median"}, "mean, max"},
      {{"--hidden", "wide"}, "--hidden is 'wide'"},
      {{"--precision", "bf17"}, "f32, f64 or bf16"},
      {{"--layers", "0"}, "--layers is 0"},
      {{"--dropout", "1"}, "--dropout is 1"},
      {{"--epochs", "0"}, "--epochs is 0"},
      {{"--epochs", "-5"}, "--epochs is -5"},
      {{"--lr", "0"}, "0"},
      {{"--lr", "nan"}, "--lr is 'nan'"},
      {{"--beta1", "1"}, "beta"},
      {{"--warmup", "-1"}, "warm"},
      {{"--eval-every", "0"}, "--eval-every is 0"},
      {{"--threads", "-1"}, "--threads is -1"},
      {{"--threads", "100000"}, "--threads is 100000"},
      {{"--recompute", "maybe"}, "use auto, never or always"},
      {{"--order", "hilbert"}, "community"},
      {{"--runs", "0"}, "--runs is 0"},
      {{"--split", "none"}, "random, swapped"},
      {{"--split", "all", "--runs", "2"}, "--runs"},
      {{"--metric", "mse"}, "mse"},
      {{"--metric", "acuracy"}, "accuracy"},
      {{"--optimizer", "adm"}, "adamw"},
      {{"--resume"}, "--checkpoint"},
      {{"--checkpoint-every", "3"}, "--checkpoint"},
      {{"--checkpoint", "c.h5", "--runs", "2"}, "--checkpoint"},
      {{"--predictions", "p.txt"}, ".csv"},
      {{"-q", "-v"}, "contradict"},
      {{"another.h5"}, "at most 1"}};
  for (const auto& [words, text] : cases) {
    CAPTURE(words.front());
    CAPTURE(words.back());
    check_refused(w, w.train(words), 2, text);
  }
  check_refused(w, w.run({"laminar-train"}), 2, "graph file");
}

TEST_CASE("files that can't be read") {
  const Workspace w;
  write_text(w.path("text.h5"), "no HDF5 at all");
  write_text(w.path("empty.h5"), "");
  const std::string whole = read_text(w.graph());
  write_text(w.path("cut.h5"), whole.substr(0, whole.size() / 2));
  for (const char* name : {"text.h5", "empty.h5", "cut.h5", "none.h5"}) {
    check_refused(w, w.run({"laminar-train", w.path(name)}), 1, name, 4);
  }
  check_refused(w, w.run({"laminar-train", w.folder().string()}), 1, w.folder().string(), 4);
}

TEST_CASE("graphs that can't be trained on") {
  const Workspace w;
  const auto refused = [&](const datasets::GraphData& data, int code, const char* text) {
    datasets::write(w.path("bad.h5"), data);
    check_refused(w, w.run({"laminar-train", w.path("bad.h5")}), code, text, 2);
  };
  datasets::GraphData data = testing::block_model();
  data.splits.clear();
  refused(data, 2, "split");
  data = testing::block_model();
  data.features = core::Tensor();
  refused(data, 2, "features");
  data = testing::block_model();
  data.labels = core::Labels();
  data.splits.clear();
  refused(data, 2, "labels");
  data = testing::block_model();
  for (const core::VertexId v : data.splits.front().train) data.labels.classes[static_cast<std::size_t>(v)] = -1;
  datasets::write(w.path("bad.h5"), data);
  const Finished f = w.run({"laminar-train", w.path("bad.h5"), "-q"});
  check_refused(w, f, 1, "training", 2);
}

TEST_CASE("a training that diverges says so, and keeps what it had before") {
  const Workspace w;
  check_refused(w, w.train({"--lr", "1e30", "-q", "--checkpoint", w.path("c.h5")}), 1, "loss", 2);
  CHECK(std::filesystem::exists(w.path("c.h5")));
}

TEST_CASE("outputs that can't be written are found before training") {
  const Workspace w;
  const std::string keep = read_text(w.graph());
  for (const char* option : {"--checkpoint", "--report", "--json", "--curves", "--dump-config"}) {
    CAPTURE(option);
    check_refused(w, w.train({option, "/nonexistent/folder/file"}), 1, "/nonexistent/folder/file");
    check_refused(w, w.train({option, w.folder().string()}), 1, w.folder().string());
    check_refused(w, w.train({option, "/dev/null"}), 1, "regular file");
    check_refused(w, w.train({option, w.graph()}), 2, "overwrite");
    check_refused(w, w.train({option, w.folder().string() + "/./graph.h5"}), 2, "overwrite");
  }
  check_refused(w, w.train({"--predictions", "/nonexistent/folder/p.h5"}), 1, "/nonexistent/folder/p.h5");
  check_refused(w, w.train({"--json", w.path("x"), "--curves", w.path("x")}), 2, "same file");
  CHECK(read_text(w.graph()) == keep);
}

TEST_CASE("checkpoints that don't fit") {
  const Workspace w;
  const auto resume = [&](const std::string& graph, const std::string& checkpoint) {
    return w.run({"laminar-train", graph, "--checkpoint", checkpoint, "--resume", "-q"});
  };
  check_refused(w, resume(w.graph(), w.path("none.h5")), 1, "none.h5");
  CHECK(w.train({"--stop-after", "2", "--checkpoint", w.path("c.h5")}).code == 0);
  const std::string keep = read_text(w.path("c.h5"));
  datasets::write(w.path("other.h5"), testing::block_model({.vertices = 120}));
  check_refused(w, resume(w.path("other.h5"), w.path("c.h5")), 1, "another graph", 3);
  CHECK(read_text(w.path("c.h5")) == keep);
  write_text(w.path("text.h5"), "nothing");
  check_refused(w, resume(w.graph(), w.path("text.h5")), 1, "text.h5", 4);
  write_text(w.path("text.h5"), keep.substr(0, keep.size() / 3));
  check_refused(w, resume(w.graph(), w.path("text.h5")), 1, "text.h5", 4);
}

}  // namespace laminar::apps::test
