#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <thread>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/sweep_grid.hpp"
#include "laminar/apps/sweep_runs.hpp"
#include "laminar/core/error.hpp"
#include "laminar/tests/apps/support.hpp"

namespace laminar::apps::test {

namespace {

Finished sweep(const Workspace& w, std::vector<std::string> words, const std::vector<std::string>& training = {}) {
  std::vector<std::string> all = {"laminar-sweep", w.graph(), "--out", w.path("sweep")};
  all.insert(all.end(), words.begin(), words.end());
  all.insert(all.end(), {"--", "--epochs", "5", "--hidden", "8"});
  all.insert(all.end(), training.begin(), training.end());
  return w.run(all);
}

/// A stand-in for laminar-train that does as its learning rate says.
std::string moody_program(const Workspace& w) {
  const std::string path = w.path("moody");
  write_text(path, R"(#!/bin/sh
for word; do lr=${word#--lr=}; [ "$lr" = "$word" ] || break; done
echo run >> "$0.log"
case $lr in
  .1) echo "moody: error: no luck" >&2; exit 1 ;;
  .2) kill -SEGV $$ ;;
  .3) echo "nothing to say"; exit 0 ;;
  .4) trap 'exit 130' INT; touch "$0.started"; i=0; while [ $i -lt 200 ]; do sleep .05; i=$((i + 1)); done ;;
esac
echo "RESULT metric=accuracy val_metric=$lr test_metric=$lr epoch_ms=1 loss=nan"
)");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

}  // namespace

TEST_CASE("a grid is read, and all its points are made") {
  const auto axes = parse_grid(" hidden=16,64\n --lr=.01,.003,1 residual=true ");
  REQUIRE(axes.size() == 3);
  CHECK(axes[1].name == "lr");
  const auto points = all_points(axes);
  REQUIRE(points.size() == 6);
  CHECK(point_text(points[0]) == "hidden=16 lr=.01 residual=true");
  CHECK(point_text(points[1]) == "hidden=16 lr=.003 residual=true");
  CHECK(point_text(points[5]) == "hidden=64 lr=1 residual=true");
  for (const char* bad : {"lr", "=1", "lr=", "lr=1,,2", "lr=1,1", "lr=1 lr=2", "lr=1..2:cubic", "lr=2..1",
                          "lr=0..1:log", "lr=a..b", "layers=1.5..3:int", "lr=.1.."}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_grid(bad), UsageError);
  }
  CHECK_THROWS_AS(all_points(parse_grid("lr=0..1")), UsageError);
}

TEST_CASE("points are drawn from lists and ranges, the same for every number of them") {
  const auto axes = parse_grid("layer=gcn,sage lr=1e-4..1e-1:log dropout=0..0.5 layers=2..4:int");
  const auto points = random_points(axes, 200, 1);
  REQUIRE(points.size() == 200);
  int small = 0;
  for (const SweepPoint& p : points) {
    const double lr = std::stod(p[1].second);
    CHECK((lr >= 1e-4 && lr <= 1e-1));
    small += lr < 3.2e-3 ? 1 : 0;
    CHECK(std::stod(p[2].second) <= 0.5);
    CHECK((p[3].second == "2" || p[3].second == "3" || p[3].second == "4"));
  }
  // Half of a logarithmic range lies below its middle.
  CHECK((small > 70 && small < 130));
  const auto fewer = random_points(axes, 10, 1);
  CHECK(std::equal(fewer.begin(), fewer.end(), points.begin()));
  CHECK(random_points(axes, 10, 2) != fewer);
  // There are no more than these.
  CHECK(random_points(parse_grid("a=1,2 b=1,2"), 50, 1).size() == 4);
}

TEST_CASE("rows are means with standard errors, the best first, the incomplete last") {
  std::vector<SweepRun> runs;
  std::vector<std::optional<SweepResult>> results;
  const auto add = [&](std::size_t configuration, const char* val, bool done = true) {
    runs.push_back({{{"lr", std::to_string(configuration)}}, configuration, "", "0", 1});
    results.push_back(SweepResult{.done = done});
    if (done) results.back()->values = {{"val_metric", val}, {"test_metric", "0.5"}, {"epoch_ms", "2"}};
  };
  add(0, "0.5");
  add(0, "0.7");
  add(1, "0.8");
  add(1, "0.8");
  add(2, "0.9");
  add(2, "", false);
  const auto rows = sweep_rows(runs, results, core::Metric::kAccuracy);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].point[0].second == "1");
  CHECK(rows[1].val == doctest::Approx(0.6));
  // The sample standard deviation .1414 over the root of 2.
  CHECK(rows[1].val_error == doctest::Approx(0.1));
  CHECK(rows[2].point[0].second == "2");
  CHECK(rows[2].failed == 1);
  CHECK(std::isnan(rows[2].val_error));
  const auto table = sweep_table(rows, core::Metric::kAccuracy, 2);
  CHECK(table.find("0.6000 +- 0.1000") != std::string::npos);
  CHECK(table.find("1 of 2, 1 failed") != std::string::npos);
  // Of an error the smallest is the best.
  CHECK(sweep_rows(runs, results, core::Metric::kMae)[0].point[0].second == "0");
  CHECK(result_values("RESULT a=1\nRESULT a=2 b=x\nend\n") ==
        std::map<std::string, std::string>{{"a", "2"}, {"b", "x"}});
  CHECK(std::isnan(SweepResult{}.number("a")));
}

TEST_CASE("a sweep trains, goes on, and writes tables") {
  const Workspace w;
  const auto first = sweep(w, {"--grid", "lr=.01,.03", "--splits", "all"});
  CAPTURE(first.err);
  REQUIRE(first.code == 0);
  CHECK(first.result().at("configurations") == "2");
  CHECK(first.result().at("runs") == "4");
  CHECK(first.result().at("failed") == "0");
  CHECK(first.err.find("[4/4]") != std::string::npos);
  CHECK(entries(w.path("sweep")) == 4);
  // What it says of a run is what laminar-train says.
  const auto again =
      sweep(w, {"--grid", "lr=0.01", "--splits", "1", "--csv", w.path("s.csv"), "--json", w.path("s.json")});
  CHECK(again.err.find("1 runs of which 1 are done") != std::string::npos);
  const auto trained = w.run({"laminar-train", w.graph(), "--epochs", "5", "--hidden", "8", "--lr", ".01", "-q"});
  CHECK(again.result().at("test_metric") == trained.result().at("test_metric"));
  const auto csv = lines_of(read_text(w.path("s.csv")));
  REQUIRE(csv.size() == 2);
  CHECK(csv[0].starts_with("lr,split,seed,status,metric,loss"));
  CHECK(csv[1].starts_with("0.01,random,1,done,accuracy,"));
  const auto json = nlohmann::json::parse(read_text(w.path("s.json")));
  CHECK(json.at("configurations").size() == 1);
  CHECK(json.at("runs").at(0).at("status") == "done");
  // Another option of all runs makes other runs; threads do not.
  CHECK(sweep(w, {"--grid", "lr=.01"}, {"--threads", "1"}).err.find("1 runs of which 1 are done") != std::string::npos);
  CHECK(sweep(w, {"--grid", "lr=.01", "--jobs", "2", "--runs", "2"}, {"--dropout", "0"})
            .err.find("of which 0 are done") != std::string::npos);
  CHECK(sweep(w, {"--grid", "decoder=dot,mlp", "--dry-run"}, {"--task", "link"}).out.find("--decoder=mlp") !=
        std::string::npos);
}

TEST_CASE("a run that fails or crashes takes no other with it, and is tried again") {
  const Workspace w;
  const std::string moody = moody_program(w);
  const Finished f = sweep(w, {"--grid", "lr=.1,.2,.3,.5,.6", "--train", moody, "--jobs", "2"});
  CHECK(f.code == 1);
  CHECK(f.result().at("runs") == "2");
  CHECK(f.result().at("failed") == "3");
  CHECK(f.result().at("best") == "lr=.6");
  CHECK(f.err.find("failed: moody: error: no luck") != std::string::npos);
  CHECK(f.err.find("ended by signal 11") != std::string::npos);
  CHECK(f.out.find("0 of 1, 1 failed") != std::string::npos);
  CHECK(entries(w.path("sweep")) == 5);
  CHECK(lines_of(read_text(moody + ".log")).size() == 5);
  // A result that is damaged is no result.
  for (const auto& file : std::filesystem::directory_iterator(w.path("sweep"))) write_text(file.path(), "{\"a\": 1");
  CHECK(sweep(w, {"--grid", "lr=.5,.6", "--train", moody}).result().at("runs") == "2");
  CHECK(lines_of(read_text(moody + ".log")).size() == 7);
}

TEST_CASE("an interrupted sweep keeps what is done") {
  const Workspace w;
  const std::string moody = moody_program(w);
  Process running({"laminar-sweep", w.graph(), "--out", w.path("sweep"), "--grid", "lr=.5,.4,.6", "--train", moody},
                  w.folder());
  for (int i = 0; i < 400 && !std::filesystem::exists(moody + ".started"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  running.send(SIGINT);
  const Finished f = running.wait();
  CAPTURE(f.err);
  CHECK(f.code == 130);
  CHECK(f.result().at("runs") == "1");
  CHECK(f.result().at("failed") == "0");
  CHECK(f.err.find("the same command goes on") != std::string::npos);
  CHECK(entries(w.path("sweep")) == 1);
}

TEST_CASE("sweeps that can't be meant are refused before anything is trained") {
  const Workspace w;
  const auto refused = [&](const std::vector<std::string>& words, const std::string& text,
                           const std::vector<std::string>& training = {}) {
    const Finished f = sweep(w, words, training);
    CAPTURE(f.err);
    CHECK(f.code == 2);
    CHECK(lines_of(f.err).size() == 1);
    CHECK(f.err.find(text) != std::string::npos);
  };
  refused({}, "--grid TEXT is needed");
  refused({"--grid", "learning=1"}, "learning");
  refused({"--grid", "lr=fast"}, "--lr is 'fast'");
  refused({"--grid", "layer=gcn,gnc"}, "did you mean 'gcn'");
  refused({"--grid", "hidden=8,16"}, "in the grid and among the options");
  refused({"--grid", "seed=1,2"}, "--seed among the options");
  refused({"--grid", "lr=1e-3..1"}, "--random N");
  refused({"--grid", "metric=accuracy,roc-auc"}, "must be the same");
  refused({"--grid", "lr=1", "--splits", "5"}, "the graph has 2 splits");
  refused({"--grid", "lr=1", "--splits", "other"}, "there is no split 'other'");
  refused({"--grid", "lr=1", "--splits", "all", "--runs", "2"}, "--runs repeats");
  refused({"--grid", "lr=1", "--jobs", "0"}, "--jobs is 0");
  refused({"--grid", "lr=1", "--train", w.path("none")}, "is not there");
  refused({"--grid", "lr=1"}, "--report among", {"--report", "x.html"});
  CHECK_FALSE(std::filesystem::exists(w.path("sweep")));
  const Finished help = w.run({"laminar-sweep", "--help"});
  CHECK(help.code == 0);
  CHECK(help.out.find("--grid TEXT") != std::string::npos);
  CHECK(w.run({"laminar-sweep", "--version"}).code == 0);
}

}  // namespace laminar::apps::test
