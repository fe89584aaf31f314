#include "laminar/apps/result_line.hpp"

#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "laminar/apps/pair_figures.hpp"
#include "laminar/apps/progress.hpp"

namespace laminar::apps {
namespace {

using pipeline::Spread;

std::string row(std::string_view what, double bytes) {
  return fmt::format("  {:<14}{:>12}\n", what, bytes_text(bytes));
}

std::string_view text_of(pipeline::Ending ending) {
  switch (ending) {
    case pipeline::Ending::kAllEpochs:
      return "all epochs done";
    case pipeline::Ending::kEarlyStop:
      return "stopped early";
    case pipeline::Ending::kStopAfter:
      return "stopped as asked";
    case pipeline::Ending::kInterrupted:
      break;
  }
  return "interrupted";
}

}  // namespace

std::string metric_text(core::Metric metric, double value) {
  return core::is_share(metric) ? fmt::format("{:.6f}", value) : fmt::format("{:.8g}", value);
}

std::string result_line(const layers::ModelOptions& model, const pipeline::Summary& s, double peak_rss_mib,
                        const pipeline::TrainResult& first) {
  const auto metric = [&](double value) { return metric_text(s.metric, value); };
  return fmt::format(
             "RESULT layer={} layers={} metric={} loss={:.8g} train_metric={} val_metric={} test_metric={} "
             "test_metric_std={} best_epoch={:.10g} epoch_ms={:.3f} bytes_per_epoch={:.0f} peak_rss_mib={:.1f} seed={} "
             "stages={} parts={} chunks={}",
             model.layer, model.layers, name_of(s.metric), s.loss, metric(s.train_metric.mean),
             metric(s.val_metric.mean), metric(s.test_metric.mean), metric(s.test_metric.std), s.best_epoch, s.epoch_ms,
             s.bytes_per_epoch, peak_rss_mib, first.seed, first.topology.stages, first.topology.parts,
             first.topology.chunks) +
         pair_result(s);
}

std::string summary_table(const std::vector<pipeline::TrainResult>& results, const pipeline::Summary& s,
                          double peak_rss_mib) {
  const bool several = results.size() > 1;
  const auto value = [&](const Spread& v) {
    return several ? fmt::format("{:.4f} +- {:.4f}", v.mean, v.std) : fmt::format("{:.4f}", v.mean);
  };
  std::string text = fmt::format("{:<10}{:>18}{:>18}{:>18}\n", "", "train", "validation", "test");
  text += fmt::format("{:<10}{:>18}{:>18}{:>18}\n", name_of(s.metric), value(s.train_metric), value(s.val_metric),
                      value(s.test_metric));
  if (several) {
    text += fmt::format("means of {} runs +- standard deviation, best epoch {:.1f} on average", results.size(),
                        s.best_epoch);
  } else {
    const auto& r = results.front();
    text += fmt::format("best epoch {} of {} ({})", r.best_epoch, r.epochs.size(), text_of(r.ending));
  }
  return text +
         fmt::format(", loss {:.6g}, {} ms/epoch, peak memory {:.1f} MiB\n", s.loss, ms_text(s.epoch_ms), peak_rss_mib);
}

std::string memory_table(const pipeline::TrainResult& result) {
  std::string text = "memory at its peak, by purpose\n" + row("graph", static_cast<double>(result.graph_bytes));
  for (std::size_t i = 0; i < core::kNumMemoryPurposes; ++i) {
    if (result.peak_bytes[i] == 0) continue;
    text += row(name_of(static_cast<core::MemoryPurpose>(i)), static_cast<double>(result.peak_bytes[i]));
  }
  return text + row("all tensors", static_cast<double>(result.peak_bytes_total));
}

std::string time_table(const pipeline::TrainResult& result) {
  double forward = 0;
  double loss = 0;
  double backward = 0;
  double recompute = 0;
  double optimizer = 0;
  double evaluation = 0;
  for (const pipeline::EpochRecord& e : result.epochs) {
    forward += e.forward_ms;
    loss += e.loss_ms;
    backward += e.backward_ms - e.recompute_ms;
    recompute += e.recompute_ms;
    optimizer += e.optimizer_ms;
    evaluation += e.evaluated ? e.evaluation_ms : 0;
  }
  const double all = forward + loss + backward + recompute + optimizer + evaluation;
  const auto line = [&](std::string_view what, double ms) {
    return fmt::format("  {:<14}{:>9.1f} ms{:>6.1f} %\n", what, ms, all > 0 ? 100 * ms / all : 0.0);
  };
  return fmt::format("time of {} epochs, by phase\n", result.epochs.size()) + line("forward", forward) +
         line("loss", loss) + line("backward", backward) +
         (recompute > 0 ? line("recompute", recompute) : std::string()) + line("optimizer", optimizer) +
         line("evaluation", evaluation);
}

std::string estimate_table(const pipeline::MemoryEstimate& e) {
  const auto bytes = [](std::size_t b) { return static_cast<double>(b); };
  return row("graph", bytes(e.graph_bytes)) + row("features", bytes(e.features_bytes)) +
         row("parameters", bytes(e.parameters_bytes)) + row("optimizer", bytes(e.optimizer_bytes)) +
         row("activations", bytes(e.activations_bytes)) + row("gradients", bytes(e.gradients_bytes)) +
         row("total", bytes(e.total()));
}

}  // namespace laminar::apps
