#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "laminar/apps/axis.hpp"
#include "laminar/apps/device_figures.hpp"
#include "laminar/apps/html.hpp"
#include "laminar/apps/report_sections.hpp"
#include "laminar/apps/svg_chart.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using pipeline::StepSpan;
using pipeline::TrainResult;

// The drawing, in units of its view box: as wide as the page.
constexpr double kWidth = 1300;
constexpr double kLeft = 170;
constexpr double kRight = kWidth - 12;
constexpr double kTop = 6;
constexpr double kRow = 30;
constexpr double kBar = 22;
/// Steps drawn in all; beyond that the short ones between others are left out.
constexpr std::size_t kMostSteps = 6000;
/// Colours of the style sheet for layers.
constexpr std::size_t kLayerColors = 8;

using Out = std::back_insert_iterator<std::string>;

/// Neighbouring chunks get hues far apart: steps of the golden angle.
int hue_of(Index chunk) { return static_cast<int>(std::fmod(static_cast<double>(chunk) * 137.508, 360)); }

std::string layers_of(const pipeline::Step& step) {
  const Index last = step.layer_end - 1;
  return step.layer_begin == last ? fmt::format("layer {}", last)
                                  : fmt::format("layers {} to {}", step.layer_begin, last);
}

std::string rect(std::string_view css, double x, double width, double y, std::string_view rest) {
  return fmt::format("<rect class=\"{}\" x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.0f}\"{}", css, x, y,
                     std::max(width, 0.05), kBar, rest);
}

std::string steps_of(const std::vector<StepSpan>& device, double y, double units_per_ms, double least) {
  std::string svg;
  double drawn_to = -1;
  for (const StepSpan& s : device) {
    const double x = kLeft + s.begin_ms * units_per_ms;
    const double end = kLeft + s.end_ms * units_per_ms;
    if (end - drawn_to < least) continue;
    drawn_to = end;
    const double length_ms = s.end_ms - s.begin_ms;
    const double wait = std::min(s.wait_ms, length_ms) * units_per_ms;
    const double send = std::min(s.send_ms * units_per_ms, end - x - wait);
    svg += rect(is_forward(s.step) ? "f" : "b", x + wait, end - x - wait - send, y,
                fmt::format(" style=\"--h:{}\"><title>{}, chunk {}, {}: busy {}", hue_of(s.step.chunk),
                            name_of(s.step.kind), s.step.chunk, layers_of(s.step), format_ms(busy_ms(s))));
    if (s.wait_ms > 0) svg += ", waiting " + format_ms(s.wait_ms);
    if (s.send_ms > 0) svg += ", sending " + format_ms(s.send_ms);
    svg += "</title></rect>";
    if (wait >= 0.1) {
      svg += rect("w", x, wait, y, fmt::format("><title>waiting {}</title></rect>", format_ms(s.wait_ms)));
    }
    if (send >= 0.1) svg += rect("s", end - send, send, y, "/>");
  }
  return svg;
}

/// Devices as rows, time from left to right.
std::string drawing(const TrainResult& r) {
  std::size_t steps = 0;
  double end_ms = 0;
  for (const auto& device : r.spans) {
    steps += device.size();
    for (const StepSpan& s : device) end_ms = std::max(end_ms, s.end_ms);
  }
  if (steps == 0 || end_ms <= 0) return {};
  const auto rows = static_cast<double>(r.spans.size());
  const double bottom = kTop + rows * kRow;
  const double units_per_ms = (kRight - kLeft) / end_ms;
  const double least = steps <= kMostSteps ? 0 : rows * (kRight - kLeft) / static_cast<double>(kMostSteps);
  std::string svg = fmt::format(
      "<svg class=\"steps\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"Steps of the devices over "
      "time\"><defs><pattern id=\"waiting\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><rect width=\"5\" height=\"5\" class=\"ground\"/><rect width=\"1.6\" "
      "height=\"5\" class=\"stripe\"/></pattern></defs><g class=\"grid\">",
      kWidth, bottom + 36);
  Out out(svg);
  for (const Tick& t : linear_axis(0, end_ms, 10).ticks) {
    const double x = kLeft + t.value * units_per_ms;
    if (x > kRight + 0.5) continue;
    fmt::format_to(out, "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.0f}\" y2=\"{2:.0f}\"/>", x, kTop, bottom + 3);
    fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{:.0f}\" class=\"x\">{}</text>", x, bottom + 16, t.label);
  }
  fmt::format_to(out, "<text x=\"{:.0f}\" y=\"{:.0f}\" class=\"x\">ms from the beginning of the epoch</text></g>",
                 (kLeft + kRight) / 2, bottom + 32);
  for (std::size_t d = 0; d < r.spans.size(); ++d) {
    const double y = kTop + static_cast<double>(d) * kRow + (kRow - kBar) / 2;
    fmt::format_to(out, "<text x=\"0\" y=\"{:.1f}\">{}</text>", y + kBar / 2 + 4, device_name(r.topology, d));
    svg += steps_of(r.spans[d], y, units_per_ms, least);
  }
  std::string note =
      fmt::format("Epoch {}, the last{}: {} of steps. Devices neither compute nor send in {} of that time",
                  r.epochs.empty() ? 0 : r.epochs.back().epoch, least > 0 ? ", thinned out" : "",
                  format_ms(epoch_ms_of(r.spans)), format_percent(idle_share(r.spans), 1));
  if (r.topology.stages > 1 && !r.epochs.empty() && !r.epochs.back().staleness.empty()) {
    note += fmt::format("; in a pipeline of equal steps that is (S - 1) / (K + S - 1) = {}",
                        format_percent(ideal_bubble(r.topology), 1));
  }
  note += ". Waiting is drawn at the beginning of a step and sending at its end. Each chunk has its colour.";
  return fmt::format(
      "<figure class=\"card whole\" id=\"pipeline\"><figcaption><h3>Steps of the devices</h3><ul class=\"legend\">"
      "<li><i class=\"block key-f\"></i>forward</li><li><i class=\"block key-b\"></i>backward</li><li><i class=\"block "
      "key-w\"></i>waiting</li><li><i class=\"block key-s\"></i>sending</li></ul></figcaption><div "
      "class=\"plot\">{}</svg></div><p class=\"note\">{}</p></figure>\n",
      svg, escape(note));
}

std::vector<pipeline::EpochRecord> all_epochs(const ReportData& data) {
  std::vector<pipeline::EpochRecord> epochs;
  for (const TrainResult& r : data.results) epochs.insert(epochs.end(), r.epochs.begin(), r.epochs.end());
  return epochs;
}

std::string times_card(const pipeline::Topology& topology, const std::vector<pipeline::EpochRecord>& epochs) {
  const std::vector<pipeline::DeviceTimes> times = typical_times(epochs);
  if (times.empty()) return {};
  double longest = 0;
  for (const auto& t : times) longest = std::max(longest, t.busy_ms + t.wait_ms + t.send_ms);
  std::string rows;
  for (std::size_t d = 0; d < times.size(); ++d) {
    const pipeline::DeviceTimes& t = times[d];
    const double all = t.busy_ms + t.wait_ms + t.send_ms;
    const auto piece = [&](const char* color, double ms) {
      return fmt::format("<i class=\"of {}\" style=\"width:{:.1f}%\"></i>", color,
                         longest > 0 ? 100 * ms / longest : 0);
    };
    rows += fmt::format(
        "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td><td class=\"meter pieces\">{}{}{}</td></tr>",
        device_name(topology, d), format_ms(t.busy_ms), format_ms(t.wait_ms), format_ms(t.send_ms),
        format_percent(all > 0 ? t.busy_ms / all : 0, 1), piece("busy", t.busy_ms), piece("wait", t.wait_ms),
        piece("send", t.send_ms));
  }
  return fmt::format(
      "<div class=\"card\" id=\"device-times\"><figcaption><h3>Time by device</h3><ul class=\"legend\"><li><i "
      "class=\"block busy\"></i>busy</li><li><i class=\"block wait\"></i>waiting</li><li><i class=\"block "
      "send\"></i>sending</li></ul></figcaption><div class=\"scroll\"><table><thead><tr><th></th><th "
      "class=\"num\">busy</th><th class=\"num\">waiting</th><th class=\"num\">sending</th><th "
      "class=\"num\">share</th><th></th></tr></thead><tbody>{}</tbody></table></div><p class=\"note\">Medians of an "
      "epoch, without evaluation.</p></div>\n",
      rows);
}

std::string traffic_card(const std::vector<pipeline::EpochRecord>& epochs) {
  const pipeline::Ledger sent = typical_traffic(epochs);
  const std::uint64_t most = *std::max_element(sent.bytes.begin(), sent.bytes.end());
  if (most == 0) return {};
  std::string rows;
  for (std::size_t c = 0; c < pipeline::kNumCauses; ++c) {
    if (sent.bytes[c] == 0) continue;
    std::string name(name_of(static_cast<pipeline::Cause>(c)));
    std::replace(name.begin(), name.end(), '_', ' ');
    rows += fmt::format(
        "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"meter\"><i "
        "style=\"width:{:.1f}%\"></i></td></tr>",
        name, format_count(static_cast<std::int64_t>(sent.bytes[c])), format_bytes(sent.bytes[c]),
        100 * static_cast<double>(sent.bytes[c]) / static_cast<double>(most));
  }
  return fmt::format(
      "<div class=\"card\" id=\"traffic\"><figcaption><h3>Traffic by cause</h3></figcaption><table><thead><tr><th>cause"
      "</th><th class=\"num\">bytes</th><th class=\"num\"></th><th></th></tr></thead><tbody>{}</tbody><tfoot><tr><td>"
      "without evaluation and other</td><td class=\"num\">{}</td><td "
      "class=\"num\">{}</td><td></td></tr></tfoot></table>"
      "<p class=\"note\">Medians of an epoch; of evaluation, when there is one. Counted once, at the "
      "sender.</p></div>\n",
      rows, format_count(static_cast<std::int64_t>(sent.training_bytes())), format_bytes(sent.training_bytes()));
}

/// A row a purpose, a column a device.
std::string device_memory_card(const TrainResult& r) {
  if (r.device_memory.size() < 2) return {};
  std::string head;
  for (std::size_t d = 0; d < r.device_memory.size(); ++d) {
    head += fmt::format("<th class=\"num\" title=\"{}\">{}</th>", device_name(r.topology, d), d);
  }
  const auto row = [&](std::string_view name, auto&& bytes_of) {
    std::string cells;
    for (const pipeline::DeviceMemory& m : r.device_memory) {
      cells += fmt::format("<td class=\"num\">{}</td>", format_bytes(bytes_of(m)));
    }
    return fmt::format("<tr><td>{}</td>{}</tr>", name, cells);
  };
  std::string rows;
  for (std::size_t p = 0; p < core::kNumMemoryPurposes; ++p) {
    if (r.peak_bytes[p] == 0) continue;
    rows += row(name_of(static_cast<core::MemoryPurpose>(p)),
                [&](const pipeline::DeviceMemory& m) { return m.peak_bytes[p]; });
  }
  return fmt::format(
      "<div class=\"card\" id=\"device-memory\"><figcaption><h3>Memory by device, at its peak</h3></figcaption><div "
      "class=\"scroll\"><table><thead><tr><th>device</th>{}</tr></thead><tbody>{}</tbody><tfoot>{}</tfoot></table>"
      "</div><p class=\"note\">Tensors; purposes reach their peaks at different moments.</p></div>\n",
      head, rows, row("at once", [](const pipeline::DeviceMemory& m) { return m.peak_bytes_total; }));
}

/// Layers that are drawn: all, or as many as there are colours, evenly spread.
std::vector<std::size_t> drawn_layers(const std::vector<std::size_t>& layers) {
  if (layers.size() <= kLayerColors) return layers;
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < kLayerColors; ++i) drawn.push_back(layers[i * (layers.size() - 1) / (kLayerColors - 1)]);
  return drawn;
}

/// A line a layer (as many as there are colours) of those in `layers`; `value` is NaN where nothing is known.
template <class F>
LineChart layer_chart(const TrainResult& r, const std::set<std::size_t>& layers, F&& value) {
  LineChart chart;
  chart.frame.first_epoch = static_cast<double>(r.epochs.front().epoch);
  chart.frame.last_epoch = static_cast<double>(r.epochs.back().epoch);
  const std::vector<std::size_t> drawn = drawn_layers({layers.begin(), layers.end()});
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const std::size_t color = drawn.size() == 1 ? 0 : i * (kLayerColors - 1) / (drawn.size() - 1);
    Series s = {fmt::format("layer {}", drawn[i]), fmt::format("layer{}", color), false, {}};
    for (const pipeline::EpochRecord& e : r.epochs) {
      const double y = value(e, drawn[i]);
      if (std::isfinite(y)) s.points.push_back({static_cast<double>(e.epoch), y});
    }
    chart.series.push_back(std::move(s));
  }
  if (drawn.size() < layers.size()) chart.frame.note = fmt::format(" {} of {} layers.", drawn.size(), layers.size());
  return chart;
}

std::string staleness_chart(const TrainResult& r) {
  // A layer whose input is constant has no history.
  std::set<std::size_t> stale;
  for (const pipeline::EpochRecord& e : r.epochs) {
    for (std::size_t l = 0; l < e.staleness.size(); ++l) {
      if (e.staleness[l] > 0) stale.insert(l);
    }
  }
  if (stale.empty()) return {};
  LineChart chart = layer_chart(r, stale, [](const pipeline::EpochRecord& e, std::size_t l) {
    return l < e.staleness.size() ? e.staleness[l] : std::nan("");
  });
  chart.frame.id = "staleness-chart";
  chart.frame.title = r.topology.chunks > 1 ? "Staleness of the history" : "Staleness of the halos";
  chart.other = LineChart::Other::kLogarithmic;
  const std::string rows = r.topology.chunks > 1
                               ? "|H_hist - H| / |H| of the rows that a layer gathers"
                               : "|H_read - H| / |H| of the rows that a layer read of other parts the epoch before";
  chart.frame.note = rows + "; the noise of dropout in earlier layers is in it." + chart.frame.note;
  return line_chart(chart);
}

/// Charts of cosine and relative error, where they were measured.
std::string fidelity_charts(const TrainResult& r) {
  std::set<std::size_t> known;
  for (const pipeline::EpochRecord& e : r.epochs) {
    for (std::size_t l = 0; l < e.layer_fidelity.size(); ++l) {
      if (!std::isnan(e.layer_fidelity[l].relative_error)) known.insert(l);
    }
  }
  if (known.empty()) return {};
  const auto chart_of = [&](const char* id, const char* title, const char* note,
                            double pipeline::GradientFidelity::*value) {
    LineChart chart = layer_chart(r, known, [&](const pipeline::EpochRecord& e, std::size_t l) {
      return l < e.layer_fidelity.size() ? e.layer_fidelity[l].*value : std::nan("");
    });
    chart.frame.id = id;
    chart.frame.title = title;
    chart.frame.note = note + chart.frame.note;
    return chart;
  };
  LineChart error = chart_of("fidelity-error-chart", "Gradient error", "|g - exact| / |exact|, layer by layer.",
                             &pipeline::GradientFidelity::relative_error);
  error.other = LineChart::Other::kLogarithmic;
  return line_chart(chart_of("fidelity-chart", "Gradient fidelity",
                             "Cosine between the gradient and the exact one of the same weights and masks.",
                             &pipeline::GradientFidelity::cosine)) +
         line_chart(error);
}

std::string remarks_of(const TrainResult& r) {
  std::string items;
  for (const std::string& remark : r.remarks) items += "<p class=\"note\">" + escape(remark) + "</p>";
  return items;
}

}  // namespace

std::string devices_section(const ReportData& data) {
  const TrainResult& last = data.results.back();
  const pipeline::Topology& t = last.topology;
  const std::string staleness = staleness_chart(last) + fidelity_charts(last);
  if (t.devices() == 1 && staleness.empty()) return {};
  const std::vector<pipeline::EpochRecord> epochs = all_epochs(data);
  std::string title =
      fmt::format("Devices: {} {} x {} {}, {} {}", t.stages, t.stages == 1 ? "stage" : "stages", t.parts,
                  t.parts == 1 ? "part" : "parts", t.chunks, t.chunks == 1 ? "chunk" : "chunks");
  return fmt::format("<section id=\"devices\"><h2>{}</h2>{}<div class=\"charts\">{}{}{}{}</div>{}</section>\n", title,
                     drawing(last), times_card(t, epochs), traffic_card(epochs), device_memory_card(last), staleness,
                     remarks_of(last));
}

}  // namespace laminar::apps
