// Trainings on several devices from the command line.
#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/tests/apps/support.hpp"

namespace laminar::apps::test {
namespace {

using Words = std::vector<std::string>;

/// The short training, of a deeper net.
Finished train(const Workspace& w, Words words) {
  if (std::find(words.begin(), words.end(), "--layers") == words.end()) {
    words.insert(words.begin(), {"--layer", "gcnii", "--layers", "4"});
  }
  return w.train(std::move(words));
}

double number(const Finished& f, const char* key) { return std::stod(f.result().at(key)); }

}  // namespace

TEST_CASE("what is wrong with a wish for devices is said in a line") {
  const Workspace w;
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"--mode", "fast"}, "--mode fast: expected single, pipeline, graph, hybrid or auto"},
      {{"--mode", "single", "--stages", "2"}, "--mode single is one device"},
      {{"--mode", "single", "--partitions", "2"}, "--mode single is one device"},
      {{"--mode", "single", "--devices", "2"}, "--mode single is one device"},
      {{"--mode", "pipeline", "--partitions", "2"}, "--mode pipeline has no --partitions"},
      {{"--mode", "graph", "--stages", "2"}, "--mode graph has no --stages"},
      {{"--mode", "hybrid", "--stages", "2", "--devices", "3"}, "2 stages x 1 parts are 2 devices"},
      {{"--mode", "graph", "--partitions", "3", "--devices", "4"}, "1 stages x 3 parts are 3 devices"},
      {{"--devices", "3", "--stages", "2"}, "there are 3 --devices"},
      {{"--devices", "-1"}, "--devices is -1"},
      {{"--devices", "two"}, "--devices is 'two'"},
      {{"--stages", "0"}, "--stages is 0"},
      {{"--stages", "5"}, "--stages is 5, but the model has 4 layers"},
      {{"--stages", "-2"}, "--stages is -2"},
      {{"--partitions", "0"}, "--partitions is 0"},
      {{"--partitions", "241"}, "241"},
      {{"--chunks", "0"}, "--chunks is 0"},
      {{"--stages", "2", "--chunks", "241"}, "--chunks is 241"},
      {{"--stages", "2", "--partitions", "2", "--chunks", "200"}, "--chunks is 200, but part"},
      {{"--partitions", "2", "--partition", "scissors"}, "scissors"},
      {{"--stages", "3", "--stage-cut", "1"}, "--stage-cut 1: 1 places for 3 stages, expected 2"},
      {{"--stages", "3", "--stage-cut", "2,1"}, "ascending layers from 1 to 3"},
      {{"--stages", "2", "--stage-cut", "4"}, "ascending layers from 1 to 3"},
      {{"--stages", "2", "--stage-cut", "1,"}, "--stage-cut"},
      {{"--stages", "2", "--stage-cut", "half"}, "expected auto, measured (in training), even, or first layers"},
      {{"--schedule", "random"}, "--schedule"},
      {{"--stages", "2", "--chunks", "4", "--schedule", "1f1b", "--gradient-mode", "truncated"}, "--schedule 1f1b"},
      {{"--gradient-mode", "best"}, "truncated, detached, rescaled and compensated"},
      {{"--history-gradient", "push"}, "auto, look and pull"},
      {{"--staleness", "2"}, "--staleness is 2"},
      {{"--chunk-order", "sorted"}, "shuffled or fixed"},
      {{"--history-refresh", "-1"}, "--history-refresh is -1"},
      {{"--history-smoothing", "1"}, "--history-smoothing is 1"},
      {{"--history-freeze", "-1"}, "--history-freeze is -1"},
      {{"--history-dtype", "int8"}, "native, float32 and bfloat16"},
      {{"--stale-halos"}, "--stale-halos: the graph is in one part"},
      {{"--mode", "pipeline", "--stale-halos"}, "--stale-halos: the graph is in one part"},
      {{"--mode", "hybrid", "--stale-halos"}, "--stale-halos goes with one chunk"},
      {{"--mode", "graph", "--halo-smoothing", "0.5"}, "--halo-smoothing is of --stale-halos"},
      {{"--mode", "graph", "--stale-halos", "--halo-gradient-smoothing", "1"}, "--halo-gradient-smoothing is 1"},
      {{"--mode", "graph", "--boundary-rate", "0"}, "--boundary-rate is 0"},
      {{"--boundary-rate", "0.5"}, "--boundary-rate: the graph is in one part"},
      {{"--mode", "hybrid", "--boundary-rate", "0.5"}, "can't go with history"},
      {{"--mode", "graph", "--boundary-rate", "0.5", "--stale-halos"}, "can't go with --stale-halos"},
      {{"--mode", "graph", "--boundary-rate", "0.5", "--layer", "gat", "--layers", "3"}, "layer 1 (gat)"},
      {{"--gradient-fidelity", "-1"}, "--gradient-fidelity is -1"},
      {{"--compress", "zip"}, "native, bf16, int8"},
      {{"--compress-stage", "zip"}, "native, bf16, int8"},
      {{"--compress-halo", "int4"}, "--compress-halo"},
      {{"--compress-weights", ""}, "--compress-weights"},
      {{"--stages", "2", "--link-mbps", "-1"}, "-1"},
      {{"--stages", "2", "--link-mbps", "nan"}, "--link-mbps"},
      {{"--stages", "2", "--link-mbps", "100", "--link-latency-us", "-5"}, "-5"}};
  for (const auto& [words, text] : cases) {
    CAPTURE(words.front());
    CAPTURE(words.back());
    const Finished f = train(w, words);
    CAPTURE(f.err);
    CHECK(f.code == 2);
    // Notes and headers may come before.
    CHECK(lines_of(f.err).back().starts_with("laminar-train: error: "));
    CHECK(lines_of(f.err).back().find(text) != std::string::npos);
    CHECK(f.out.find("RESULT") == std::string::npos);
  }
  // What only a layer can know is found when it trains.
  const Finished pull = train(w, {"--layer", "gat", "--layers", "3", "--stages", "2", "--chunks", "4",
                                  "--history-gradient", "pull", "--residual"});
  CHECK(pull.code == 1);
  CHECK(pull.err.find("--history-gradient pull") != std::string::npos);
}

TEST_CASE("every exact mode gives the result of one device, and sends something") {
  const Workspace w;
  const Finished single = train(w, {"--mode", "single", "--precision", "f64"});
  REQUIRE(single.code == 0);
  CHECK(single.result().at("bytes_per_epoch") == "0");
  for (const Words& words : {Words{"--mode", "graph", "--devices", "3"},
                             {"--partitions", "2", "--no-overlap"},
                             {"--mode", "pipeline", "--devices", "2", "--staleness", "0"},
                             {"--stages", "3", "--chunks", "4", "--schedule", "sequential"},
                             {"--mode", "hybrid", "--staleness", "0"},
                             {"--stages", "2"}}) {
    CAPTURE(words[1]);
    Words all = words;
    all.insert(all.end(), {"--precision", "f64", "--partition", "range"});
    const Finished f = train(w, all);
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    CHECK(number(f, "loss") == doctest::Approx(number(single, "loss")).epsilon(1e-9));
    for (const char* key : {"test_metric", "val_metric", "best_epoch"}) {
      CHECK(f.result().at(key) == single.result().at(key));
    }
    CHECK(number(f, "bytes_per_epoch") > 0);
  }
}

TEST_CASE("modes name a topology; with history what trains well is chosen, and said") {
  const Workspace w;
  const auto spread_of = [&](Words words) {
    words.insert(words.end(), {"--dump-config", "-"});
    const Finished f = train(w, words);
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    std::string numbers;
    for (const std::string& line : lines_of(f.out)) {
      for (const char* name : {"stages", "partitions", "chunks"}) {
        if (line.starts_with(std::string(name) + " =")) numbers += line.substr(line.find('=') + 1);
      }
    }
    return numbers;
  };
  CHECK(spread_of({"--mode", "pipeline"}) == " 2 1 16");
  CHECK(spread_of({"--mode", "pipeline", "--devices", "3"}) == " 3 1 24");
  CHECK(spread_of({"--devices", "4"}) == " 4 1 32");
  CHECK(spread_of({"--devices", "1"}) == " 1 1 1");
  CHECK(spread_of({"--mode", "graph", "--devices", "3"}) == " 1 3 1");
  CHECK(spread_of({"--mode", "hybrid"}) == " 2 2 16");
  CHECK(spread_of({"--mode", "hybrid", "--devices", "6"}) == " 2 3 16");
  CHECK(spread_of({"--mode", "hybrid", "--partitions", "3"}) == " 2 3 16");
  CHECK(spread_of({"--stages", "3", "--chunks", "5"}) == " 3 1 5");

  const Finished chosen = train(w, {"--mode", "pipeline"});
  REQUIRE(chosen.code == 0);
  CHECK(chosen.err.find("--beta1 0.5 --lr-schedule cosine") != std::string::npos);
  const Finished own = train(w, {"--mode", "pipeline", "--beta1", "0.9", "--lr-schedule", "constant"});
  REQUIRE(own.code == 0);
  CHECK(own.err.find("trains better") == std::string::npos);
  CHECK(own.result().at("loss") != chosen.result().at("loss"));
  CHECK(train(w, {"--stages", "2", "--staleness", "0"}).err.find("trains better") == std::string::npos);
}

TEST_CASE("a dumped configuration of devices reproduces the run") {
  const Workspace w;
  for (const Words& words :
       {Words{"--mode", "pipeline", "--compress", "int8", "--chunk-order", "fixed", "--stage-cut", "1"},
        {"--mode", "hybrid", "--chunks", "4", "--gradient-mode", "detached", "--schedule", "1f1b", "--compress-halo",
         "bf16", "--partition", "range", "--history-smoothing", "0.25"},
        {"--mode", "graph", "--partition", "range", "--no-overlap", "--stage-cut", "even"}}) {
    CAPTURE(words[1]);
    Words all = words;
    all.insert(all.end(), {"--dump-config", w.path("run.cfg")});
    const Finished first = train(w, all);
    CAPTURE(first.err);
    REQUIRE(first.code == 0);
    const Finished second = w.run({"laminar-train", "--config", w.path("run.cfg")});
    CAPTURE(second.err);
    REQUIRE(second.code == 0);
    for (const char* key : {"loss", "test_metric", "val_metric", "best_epoch", "bytes_per_epoch"}) {
      CAPTURE(key);
      CHECK(first.result().at(key) == second.result().at(key));
    }
    const Finished again = w.run({"laminar-train", "--config", w.path("run.cfg"), "--dump-config", "-"});
    CHECK(again.out == read_text(w.path("run.cfg")));
  }
}

TEST_CASE("what is stale, sampled, rounded or measured is asked for, shown and recorded") {
  const Workspace w;
  const double plain = number(train(w, {"--mode", "graph", "--partition", "range"}), "bytes_per_epoch");
  const Finished stale = train(w, {"--mode", "graph", "--partition", "range", "--stale-halos", "--gradient-fidelity",
                                   "4", "-v", "--json", w.path("s.json"), "--report", w.path("s.html")});
  CAPTURE(stale.err);
  REQUIRE(stale.code == 0);
  CHECK(number(stale, "bytes_per_epoch") == doctest::Approx(plain).epsilon(0.05));
  CHECK(stale.err.find("gradient of epoch 4 against the exact one: cosine 0.") != std::string::npos);
  CHECK(stale.err.find("gradient of epoch 3") == std::string::npos);
  const std::string json = read_text(w.path("s.json"));
  for (const char* text : {"\"stale_halos\": true", "\"gradient_fidelity\": {",
                           "\"relative_error\":", "\"sent_bytes_by_cause\": {", "\"fidelity_every\": 4"}) {
    CAPTURE(text);
    CHECK(json.find(text) != std::string::npos);
  }
  const std::string page = read_text(w.path("s.html"));
  for (const char* id : {"id=\"fidelity-chart\"", "id=\"fidelity-error-chart\"", "id=\"staleness-chart\""}) {
    CAPTURE(id);
    CHECK(page.find(id) != std::string::npos);
  }
  const Finished sampled = train(w, {"--mode", "graph", "--partition", "range", "--boundary-rate", "0.1"});
  REQUIRE(sampled.code == 0);
  CHECK(number(sampled, "bytes_per_epoch") < 0.8 * plain);

  const Finished rounded = train(w, {"--mode", "pipeline", "--history-dtype", "bfloat16", "--stage-cut", "measured",
                                     "--checkpoint", w.path("c.h5"), "--stop-after", "3", "--json", w.path("c.json")});
  CAPTURE(rounded.err);
  REQUIRE(rounded.code == 0);
  CHECK(rounded.err.find("note: --stage-cut measured: later stages begin at layers ") != std::string::npos);
  CHECK(read_text(w.path("c.json")).find("\"history_dtype\": \"bfloat16\"") != std::string::npos);
  // Resumed as it was cut, whether that is asked for again or not.
  for (const Words& again : {Words{}, Words{"--stage-cut", "measured"}}) {
    Words words = {"laminar-train", w.graph(), "--checkpoint", w.path("c.h5"), "--resume", "--stop-after", "4"};
    words.insert(words.end(), again.begin(), again.end());
    const Finished resumed = w.run(words);
    CAPTURE(resumed.err);
    CHECK(resumed.code == 0);
    CHECK(resumed.err.find("--stage-cut measured:") == std::string::npos);
  }
}

TEST_CASE("a partition from a file or the graph file is used, with its number of parts") {
  const Workspace w;
  std::string parts;
  for (int v = 0; v < 240; ++v) parts += v % 3 == 0 ? "1\n" : "0\n";
  write_text(w.path("parts.txt"), parts);
  REQUIRE(w.run({"laminar-partition", w.graph(), "--parts", "3", "--strategy", "range", "--save-as", "thirds"}).code ==
          0);
  const Finished single = train(w, {"--precision", "f64"});
  for (const Words& words : {Words{"--partitions", "2", "--partition", w.path("parts.txt")},
                             {"--partition", w.path("parts.txt")},
                             {"--partition", "thirds"}}) {
    CAPTURE(words.back());
    Words all = words;
    all.insert(all.end(), {"--precision", "f64"});
    const Finished f = train(w, all);
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    CHECK(number(f, "loss") == doctest::Approx(number(single, "loss")).epsilon(1e-9));
    CHECK(number(f, "bytes_per_epoch") > 0);
  }
  const auto refused = [&](const Words& words, int code, const char* text) {
    const Finished f = train(w, words);
    CAPTURE(f.err);
    CHECK(f.code == code);
    CHECK(lines_of(f.err).back().starts_with("laminar-train: error: "));
    CHECK(lines_of(f.err).back().find(text) != std::string::npos);
  };
  refused({"--partitions", "3", "--partition", w.path("parts.txt")}, 2, "has 2 parts, but 3 were asked for");
  refused({"--partitions", "2", "--partition", "halves"}, 2, "it is no file, nor one of the strategies");
  for (const char* bad : {"0\n1\n", "", "0\nx\n"}) {
    write_text(w.path("bad.txt"), bad);
    refused({"--partitions", "2", "--partition", w.path("bad.txt")}, 1, "bad.txt");
  }
}

TEST_CASE("a training goes on where another topology left it") {
  const Workspace w;
  const auto trained = [&](const Words& first, const Words& second) {
    Words start = first;
    start.insert(start.end(), {"--checkpoint", w.path("c.h5"), "--stop-after", "4", "--precision", "f64"});
    const Finished half = train(w, start);
    CAPTURE(half.err);
    REQUIRE(half.code == 0);
    Words words = {"laminar-train", w.graph(), "--checkpoint", w.path("c.h5"), "--resume", "--stop-after", "0"};
    words.insert(words.end(), second.begin(), second.end());
    const Finished whole = w.run(words);
    CAPTURE(whole.err);
    REQUIRE(whole.code == 0);
    return whole;
  };
  const Words graph{"--mode", "graph", "--partition", "range"};
  const Words exact{"--stages", "2", "--partitions", "1", "--chunks", "4", "--staleness", "0"};
  const Words one{"--stages", "1", "--partitions", "1", "--chunks", "1"};
  const Finished whole = train(w, {"--precision", "f64"});
  for (const auto& [first, second] :
       {std::pair{graph, exact}, {exact, graph}, {one, exact}, {graph, one}, {graph, {}}}) {
    const Finished f = trained(first, second);
    CHECK(number(f, "loss") == doctest::Approx(number(whole, "loss")).epsilon(1e-9));
    CHECK(f.result().at("best_epoch") == whole.result().at("best_epoch"));
  }
  // With history, on what it was made with, to the last digit that is printed.
  const Words history{"--stages", "2", "--chunks", "6", "--compress-weights", "int8"};
  Words with = history;
  with.insert(with.end(), {"--precision", "f64"});
  CHECK(trained(history, {}).result().at("loss") == train(w, with).result().at("loss"));
}

}  // namespace laminar::apps::test
