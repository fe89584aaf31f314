#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "laminar/apps/html.hpp"
#include "laminar/apps/report_sections.hpp"
#include "laminar/pipeline/experiment.hpp"

namespace laminar::apps {
namespace {

using pipeline::TrainResult;

std::string fact(std::string_view name, std::string_view value) {
  return value.empty() ? std::string() : fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
}

std::string count_or_nothing(std::int64_t n) { return n > 0 ? format_count(n) : std::string(); }

std::string features_of(const core::DatasetSchema& schema) {
  if (schema.num_features == 0) return "none";
  const core::Index given = schema.num_features - schema.num_learned;
  if (schema.num_learned > 0) {
    return fmt::format("{}{} learned embeddings", given > 0 ? format_count(given) + " and " : "",
                       format_count(schema.num_learned));
  }
  std::string text = format_count(schema.num_features);
  if (!schema.sparse_features) return text + ", dense";
  const double cells = static_cast<double>(schema.num_vertices) * static_cast<double>(schema.num_features);
  if (cells > 0) {
    text += fmt::format(", sparse: {} % are set",
                        format_number(static_cast<double>(schema.feature_entries) / cells * 100, 2));
  }
  return text;
}

std::string dataset_card(const ReportData& data) {
  const core::DatasetSchema& s = data.schema;
  std::string facts =
      fact("name", s.name) + fact("file", data.dataset_file) + fact("provenance", data.provenance) +
      fact("vertices", format_count(s.num_vertices)) +
      fact("edges", fmt::format("{}, {}{}", format_count(s.num_edges),
                                s.directed ? "directed" : "both directions of each", s.weighted ? ", weighted" : ""));
  if (s.num_vertices > 0) {
    facts += fact("edges per vertex",
                  format_number(static_cast<double>(s.num_edges) / static_cast<double>(s.num_vertices), 3));
  }
  const bool of_pairs = data.model.decoder != layers::DecoderKind::kNone;
  facts += fact("features", features_of(s)) + fact("task", of_pairs ? "pairs of vertices" : name_of(s.task));
  if (s.task != core::Task::kNone) {
    facts += fact(s.task == core::Task::kClassification ? "classes"
                  : s.task == core::Task::kMultiLabel   ? "labels"
                                                        : "targets",
                  format_count(s.num_outputs));
  }
  facts += fact("fingerprint", data.fingerprint);
  std::string splits;
  for (const SplitSize& split : data.splits) {
    splits += fmt::format(
        "<tr><td class=\"name\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td></tr>",
        escape(split.name), format_count(split.train), format_count(split.val), format_count(split.test));
  }
  if (!splits.empty()) {
    splits = fmt::format(
        "<table style=\"margin-top:10px\"><thead><tr><th>{}</th><th class=\"num\">train</th><th "
        "class=\"num\">validation</th><th class=\"num\">test</th></tr></thead><tbody>{}</tbody></table>",
        of_pairs ? "split of pairs" : "split", splits);
  }
  return fmt::format(
      "<div class=\"card\" id=\"dataset\"><figcaption><h3>Dataset</h3></figcaption><dl class=\"facts "
      "one\">{}</dl>{}</div>\n",
      facts, splits);
}

std::string machine_card(const Machine& m) {
  const std::string facts = fact("processor", m.cpu_model) + fact("hardware threads", count_or_nothing(m.cores)) +
                            fact("threads used", count_or_nothing(m.threads)) +
                            fact("memory", m.memory_bytes > 0 ? format_bytes(m.memory_bytes) : std::string()) +
                            fact("system", m.os) + fact("Laminar", m.version) + fact("compiler", m.compiler) +
                            fact("dense products", m.gemm_library) + fact("time", m.time_utc);
  return fmt::format(
      "<div class=\"card\" id=\"machine\"><figcaption><h3>Machine and build</h3></figcaption><dl class=\"facts "
      "one\">{}</dl></div>\n",
      facts);
}

}  // namespace

std::string model_name(const ReportData& data) { return (data.model.residual ? "residual " : "") + data.model.layer; }

std::string output_name(const core::DatasetSchema& schema, std::size_t c) {
  if (c < schema.output_names.size() && !schema.output_names[c].empty()) return schema.output_names[c];
  return fmt::format("{}", c);
}

std::uint64_t peak_bytes(const ReportData& data) {
  std::uint64_t most = 0;
  for (const TrainResult& r : data.results) most = std::max<std::uint64_t>(most, r.peak_bytes_total + r.graph_bytes);
  return most;
}

std::string_view readable_name(pipeline::Ending ending) {
  switch (ending) {
    case pipeline::Ending::kAllEpochs:
      return "all epochs";
    case pipeline::Ending::kEarlyStop:
      return "early stop";
    case pipeline::Ending::kStopAfter:
      return "stopped as asked";
    case pipeline::Ending::kInterrupted:
      break;
  }
  return "interrupted";
}

std::string runs_section(const ReportData& data) {
  if (data.results.size() < 2) return {};
  const core::Metric metric = data.results[0].metric;
  const std::string name = capitalised(readable_name(metric));
  std::string rows;
  std::vector<double> last_losses;
  std::vector<double> best_epochs;
  std::vector<double> epochs_done;
  for (std::size_t i = 0; i < data.results.size(); ++i) {
    const TrainResult& r = data.results[i];
    const core::Index done = r.epochs.empty() ? 0 : r.epochs.back().epoch;
    last_losses.push_back(r.loss);
    best_epochs.push_back(static_cast<double>(r.best_epoch));
    epochs_done.push_back(static_cast<double>(done));
    rows += fmt::format(
        "<tr><td class=\"num\">{}</td><td class=\"name\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td><td class=\"num\"><b>{}</b></td><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td><td class=\"num\">{}</td><td>{}</td></tr>",
        i + 1, escape(r.split), r.seed, format_metric(metric, r.best.train_metric),
        format_metric(metric, r.best.val_metric), format_metric(metric, r.best.test_metric), format_number(r.loss),
        r.best_epoch > 0 ? format_count(r.best_epoch) : "–", format_count(done), format_number(r.epoch_ms, 3),
        readable_name(r.ending));
  }
  const pipeline::Summary s = pipeline::summarize(data.results);
  const auto foot = [&](std::string_view what, int digits, auto&& pick) {
    const auto count = [&](const std::vector<double>& values) {
      const double v = pick(pipeline::spread(values));
      return std::isfinite(v) ? fmt::format("{:.1f}", v) : std::string("–");
    };
    std::vector<double> times;
    for (const TrainResult& r : data.results) times.push_back(r.epoch_ms);
    return fmt::format(
        "<tr><td colspan=\"3\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td><td></td></tr>",
        what, format_metric(metric, pick(s.train_metric)), format_metric(metric, pick(s.val_metric)),
        format_metric(metric, pick(s.test_metric)), format_number(pick(pipeline::spread(last_losses)), digits),
        count(best_epochs), count(epochs_done), format_number(pick(pipeline::spread(times)), std::min(digits, 3)));
  };
  const std::string summary = foot("mean", 4, [](const pipeline::Spread& x) { return x.mean; }) +
                              foot("standard deviation", 2, [](const pipeline::Spread& x) { return x.std; });
  return fmt::format(
      "<section id=\"runs\"><h2>Runs</h2><div class=\"card\"><div class=\"scroll\"><table "
      "class=\"sortable\"><thead><tr>"
      "<th class=\"num\">run</th><th>split</th><th class=\"num\">seed</th><th class=\"num\">train</th><th "
      "class=\"num\">validation</th><th class=\"num\">test</th><th class=\"num\">last loss</th><th class=\"num\">best "
      "epoch</th><th class=\"num\">epochs</th><th class=\"num\">ms per epoch</th><th>ended "
      "by</th></tr></thead><tbody>{}"
      "</tbody><tfoot>{}</tfoot></table></div><p class=\"note\">{} by each run's best epoch on validation; ms per "
      "epoch "
      "is "
      "its median.</p></div></section>\n",
      rows, summary, name);
}

std::string memory_card(const ReportData& data) {
  struct Row {
    std::string name;
    std::uint64_t bytes = 0;
  };
  std::vector<Row> held;
  std::uint64_t graph = 0;
  std::uint64_t tensors = 0;
  std::array<std::uint64_t, core::kNumMemoryPurposes> peaks{};
  for (const TrainResult& r : data.results) {
    graph = std::max<std::uint64_t>(graph, r.graph_bytes);
    tensors = std::max<std::uint64_t>(tensors, r.peak_bytes_total);
    for (std::size_t p = 0; p < peaks.size(); ++p) peaks[p] = std::max<std::uint64_t>(peaks[p], r.peak_bytes[p]);
  }
  if (graph > 0) held.push_back({"graph", graph});
  for (std::size_t p = 0; p < peaks.size(); ++p) {
    if (peaks[p] > 0) held.push_back({std::string(name_of(static_cast<core::MemoryPurpose>(p))), peaks[p]});
  }
  if (held.empty()) return {};
  std::stable_sort(held.begin(), held.end(), [](const Row& a, const Row& b) { return a.bytes > b.bytes; });
  std::string rows;
  for (const Row& r : held) {
    rows += fmt::format(
        "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"meter\"><i style=\"width:{:.1f}%\"></i></td></tr>", r.name,
        format_bytes(r.bytes), 100.0 * static_cast<double>(r.bytes) / static_cast<double>(held[0].bytes));
  }
  std::string foot = fmt::format("<tr><td>graph and tensors at once</td><td class=\"num\">{}</td><td></td></tr>",
                                 format_bytes(peak_bytes(data)));
  if (data.peak_rss_bytes > 0) {
    foot += fmt::format("<tr><td>whole process</td><td class=\"num\">{}</td><td></td></tr>",
                        format_bytes(data.peak_rss_bytes));
  }
  std::string of_what = data.results.size() > 1 ? "; the largest of all runs" : "";
  if (data.results.back().topology.devices() > 1) of_what += "; of the largest device";
  return fmt::format(
      "<div class=\"card\" id=\"memory\"><figcaption><h3>Memory at its peak</h3></figcaption><table><thead><tr>"
      "<th>purpose</th><th class=\"num\">peak</th><th></th></tr></thead><tbody>{}</tbody><tfoot>{}</tfoot></table><p "
      "class=\"note\">Purposes reach their peaks at different moments{}.</p></div>\n",
      rows, foot, of_what);
}

std::string configuration_section(const ReportData& data) {
  std::string html = "<section id=\"configuration\"><h2>Configuration</h2>";
  if (!data.command.empty())
    html += fmt::format("<div class=\"card command\"><pre>{}</pre></div>", escape(data.command));
  std::string facts;
  for (const Setting& s : data.configuration) {
    facts += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape(s.name), s.value.empty() ? "–" : escape(s.value));
  }
  if (!facts.empty()) html += fmt::format("<div class=\"card\"><dl class=\"facts mono\">{}</dl></div>", facts);
  return html + "</section>\n";
}

std::string environment_section(const ReportData& data) {
  return "<section id=\"environment\"><h2>Data and machine</h2><div class=\"flow\">" + dataset_card(data) +
         machine_card(data.machine) + "</div></section>\n";
}

}  // namespace laminar::apps
