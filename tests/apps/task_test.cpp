#include <doctest/doctest.h>

#include "laminar/datasets/graph_file.hpp"
#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/datasets.hpp"

// Classes, labels and numbers: what a user can ask of each, on one device and on several.
namespace laminar::apps::test {

TEST_CASE("class weights and label smoothing train alike on any devices") {
  const Workspace w;
  const std::vector<std::string> loss = {
      "--class-weights", "balanced", "--label-smoothing", ".1", "--dropout", "0", "-q"};
  const auto train = [&](std::vector<std::string> words) {
    words.insert(words.end(), loss.begin(), loss.end());
    const Finished f = w.train(words);
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    return f.result();
  };
  const auto one = train({"--checkpoint", w.path("m.h5")});
  const auto near = [&](const std::map<std::string, std::string>& other) {
    CHECK(std::stod(other.at("loss")) == doctest::Approx(std::stod(one.at("loss"))).epsilon(1e-5));
    CHECK(other.at("test_metric") == one.at("test_metric"));
  };
  near(train({"--mode", "graph", "--partitions", "2"}));
  near(train({"--mode", "pipeline", "--stages", "2", "--chunks", "3", "--staleness", "0"}));
  near(train({"--mode", "hybrid", "--stages", "2", "--partitions", "2", "--chunks", "2", "--staleness", "0"}));
  const auto plain = w.train({"--dropout", "0", "-q"}).result();
  CHECK(plain.at("loss") != one.at("loss"));
  // The checkpoint knows, and a resumed run may not differ.
  const auto checkpoint = pipeline::read_checkpoint(w.path("m.h5"));
  CHECK(checkpoint.options.loss.balanced);
  CHECK(checkpoint.options.loss.label_smoothing == 0.1);
  const auto resumed =
      w.run({"laminar-train", w.graph(), "--checkpoint", w.path("m.h5"), "--resume", "--class-weights", "none"});
  CHECK(resumed.code == 1);
  CHECK(resumed.err.find("--class-weights is none") != std::string::npos);
  // Numbers that say the same as balanced (classes of 80 vertices each, and whatever of them is in the training set).
  const auto by_hand = w.train({"--class-weights", "1,1,1", "--dropout", "0", "-q"}).result();
  CHECK(std::stod(by_hand.at("loss")) == doctest::Approx(std::stod(plain.at("loss"))).epsilon(1e-6));
}

TEST_CASE("every metric of a task is trained, kept and given again") {
  struct Case {
    core::Task task;
    std::vector<std::string> metrics;
  };
  for (const Case& c : {Case{core::Task::kClassification, {"macro-f1", "average-precision"}},
                        Case{core::Task::kMultiLabel, {"micro-f1", "macro-f1", "average-precision", "accuracy"}},
                        Case{core::Task::kRegression, {"mse", "rmse", "mae", "r2"}}}) {
    const Workspace w;
    datasets::write(w.graph(), testing::block_model({.task = c.task}));
    for (const std::string& metric : c.metrics) {
      CAPTURE(metric);
      const Finished f = w.train({"--metric", metric, "--checkpoint", w.path("m.h5"), "--report", w.path("r.html"),
                                  "--json", w.path("r.json")});
      CAPTURE(f.err);
      REQUIRE(f.code == 0);
      CHECK(f.result().at("metric") == metric);
      CHECK(f.out.find(metric) != std::string::npos);
      const bool labels = c.task == core::Task::kMultiLabel;
      CHECK((read_text(w.path("r.html")).find("id=\"labels\"") != std::string::npos) == labels);
      CHECK((read_text(w.path("r.json")).find("\"test_labels\"") != std::string::npos) == labels);
      const Finished p =
          w.run({"laminar-predict", w.graph(), "--model", w.path("m.h5"), "--out", w.path("p.csv"), "-q"});
      CHECK(p.result().at("metric") == metric);
      CHECK(p.result().at("test_metric") == f.result().at("test_metric"));
      const Finished parts = w.train({"--metric", metric, "--mode", "graph", "--partitions", "2", "-q"});
      CHECK(std::stod(parts.result().at("test_metric")) ==
            doctest::Approx(std::stod(f.result().at("test_metric"))).epsilon(1e-4));
    }
  }
}

TEST_CASE("losses that mean nothing are refused") {
  const Workspace w;
  const auto refused = [&](const std::vector<std::string>& words, const std::string& text) {
    const Finished f = w.train(words);
    CAPTURE(f.err);
    CHECK(f.code == 2);
    CHECK(lines_of(f.err).size() == 1);
    CHECK(f.err.find(text) != std::string::npos);
  };
  refused({"--class-weights", "1,2", "-q"}, "--class-weights has 2 numbers, but there are 3 classes");
  refused({"--class-weights", "1,0,1"}, "expected none, balanced, or a number above 0 a class");
  refused({"--label-smoothing", "1"}, "--label-smoothing is 1");
  refused({"--metric", "r2"}, "metric r2 does not go with the task classification");
  datasets::write(w.graph(), testing::block_model({.task = core::Task::kRegression}));
  refused({"--class-weights", "balanced", "-q"}, "--class-weights is for classes and labels");
  refused({"--label-smoothing", ".1", "-q"}, "--label-smoothing is for classes and labels");
  refused({"--metric", "accuracy"}, "metric accuracy does not go with the task regression");
}

TEST_CASE("on another graph with labels the metric is of all its vertices") {
  const Workspace w;
  REQUIRE(w.train({"--checkpoint", w.path("m.h5"), "--epochs", "40", "-q"}).code == 0);
  datasets::GraphData other = testing::block_model({.vertices = 90});
  other.splits.clear();
  datasets::write(w.path("other.h5"), other);
  const Finished f =
      w.run({"laminar-predict", w.path("other.h5"), "--model", w.path("m.h5"), "--out", w.path("p.csv"), "-q"});
  CHECK(f.code == 0);
  CHECK(f.result().at("metric") == "accuracy");
  // Trained on the same kind of graph, it knows more than a guess.
  CHECK(std::stod(f.result().at("all_metric")) > 0.5);
  CHECK(f.result().at("vertices") == "90");
  // Classes carry the names that they had in training.
  const auto rows = lines_of(read_text(w.path("p.csv")));
  CHECK(rows.front() == "vertex,class,class_name,\"probability_zero, \"\"nil\"\"\",probability_one,probability_two");
  const Finished none = w.run({"laminar-predict", w.path("other.h5"), "--model", w.path("m.h5"), "--out",
                               w.path("p.csv"), "-q", "--ignore-labels"});
  CHECK(none.result().at("metric") == "none");
}

TEST_CASE("a model that reads edge features says what is wrong with another graph's") {
  const Workspace w;
  datasets::write(w.graph(), testing::block_model({.edge_features = 3}));
  REQUIRE(w.train({"--layer", "gine", "--checkpoint", w.path("m.h5"), "-q"}).code == 0);
  datasets::write(w.path("other.h5"), testing::block_model({.edge_features = 2}));
  const Finished f =
      w.run({"laminar-predict", w.path("other.h5"), "--model", w.path("m.h5"), "--out", w.path("p.csv")});
  CHECK(f.code == 1);
  CHECK(f.err.find("has 2 features an edge, but the model was trained on 'block model' with 3") != std::string::npos);
}

}  // namespace laminar::apps::test
