#include "laminar/apps/partition_bench_page.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/html.hpp"
#include "laminar/apps/partition_charts.hpp"
#include "laminar/apps/partition_drawing.hpp"
#include "laminar/apps/report_style.hpp"
#include "laminar/partition/metrics.hpp"

namespace laminar::apps {
namespace {

using core::Index;

constexpr double kDrawingSide = 1000;
constexpr Index kMostMappedParts = 64;
constexpr const char* kEdgesId = "drawn-edges";

std::vector<const BenchEntry*> entries_with(const BenchResults& r, Index parts) {
  std::vector<const BenchEntry*> found;
  for (const BenchEntry& e : r.entries) {
    if (e.parts == parts && e.usable()) found.push_back(&e);
  }
  std::stable_sort(found.begin(), found.end(), [](const BenchEntry* a, const BenchEntry* b) {
    return a->median().total_volume < b->median().total_volume;
  });
  return found;
}

/// The same for an entry's name in every chart of the page.
std::size_t color_of(const BenchResults& r, const std::string& name) {
  std::vector<std::string> names;
  for (const BenchEntry& e : r.entries) {
    if (std::find(names.begin(), names.end(), e.name) == names.end()) names.push_back(e.name);
  }
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::string table(const BenchResults& r, Index parts) {
  std::string html = "<div class=\"card scroll\"><table class=\"sortable\"><thead><tr><th>strategy</th>";
  std::vector<BenchColumn> columns;
  for (const BenchColumn& column : bench_columns()) {
    if (!is_telling(r.entries, column)) continue;
    columns.push_back(column);
    html += fmt::format("<th class=\"num\">{}</th>", column.title);
  }
  html += "</tr></thead><tbody>";
  for (const BenchEntry* e : entries_with(r, parts)) {
    html += fmt::format("<tr><td>{}{}</td>", escape(e->name), e->compared ? " (compared)" : "");
    const BenchFigures median = e->median();
    for (const BenchColumn& column : columns) {
      const double v = median.*column.value;
      const std::string text =
          std::isfinite(v) && column.decimals == 0 ? format_count(std::llround(v)) : figure_text(column, v);
      const bool best =
          figure_text(column, v) == figure_text(column, best_of(r.entries, parts, column)) && std::isfinite(v);
      html += fmt::format("<td class=\"num\"><span{} title=\"{} to {}\">{}</span></td>", best ? " class=\"best\"" : "",
                          figure_text(column, e->least().*column.value),
                          figure_text(column, e->largest().*column.value), text);
    }
    html += "</tr>";
  }
  html += "</tbody></table></div>\n";
  for (const BenchEntry& e : r.entries) {
    if (e.parts != parts) continue;
    if (!e.failure.empty()) html += fmt::format("<p class=\"note\">{}: {}</p>", escape(e.name), escape(e.failure));
    if (!e.remarks.empty()) {
      html += fmt::format("<p class=\"note\">{}: {}</p>", escape(e.name), escape(remarks_text(e)));
    }
  }
  return html;
}

std::string charts(const BenchResults& r, Index parts) {
  ScatterChart time = {.id = fmt::format("time-{}", parts),
                       .title = "Total volume against time",
                       .note = "Rows; medians over seeds. Lower and further left is better.",
                       .x_title = "seconds",
                       .y_title = "rows",
                       .logarithmic_x = true,
                       .dots = {}};
  ScatterChart busiest = {.id = fmt::format("busiest-{}", parts),
                          .title = "Total volume against the busiest part",
                          .note = "Rows in all, and received by the part that receives most.",
                          .x_title = "rows in all",
                          .y_title = "rows received by the busiest part",
                          .logarithmic_x = false,
                          .dots = {}};
  std::vector<BalanceRow> balances;
  for (const BenchEntry* e : entries_with(r, parts)) {
    const BenchFigures m = e->median();
    const std::size_t color = color_of(r, e->name);
    // A time of 0 by the clock has a place too; one that is not known has none.
    const double seconds = std::isfinite(m.seconds) ? std::max(m.seconds, 1e-4) : m.seconds;
    time.dots.push_back({e->name, seconds, m.total_volume, color});
    busiest.dots.push_back({e->name, m.total_volume, m.max_receive_volume, color});
    balances.push_back({e->name, {m.vertex_balance, m.edge_balance, m.memory_balance}});
  }
  return "<div class=\"charts below\">" + scatter_chart(time) + scatter_chart(busiest) +
         balance_chart(fmt::format("balance-{}", parts), {"vertices", "edges", "memory with halo"}, balances) +
         "</div>\n";
}

std::string small_figures(const BenchResults& r, Index parts, const std::vector<Point>& places) {
  std::string maps;
  std::string drawings;
  std::size_t number = 0;
  for (const BenchEntry* e : entries_with(r, parts)) {
    const std::string id = fmt::format("{}-{}", parts, number++);
    const BenchRun& run = e->typical();
    if (parts > 1 && parts <= kMostMappedParts) {
      const auto m = partition::measure(*r.graph, partition::Partition{parts, run.part_of});
      maps += traffic_map("traffic-" + id, e->name, m.traffic_in, parts);
    }
    if (!places.empty()) {
      drawings += drawing_figure("drawing-" + id, e->name, places, run.part_of, parts, kEdgesId, kDrawingSide);
    }
  }
  std::string html;
  if (!maps.empty()) {
    html += fmt::format(
        "<details><summary>Traffic from part to part</summary><div class=\"small\">{}</div></details>\n", maps);
  }
  if (!drawings.empty()) {
    html += fmt::format(
        "<details><summary>Drawings, coloured by part</summary><div class=\"small\">{}</div></details>\n", drawings);
  }
  return html;
}

std::string vertex_cuts(const BenchResults& r) {
  if (r.vertex_cuts.empty()) return {};
  std::string html =
      "<h2>Vertex cuts</h2><div class=\"card scroll\"><table class=\"sortable\"><thead><tr><th>strategy</th><th "
      "class=\"num\">parts</th><th class=\"num\">copies of a vertex</th><th class=\"num\">largest / mean edges</th><th "
      "class=\"num\">seconds</th></tr></thead><tbody>";
  for (const VertexCutEntry& e : r.vertex_cuts) {
    html += fmt::format(
        "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{:.3f}</td><td class=\"num\">{:.3f}</td><td "
        "class=\"num\">{:.3f}</td></tr>",
        escape(e.name), e.parts, e.replication_factor, e.edge_balance, e.seconds);
  }
  return html +
         "</tbody></table><p class=\"note\">These give edges to parts and copy vertices; Laminar does not train on "
         "them.</p></div>\n";
}

std::string head(const BenchResults& r) {
  const bool directed = r.graph->directed();
  return fmt::format(
      "<header><div class=\"what\"><h1>Partitions of {}</h1><p>{} vertices, {} {}, {} {} a "
      "strategy{}</p></div></header>\n",
      escape(r.graph_name), format_count(r.graph->num_vertices()), format_count(r.graph->num_edges()),
      directed ? "directed edges" : "edges (both directions of each)", r.seeds, r.seeds == 1 ? "seed" : "seeds",
      r.machine.time_utc.empty() ? "" : " · " + escape(r.machine.time_utc));
}

std::string environment(const BenchResults& r) {
  const Machine& m = r.machine;
  return fmt::format(
      "<h2>How it was made</h2><div class=\"card command\"><pre>{}</pre></div><div class=\"card\"><dl class=\"facts\">"
      "<div><dt>graph "
      "file</dt><dd>{}</dd></div><div><dt>processor</dt><dd>{}</dd></div><div><dt>threads</dt><dd>{}</dd></div>"
      "<div><dt>system</dt><dd>{}</dd></div><div><dt>compiler</dt><dd>{}</dd></div></dl></div>\n",
      escape(r.command), escape(r.graph_file), escape(m.cpu_model), m.threads, escape(m.os), escape(m.compiler));
}

}  // namespace

std::string bench_page(const BenchResults& r) {
  std::string page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  // The policy makes it impossible for the page to fetch anything, whatever stands in it.
  page +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src "
      "'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n";
  page += fmt::format("<title>Partitions of {}</title>\n<style>{}{}</style>\n</head>\n<body>\n<main>\n",
                      escape(r.graph_name), report_style(), partition_style());
  page += head(r);
  std::vector<Point> places;
  if (r.graph->num_vertices() <= kMostDrawnVertices) {
    places = layout_graph(*r.graph, kDrawingSide);
    page += fmt::format(
        "<svg width=\"0\" height=\"0\" aria-hidden=\"true\" style=\"position:absolute\"><defs>{}</defs></svg>\n",
        drawing_edges(*r.graph, places, kEdgesId));
  }
  for (const Index parts : r.parts) {
    page += fmt::format("<h2>{} parts</h2>\n", parts) + table(r, parts) + charts(r, parts) +
            small_figures(r, parts, places);
  }
  page += vertex_cuts(r) + environment(r);
  page += fmt::format("<footer>Written by Laminar{}{}.</footer>\n</main>\n<script>{}</script>\n</body>\n</html>\n",
                      r.machine.version.empty() ? "" : " ", escape(r.machine.version), report_script());
  return page;
}

nlohmann::ordered_json bench_json(const BenchResults& r) {
  nlohmann::ordered_json j = {{"program", "laminar-partition-bench"},
                              {"version", r.machine.version},
                              {"command", r.command},
                              {"graph",
                               {{"file", r.graph_file},
                                {"name", r.graph_name},
                                {"vertices", r.graph->num_vertices()},
                                {"edges", r.graph->num_edges()},
                                {"directed", r.graph->directed()},
                                {"fingerprint", fmt::format("{:016x}", r.graph->fingerprint())}}},
                              {"seeds", r.seeds},
                              {"machine",
                               {{"cpu", r.machine.cpu_model},
                                {"cores", r.machine.cores},
                                {"threads", r.machine.threads},
                                {"os", r.machine.os},
                                {"compiler", r.machine.compiler},
                                {"time_utc", r.machine.time_utc}}},
                              {"best", nlohmann::ordered_json::array()},
                              {"entries", nlohmann::ordered_json::array()},
                              {"vertex_cuts", nlohmann::ordered_json::array()}};
  for (const Index parts : r.parts) {
    nlohmann::ordered_json best = {{"parts", parts}};
    for (const BenchColumn& column : bench_columns()) {
      const double value = best_of(r.entries, parts, column);
      for (const BenchEntry* e : entries_with(r, parts)) {
        if (e->median().*column.value == value) best[column.key].push_back(e->name);
      }
    }
    j["best"].push_back(std::move(best));
  }
  for (const BenchEntry& e : r.entries) j["entries"].push_back(to_json(e));
  for (const VertexCutEntry& e : r.vertex_cuts) j["vertex_cuts"].push_back(to_json(e));
  return j;
}

}  // namespace laminar::apps
