#include <fmt/format.h>

#include "laminar/apps/html.hpp"
#include "laminar/apps/report_sections.hpp"
#include "laminar/pipeline/experiment.hpp"

namespace laminar::apps {

std::string pairs_section(const ReportData& data) {
  const pipeline::Summary s = pipeline::summarize(data.results);
  if (s.links.empty()) return {};
  const bool several = data.results.size() > 1;
  const auto share = [&](const pipeline::Spread& x) {
    return several ? format_metric(core::Metric::kRocAuc, x) : format_percent(x.mean);
  };
  std::string rows;
  for (const pipeline::PairSpread& f : s.links) {
    rows += fmt::format("<tr><td class=\"name\">{}</td><td class=\"num\">{}</td><td class=\"num\"><b>{}</b></td></tr>",
                        escape(f.name), share(f.val), share(f.test));
  }
  return fmt::format(
      "<section id=\"links\"><h2>Pairs</h2><div class=\"card\"><div class=\"scroll\"><table><thead><tr><th>metric</th>"
      "<th class=\"num\">validation</th><th class=\"num\">test</th></tr></thead><tbody>{}</tbody></table></div><p "
      "class=\"note\">Of pairs of vertices with an edge, held out from training and messages, against {} drawn pairs "
      "without one for each; by each run's best epoch.</p></div></section>\n",
      rows, data.options.pairs.eval_negatives);
}

}  // namespace laminar::apps
