#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "laminar/apps/html.hpp"
#include "laminar/apps/report_sections.hpp"

namespace laminar::apps {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::string labels_section(const ReportData& data) {
  std::vector<pipeline::LabelCounts> sum;
  for (const pipeline::TrainResult& r : data.results) {
    sum.resize(std::max(sum.size(), r.label_counts.size()));
    for (std::size_t i = 0; i < r.label_counts.size(); ++i) {
      sum[i].true_positives += r.label_counts[i].true_positives;
      sum[i].false_positives += r.label_counts[i].false_positives;
      sum[i].false_negatives += r.label_counts[i].false_negatives;
    }
  }
  if (sum.empty()) return {};
  std::string rows;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const pipeline::LabelCounts& c = sum[i];
    const std::int64_t positives = c.true_positives + c.false_negatives;
    const std::int64_t predicted = c.true_positives + c.false_positives;
    const double f1 = ratio(2 * c.true_positives, positives + predicted);
    rows += fmt::format(
        "<tr><td class=\"name\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td><td class=\"meter\"><i style=\"width:{:.1f}%\"></i></td></tr>",
        escape(output_name(data.schema, i)), format_count(positives),
        format_percent(ratio(c.true_positives, predicted), 1), format_percent(ratio(c.true_positives, positives), 1),
        format_percent(f1, 1), std::isfinite(f1) ? f1 * 100 : 0);
  }
  const std::string runs = data.results.size() > 1
                               ? fmt::format(" <small class=\"muted\">{} runs together</small>", data.results.size())
                               : "";
  return fmt::format(
      "<section id=\"labels\"><h2>Test set by label{}</h2><div class=\"card\"><div class=\"scroll\"><table "
      "class=\"sortable\"><thead><tr><th>label</th><th class=\"num\">positives</th><th class=\"num\">precision</th><th "
      "class=\"num\">recall</th><th class=\"num\">F1</th><th "
      "class=\"meter\"></th></tr></thead><tbody>{}</tbody></table>"
      "</div><p class=\"note\">A label is predicted where its probability is above 1/2.</p></div></section>\n",
      runs, rows);
}

}  // namespace laminar::apps
