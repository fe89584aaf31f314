#include "laminar/apps/trace.hpp"

#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "laminar/tests/apps/report_data.hpp"

namespace laminar::apps {

using nlohmann::json;

TEST_CASE("a trace has a track a device and a slice a step") {
  ReportShape shape = {.runs = 2, .epochs = 5};
  shape.topology = {2, 2, 3};
  const ReportData data = make_report_data(shape);
  const json j = json::parse(trace_json(data.results));
  CHECK(j.at("displayTimeUnit") == "ms");
  std::map<std::string, int> of_kind;
  std::map<std::pair<int, int>, std::string> tracks;
  for (const json& e : j.at("traceEvents")) {
    if (e.at("ph") == "M") {
      if (e.at("name") == "thread_name") tracks[{e.at("pid"), e.at("tid")}] = e.at("args").at("name");
      if (e.at("name") == "process_name" && e.at("pid") == 1)
        CHECK(e.at("args").at("name") == "split 0, seed 2, epoch 5");
      continue;
    }
    REQUIRE(e.at("ph") == "X");
    CHECK(e.at("dur") > 0);
    CHECK(e.at("ts") >= 0);
    ++of_kind[e.at("cat")];
  }
  CHECK(tracks.size() == 8);
  CHECK(tracks.at({0, 3}) == "device 3: stage 1, part 1");
  CHECK(of_kind.at("forward") == 24);
  CHECK(of_kind.at("backward") == 24);
  CHECK(of_kind.at("send") == 48);
  // Each device waits once: for the first chunk or for the first gradient.
  CHECK(of_kind.at("wait") == 8);
}

TEST_CASE("times are in microseconds, and what a step waits and sends lies within it") {
  pipeline::TrainResult r;
  r.split = "a \"b\"\xff";
  r.spans = {{{{pipeline::Step::Kind::kBackwardRest, 7, 2, 6}, 10, 14, 1.5, 0.25}}};
  r.recomputed = {{{{pipeline::Step::Kind::kForward, 7, 5, 6}, 11, 12, 0, 0}}};
  const json j = json::parse(trace_json({r}));
  std::map<std::string, json> slices;
  for (const json& e : j.at("traceEvents")) {
    if (e.at("ph") == "X") slices[e.at("name")] = e;
  }
  REQUIRE(slices.size() == 4);
  const json& again = slices.at("recompute layer 5 chunk 7");
  CHECK(again.at("cat") == "recompute");
  CHECK(again.at("ts") == 11'000);
  CHECK(again.at("dur") == 1'000);
  const json& step = slices.at("backward_rest chunk 7");
  CHECK(step.at("ts") == 10'000);
  CHECK(step.at("dur") == 4'000);
  CHECK(step.at("args").at("chunk") == 7);
  CHECK(step.at("args").at("first_layer") == 2);
  CHECK(step.at("args").at("last_layer") == 5);
  CHECK(step.at("args").at("busy_ms") == 2.25);
  CHECK(step.at("args").at("wait_ms") == 1.5);
  CHECK(step.at("args").at("send_ms") == 0.25);
  CHECK(slices.at("wait").at("ts") == 10'000);
  CHECK(slices.at("wait").at("dur") == 1'500);
  CHECK(slices.at("send").at("ts") == 13'750);
  CHECK(slices.at("send").at("dur") == 250);
  // No results, no slices.
  CHECK(json::parse(trace_json({})).at("traceEvents").empty());
}

}  // namespace laminar::apps
