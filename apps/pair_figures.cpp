#include "laminar/apps/pair_figures.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "laminar/apps/progress.hpp"

namespace laminar::apps {

std::string pairs_text(const pipeline::PairSplit& split, core::EdgeId num_edges) {
  return fmt::format("pairs: {} to train, {} to validate, {} to test; {} of {} edges pass messages",
                     count_text(std::ssize(split.train)), count_text(std::ssize(split.val)),
                     count_text(std::ssize(split.test)), count_text(split.message_graph->num_edges()),
                     count_text(num_edges));
}

std::string pair_table(const pipeline::Summary& summary, bool several) {
  std::string text;
  const auto value = [&](const pipeline::Spread& v) {
    return several ? fmt::format("{:.4f} +- {:.4f}", v.mean, v.std) : fmt::format("{:.4f}", v.mean);
  };
  for (const pipeline::PairSpread& f : summary.links) {
    text += fmt::format("{:<18}{:>10}{:>18}{:>18}\n", f.name, "", value(f.val), value(f.test));
  }
  return text.empty() ? text : fmt::format("{:<18}{:>10}{:>18}{:>18}\n", "of pairs", "", "validation", "test") + text;
}

std::string baseline_table(const std::vector<std::vector<PairBaseline>>& runs, const pipeline::Summary& summary) {
  if (runs.empty() || runs.front().empty() || summary.links.empty()) return {};
  std::string text = fmt::format("{:<20}", "test");
  for (const pipeline::PairSpread& f : summary.links) text += fmt::format("{:>18}", f.name);
  text += "\n";
  for (std::size_t b = 0; b < runs.front().size(); ++b) {
    text += fmt::format("{:<20}", runs.front()[b].name);
    for (std::size_t i = 0; i < summary.links.size(); ++i) {
      double sum = 0;
      for (const auto& run : runs) sum += run[b].figures[i].test;
      text += fmt::format("{:>18.4f}", sum / static_cast<double>(runs.size()));
    }
    text += "\n";
  }
  text += fmt::format("{:<20}", "trained");
  for (const pipeline::PairSpread& f : summary.links) text += fmt::format("{:>18.4f}", f.test.mean);
  return text + "\n";
}

std::string pair_result(const pipeline::Summary& summary) {
  std::string text;
  for (const pipeline::PairSpread& f : summary.links) {
    std::string key = f.name;
    std::replace(key.begin(), key.end(), '-', '_');
    text += fmt::format(" test_{}={:.6f}", key, f.test.mean);
  }
  return text;
}

}  // namespace laminar::apps
