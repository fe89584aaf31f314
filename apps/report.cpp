#include "laminar/apps/report.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "laminar/apps/html.hpp"
#include "laminar/apps/report_sections.hpp"
#include "laminar/apps/report_style.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/pipeline/experiment.hpp"

namespace laminar::apps {
namespace {

using pipeline::TrainResult;

std::string net_of(const ReportData& data) {
  return fmt::format("{}, {} {}", model_name(data), data.model.layers, data.model.layers == 1 ? "layer" : "layers");
}

/// "split 0, seeds 1 to 10" or "10 splits, seeds 1 to 10".
std::string runs_of(const ReportData& data) {
  const TrainResult& first = data.results.front();
  const TrainResult& last = data.results.back();
  const bool one_split = std::all_of(data.results.begin(), data.results.end(),
                                     [&](const TrainResult& r) { return r.split == first.split; });
  if (data.results.size() == 1) return fmt::format("split {}, seed {}", first.split, first.seed);
  const std::string splits =
      one_split ? fmt::format("split {}", first.split) : fmt::format("{} splits", data.splits.size());
  return fmt::format("{} runs, {}, seeds {} to {}", data.results.size(), splits, first.seed, last.seed);
}

/// The number, its unit smaller.
std::string hero_number(const ReportData& data, const pipeline::Spread& test) {
  const core::Metric metric = data.results[0].metric;
  if (!std::isfinite(test.mean)) return "–";
  const bool share = is_share(metric);
  std::string text = share ? fmt::format("{:.2f}", test.mean * 100) : format_number(test.mean);
  if (data.results.size() > 1) {
    text +=
        fmt::format("<small> ± {}</small>", share ? fmt::format("{:.2f}", test.std * 100) : format_number(test.std, 2));
  }
  return share ? text + "<small> %</small>" : text;
}

std::string head(const ReportData& data, const pipeline::Summary& summary) {
  const std::string metric(readable_name(summary.metric));
  const std::size_t runs = data.results.size();
  return fmt::format(
      "<header><div class=\"what\"><h1>{} · {}</h1><p>{}{}{}</p></div><div class=\"hero\"><b>{}</b><span>test "
      "{}{}</span>"
      "</div></header>\n",
      escape(data.schema.name), escape(net_of(data)), escape(runs_of(data)), data.machine.time_utc.empty() ? "" : " · ",
      escape(data.machine.time_utc), hero_number(data, summary.test_metric), metric,
      runs > 1 ? fmt::format(", mean of {} runs", runs) : std::string());
}

std::string tile(std::string_view name, std::string_view value, std::string_view more) {
  return fmt::format("<div class=\"tile\"><dt>{}</dt><dd>{}</dd><dd>{}</dd></div>", escape(name), escape(value),
                     escape(more));
}

std::string best_epoch_tile(const ReportData& data) {
  core::Index first = data.results[0].best_epoch;
  core::Index last = first;
  double sum = 0;
  core::Index done = 0;
  bool all_alike = true;
  for (const TrainResult& r : data.results) {
    first = std::min(first, r.best_epoch);
    last = std::max(last, r.best_epoch);
    sum += static_cast<double>(r.best_epoch);
    if (!r.epochs.empty()) done = std::max(done, r.epochs.back().epoch);
    all_alike = all_alike && r.ending == data.results[0].ending;
  }
  if (data.results.size() > 1) {
    return tile("best epoch", format_count(std::llround(sum / static_cast<double>(data.results.size()))),
                fmt::format("{} to {}, of at most {}", format_count(first), format_count(last), format_count(done)));
  }
  std::string ended = data.results[0].ending == pipeline::Ending::kAllEpochs
                          ? std::string()
                          : fmt::format(" ({})", readable_name(data.results[0].ending));
  return tile("best epoch", first > 0 ? format_count(first) : std::string("–"),
              fmt::format("of {}{}", format_count(done), ended));
}

std::string tiles(const ReportData& data, const pipeline::Summary& s) {
  const bool several = data.results.size() > 1;
  const auto spread_of = [&](const pipeline::Spread& x) {
    return several && std::isfinite(x.std) ? "± " + format_metric(s.metric, x.std) : std::string("at the best epoch");
  };
  double training_ms = 0;
  double evaluation_ms = 0;
  for (const TrainResult& r : data.results) {
    for (const pipeline::EpochRecord& e : r.epochs) {
      if (std::isfinite(e.epoch_ms)) training_ms += e.epoch_ms;
      if (std::isfinite(e.evaluation_ms)) evaluation_ms += e.evaluation_ms;
    }
  }
  const std::uint64_t held = peak_bytes(data);
  const std::string held_text = held > 0 ? format_bytes(held) : std::string();
  std::string html = "<dl class=\"tiles\">";
  html += tile(fmt::format("validation {}", readable_name(s.metric)), format_metric(s.metric, s.val_metric.mean),
               spread_of(s.val_metric));
  html += tile(fmt::format("train {}", readable_name(s.metric)), format_metric(s.metric, s.train_metric.mean),
               spread_of(s.train_metric));
  html += best_epoch_tile(data);
  html +=
      tile("time per epoch", format_ms(s.epoch_ms),
           fmt::format("median; {} in all, and {} of evaluation", format_ms(training_ms), format_ms(evaluation_ms)));
  html += data.peak_rss_bytes > 0 ? tile("peak memory", format_bytes(data.peak_rss_bytes),
                                         held_text.empty() ? "whole process" : held_text + " of it graph and tensors")
                                  : tile("peak memory", held_text.empty() ? "–" : held_text, "graph and tensors");
  html += tile("parameters", format_count(data.num_weights), fmt::format("learnt, {}", name_of(data.model.precision)));
  if (s.bytes_per_epoch > 0) {
    html += tile("traffic per epoch", format_bytes(static_cast<std::uint64_t>(s.bytes_per_epoch)), "between devices");
  }
  return html + "</dl>\n";
}

}  // namespace

std::string report_page(const ReportData& data) {
  if (data.results.empty()) throw Error("[report] there are no runs to report on");
  const pipeline::Summary summary = pipeline::summarize(data.results);
  const std::string title =
      fmt::format("{} · {}: test {} {}", data.schema.name, net_of(data), readable_name(summary.metric),
                  format_metric(summary.metric, summary.test_metric.mean));
  std::string page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  // The policy makes it impossible for the page to fetch anything, whatever stands in it.
  page +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src "
      "'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n";
  page += fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n", escape(title), report_style());
  page += head(data, summary) + tiles(data, summary) + curves_section(data) + devices_section(data) +
          pairs_section(data) + runs_section(data) + classes_section(data) + labels_section(data) +
          configuration_section(data) + environment_section(data);
  page += fmt::format("<footer>Written by Laminar{}{}.</footer>\n</main>\n<script>{}</script>\n</body>\n</html>\n",
                      data.machine.version.empty() ? "" : " ", escape(data.machine.version), report_script());
  return page;
}

void write_report(const std::filesystem::path& path, const ReportData& data) {
  core::write_file(path, report_page(data));
}

}  // namespace laminar::apps
