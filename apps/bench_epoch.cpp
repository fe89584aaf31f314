#include "laminar/apps/bench_epoch.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/machine_limits.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/apps/work_limits.hpp"
#include "laminar/pipeline/plan.hpp"
#include "laminar/pipeline/stopwatch.hpp"
#include "laminar/pipeline/trainer.hpp"

namespace laminar::apps {

using core::WorkEntry;
using core::WorkKind;

namespace {

struct TimedEpoch {
  double ms = 0;
  std::vector<WorkEntry> entries;
};

constexpr std::array<const char*, core::kNumWorkKinds> kCaptions = {
    "dense products", "sums over edges", "attention", "element-wise passes", "loss", "optimiser"};

struct Totals {
  std::int64_t calls = 0;
  double ms = 0;
  double limit_ms = 0;
};

std::array<Totals, core::kNumWorkKinds> totals_of(const EpochFigures& figures) {
  std::array<Totals, core::kNumWorkKinds> all;
  for (const EpochRow& r : figures.rows) {
    Totals& t = all[static_cast<std::size_t>(r.kind)];
    t.calls += r.calls;
    t.ms += r.ms;
    t.limit_ms += r.limit_ms;
  }
  return all;
}

std::string ratio_text(double ms, double limit_ms) { return limit_ms > 0 ? fmt::format("{:.2f}", ms / limit_ms) : "-"; }

void add_to_rows(std::vector<EpochRow>& rows, const WorkEntry& e, WorkLimits& limits) {
  const Limit limit = limits.of(e.work);
  const std::string label = label_of(e.work);
  auto row = std::find_if(rows.begin(), rows.end(),
                          [&](const EpochRow& r) { return r.kind == e.work.kind && r.label == label; });
  if (row == rows.end()) {
    row = rows.insert(rows.end(), {.kind = e.work.kind,
                                   .label = label,
                                   .bound = std::string(name_of(limit.bound)),
                                   .unit = std::string(rate_unit(e.work))});
  }
  const auto calls = static_cast<double>(e.calls);
  row->calls += e.calls;
  row->ms += e.ms;
  row->limit_ms += calls * limit.ms;
  row->flops += calls * e.work.flops;
  row->bytes += calls * e.work.bytes;
}

}  // namespace

double EpochFigures::kernels_ms() const {
  double sum = 0;
  for (const EpochRow& r : rows) sum += r.ms;
  return sum;
}

double EpochFigures::limit_ms() const {
  double sum = 0;
  for (const EpochRow& r : rows) sum += r.limit_ms;
  return sum;
}

namespace {

/// It ends before any epoch that is evaluated.
pipeline::TrainOptions training_of(const EpochBenchOptions& o) {
  pipeline::TrainOptions training;
  training.split = o.split;
  training.seed = o.seed;
  training.threads = o.threads;
  training.stop_after = o.warmup + o.epochs;
  // As many as trainings have, which decides about the order of vertices.
  training.epochs = std::max(training.stop_after + 1, training.epochs);
  training.eval_every = training.epochs;
  training.distribution.order = o.order;
  return training;
}

}  // namespace

EpochFigures measure_epochs(const EpochBenchOptions& o, const core::Dataset& data) {
  pipeline::Stopwatch setup;
  pipeline::Trainer trainer(o.model, data, training_of(o));
  const double setup_ms = setup.lap_ms();
  core::WorkLog log;
  std::vector<TimedEpoch> epochs;
  trainer.observe([&](const pipeline::EpochRecord& record) {
    TimedEpoch epoch{record.epoch_ms, log.take()};
    if (record.epoch > o.warmup) epochs.push_back(std::move(epoch));
  });
  pipeline::TrainResult result;
  {
    const core::WorkRecording recording(log);
    result = trainer.run();
  }
  std::sort(epochs.begin(), epochs.end(), [](const auto& a, const auto& b) { return a.ms < b.ms; });

  core::Arena arena(o.threads);
  EpochFigures figures;
  figures.threads = arena.threads();
  figures.setup_ms = setup_ms;
  figures.order = name_of(trainer.plan().order);
  figures.order_why = trainer.plan().order_why;
  figures.least_ms = epochs.front().ms;
  figures.largest_ms = epochs.back().ms;
  const TimedEpoch& median = epochs[(epochs.size() - 1) / 2];
  figures.epoch_ms = median.ms;
  figures.copy_gbps = copy_gbps(arena.threads(), std::min(result.peak_bytes_total, default_stream_bytes()));
  WorkLimits limits(arena, figures.copy_gbps);
  for (const WorkEntry& e : median.entries) add_to_rows(figures.rows, e, limits);
  std::stable_sort(figures.rows.begin(), figures.rows.end(), [](const EpochRow& a, const EpochRow& b) {
    return a.kind != b.kind ? a.kind < b.kind : a.ms > b.ms;
  });
  return figures;
}

std::string epoch_table(const EpochFigures& f) {
  std::size_t width = 24;
  for (const EpochRow& r : f.rows) width = std::max(width, r.label.size() + 2);
  const auto line = [&](const std::string& name, const auto& calls, const std::string& amount, const std::string& rate,
                        double ms, const std::string& limit, const std::string& ratio, const std::string& bound) {
    return fmt::format("{:<{}} {:>5} {:>13} {:>14} {:>9} {:>9} {:>7}  {}\n", name, width, calls, amount, rate,
                       ms_text(ms), limit, ratio, bound);
  };
  std::string text = fmt::format("{:<{}} {:>5} {:>13} {:>14} {:>9} {:>9} {:>7}  {}\n", "in an epoch", width, "calls",
                                 "amount", "rate", "ms", "limit ms", "x limit", "limited by");
  const auto totals = totals_of(f);
  for (std::size_t k = 0; k < totals.size(); ++k) {
    const Totals& t = totals[k];
    if (t.calls == 0) continue;
    text += line(kCaptions[k], t.calls, "", "", t.ms, ms_text(t.limit_ms), ratio_text(t.ms, t.limit_ms), "");
    for (const EpochRow& r : f.rows) {
      if (static_cast<std::size_t>(r.kind) != k) continue;
      const bool counts_flops = r.unit == "GFLOP/s";
      const double amount = (counts_flops ? r.flops : r.bytes) / 1e9;
      text += line("  " + r.label, r.calls, fmt::format("{:.3f} {}", amount, counts_flops ? "GFLOP" : "GB"),
                   r.ms > 0 ? fmt::format("{:.1f} {}", amount / r.ms * 1e3, r.unit) : "", r.ms, ms_text(r.limit_ms),
                   ratio_text(r.ms, r.limit_ms), r.bound);
    }
  }
  text += line("other", "", "", "", f.other_ms(), "", "", "");
  text += line("epoch", "", "", "", f.epoch_ms, ms_text(f.limit_ms()), ratio_text(f.epoch_ms, f.limit_ms()), "");
  return text;
}

nlohmann::ordered_json epoch_json(const EpochFigures& f) {
  nlohmann::ordered_json j = {
      {"epoch_ms", f.epoch_ms},   {"epoch_ms_least", f.least_ms}, {"epoch_ms_most", f.largest_ms},
      {"limit_ms", f.limit_ms()}, {"ratio", f.ratio()},           {"other_ms", f.other_ms()},
      {"copy_gbps", f.copy_gbps}, {"threads", f.threads},         {"setup_ms", f.setup_ms},
      {"order", f.order}};
  j["rows"] = nlohmann::ordered_json::array();
  for (const EpochRow& r : f.rows) {
    j["rows"].push_back({{"kind", std::string(name_of(r.kind))},
                         {"label", r.label},
                         {"calls", r.calls},
                         {"ms", r.ms},
                         {"limit_ms", r.limit_ms},
                         {"bound", r.bound},
                         {"flops", r.flops},
                         {"bytes", r.bytes}});
  }
  return j;
}

std::string epoch_result_line(const EpochFigures& f, const layers::ModelOptions& model) {
  std::string text = fmt::format(
      "RESULT layer={} layers={} hidden={} threads={} order={} setup_ms={:.1f} epoch_ms={:.4f} limit_ms={:.4f} "
      "ratio={:.4f} other_ms={:.4f}",
      model.layer, model.layers, model.hidden, f.threads, f.order, f.setup_ms, f.epoch_ms, f.limit_ms(), f.ratio(),
      f.other_ms());
  const auto totals = totals_of(f);
  for (std::size_t k = 0; k < totals.size(); ++k) {
    const auto name = name_of(static_cast<WorkKind>(k));
    text += fmt::format(" {0}_ms={1:.4f} {0}_limit_ms={2:.4f}", name, totals[k].ms, totals[k].limit_ms);
  }
  return text;
}

}  // namespace laminar::apps
