#include "laminar/apps/device_figures.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/apps/progress.hpp"
#include "laminar/core/error.hpp"
#include "laminar/partition/metrics.hpp"
#include "laminar/partition/partitioner.hpp"
#include "laminar/pipeline/statistics.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using pipeline::EpochRecord;
using pipeline::Step;
using pipeline::StepSpan;

/// METIS takes about a second for a million edges.
constexpr core::EdgeId kMostEdgesToCut = 2'000'000;

template <class F>
double median_of(std::span<const EpochRecord> epochs, F&& of) {
  std::vector<double> values;
  for (const EpochRecord& e : epochs) values.push_back(of(e));
  return values.empty() ? 0 : pipeline::median(std::move(values));
}

/// The epochs that ran on the devices that there are now: those that a checkpoint brought along know of none.
std::vector<EpochRecord> known_epochs(std::span<const EpochRecord> epochs) {
  const std::size_t devices = epochs.empty() ? 0 : epochs.back().devices.size();
  std::vector<EpochRecord> known;
  std::copy_if(epochs.begin(), epochs.end(), std::back_inserter(known),
               [&](const EpochRecord& e) { return devices > 0 && e.devices.size() == devices; });
  return known;
}

partition::Partition parts_of(const partition::Layout& layout) {
  partition::Partition parts{layout.num_parts(), {}};
  parts.part_of.resize(static_cast<std::size_t>(layout.num_vertices()));
  for (Index p = 0; p < layout.num_parts(); ++p) {
    const partition::Range rows = layout.part(p);
    std::fill(parts.part_of.begin() + rows.begin, parts.part_of.begin() + rows.end, static_cast<std::int32_t>(p));
  }
  return parts;
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

}  // namespace

std::string device_name(const pipeline::Topology& topology, std::size_t device) {
  const Index stage = static_cast<Index>(device) / topology.parts;
  const Index part = static_cast<Index>(device) % topology.parts;
  std::string name = fmt::format("device {}", device);
  if (topology.stages > 1) name += fmt::format(": stage {}", stage);
  if (topology.parts > 1) name += fmt::format("{}part {}", topology.stages > 1 ? ", " : ": ", part);
  return name;
}

bool is_forward(const Step& step) {
  return step.kind == Step::Kind::kForward || step.kind == Step::Kind::kPublish || step.kind == Step::Kind::kRead;
}

double busy_ms(const StepSpan& s) { return std::max(0.0, s.end_ms - s.begin_ms - s.wait_ms - s.send_ms); }

std::vector<pipeline::DeviceTimes> typical_times(std::span<const EpochRecord> epochs) {
  const std::vector<EpochRecord> known = known_epochs(epochs);
  const std::size_t devices = known.empty() ? 0 : known.back().devices.size();
  std::vector<pipeline::DeviceTimes> times(devices);
  for (std::size_t d = 0; d < devices; ++d) {
    times[d].busy_ms = median_of(known, [&](const EpochRecord& e) { return e.devices[d].busy_ms; });
    times[d].wait_ms = median_of(known, [&](const EpochRecord& e) { return e.devices[d].wait_ms; });
    times[d].send_ms = median_of(known, [&](const EpochRecord& e) { return e.devices[d].send_ms; });
  }
  return times;
}

pipeline::Ledger typical_traffic(std::span<const EpochRecord> epochs) {
  const std::vector<EpochRecord> known = known_epochs(epochs);
  std::vector<EpochRecord> evaluated;
  std::copy_if(known.begin(), known.end(), std::back_inserter(evaluated),
               [](const EpochRecord& e) { return e.evaluated; });
  pipeline::Ledger typical;
  for (std::size_t c = 0; c < pipeline::kNumCauses; ++c) {
    const auto& among = static_cast<pipeline::Cause>(c) == pipeline::Cause::kEvaluation ? evaluated : known;
    const auto whole = [](double x) { return static_cast<std::uint64_t>(x); };
    typical.bytes[c] =
        whole(median_of(among, [&](const EpochRecord& e) { return static_cast<double>(e.ledger.bytes[c]); }));
    typical.messages[c] =
        whole(median_of(among, [&](const EpochRecord& e) { return static_cast<double>(e.ledger.messages[c]); }));
  }
  return typical;
}

std::string fidelity_text(const EpochRecord& e) {
  if (e.layer_fidelity.empty()) return {};
  const auto worst = std::max_element(
      e.layer_fidelity.begin(), e.layer_fidelity.end(),
      [](const auto& a, const auto& b) { return std::isnan(a.relative_error) || a.relative_error < b.relative_error; });
  std::string text =
      fmt::format("gradient of epoch {} against the exact one: cosine {:.4f}, |g - exact| / |exact| = {:.3g}", e.epoch,
                  e.fidelity.cosine, e.fidelity.relative_error);
  if (!std::isnan(worst->relative_error)) {
    text += fmt::format("; furthest in layer {}: {:.4f}, {:.3g}", worst - e.layer_fidelity.begin(), worst->cosine,
                        worst->relative_error);
  }
  return text + fmt::format(" (took {} ms)\n", ms_text(e.fidelity_ms));
}

double epoch_ms_of(const std::vector<std::vector<StepSpan>>& spans) {
  double begin = std::numeric_limits<double>::infinity();
  double end = -begin;
  for (const auto& device : spans) {
    for (const StepSpan& s : device) {
      begin = std::min(begin, s.begin_ms);
      end = std::max(end, s.end_ms);
    }
  }
  return end > begin ? end - begin : 0;
}

double idle_share(const std::vector<std::vector<StepSpan>>& spans) {
  const double all_ms = epoch_ms_of(spans) * static_cast<double>(spans.size());
  if (all_ms <= 0) return 0;
  double used_ms = 0;
  for (const auto& device : spans) {
    for (const StepSpan& s : device) used_ms += std::max(0.0, s.end_ms - s.begin_ms - s.wait_ms);
  }
  return std::max(0.0, 1 - used_ms / all_ms);
}

double ideal_bubble(const pipeline::Topology& t) {
  return static_cast<double>(t.stages - 1) / static_cast<double>(t.chunks + t.stages - 1);
}

ModeComparison compare_modes(const pipeline::Plan& plan, const layers::Model& model, const std::string& strategy,
                             std::uint64_t seed) {
  ModeComparison c;
  c.devices = plan.num_devices();
  c.aggregations = model.num_layers() - (model.has_encoder() ? 0 : 1);
  const core::Graph& graph = plan.cut->graph;
  const auto n = static_cast<double>(std::max<Index>(graph.num_vertices(), 1));
  partition::Partition parts;
  if (plan.topology.parts == c.devices && plan.halo_in >= 0) {
    c.cut = "this run's cut";
    c.h_in = static_cast<double>(plan.halo_in) / n;
    c.h_out = static_cast<double>(plan.halo_out) / n;
    return c;
  }
  if (plan.topology.parts == c.devices) {
    parts = parts_of(plan.cut->layout);
    c.cut = "this run's cut";
  } else if (plan.cut->held_part >= 0) {
    c.why_unknown = "not computed, as each rank has only its part of the graph";
    return c;
  } else if (graph.num_edges() > kMostEdgesToCut) {
    c.why_unknown = "not computed, as cutting so large a graph takes long";
    return c;
  } else if (graph.num_vertices() < c.devices) {
    c.why_unknown = "there are fewer vertices than devices";
    return c;
  } else {
    try {
      parts = partition::Partitioners::instance().run(
          strategy, graph, {.parts = c.devices, .seed = seed, .preset = partition::Preset::kFast});
    } catch (const Error& error) {
      c.why_unknown = error.what();
      return c;
    }
    c.cut = "a cut by " + strategy;
  }
  const partition::PartitionMetrics m = partition::measure(graph, parts);
  c.h_in = static_cast<double>(m.h_in) / n;
  c.h_out = static_cast<double>(m.h_out) / n;
  return c;
}

std::string devices_text(const pipeline::Plan& plan, std::span<const EpochRecord> epochs) {
  const std::vector<pipeline::DeviceTimes> times = typical_times(epochs);
  if (times.empty()) return {};
  const bool one = epochs.size() == 1;
  std::string text =
      fmt::format("where the time goes, {}\n  {:<26}{:>12}{:>12}{:>12}\n",
                  one ? fmt::format("epoch {}", epochs.front().epoch)
                      : fmt::format("medians of epochs {} to {}, ms", epochs.front().epoch, epochs.back().epoch),
                  "", "busy", "waiting", "sending");
  double all = 0;
  double waited = 0;
  for (std::size_t d = 0; d < times.size(); ++d) {
    const pipeline::DeviceTimes& t = times[d];
    text += fmt::format("  {:<26}{:>12}{:>12}{:>12}\n", device_name(plan.topology, d), ms_text(t.busy_ms),
                        ms_text(t.wait_ms), ms_text(t.send_ms));
    all += t.busy_ms + t.wait_ms + t.send_ms;
    waited += t.wait_ms;
  }
  text += fmt::format("  waiting is {} of the devices' time", percent(all > 0 ? waited / all : 0));
  if (plan.topology.stages > 1 && plan.topology.chunks > 1 && pipeline::uses_history(plan.schedule)) {
    text += fmt::format("; in a pipeline of equal steps (S - 1) / (K + S - 1) = {} is",
                        percent(ideal_bubble(plan.topology)));
  }
  text += "\nbytes that travel in an epoch, by cause\n";
  const pipeline::Ledger sent = typical_traffic(epochs);
  for (std::size_t c = 0; c < pipeline::kNumCauses; ++c) {
    const auto cause = static_cast<pipeline::Cause>(c);
    const bool evaluation = cause == pipeline::Cause::kEvaluation;
    if (sent.bytes[c] == 0) continue;
    text += fmt::format("  {:<26}{:>12}{}\n", name_of(cause), bytes_text(static_cast<double>(sent.bytes[c])),
                        evaluation ? "  when there is one" : "");
  }
  return text + fmt::format("  {:<26}{:>12}\n", "without evaluation, other",
                            bytes_text(static_cast<double>(sent.training_bytes())));
}

std::string modes_text(const ModeComparison& c) {
  if (c.devices == 1) return {};
  std::string text = fmt::format("rows that travel in an epoch at {} devices, in units of all N vertices\n", c.devices);
  const std::string pipeline =
      fmt::format("  {:<20}2 (S - 1) = 2 x {} = {:.1f}\n", "pipeline", c.devices - 1, c.pipeline_rows());
  if (c.cut.empty()) {
    return text + fmt::format("  {:<20}L (h_in + h_out): {}\n", "graph parallelism", c.why_unknown) + pipeline;
  }
  text += fmt::format("  {:<20}L (h_in + h_out) = {} x ({:.2f} + {:.2f}) = {:.1f}, h of {} into {} parts\n",
                      "graph parallelism", c.aggregations, c.h_in, c.h_out, c.graph_rows(), c.cut, c.devices);
  text += pipeline;
  const double graph = c.graph_rows();
  const double stages = c.pipeline_rows();
  if (graph > stages) {
    return text + fmt::format("  L (h_in + h_out) > 2 (S - 1): a pipeline sends {:.1f} times less and should win\n",
                              graph / stages);
  }
  if (graph > 0) {
    return text +
           fmt::format("  L (h_in + h_out) <= 2 (S - 1): graph parallelism sends {:.1f} times less and should win\n",
                       stages / graph);
  }
  return text + "  nothing travels in graph parallelism: it should win\n";
}

}  // namespace laminar::apps
