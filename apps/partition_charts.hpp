#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laminar/core/types.hpp"

/// The charts of a benchmark page, as HTML figures with inline SVG in the style of report_style.hpp. Thread-safe.
namespace laminar::apps {

/// The rules that the figures below need beside report_style().
std::string_view partition_style();

/// The colour that the `i`-th of a list has in every chart, as CSS.
std::string list_color(std::size_t i);

/// A named dot.
struct Dot {
  std::string name;
  double x = 0;
  double y = 0;
  /// As list_color() counts.
  std::size_t color = 0;
};

struct ScatterChart {
  /// Unique in the page; letters, digits and dashes.
  std::string id;
  std::string title;
  std::string note;
  std::string x_title;
  std::string y_title;
  bool logarithmic_x = false;
  std::vector<Dot> dots;
};

/// Dots with their names beside them. Those with a place that isn't finite (or not positive on a logarithmic axis) are
/// left out; "" if none is left.
std::string scatter_chart(const ScatterChart& chart);

/// A row of bars that begin at 1.
struct BalanceRow {
  std::string name;
  std::vector<double> values;
};

/// Horizontal bars, one a value, grouped by row: how far the largest part is above the mean. `kinds` names the values.
/// "" without rows.
std::string balance_chart(const std::string& id, const std::vector<std::string>& kinds,
                          const std::vector<BalanceRow>& rows);

/// A square of parts x parts: `rows[q * parts + p]` goes from part q to part p. "" if it has another size.
std::string traffic_map(const std::string& id, const std::string& title, const std::vector<core::Index>& rows,
                        core::Index parts);

}  // namespace laminar::apps
