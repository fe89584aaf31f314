#include "laminar/apps/partition_charts.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "laminar/apps/axis.hpp"
#include "laminar/apps/html.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using Out = std::back_insert_iterator<std::string>;

// In units of the view box, as in svg_chart.cpp, with more room at the left for long numbers.
constexpr double kWidth = 640;
constexpr double kHeight = 340;
constexpr double kLeft = 70;
constexpr double kRight = kWidth - 22;
constexpr double kTop = 14;
constexpr double kBottom = kHeight - 40;

/// A rectangle that a label or a dot takes up.
struct Box {
  double left, top, right, bottom;
  bool meets(const Box& o) const { return left < o.right && o.left < right && top < o.bottom && o.top < bottom; }
};

std::string figure(const std::string& id, const std::string& title, std::string_view legend, std::string_view body,
                   std::string_view note) {
  std::string html = fmt::format("<figure class=\"card\" id=\"{}\"><figcaption><h3>{}</h3>{}</figcaption>{}", id,
                                 escape(title), legend, body);
  if (!note.empty()) html += fmt::format("<p class=\"note\">{}</p>", escape(note));
  return html + "</figure>\n";
}

void draw_frame(std::string& svg, const Axis& x, const Axis& y, const ScatterChart& chart) {
  Out out(svg);
  svg += "<g class=\"grid\">";
  for (const Tick& t : y.ticks) {
    const double at = kBottom - y.position(t.value) * (kBottom - kTop);
    fmt::format_to(out, "<line x1=\"{:.0f}\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, kRight, at, at);
    fmt::format_to(out, "<text x=\"{:.0f}\" y=\"{:.1f}\" class=\"y\">{}</text>", kLeft - 8, at + 4, t.label);
  }
  for (const Tick& t : x.ticks) {
    const double at = kLeft + x.position(t.value) * (kRight - kLeft);
    fmt::format_to(out, "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.0f}\" y2=\"{:.0f}\"/>", at, at, kTop, kBottom);
    fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{:.0f}\" class=\"x\">{}</text>", at, kBottom + 17, t.label);
  }
  fmt::format_to(out, "<text x=\"{:.0f}\" y=\"{:.0f}\" class=\"x title\">{}</text>", (kLeft + kRight) / 2, kHeight - 4,
                 escape(chart.x_title));
  fmt::format_to(out,
                 "<text x=\"{:.0f}\" y=\"{:.0f}\" class=\"x title\" transform=\"rotate(-90 12 {:.0f})\">{}</text></g>",
                 12.0, (kTop + kBottom) / 2, (kTop + kBottom) / 2, escape(chart.y_title));
}

/// Where the name of a dot has most room: right, left, above or below it.
Box place_label(double x, double y, double width, const std::vector<Box>& taken, double& text_x, double& text_y) {
  const std::array<std::pair<double, double>, 6> offsets = {
      {{8, 4}, {-8 - width, 4}, {-width / 2, -9}, {-width / 2, 17}, {8, -7}, {8, 15}}};
  Box best{};
  std::size_t least = taken.size() + 2;
  for (const auto& [dx, dy] : offsets) {
    const Box box = {x + dx, y + dy - 10, x + dx + width, y + dy + 3};
    auto met = static_cast<std::size_t>(
        std::count_if(taken.begin(), taken.end(), [&](const Box& other) { return box.meets(other); }));
    if (box.left < kLeft || box.right > kWidth || box.top < 0) met = taken.size() + 1;
    if (met >= least) continue;
    least = met;
    best = box;
    text_x = x + dx;
    text_y = y + dy;
  }
  return best;
}

}  // namespace

std::string_view partition_style() {
  return R"css(
.dots circle{fill:var(--c);stroke:var(--card);stroke-width:1}
.dots text{fill:var(--ink);font-size:11px;paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
.balance rect{fill:var(--c)}.balance text{font-size:11px}.balance text.name{text-anchor:end;fill:var(--ink)}
.traffic path{fill:rgb(var(--right))}.traffic .frame{fill:none;stroke:var(--line)}
path.edge{fill:none;stroke:var(--muted);stroke-width:1;opacity:.22}.drawing path.part{fill:none;stroke:var(--c);
stroke-linecap:round;stroke-width:7}
.best{font-weight:680}.best::after{content:" *"}
details{margin-top:14px}summary{cursor:pointer;font-weight:560;color:var(--muted)}
.charts.below{margin-top:14px}svg.balance{max-width:860px;margin:0 auto}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:14px;margin-top:12px}
)css";
}

std::string list_color(std::size_t i) {
  // Golden angle: neighbours in the list lie far apart on the wheel, however long it is.
  const double hue = std::fmod(205.0 + 137.508 * static_cast<double>(i), 360.0);
  return fmt::format("hsl({:.0f} {}% {}%)", hue, i % 2 == 0 ? 72 : 58, i % 3 == 2 ? 62 : 48);
}

std::string scatter_chart(const ScatterChart& wanted) {
  std::vector<Dot> dots;
  for (const Dot& d : wanted.dots) {
    if (std::isfinite(d.x) && std::isfinite(d.y) && (d.x > 0 || !wanted.logarithmic_x)) dots.push_back(d);
  }
  if (dots.empty()) return {};
  const auto [left, right] = std::minmax_element(dots.begin(), dots.end(), [](auto& a, auto& b) { return a.x < b.x; });
  const auto [low, high] = std::minmax_element(dots.begin(), dots.end(), [](auto& a, auto& b) { return a.y < b.y; });
  constexpr int kTicks = 6;
  const Axis x = wanted.logarithmic_x ? logarithmic_axis(left->x, right->x, kTicks) : linear_axis(0, right->x, kTicks);
  const Axis y = linear_axis(std::min(0.0, low->y), high->y, kTicks);

  std::string svg = fmt::format("<svg class=\"dots\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">",
                                kWidth, kHeight, escape(wanted.title));
  draw_frame(svg, x, y, wanted);
  const auto px = [&](const Dot& d) { return kLeft + x.position(d.x) * (kRight - kLeft); };
  const auto py = [&](const Dot& d) { return kBottom - y.position(d.y) * (kBottom - kTop); };
  std::vector<Box> taken;
  constexpr double kRadius = 5;
  for (const Dot& d : dots) {
    taken.push_back({px(d) - kRadius, py(d) - kRadius, px(d) + kRadius, py(d) + kRadius});
    fmt::format_to(
        Out(svg),
        "<circle style=\"--c:{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.0f}\"><title>{}: {}, {}</title></circle>",
        list_color(d.color), px(d), py(d), kRadius, escape(d.name), format_number(d.x), format_number(d.y));
  }
  for (const Dot& d : dots) {
    double text_x = 0;
    double text_y = 0;
    constexpr double kLetter = 6.1;
    taken.push_back(place_label(px(d), py(d), kLetter * static_cast<double>(d.name.size()), taken, text_x, text_y));
    fmt::format_to(Out(svg), "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", text_x, text_y, escape(d.name));
  }
  return figure(wanted.id, wanted.title, {}, svg + "</svg>", wanted.note);
}

std::string balance_chart(const std::string& id, const std::vector<std::string>& kinds,
                          const std::vector<BalanceRow>& rows) {
  if (rows.empty() || kinds.empty()) return {};
  constexpr double kBar = 7;
  constexpr double kNames = 150;
  double most = 1.1;
  for (const BalanceRow& row : rows) {
    for (const double v : row.values) most = std::max(most, std::isfinite(v) ? v : 1);
  }
  const Axis axis = linear_axis(1, most, 6);
  const double group = kBar * static_cast<double>(kinds.size()) + 8;
  const double bottom = kTop + group * static_cast<double>(rows.size());
  const auto px = [&](double v) { return kNames + axis.position(v) * (kRight - kNames); };
  std::string svg = fmt::format(
      "<svg class=\"balance\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"balance\"><g class=\"grid\">",
      kWidth, bottom + 24);
  Out out(svg);
  for (const Tick& t : axis.ticks) {
    fmt::format_to(out,
                   "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.0f}\" y2=\"{2:.0f}\"/><text class=\"x\" x=\"{0:.1f}\" "
                   "y=\"{3:.0f}\">{4}</text>",
                   px(t.value), kTop, bottom, bottom + 16, t.label);
  }
  svg += "</g>";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double top = kTop + group * static_cast<double>(r);
    fmt::format_to(out, "<text class=\"name\" x=\"{:.0f}\" y=\"{:.1f}\">{}</text>", kNames - 8, top + group / 2,
                   escape(rows[r].name));
    for (std::size_t k = 0; k < rows[r].values.size() && k < kinds.size(); ++k) {
      if (!std::isfinite(rows[r].values[k])) continue;
      fmt::format_to(out,
                     "<rect style=\"--c:{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{} "
                     "{}: {:.3f}</title></rect>",
                     list_color(k), kNames, top + kBar * static_cast<double>(k),
                     std::max(1.0, px(rows[r].values[k]) - kNames), kBar - 1, escape(rows[r].name), escape(kinds[k]),
                     rows[r].values[k]);
    }
  }
  std::string legend = "<ul class=\"legend\">";
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    legend += fmt::format("<li><i class=\"block\" style=\"--c:{}\"></i>{}</li>", list_color(k), escape(kinds[k]));
  }
  return figure(id, "Largest part / mean", legend + "</ul>", svg + "</svg>", {});
}

std::string traffic_map(const std::string& id, const std::string& title, const std::vector<Index>& rows, Index parts) {
  if (parts < 1 || static_cast<Index>(rows.size()) != parts * parts) return {};
  const Index most = *std::max_element(rows.begin(), rows.end());
  constexpr double kSide = 240;
  constexpr double kEdge = 26;
  constexpr std::size_t kLevels = 16;
  const double cell = (kSide - kEdge) / static_cast<double>(parts);
  // One path a shade: far smaller than a rectangle a cell.
  std::array<std::string, kLevels> paths;
  for (Index q = 0; q < parts && most > 0; ++q) {
    for (Index p = 0; p < parts; ++p) {
      const double share = static_cast<double>(rows[q * parts + p]) / static_cast<double>(most);
      const auto level = static_cast<std::size_t>(std::ceil(share * kLevels));
      if (level == 0) continue;
      fmt::format_to(Out(paths[level - 1]), "M{:.2f},{:.2f}h{:.2f}v{:.2f}h-{:.2f}z",
                     kEdge + cell * static_cast<double>(p), kEdge + cell * static_cast<double>(q), cell, cell, cell);
    }
  }
  std::string svg = fmt::format(
      "<svg class=\"traffic\" viewBox=\"0 0 {0:.0f} {0:.0f}\" role=\"img\" aria-label=\"{1}\">", kSide, escape(title));
  Out out(svg);
  for (std::size_t l = 0; l < kLevels; ++l) {
    if (!paths[l].empty())
      fmt::format_to(out, "<path opacity=\"{:.3f}\" d=\"{}\"/>", static_cast<double>(l + 1) / kLevels, paths[l]);
  }
  fmt::format_to(out, "<rect class=\"frame\" x=\"{0:.0f}\" y=\"{0:.0f}\" width=\"{1:.0f}\" height=\"{1:.0f}\"/>", kEdge,
                 kSide - kEdge);
  const Index stride = std::max<Index>(1, (parts + 15) / 16);
  for (Index p = 0; p < parts; p += stride) {
    const double at = kEdge + cell * (static_cast<double>(p) + 0.5);
    fmt::format_to(
        out,
        "<text class=\"x\" x=\"{:.1f}\" y=\"{:.0f}\">{}</text><text class=\"y\" x=\"{:.0f}\" y=\"{:.1f}\">{}</text>",
        at, kEdge - 6, p, kEdge - 5, at + 4, p);
  }
  return figure(
      id, title, {}, svg + "</svg>",
      fmt::format("Rows from the part at the left to the part above; the darkest is {}.", format_count(most)));
}

}  // namespace laminar::apps
