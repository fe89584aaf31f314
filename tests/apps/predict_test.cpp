#include <algorithm>

#include <doctest/doctest.h>

#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/hdf5_reader.hpp"
#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/datasets.hpp"

namespace laminar::apps::test {
namespace {

/// A workspace with a trained model in model.h5.
struct Trained : Workspace {
  Trained() { REQUIRE(train({"--epochs", "30", "--checkpoint", path("model.h5"), "-q"}).code == 0); }
  Finished predict(std::vector<std::string> words, const std::string& graph_name = "graph.h5") const {
    words.insert(words.begin(), {"laminar-predict", path(graph_name), "--model", path("model.h5")});
    return run(words);
  }
};

std::vector<float> floats(const datasets::Hdf5Reader& file, const std::string& object) {
  const auto shape = file.array_info(object).shape;
  std::vector<float> values(static_cast<std::size_t>(shape[0] * (shape.size() > 1 ? shape[1] : 1)));
  file.read_rows(object, 0, shape[0], values.data());
  return values;
}

datasets::GraphData single_vertex() {
  datasets::GraphData data;
  data.name = "one";
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(1, {}, {}, {}, false));
  data.features = core::Tensor::zeros(1, 12, core::DType::kFloat32);
  return data;
}

}  // namespace

TEST_CASE("predictions to HDF5") {
  const Trained w;
  const Finished f = w.predict({"--out", w.path("p.h5"), "--embeddings"});
  CHECK(f.code == 0);
  const datasets::Hdf5Reader file(w.path("p.h5"));
  CHECK(file.string_attribute("/", "format") == "laminar-predictions");
  CHECK(file.integer_attribute("/", "version") == 1);
  CHECK(file.string_attribute("/", "task") == "classification");
  CHECK(file.strings_attribute("/", "classes") == std::vector<std::string>{"zero, \"nil\"", "one", "two"});
  CHECK(file.array_info("/class").text == "int32 [240]");
  CHECK(file.array_info("/probabilities").text == "float32 [240, 3]");
  CHECK(file.array_info("/embeddings").text == "float32 [240, 8]");
  CHECK(file.read_strings("/names")[7] == "seven, \"the\" seventh");
  const auto probabilities = floats(file, "/probabilities");
  std::vector<std::int64_t> classes(240);
  file.read_rows("/class", 0, 240, classes.data());
  for (std::size_t v = 0; v < 240; ++v) {
    const float* row = probabilities.data() + 3 * v;
    CHECK(row[0] + row[1] + row[2] == doctest::Approx(1).epsilon(1e-5));
    CHECK(std::max_element(row, row + 3) - row == classes[v]);
  }
}

TEST_CASE("predictions to CSV, with quoted names") {
  const Trained w;
  CHECK(w.predict({"--out", w.path("p.csv"), "--embeddings"}).code == 0);
  const auto lines = lines_of(read_text(w.path("p.csv")));
  REQUIRE(lines.size() == 241);
  CHECK(lines[0] ==
        "vertex,name,class,class_name,\"probability_zero, \"\"nil\"\"\",probability_one,probability_two,embedding_0,"
        "embedding_1,embedding_2,embedding_3,embedding_4,embedding_5,embedding_6,embedding_7");
  CHECK(lines[8].starts_with("7,\"seven, \"\"the\"\" seventh\","));
}

TEST_CASE("the metric is the one that training gave") {
  const Trained w;
  const auto trained = w.train({"--epochs", "30", "-q"}).result();
  const Finished f = w.predict({"--out", w.path("p.csv"), "-q"});
  CHECK(f.err.empty());
  CHECK(lines_of(f.out).size() == 1);
  const auto result = f.result();
  for (const char* key : {"metric", "train_metric", "val_metric", "test_metric"}) {
    CHECK(result.at(key) == trained.at(key));
  }
  CHECK(result.at("epoch") == trained.at("best_epoch"));
  CHECK(result.at("split") == "random");
  CHECK(result.at("vertices") == "240");
  CHECK(w.predict({"--out", w.path("p.csv"), "-q", "--weights", "last"}).result().at("epoch") == "30");
  CHECK(w.predict({"--out", w.path("p.csv"), "-q", "--split", "swapped"}).result().at("test_metric") ==
        result.at("train_metric"));
}

TEST_CASE("predictions on several devices are those of one") {
  const Workspace w;
  REQUIRE(
      w.train({"--layer", "gcnii", "--layers", "4", "--precision", "f64", "--checkpoint", w.path("m.h5"), "-q"}).code ==
      0);
  const auto predict = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"laminar-predict", w.graph(), "--model", w.path("m.h5"), "--out", w.path("p.csv")});
    return w.run(words);
  };
  const Finished alone = predict({"--embeddings"});
  REQUIRE(alone.code == 0);
  CHECK(alone.out.find("devices have sent") == std::string::npos);
  const std::string expected = read_text(w.path("p.csv"));
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--stages", "3"},
                                                {"--mode", "graph", "--devices", "3", "--partition", "range"},
                                                {"--mode", "hybrid", "--partition", "range"},
                                                {"--devices", "2", "--link-mbps", "1000"}}) {
    CAPTURE(words[0]);
    std::vector<std::string> with = words;
    with.push_back("--embeddings");
    const Finished f = predict(with);
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    CHECK(f.result() == alone.result());
    CHECK(f.out.find(" devices have sent ") != std::string::npos);
    // float32 of what was computed in float64.
    CHECK(read_text(w.path("p.csv")) == expected);
  }
  const auto refused = [&](const std::vector<std::string>& words, const char* text) {
    const Finished f = predict(words);
    CAPTURE(f.err);
    CHECK(f.code == 2);
    CHECK(f.err.find(text) != std::string::npos);
  };
  refused({"--mode", "auto"}, "--mode auto is of laminar-train");
  refused({"--stages", "5"}, "--stages is 5, but the model has 4 layers");
  refused({"--stages", "2", "--stage-cut", "measured"}, "--stage-cut");
  refused({"--chunks", "4"}, "chunks");
  refused({"--partitions", "0"}, "--partitions is 0");
}

TEST_CASE("multi-label and regression") {
  for (const core::Task task : {core::Task::kMultiLabel, core::Task::kRegression}) {
    CAPTURE(core::name_of(task));
    const Workspace w;
    datasets::write(w.graph(), testing::block_model({.task = task, .sparse_features = true}));
    const auto trained = w.train({"--checkpoint", w.path("m.h5"), "-q"});
    CHECK(trained.code == 0);
    const auto predict = [&](const char* name) {
      return w.run({"laminar-predict", w.graph(), "--model", w.path("m.h5"), "--out", w.path(name), "-q"});
    };
    const Finished f = predict("p.h5");
    CHECK(f.code == 0);
    CHECK(f.result().at("test_metric") == trained.result().at("test_metric"));
    CHECK(predict("p.csv").code == 0);
    const auto header = lines_of(read_text(w.path("p.csv"))).front();
    const datasets::Hdf5Reader file(w.path("p.h5"));
    if (task == core::Task::kMultiLabel) {
      CHECK(f.result().at("metric") == "roc-auc");
      CHECK(file.array_info("/labels").shape == std::vector<core::Index>{240, 3});
      for (const float p : floats(file, "/probabilities")) CHECK((p >= 0 && p <= 1));
      CHECK(header == "vertex,label_0,label_1,label_2,probability_0,probability_1,probability_2");
    } else {
      CHECK(f.result().at("metric") == "mse");
      CHECK(file.array_info("/values").shape == std::vector<core::Index>{240, 3});
      CHECK(header == "vertex,value_0,value_1,value_2");
    }
  }
}

TEST_CASE("another graph with the same features is fine, and said to be another") {
  const Trained w;
  datasets::write(w.path("other.h5"), testing::block_model({.vertices = 90}));
  const Finished f = w.predict({"--out", w.path("p.csv")}, "other.h5");
  CHECK(f.code == 0);
  CHECK(f.err.find("not the graph") != std::string::npos);
  CHECK(lines_of(read_text(w.path("p.csv"))).size() == 91);
  datasets::write(w.path("one.h5"), single_vertex());
  const Finished one = w.predict({"--out", w.path("p.csv")}, "one.h5");
  CHECK(one.code == 0);
  CHECK(one.result().at("metric") == "none");
  CHECK(lines_of(read_text(w.path("p.csv"))).size() == 2);
}

TEST_CASE("graphs and models that don't fit are refused") {
  const Trained w;
  const auto refused = [&](const Finished& f, int code, const std::string& text) {
    CAPTURE(f.err);
    CHECK(f.code == code);
    CHECK(lines_of(f.err).size() == 1);
    CHECK(f.err.find(text) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(w.path("p.h5")));
  };
  const std::string out = w.path("p.h5");
  datasets::GraphData data = testing::block_model();
  data.features = core::Tensor::zeros(240, 5, core::DType::kFloat32);
  datasets::write(w.path("narrow.h5"), data);
  refused(w.predict({"--out", out}, "narrow.h5"), 1, "5 features");
  datasets::write(w.path("regression.h5"), testing::block_model({.task = core::Task::kRegression}));
  refused(w.predict({"--out", out}, "regression.h5"), 1, "regression");
  CHECK(w.predict({"--out", w.path("q.h5"), "--ignore-labels"}, "regression.h5").code == 0);
  data = named_blocks();
  data.labels.names[1] = "uno";
  datasets::write(w.path("renamed.h5"), data);
  refused(w.predict({"--out", out}, "renamed.h5"), 1, "uno");

  refused(w.predict({"--out", out}, "none.h5"), 1, "none.h5");
  refused(w.run({"laminar-predict", w.graph(), "--model", w.graph(), "--out", out}), 1, "no Laminar checkpoint");
  refused(w.predict({"--out", w.path("p.txt")}), 2, ".csv");
  refused(w.predict({"--out", w.graph()}), 2, "overwrite");
  refused(w.predict({"--out", w.path("model.h5")}), 2, "overwrite");
  refused(w.predict({}), 2, "--out");
  refused(w.run({"laminar-predict", w.graph(), "--out", out}), 2, "--model");
  refused(w.predict({"--out", out, "--weights", "worst"}), 2, "best or last");
  refused(w.predict({"--out", out, "--embedings"}), 2, "did you mean '--embeddings'");
  refused(w.predict({"--out", out, "--split", "none"}), 2, "none");
  refused(w.predict({"--out", "/nonexistent/folder/p.h5"}), 1, "/nonexistent");
}

}  // namespace laminar::apps::test
