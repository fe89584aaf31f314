#include "laminar/apps/sweep_runs.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>
#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/command_line.hpp"
#include "laminar/apps/curves.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/hash.hpp"
#include "laminar/pipeline/statistics.hpp"

namespace laminar::apps {
namespace {

using nlohmann::ordered_json;

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr std::string_view kFormat = "laminar-sweep-run";

std::string dumped(const ordered_json& j) {
  // Names come from files and may be no valid UTF-8.
  return j.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json options_json(const SweepPoint& point) {
  ordered_json j = ordered_json::object();
  for (const auto& [name, value] : point) j[name] = value;
  return j;
}

double standard_error(const std::vector<double>& values) {
  if (values.size() < 2) return kUndefined;
  return pipeline::spread(values).std / std::sqrt(static_cast<double>(values.size()));
}

std::string with_error(core::Metric metric, double value, double error) {
  const auto number = [&](double x) {
    return core::is_share(metric) ? fmt::format("{:.4f}", x) : fmt::format("{:.5g}", x);
  };
  if (std::isnan(value)) return "-";
  return std::isnan(error) ? number(value) : number(value) + " +- " + number(error);
}

}  // namespace

double SweepResult::number(const std::string& key) const {
  const auto found = values.find(key);
  if (found == values.end()) return kUndefined;
  try {
    return parse_number(found->second);
  } catch (const UsageError&) {
    return kUndefined;
  }
}

SweepFolder::SweepFolder(std::filesystem::path folder, std::string graph)
    : folder_(std::move(folder)), graph_(std::move(graph)) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (!std::filesystem::is_directory(folder_)) {
    throw Error(fmt::format("{}: the folder for results can't be made ({})", folder_.string(),
                            error ? error.message() : "there is a file of that name"));
  }
}

std::string SweepFolder::key(const SweepRun& run) const {
  return fmt::format("graph {}\nsplit {}\nseed {}\n{}", graph_, run.split, run.seed, run.options);
}

std::filesystem::path SweepFolder::stem(const SweepRun& run) const {
  const std::string text = key(run);
  core::Fnv1a hash;
  hash.add(std::as_bytes(std::span(text)));
  return folder_ / fmt::format("{:016x}", hash.value());
}

std::optional<SweepResult> SweepFolder::find(const SweepRun& run) const {
  std::ifstream file(stem(run).string() + ".json");
  if (!file) return std::nullopt;
  const ordered_json j = ordered_json::parse(file, nullptr, false);
  // Another run with the same hash, or a file of something else, is no result of this one.
  if (!j.is_object() || j.value("format", "") != kFormat || j.value("key", "") != key(run)) return std::nullopt;
  SweepResult result;
  try {
    result.done = j.at("status").get<std::string>() == "done";
    j.at("exit_code").get_to(result.exit_code);
    j.at("error").get_to(result.error);
    j.at("wall_s").get_to(result.wall_s);
    for (const auto& [name, value] : j.at("result").items()) result.values[name] = value.get<std::string>();
  } catch (const ordered_json::exception&) {
    return std::nullopt;
  }
  return result;
}

void SweepFolder::store(const SweepRun& run, const SweepResult& result) const {
  ordered_json j = {{"format", kFormat}, {"status", result.done ? "done" : "failed"}};
  j["options"] = options_json(run.point);
  j["split"] = run.split;
  j["seed"] = run.seed;
  j["exit_code"] = result.exit_code;
  j["error"] = result.error;
  j["wall_s"] = result.wall_s;
  j["result"] = ordered_json::object();
  for (const auto& [name, value] : result.values) j["result"][name] = value;
  j["key"] = key(run);
  core::write_file(stem(run).string() + ".json", dumped(j));
}

std::map<std::string, std::string> result_values(const std::string& output) {
  std::map<std::string, std::string> values;
  std::string last;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("RESULT ")) last = line;
  }
  std::istringstream words(last);
  for (std::string word; words >> word;) {
    if (const auto equals = word.find('='); equals != std::string::npos) {
      values[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return values;
}

std::vector<SweepRow> sweep_rows(const std::vector<SweepRun>& runs,
                                 const std::vector<std::optional<SweepResult>>& results, core::Metric metric) {
  struct Values {
    std::vector<double> val, test, epoch_ms;
    std::size_t missing = 0;
  };
  std::vector<SweepRow> rows;
  std::vector<Values> values;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::size_t c = runs[i].configuration;
    if (c >= rows.size()) {
      rows.resize(c + 1);
      values.resize(c + 1);
    }
    rows[c].point = runs[i].point;
    if (!results[i]) {
      ++values[c].missing;
    } else if (!results[i]->done) {
      ++rows[c].failed;
    } else {
      ++rows[c].runs;
      values[c].val.push_back(results[i]->number("val_metric"));
      values[c].test.push_back(results[i]->number("test_metric"));
      values[c].epoch_ms.push_back(results[i]->number("epoch_ms"));
    }
  }
  const auto mean = [](const std::vector<double>& v) { return v.empty() ? kUndefined : pipeline::spread(v).mean; };
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t c = 0; c < rows.size(); ++c) {
    rows[c].val = mean(values[c].val);
    rows[c].test = mean(values[c].test);
    rows[c].val_error = standard_error(values[c].val);
    rows[c].test_error = standard_error(values[c].test);
    rows[c].epoch_ms = values[c].epoch_ms.empty() ? kUndefined : pipeline::median(values[c].epoch_ms);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const bool whole_a = rows[a].failed + values[a].missing == 0;
    const bool whole_b = rows[b].failed + values[b].missing == 0;
    if (whole_a != whole_b) return whole_a;
    if (std::isnan(rows[a].val) || std::isnan(rows[b].val)) return !std::isnan(rows[a].val) && std::isnan(rows[b].val);
    return core::higher_is_better(metric) ? rows[a].val > rows[b].val : rows[a].val < rows[b].val;
  });
  std::vector<SweepRow> sorted;
  for (const std::size_t c : order) sorted.push_back(rows[c]);
  return sorted;
}

std::string sweep_table(const std::vector<SweepRow>& rows, core::Metric metric, std::size_t planned) {
  if (rows.empty()) return {};
  std::vector<std::vector<std::string>> cells{{""}};
  for (const auto& [name, value] : rows.front().point) cells.front().push_back(name);
  for (const char* head : {"runs", "validation", "test", "ms/epoch"}) cells.front().emplace_back(head);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const SweepRow& r = rows[i];
    std::vector<std::string> line{std::to_string(i + 1)};
    for (const auto& [name, value] : r.point) line.push_back(value);
    line.push_back(r.runs == planned ? std::to_string(planned)
                                     : fmt::format("{} of {}{}", r.runs, planned,
                                                   r.failed > 0 ? fmt::format(", {} failed", r.failed) : ""));
    line.push_back(with_error(metric, r.val, r.val_error));
    line.push_back(with_error(metric, r.test, r.test_error));
    line.push_back(std::isnan(r.epoch_ms) ? "-" : fmt::format("{:.3g}", r.epoch_ms));
    cells.push_back(std::move(line));
  }
  std::vector<std::size_t> widths(cells.front().size(), 0);
  for (const auto& line : cells) {
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  }
  std::string text = fmt::format("{}, means +- standard errors, the best on validation first\n", core::name_of(metric));
  for (const auto& line : cells) {
    for (std::size_t c = 0; c < line.size(); ++c)
      text += fmt::format("{}{:>{}}", c == 0 ? "" : "  ", line[c], widths[c]);
    text += "\n";
  }
  return text;
}

std::string sweep_csv(const std::vector<SweepRun>& runs, const std::vector<std::optional<SweepResult>>& results) {
  constexpr std::array kNumbers = {"loss", "train_metric", "val_metric", "test_metric", "best_epoch", "epoch_ms"};
  std::string csv;
  if (runs.empty()) return csv;
  for (const auto& [name, value] : runs.front().point) csv.append(csv_field(name)).append(",");
  csv += "split,seed,status,metric,loss,train_metric,val_metric,test_metric,best_epoch,epoch_ms,wall_s\n";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::optional<SweepResult>& r = results[i];
    for (const auto& [name, value] : runs[i].point) csv.append(csv_field(value)).append(",");
    csv += fmt::format("{},{},{}", csv_field(runs[i].split), runs[i].seed,
                       !r        ? "missing"
                       : r->done ? "done"
                                 : "failed");
    const auto value = [&](const char* key) {
      const auto found = r ? r->values.find(key) : std::map<std::string, std::string>::const_iterator{};
      return r && found != r->values.end() && found->second != "nan" ? found->second : std::string();
    };
    csv.append(",").append(value("metric"));
    for (const char* key : kNumbers) csv.append(",").append(value(key));
    csv += r ? fmt::format(",{:.3f}\n", r->wall_s) : ",\n";
  }
  return csv;
}

std::string sweep_json(const std::vector<SweepRun>& runs, const std::vector<std::optional<SweepResult>>& results,
                       const std::vector<SweepRow>& rows, core::Metric metric, const std::string& graph,
                       const std::vector<std::string>& fixed) {
  ordered_json j = {{"program", "laminar-sweep"}, {"version", LAMINAR_VERSION}, {"graph", graph}};
  j["options_of_all"] = fixed;
  j["metric"] = core::name_of(metric);
  j["configurations"] = ordered_json::array();
  for (const SweepRow& r : rows) {
    j["configurations"].push_back({{"options", options_json(r.point)},
                                   {"runs", r.runs},
                                   {"failed", r.failed},
                                   {"val_metric", {{"mean", r.val}, {"standard_error", r.val_error}}},
                                   {"test_metric", {{"mean", r.test}, {"standard_error", r.test_error}}},
                                   {"epoch_ms", r.epoch_ms}});
  }
  j["runs"] = ordered_json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    ordered_json run = {{"options", options_json(runs[i].point)}, {"split", runs[i].split}, {"seed", runs[i].seed}};
    run["status"] = !results[i] ? "missing" : results[i]->done ? "done" : "failed";
    if (results[i]) {
      run["wall_s"] = results[i]->wall_s;
      if (!results[i]->done) run["error"] = results[i]->error;
      for (const auto& [name, value] : results[i]->values) run["result"][name] = value;
    }
    j["runs"].push_back(std::move(run));
  }
  return dumped(j);
}

}  // namespace laminar::apps
