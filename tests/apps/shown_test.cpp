// What a training on several devices shows of itself.
#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/tests/apps/support.hpp"
#include "laminar/tests/support/ranks.hpp"

namespace laminar::apps::test {
namespace {

using nlohmann::json;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::ptrdiff_t slices(const json& trace, const std::string& category) {
  const json& events = trace.at("traceEvents");
  return std::count_if(events.begin(), events.end(),
                       [&](const json& e) { return e.at("ph") == "X" && e.at("cat") == category; });
}

const std::vector<std::string> kPipeline = {"--layer",  "sage", "--layers", "4", "--residual", "--mode",
                                            "pipeline", "-v",   "--stages", "2", "--chunks",   "4"};

}  // namespace

TEST_CASE("a pipeline is told in the trace, the page, the JSON file, the result and on the terminal") {
  const Workspace w;
  std::vector<std::string> words = kPipeline;
  words.insert(words.end(), {"--epochs", "6", "--trace", w.path("t.json"), "--report", w.path("r.html"), "--json",
                             w.path("r.json"), "--eval-every", "3"});
  const Finished f = w.train(words);
  CAPTURE(f.err);
  REQUIRE(f.code == 0);

  const json trace = json::parse(read_text(w.path("t.json")));
  CHECK(slices(trace, "forward") == 8);
  CHECK(slices(trace, "backward") == 8);
  CHECK(slices(trace, "wait") > 0);

  const std::string page = read_text(w.path("r.html"));
  for (const char* id : {"pipeline", "device-times", "traffic", "device-memory", "staleness-chart"}) {
    CAPTURE(id);
    CHECK(has(page, std::string("id=\"") + id + "\""));
  }

  const json run = json::parse(read_text(w.path("r.json"))).at("runs").at(0);
  CHECK(run.at("topology") == json{{"stages", 2}, {"parts", 1}, {"chunks", 4}, {"devices", 2}});
  CHECK(run.at("remarks").is_array());
  REQUIRE(run.at("peak_bytes_by_device").size() == 2);
  for (const json& device : run.at("peak_bytes_by_device")) {
    CHECK(device.at("activations") > 0);
    CHECK(device.at("total") <= run.at("peak_bytes").at("total"));
  }
  REQUIRE(run.at("epochs").size() == 6);
  const json& epoch = run.at("epochs").at(2);
  const json& bytes = epoch.at("bytes_by_cause");
  // 240 rows of 8 float32 over one boundary.
  CHECK(bytes.at("stage_forward") == 240 * 8 * 4);
  CHECK(bytes.at("stage_backward") == 240 * 8 * 4);
  CHECK(bytes.at("halo_forward") == 0);
  CHECK(bytes.at("evaluation") > 0);
  CHECK(run.at("epochs").at(1).at("bytes_by_cause").at("evaluation") == 0);
  CHECK(epoch.at("messages_by_cause").at("stage_forward") == 4);
  REQUIRE(epoch.at("devices").size() == 2);
  CHECK(epoch.at("devices").at(0).at("busy_ms") > 0);
  CHECK(epoch.at("staleness").size() == 4);

  const auto result = f.result();
  CHECK(result.at("stages") == "2");
  CHECK(result.at("parts") == "1");
  CHECK(result.at("chunks") == "4");

  CHECK(has(f.err, "where the time goes, medians of epochs 2 to 4, ms"));
  CHECK(has(f.err, "device 1: stage 1"));
  CHECK(has(f.err, "bytes that travel in an epoch, by cause"));
  CHECK(has(f.err, "stage_forward"));
  CHECK(has(f.err, "2 (S - 1) = 2 x 1 = 2.0"));
  CHECK(has(f.err, "should win"));
}

TEST_CASE("graph parallelism compares by its own cut; one device has nothing to compare") {
  const Workspace w;
  const Finished f = w.train({"--layers", "3", "--residual", "--mode", "graph", "--partitions", "2", "-v", "--report",
                              w.path("r.html"), "--epochs", "1"});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  CHECK(has(f.err, "h of this run's cut into 2 parts"));
  CHECK(has(f.err, "where the time goes, epoch 1"));
  CHECK(has(f.err, "halo_forward"));
  CHECK(!has(read_text(w.path("r.html")), "id=\"staleness-chart\""));
  CHECK(f.result().at("parts") == "2");

  const Finished one = w.train({"-v", "--json", w.path("r.json"), "--trace", w.path("t.json")});
  REQUIRE(one.code == 0);
  CHECK(!has(one.err, "where the time goes, "));
  const json run = json::parse(read_text(w.path("r.json"))).at("runs").at(0);
  CHECK(!run.at("epochs").at(0).contains("bytes_by_cause"));
  CHECK(!run.at("epochs").at(0).contains("staleness"));
  CHECK(run.at("peak_bytes_by_device").size() == 1);
  CHECK(slices(json::parse(read_text(w.path("t.json"))), "forward") == 1);
}

TEST_CASE("the trace is checked like any other output") {
  const Workspace w;
  const Finished same = w.train({"--trace", w.path("t.json"), "--json", w.path("t.json")});
  CHECK(same.code == 2);
  CHECK(has(same.err, "--trace"));
  const Finished nowhere = w.train({"--trace", w.path("no/t.json")});
  CHECK(nowhere.code == 1);
  CHECK(has(nowhere.err, "--trace"));
}

TEST_CASE("--build tells what partitions and what connects ranks; rank 0 knows all devices") {
  const Workspace w;
  const Finished build = w.run({"laminar-info", "--build"});
  CHECK(build.code == 0);
  CHECK(has(build.out, "METIS"));
  CHECK(has(build.out, "ranks"));
  const bool no_mpi = has(build.out, " none");
  if (no_mpi || w.run({"/bin/sh", "-c", "command -v mpirun"}).code != 0) return;
  const std::string launch =
      fmt::format("{} mpirun -n 2 '{}/laminar-train' \"$0\" \"$@\" --epochs 3 --hidden 8 --json '{}'",
                  testing::launcher_environment(), LAMINAR_BIN_DIR, w.path("r.json"));
  std::vector<std::string> words = {"/bin/sh", "-c", launch, w.graph()};
  words.insert(words.end(), kPipeline.begin(), kPipeline.end());
  words.insert(words.end(), {"--trace", w.path("t.json")});
  const Finished f = w.run(words);
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  const json trace = json::parse(read_text(w.path("t.json")));
  CHECK(slices(trace, "forward") == 8);
  CHECK(slices(trace, "backward") == 8);
  const json run = json::parse(read_text(w.path("r.json"))).at("runs").at(0);
  REQUIRE(run.at("peak_bytes_by_device").size() == 2);
  CHECK(run.at("peak_bytes_by_device").at(1).at("activations") > 0);
  CHECK(run.at("epochs").at(1).at("devices").at(1).at("busy_ms") > 0);
}

}  // namespace laminar::apps::test
