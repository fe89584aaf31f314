#include "laminar/apps/report.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <unistd.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/apps/report_data.hpp"

using namespace laminar;
using namespace laminar::apps;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

/// What every page must be, whatever is in it.
void check_page(const std::string& page) {
  CHECK(page.size() < 2'000'000);
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(page.ends_with("</html>\n"));
  // Nothing is fetched, and nothing is left unfinished in coordinates.
  for (const char* remote : {"http:", "https:", "src=", "@import", "url(http", "//cdn"}) CHECK(!has(page, remote));
  CHECK(!has(page, "=\"nan"));
  CHECK(!has(page, ",nan"));
  CHECK(!has(page, "nan,"));
  CHECK(!has(page, "inf\""));
  CHECK(!has(page, "NaN %"));
  for (const char* element : {"svg", "figure", "table", "section", "div", "dl", "script", "g", "tbody", "thead"}) {
    const std::string name = element;
    CAPTURE(name);
    CHECK(count(page, "<" + name + ">") + count(page, "<" + name + " ") == count(page, "</" + name + ">"));
  }
}

/// A folder for one test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("laminar-report-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a classification has all sections but the table of runs") {
  const std::string page = report_page(make_report_data({}));
  check_page(page);
  for (const char* id : {"curves", "loss-chart", "metric-chart", "rate-chart", "time-chart", "phases", "memory",
                         "classes", "confusion", "class-table", "mistakes", "configuration", "dataset", "machine"}) {
    CAPTURE(id);
    CHECK(count(page, std::string("id=\"") + id + "\"") == 1);
  }
  CHECK(!has(page, "id=\"runs\""));
  CHECK(!has(page, "id=\"norm-chart\""));
  CHECK(has(page, "debian · residual sage, 3 layers"));
  CHECK(has(page, "test accuracy"));
  CHECK(has(page, "best on validation: epoch"));
  CHECK(has(page, "92,231"));
  CHECK(has(page, "63,465"));
  CHECK(has(page, "38,079"));
  CHECK(has(page, "9e1c83a2b7d40f56"));
  CHECK(has(page, "laminar-train graph.h5 --layer sage"));
  CHECK(has(page, "<dt>warmup-epochs</dt><dd>10</dd>"));
  CHECK(has(page, "oneDNN 2.6.3"));
  CHECK(has(page, "prefers-color-scheme:dark"));
}

TEST_CASE("several runs have a table with mean and standard deviation, and curves laid over each other") {
  ReportData data = make_report_data({.runs = 3, .epochs = 60, .early_stop = true});
  for (std::size_t i = 0; i < 3; ++i) data.results[i].best.test_metric = 0.80 + 0.01 * static_cast<double>(i);
  const std::string page = report_page(data);
  check_page(page);
  CHECK(has(page, "id=\"runs\""));
  CHECK(has(page, "81.00<small> ± 1.00</small>"));
  CHECK(has(page, "mean of 3 runs"));
  CHECK(has(page, "3 runs, split 0, seeds 1 to 3"));
  CHECK(count(page, "early stop") == 3);
  CHECK(has(page, "line val faint"));
  CHECK(has(page, "Bold: mean of the 3 runs"));
  CHECK(has(page, "3 runs together"));
}

TEST_CASE("several devices are drawn, with their times, traffic, memory and staleness") {
  ReportShape shape = {.epochs = 30, .eval_every = 3};
  shape.topology = {2, 1, 8};
  const std::string page = report_page(make_report_data(shape));
  check_page(page);
  for (const char* id : {"devices", "pipeline", "device-times", "traffic", "device-memory", "staleness-chart"}) {
    CAPTURE(id);
    CHECK(count(page, std::string("id=\"") + id + "\"") == 1);
  }
  CHECK(has(page, "Devices: 2 stages x 1 part, 8 chunks"));
  // A step each way of each chunk on each device.
  CHECK(count(page, "<rect class=\"f\"") == 16);
  CHECK(count(page, "<rect class=\"b\"") == 16);
  // The second stage waits for its first chunk, the first one for its first gradient.
  CHECK(count(page, "<rect class=\"w\"") == 2);
  CHECK(has(page, "forward, chunk 3, layer 1: busy 1.90 ms, sending 100 µs"));
  CHECK(has(page, "device 1: stage 1"));
  CHECK(has(page, "(S - 1) / (K + S - 1) = 11.1 %"));
  CHECK(has(page, "<td class=\"num\">31.0 ms</td><td class=\"num\">4.00 ms</td>"));
  CHECK(has(page, "<td>stage forward</td><td class=\"num\">1,234,567</td>"));
  CHECK(has(page, "<td>evaluation</td><td class=\"num\">777,777</td>"));
  CHECK(has(page, "<td class=\"num\">2,469,134</td>"));
  CHECK(has(page, "<td class=\"num\">8.58 MiB</td>"));
  CHECK(has(page, "layer 2"));
  CHECK(has(page, "part 0 is heavier than &lt;asked&gt;"));
  CHECK(has(page, "; of the largest device"));

  // Many steps do not make the page large.
  shape.topology = {4, 2, 2000};
  shape.runs = 2;
  const std::string large = report_page(make_report_data(shape));
  check_page(large);
  CHECK(count(large, "<rect class=\"f\"") <= 6000);
  CHECK(has(large, "device 7: stage 3, part 1"));
}

TEST_CASE("what doesn't apply is left out") {
  CHECK(!has(report_page(make_report_data({})), "id=\"devices\""));
  const std::string regression = report_page(make_report_data({.task = core::Task::kRegression, .classes = 1}));
  check_page(regression);
  CHECK(!has(regression, "id=\"classes\""));
  CHECK(has(regression, "test MSE"));
  const std::string labels =
      report_page(make_report_data({.task = core::Task::kMultiLabel, .classes = 5, .epochs = 9}));
  check_page(labels);
  CHECK(!has(labels, "id=\"confusion\""));
  CHECK(has(labels, "test ROC AUC"));
  const std::string clipped = report_page(make_report_data({.classes = 2, .clipped = true}));
  check_page(clipped);
  CHECK(has(clipped, "id=\"norm-chart\""));
  CHECK(!has(clipped, "id=\"mistakes\""));

  ReportData bare = make_report_data({.epochs = 5});
  bare.command.clear();
  bare.configuration.clear();
  bare.provenance.clear();
  bare.machine = {};
  bare.peak_rss_bytes = 0;
  const std::string page = report_page(bare);
  check_page(page);
  CHECK(!has(page, "<pre>"));
  CHECK(!has(page, "processor"));
  CHECK(!has(page, "whole process"));
}

TEST_CASE("runs of one epoch, without evaluations, with numbers that are not finite, or without epochs") {
  check_page(report_page(make_report_data({.epochs = 1})));

  ReportData blind = make_report_data({.epochs = 4});
  for (auto& e : blind.results[0].epochs) e.evaluated = false;
  blind.results[0].best_epoch = 0;
  blind.results[0].best = {kNan, kNan, kNan, kNan};
  blind.results[0].confusion.clear();
  std::string page = report_page(blind);
  check_page(page);
  CHECK(!has(page, "id=\"metric-chart\""));
  CHECK(has(page, "<b>–</b>"));

  ReportData broken = make_report_data({.runs = 2, .epochs = 30});
  for (auto& r : broken.results) {
    for (std::size_t i = 5; i < 20; ++i) {
      r.epochs[i].loss = i % 2 == 0 ? kNan : kInfinity;
      r.epochs[i].evaluation.val_loss = kNan;
      r.epochs[i].forward_ms = kNan;
      r.epochs[i].epoch_ms = kInfinity;
      r.epochs[i].learning_rate = 0;
    }
    r.loss = kNan;
    r.epoch_ms = kNan;
  }
  check_page(report_page(broken));

  ReportData none = make_report_data({.epochs = 3});
  none.results[0].epochs.clear();
  page = report_page(none);
  check_page(page);
  CHECK(!has(page, "id=\"loss-chart\""));
  CHECK(!has(page, "id=\"phases\""));
}

TEST_CASE("long trainings and many classes stay small") {
  check_page(report_page(make_report_data({.runs = 20, .epochs = 5000, .clipped = true})));
  const std::string sixty = report_page(make_report_data({.classes = 60, .epochs = 10}));
  check_page(sixty);
  CHECK(has(sixty, "The 20 most frequent mistakes"));
  const std::string thousand = report_page(make_report_data({.classes = 1200, .epochs = 10}));
  check_page(thousand);
  CHECK(has(thousand, "The 80 largest of 1200 classes"));
  CHECK(has(thousand, "The 1000 largest of 1200 classes"));
}

TEST_CASE("per-class numbers are those of the matrix") {
  ReportData data = make_report_data({.classes = 3, .epochs = 2});
  data.schema.output_names = {"red", "green", "blue"};
  data.results[0].confusion = {8, 2, 0, 1, 3, 0, 0, 0, 0};
  const std::string page = report_page(data);
  CHECK(has(page,
            "red</td><td class=\"num\">10</td><td class=\"num\">88.9 %</td><td class=\"num\">80.0 %</td><td "
            "class=\"num\">84.2 %</td>"));
  CHECK(has(page,
            "green</td><td class=\"num\">4</td><td class=\"num\">60.0 %</td><td class=\"num\">75.0 %</td><td "
            "class=\"num\">66.7 %</td>"));
  // Neither in the test set nor predicted.
  CHECK(has(page,
            "blue</td><td class=\"num\">0</td><td class=\"num\">–</td><td class=\"num\">–</td><td "
            "class=\"num\">–</td>"));
  // Means over the classes that occur.
  CHECK(has(page,
            "mean of classes</td><td class=\"num\">14</td><td class=\"num\">74.4 %</td><td class=\"num\">77.5 "
            "%</td><td class=\"num\">75.4 %</td>"));
  CHECK(has(page,
            "<td class=\"name\">red</td><td class=\"name\">green</td><td class=\"num\">2</td><td class=\"num\">20.0 "
            "%</td><td class=\"num\">66.7 %</td>"));

  data.results.push_back(data.results[0]);
  CHECK(has(report_page(data), "red</td><td class=\"num\">20</td><td class=\"num\">88.9 %</td>"));
}

TEST_CASE("names from files can't break out of the page") {
  const std::string evil = "</script><script>alert('x\")</script>&<b>";
  ReportData data = make_report_data({.classes = 4, .runs = 2, .epochs = 3});
  data.schema.name = evil;
  data.schema.output_names = {evil, "\xff\xfe", std::string("a\0b", 3), "naïve – ok"};
  data.command = evil;
  data.configuration = {{evil, evil}};
  data.dataset_file = data.provenance = data.fingerprint = evil;
  data.splits[0].name = data.results[0].split = data.results[1].split = evil;
  data.machine.cpu_model = data.machine.os = data.machine.compiler = data.machine.version = evil;
  data.model.layer = evil;
  const std::string page = report_page(data);
  check_page(page);
  CHECK(!has(page, "<script>alert"));
  CHECK(!has(page, "<b>&"));
  CHECK(!has(page, "\xff"));
  CHECK(!has(page, std::string_view("\0", 1)));
  CHECK(has(page, "&lt;/script&gt;"));
  CHECK(has(page, "naïve – ok"));
  // JSON for the script, too.
  CHECK(has(page, "\\u003c/script>"));
}

TEST_CASE("a page needs runs, and matrices that fit the classes") {
  ReportData data = make_report_data({.epochs = 2});
  data.results[0].confusion.pop_back();
  CHECK_THROWS_WITH_AS(report_page(data), doctest::Contains("48 counts, expected 7 x 7"), Error);
  data.results.clear();
  CHECK_THROWS_AS(report_page(data), Error);
}

TEST_CASE("a report is written whole, or what was there stays") {
  const Folder folder;
  const auto path = folder.path() / "run.html";
  ReportData data = make_report_data({.epochs = 3});
  { std::ofstream(path) << "before"; }
  write_report(path, data);
  CHECK(content(path) == report_page(data));
  data.results.clear();
  CHECK_THROWS_AS(write_report(path, data), Error);
  CHECK(has(content(path), "</html>"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);

  data = make_report_data({.epochs = 3});
  CHECK_THROWS_AS(write_report(folder.path(), data), Error);
  CHECK_THROWS_WITH_AS(write_report(folder.path() / "no" / "where.html", data), doctest::Contains("where.html"), Error);
}

TEST_CASE("this machine is described") {
  const Machine m = this_machine(1);
  CHECK(m.threads == 1);
  CHECK(m.cores >= 1);
  CHECK(m.memory_bytes > 0);
  CHECK(!m.version.empty());
  CHECK(!m.gemm_library.empty());
  CHECK(!m.os.empty());
  CHECK(!m.compiler.empty());
  CHECK(m.time_utc.ends_with(" UTC"));
  CHECK(m.time_utc.size() == std::string_view("2031-05-04 17:20:05 UTC").size());
  CHECK(this_machine(0).threads >= 1);
  CHECK(peak_rss_bytes() > 1'000'000);
  CHECK_THROWS_AS(this_machine(-1), UsageError);
}
