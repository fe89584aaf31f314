#include "laminar/apps/parallel_bench_page.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "laminar/apps/auto_topology.hpp"
#include "laminar/apps/html.hpp"
#include "laminar/apps/partition_charts.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/apps/report_style.hpp"
#include "laminar/apps/svg_chart.hpp"

namespace laminar::apps {
namespace {

using pipeline::Cause;

// Colours of the style sheet.
constexpr std::array<std::pair<Cause, const char*>, 6> kCauses = {{{Cause::kStageForward, "layer1"},
                                                                   {Cause::kStageBackward, "layer2"},
                                                                   {Cause::kHaloForward, "layer7"},
                                                                   {Cause::kHaloBackward, "layer6"},
                                                                   {Cause::kWeights, "layer4"},
                                                                   {Cause::kFraming, "train"}}};

std::string title_of(const ModeRun& r) { return fmt::format("{}: {}", r.name, topology_text(r.topology)); }

/// A bar of pieces, one below the other a mode.
struct StackedBar {
  std::string name;
  std::vector<double> pieces;
  std::string total;
};

std::string bars(const std::string& title, const std::string& note,
                 const std::vector<std::pair<std::string, std::string>>& kinds, const std::vector<StackedBar>& rows) {
  if (rows.empty()) return {};
  constexpr double kWidth = 640;
  constexpr double kLeft = 190;
  constexpr double kRight = 545;
  constexpr double kRow = 30;
  double largest = 0;
  for (const StackedBar& row : rows) {
    double sum = 0;
    for (const double piece : row.pieces) sum += piece;
    largest = std::max(largest, sum);
  }
  std::string html = fmt::format("<figure class=\"card\"><figcaption><h3>{}</h3><ul class=\"legend\">", escape(title));
  for (const auto& [kind, color] : kinds) {
    html += fmt::format("<li><i class=\"block {}\"></i>{}</li>", color, escape(kind));
  }
  html += fmt::format(
      "</ul></figcaption><svg class=\"balance\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">", kWidth,
      kRow * static_cast<double>(rows.size()) + 8, escape(title));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double y = kRow * static_cast<double>(i) + 6;
    html += fmt::format("<text class=\"name\" x=\"{:.0f}\" y=\"{:.1f}\">{}</text>", kLeft - 8, y + 15,
                        escape(rows[i].name));
    double x = kLeft;
    for (std::size_t k = 0; k < rows[i].pieces.size(); ++k) {
      const double width = largest > 0 ? (kRight - kLeft) * rows[i].pieces[k] / largest : 0;
      if (width <= 0) continue;
      html += fmt::format(
          "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"20\"><title>{}</title></rect>",
          kinds[k].second, x, y, std::max(width, 0.5), escape(kinds[k].first));
      x += width;
    }
    html += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", x + 6, y + 15, escape(rows[i].total));
  }
  return html + fmt::format("</svg><p class=\"note\">{}</p></figure>", escape(note));
}

std::string time_bars(const ParallelBench& b) {
  std::vector<StackedBar> rows;
  for (const ModeRun& r : b.modes) {
    if (!r.failure.empty()) continue;
    StackedBar bar{title_of(r), {r.epoch_ms, 0, 0}, format_ms(r.epoch_ms)};
    if (!r.devices.empty()) {
      const auto count = static_cast<double>(r.devices.size());
      bar.pieces = {0, 0, 0};
      for (const pipeline::DeviceTimes& d : r.devices) {
        bar.pieces[0] += d.busy_ms / count;
        bar.pieces[1] += d.send_ms / count;
      }
      bar.pieces[2] = std::max(0.0, r.epoch_ms - bar.pieces[0] - bar.pieces[1]);
    }
    rows.push_back(std::move(bar));
  }
  return bars("An epoch",
              "The median epoch, and what a device does in it on average. Busy is wall-clock time: devices "
              "that share cores are slowed by each other.",
              {{"busy", "busy"}, {"sending", "send"}, {"waiting", "wait"}}, rows);
}

std::string byte_bars(const ParallelBench& b) {
  std::vector<std::pair<std::string, std::string>> kinds;
  for (const auto& [cause, color] : kCauses) {
    std::string name(name_of(cause));
    std::replace(name.begin(), name.end(), '_', ' ');
    kinds.emplace_back(std::move(name), color);
  }
  std::vector<StackedBar> rows;
  for (const ModeRun& r : b.modes) {
    if (!r.failure.empty() || r.topology.devices() == 1) continue;
    StackedBar bar{title_of(r), {}, format_bytes(r.bytes())};
    for (const auto& [cause, color] : kCauses) bar.pieces.push_back(static_cast<double>(r.traffic[cause]));
    rows.push_back(std::move(bar));
  }
  return bars("Sent in an epoch", "All devices together, counted at the sender; evaluation is not in it.", kinds, rows);
}

std::string curves(const ParallelBench& b) {
  LineChart chart;
  chart.frame = {.id = "validation",
                 .title = fmt::format("Validation {}", readable_name(b.metric)),
                 .note = b.target ? fmt::format("The target is {}.", format_metric(b.metric, *b.target)) : "",
                 .first_epoch = 1,
                 .last_epoch = static_cast<double>(std::max<core::Index>(b.epochs, 1))};
  chart.shares = is_share(b.metric);
  ScatterChart time = {.id = "seconds",
                       .title = "Seconds to the target",
                       .note = "Epochs and evaluations, against the bytes of an epoch.",
                       .x_title = "MB an epoch",
                       .y_title = "seconds",
                       .logarithmic_x = false,
                       .dots = {}};
  for (std::size_t i = 0; i < b.modes.size(); ++i) {
    const ModeRun& r = b.modes[i];
    Series series{.name = title_of(r), .color = fmt::format("layer{}", (3 * i + 1) % 8), .faint = false, .points = {}};
    for (const pipeline::EpochRecord& e : r.result.epochs) {
      if (e.evaluated) series.points.push_back({static_cast<double>(e.epoch), e.evaluation.val_metric});
    }
    chart.series.push_back(std::move(series));
    time.dots.push_back({title_of(r), static_cast<double>(r.bytes()) / 1e6, r.target_s, i});
  }
  return line_chart(chart) + (b.target ? scatter_chart(time) : "");
}

std::string table(const ParallelBench& b) {
  std::string html =
      "<div class=\"card scroll\"><table class=\"sortable\"><thead><tr><th>mode</th><th>topology</th><th "
      "class=\"num\">epoch</th><th class=\"num\">80 % within</th><th class=\"num\">predicted</th><th "
      "class=\"num\">sent an epoch</th><th class=\"num\">by the formula</th><th class=\"num\">busy</th><th "
      "class=\"num\">evaluation</th><th class=\"num\">validation</th><th class=\"num\">test</th>";
  if (b.target) html += "<th class=\"num\">to the target</th>";
  html += "</tr></thead><tbody>";
  for (const ModeRun& r : b.modes) {
    html += fmt::format("<tr><td>{}</td><td>{}</td>", escape(r.name), topology_text(r.topology));
    if (!r.failure.empty()) {
      html += fmt::format("<td colspan=\"{}\">failed: {}</td></tr>", b.target ? 10 : 9, escape(r.failure));
      continue;
    }
    const auto cell = [&](const std::string& text) { html += fmt::format("<td class=\"num\">{}</td>", text); };
    cell(format_ms(r.epoch_ms));
    cell(format_ms(r.low_ms) + " - " + format_ms(r.high_ms));
    cell(format_ms(r.predicted.epoch_ms));
    cell(format_count(static_cast<std::int64_t>(r.bytes())));
    cell(format_count(static_cast<std::int64_t>(r.predicted.bytes())));
    cell(format_percent(r.busy_share, 0));
    cell(format_ms(r.evaluation_ms));
    cell(format_metric(r.result.metric, r.result.best.val_metric));
    cell(format_metric(r.result.metric, r.result.best.test_metric));
    if (b.target) {
      cell(std::isfinite(r.target_s) ? fmt::format("{} (epoch {})", format_ms(1e3 * r.target_s), r.target_epoch)
                                     : "never");
    }
    html += "</tr>";
  }
  return html +
         "</tbody></table><p class=\"note\">Bytes are counted at the sender, by the ledger; the formula's are "
         "those that the topology, the cut and the widths of the net predict.</p></div>\n";
}

std::string head(const ParallelBench& b) {
  const std::string link =
      b.link.mbps > 0 ? fmt::format("behind links of {:.0f} Mbit/s and {:.0f} µs", b.link.mbps, b.link.latency_us)
                      : std::string("joined by memory");
  return fmt::format(
      "<header><div class=\"what\"><h1>{} layers of {} on {}</h1><p>{} vertices, {} edges; {} devices {}, on {:.0f} "
      "cores; {} epochs{}</p></div></header>\n",
      b.model.layers, escape(b.model.layer), escape(b.schema.name), format_count(b.schema.num_vertices),
      format_count(b.schema.num_edges), b.devices, link, b.cores, b.epochs,
      b.machine.time_utc.empty() ? "" : " · " + escape(b.machine.time_utc));
}

std::string environment(const ParallelBench& b) {
  std::string html = fmt::format(
      "<h2>How it was made</h2><div class=\"card command\"><pre>{}</pre></div>"
      "<div class=\"card\"><dl class=\"facts\">",
      escape(b.command));
  const auto fact = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
  };
  fact("graph file", b.graph_file);
  fact("processor", b.machine.cpu_model);
  fact("system", b.machine.os);
  fact("compiler", b.machine.compiler);
  for (const auto& [name, value] : b.configuration) fact(name, value);
  return html + "</dl></div>\n";
}

}  // namespace

std::string parallel_bench_page(const ParallelBench& b) {
  std::string page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  // The policy makes it impossible for the page to fetch anything, whatever stands in it.
  page +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n";
  page += fmt::format("<title>Modes on {}</title>\n<style>{}{}</style>\n</head>\n<body>\n<main>\n",
                      escape(b.schema.name), report_style(), partition_style());
  page += head(b) + "<h2>Modes</h2>\n" + table(b);
  page += "<div class=\"charts below\">" + time_bars(b) + byte_bars(b) + curves(b) + "</div>\n";
  std::string notes;
  for (const ModeRun& r : b.modes) {
    if (!r.note.empty()) notes += fmt::format("<p class=\"note\">{}: {}</p>", escape(r.name), escape(r.note));
  }
  page += notes + environment(b);
  page += fmt::format("<footer>Written by Laminar{}{}.</footer>\n</main>\n<script>{}</script>\n</body>\n</html>\n",
                      b.machine.version.empty() ? "" : " ", escape(b.machine.version), report_script());
  return page;
}

}  // namespace laminar::apps
