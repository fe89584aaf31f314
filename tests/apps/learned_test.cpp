#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/datasets.hpp"

// --features learned, as a user meets it.
namespace laminar::apps::test {
namespace {

/// A workspace whose bare.h5 has no features.
struct Bare : Workspace {
  Bare() {
    datasets::GraphData data = named_blocks();
    data.features = {};
    datasets::write(path("bare.h5"), data);
  }
  Finished train(std::vector<std::string> words) const {
    words.insert(words.begin(), {"laminar-train", path("bare.h5"), "--hidden", "8"});
    return run(words);
  }
  Finished predict(const std::string& graph) const {
    return run({"laminar-predict", path(graph), "--model", path("m.h5"), "--out", path("p.csv")});
  }
};

}  // namespace

TEST_CASE("a graph without features is trained by embeddings, shown, resumed and predicted") {
  const Bare w;
  check_refused(w.train({}), 2, "--features learned trains embeddings of its vertices");
  const std::vector<std::string> options = {"--features", "learned", "--embedding-width", "12", "--epochs", "40"};
  auto words = options;
  words.insert(words.end(), {"--json", w.path("r.json"), "--report", w.path("r.html"), "--checkpoint", w.path("m.h5")});
  const Finished whole = w.train(words);
  CAPTURE(whole.err);
  REQUIRE(whole.code == 0);
  CHECK(whole.err.find("240 learned embeddings, classification") != std::string::npos);
  CHECK(std::stod(whole.result().at("train_metric")) > 0.9);
  const auto json = nlohmann::json::parse(read_text(w.path("r.json")));
  CHECK(json.at("dataset").at("learned_features") == 240);
  CHECK(json.at("configuration").at("model").at("features") == "learned");
  CHECK(read_text(w.path("r.html")).find("240 learned embeddings") != std::string::npos);

  const Finished predicted = w.predict("bare.h5");
  CAPTURE(predicted.err);
  REQUIRE(predicted.code == 0);
  CHECK(predicted.result().at("test_metric") == whole.result().at("test_metric"));
  datasets::write(w.path("other.h5"), testing::block_model({.vertices = 240, .directed = true}));
  check_refused(w.predict("other.h5"), 1, "the model has learnt embeddings of the 240 vertices of");

  auto half = options;
  half.insert(half.end(), {"--stop-after", "15", "--checkpoint", w.path("half.h5"), "-q"});
  REQUIRE(w.train(half).code == 0);
  const std::vector<std::string> on = {"laminar-train",   w.path("bare.h5"), "--checkpoint",
                                       w.path("half.h5"), "--resume",        "-q"};
  auto changed = on;
  changed.insert(changed.end(), {"--features", "given"});
  check_refused(w.run(changed), 1, "--features is given, but");
  CHECK(w.run(on).result().at("loss") == whole.result().at("loss"));

  const Finished dumped = w.run({"laminar-train", w.path("bare.h5"), "--features", "learned", "--dump-config", "-"});
  CHECK(dumped.out.find("features = learned\nembedding-width = 64\nembedding-buckets = 0\n") != std::string::npos);
}

TEST_CASE("embeddings beside features, hashed, in nets with an encoder, and for links") {
  const Bare w;
  const auto trained = [&](std::vector<std::string> words) {
    words.push_back("-v");
    const Finished f = w.Workspace::train(words);
    CAPTURE(f.err);
    CHECK(f.code == 0);
    return f.err;
  };
  CHECK(trained({"--features", "given,learned"}).find("12 features, 240 learned embeddings") != std::string::npos);
  CHECK(trained({"--features", "learned,given", "--embedding-buckets", "50", "--normalize-features"})
            .find("12 features, 50 learned embeddings") != std::string::npos);
  CHECK(trained({"--features", "learned", "--layer", "gcnii", "--stages", "2", "--chunks", "4"})
            .find("240 learned embeddings") != std::string::npos);
  CHECK(trained({"--features", "learned", "--task", "link"}).find("links by embeddings") != std::string::npos);
  // The file's own option line is as it was.
  CHECK(trained({}).find("12 features, classification") != std::string::npos);
}

TEST_CASE("what embeddings do not go with is refused") {
  const Bare w;
  const auto refused = [&](const std::vector<std::string>& words, const std::string& says) {
    check_refused(w.train(words), 2, says);
  };
  refused({"--features", "degree"}, "laminar-convert GRAPH.h5 --features NAME --out FILE");
  refused({"--features", "given,learned"}, "has no features of its own");
  refused({"--embedding-width", "8"}, "--embedding-width is of --features learned");
  refused({"--embedding-buckets", "8"}, "--embedding-buckets is of --features learned");
  refused({"--features", "learned", "--embedding-width", "-1"}, "--embedding-width is -1");
  refused({"--features", "learned", "--embedding-buckets", "-1"}, "--embedding-buckets is -1");
  refused({"--features", "learned", "--layer", "gcnii", "--embedding-width", "8"}, "of width --hidden");
  refused({"--features", "learned", "--residual", "--embedding-width", "8"}, "'gcn' with --residual");
  check_refused(w.run({"laminar-convert", w.path("bare.h5"), "--features", "learned", "--out", w.path("x.h5")}), 2,
                "laminar-train GRAPH.h5 --features learned");
  check_refused(w.run({"laminar-convert", w.path("bare.h5"), "--features", "degree,learned", "--out", w.path("x.h5")}),
                2, "laminar-train GRAPH.h5 --features learned");
}

}  // namespace laminar::apps::test
