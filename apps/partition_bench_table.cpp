#include "laminar/apps/partition_bench_table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/progress.hpp"

namespace laminar::apps {
namespace {

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kPlain = "\x1b[0m";

/// Two values that are shown alike are equally good.
bool is_best(const BenchColumn& column, double value, double best) {
  return std::isfinite(value) && (value <= best || figure_text(column, value) == figure_text(column, best));
}

/// A cell of a table; the mark stands behind the number, where a blank stands otherwise.
std::string cell(const std::string& text, std::size_t width, bool best, bool bold) {
  const std::string padded = fmt::format(" {:>{}}{}", text, width, best ? '*' : ' ');
  return best && bold ? kBold + padded + kPlain : padded;
}

std::size_t name_width(const std::vector<std::string>& names) {
  std::size_t width = 8;
  for (const std::string& name : names) width = std::max(width, name.size());
  return width;
}

nlohmann::ordered_json figures_json(const BenchFigures& figures) {
  nlohmann::ordered_json j;
  for (const BenchColumn& column : bench_columns()) {
    const double v = figures.*column.value;
    j[column.key] = std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr);
  }
  return j;
}

/// Half of largest - least of the total volume, in percent of the median.
double spread_percent(const BenchEntry& e) {
  const double median = e.median().total_volume;
  return median > 0 ? 50 * (e.largest().total_volume - e.least().total_volume) / median : 0;
}

}  // namespace

std::string remarks_text(const BenchEntry& entry) {
  if (entry.remarks.empty()) return {};
  const std::size_t more = entry.remarks.size() - 1;
  return more == 0 ? entry.remarks.front() : fmt::format("{} (and {} more)", entry.remarks.front(), more);
}

std::string figure_text(const BenchColumn& column, double value) {
  if (!std::isfinite(value)) return "-";
  if (column.decimals == 0) return count_text(std::llround(value));
  return fmt::format("{:.{}f}", value, value >= 1000 ? 0 : column.decimals);
}

double best_of(const std::vector<BenchEntry>& entries, core::Index parts, const BenchColumn& column) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (const BenchEntry& e : entries) {
    if (e.parts != parts || !e.usable()) continue;
    const double v = e.median().*column.value;
    if (std::isfinite(v) && !(v >= best)) best = v;
  }
  return best;
}

bool is_telling(const std::vector<BenchEntry>& entries, const BenchColumn& column) {
  return std::any_of(entries.begin(), entries.end(), [&](const BenchEntry& e) {
    return std::any_of(e.runs.begin(), e.runs.end(), [&](const BenchRun& r) {
      const double v = r.figures.*column.value;
      return std::isfinite(v) && v != 0 && v != 1;
    });
  });
}

std::string bench_table(const std::vector<BenchEntry>& entries, core::Index parts, bool bold) {
  std::vector<const BenchEntry*> rows;
  std::vector<std::string> names;
  std::size_t seeds = 0;
  for (const BenchEntry& e : entries) {
    if (e.parts != parts) continue;
    if (e.usable()) rows.push_back(&e);
    names.push_back(e.name);
    seeds = std::max(seeds, e.runs.size());
  }
  std::stable_sort(rows.begin(), rows.end(), [](const BenchEntry* a, const BenchEntry* b) {
    return a->median().total_volume < b->median().total_volume;
  });
  const std::size_t left = name_width(names);
  std::vector<BenchColumn> columns;
  std::vector<std::size_t> widths;
  std::string text = fmt::format("{:<{}}", fmt::format("{} parts", parts), left);
  for (const BenchColumn& column : bench_columns()) {
    if (!is_telling(entries, column)) continue;
    std::size_t width = std::char_traits<char>::length(column.title);
    for (const BenchEntry* e : rows) width = std::max(width, figure_text(column, e->median().*column.value).size());
    columns.push_back(column);
    widths.push_back(width);
    text += cell(column.title, width, false, false);
    if (column.value == &BenchFigures::total_volume && seeds > 1) text += cell("+-", 6, false, false);
  }
  text += "\n";
  for (const BenchEntry* e : rows) {
    text += fmt::format("{:<{}}", e->name, left);
    const BenchFigures median = e->median();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const double v = median.*columns[c].value;
      text += cell(figure_text(columns[c], v), widths[c], is_best(columns[c], v, best_of(entries, parts, columns[c])),
                   bold);
      if (columns[c].value == &BenchFigures::total_volume && seeds > 1) {
        text += cell(e->runs.size() > 1 ? fmt::format("{:.1f} %", spread_percent(*e)) : "-", 6, false, false);
      }
    }
    text += "\n";
  }
  for (const BenchEntry& e : entries) {
    if (e.parts != parts) continue;
    if (!e.failure.empty()) text += fmt::format("{}: {}\n", e.name, e.failure);
    if (!e.remarks.empty()) text += fmt::format("{}: note: {}\n", e.name, remarks_text(e));
  }
  return text;
}

std::string vertex_cut_table(const std::vector<VertexCutEntry>& entries, bool bold) {
  if (entries.empty()) return {};
  std::string text =
      fmt::format("{:<12} {:>6} {:>8}  {:>8}  {:>8}\n", "vertex cuts", "parts", "copies", "edges", "seconds");
  for (const VertexCutEntry& e : entries) {
    const bool best = std::all_of(entries.begin(), entries.end(), [&](const VertexCutEntry& other) {
      return other.parts != e.parts || other.replication_factor >= e.replication_factor;
    });
    text += fmt::format("{:<12} {:>6}{}{}\n", e.name, e.parts,
                        cell(fmt::format("{:.3f}", e.replication_factor), 8, best, bold),
                        fmt::format(" {:>8.3f}  {:>8.3f}", e.edge_balance, e.seconds));
  }
  return text;
}

nlohmann::ordered_json to_json(const BenchEntry& e) {
  nlohmann::ordered_json j = {{"name", e.name}, {"parts", e.parts}, {"compared", e.compared}};
  if (!e.failure.empty()) j["failure"] = e.failure;
  if (!e.remarks.empty()) j["remarks"] = e.remarks;
  if (e.usable()) {
    j["median"] = figures_json(e.median());
    j["least"] = figures_json(e.least());
    j["largest"] = figures_json(e.largest());
  }
  j["runs"] = nlohmann::ordered_json::array();
  for (const BenchRun& run : e.runs) {
    nlohmann::ordered_json r = {{"seed", run.seed}};
    r.update(figures_json(run.figures));
    j["runs"].push_back(std::move(r));
  }
  return j;
}

nlohmann::ordered_json to_json(const VertexCutEntry& e) {
  return {{"name", e.name},
          {"parts", e.parts},
          {"replication_factor", e.replication_factor},
          {"edge_balance", e.edge_balance},
          {"seconds", e.seconds}};
}

}  // namespace laminar::apps
