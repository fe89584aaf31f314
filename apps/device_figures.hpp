#pragma once

#include <span>
#include <string>
#include <vector>

#include "laminar/pipeline/plan.hpp"
#include "laminar/pipeline/train_result.hpp"

/// What the devices of a training did, in a few figures: for the terminal, the report page and the trace. Thread-safe.
namespace laminar::apps {

/// "device 3: stage 1, part 1"; what there is only one of is left out.
std::string device_name(const pipeline::Topology& topology, std::size_t device);

/// Whether a step belongs to the forward pass.
bool is_forward(const pipeline::Step& step);
/// What of a step is neither waiting nor sending, in milliseconds.
double busy_ms(const pipeline::StepSpan& span);

/// Medians over the epochs that ran on as many devices as the last one did, by device; empty on one device, whose
/// epochs have no times of their own.
std::vector<pipeline::DeviceTimes> typical_times(std::span<const pipeline::EpochRecord> epochs);
/// Medians over the same epochs, by cause; of Cause::kEvaluation over those that were evaluated.
pipeline::Ledger typical_traffic(std::span<const pipeline::EpochRecord> epochs);

/// One line: how near an epoch's gradient was to the exact one, and in which layer it was furthest from it; empty if
/// that was not measured.
std::string fidelity_text(const pipeline::EpochRecord& epoch);

/// From the first device's begin to the last one's end.
double epoch_ms_of(const std::vector<std::vector<pipeline::StepSpan>>& spans);
/// Share of all devices' time from the first begin to the last end in which a device neither computes nor sends; 0
/// without steps.
double idle_share(const std::vector<std::vector<pipeline::StepSpan>>& spans);
/// The least that a pipeline with equal steps can have: (S - 1) / (K + S - 1).
double ideal_bubble(const pipeline::Topology& topology);

/// Whether a pipeline or graph parallelism sends less at as many devices, in units of N rows an epoch.
struct ModeComparison {
  core::Index devices = 1;
  /// Aggregations whose rows would travel: without the first of a net that has no encoder, as its input is constant.
  core::Index aggregations = 0;
  /// Rows that all parts receive / N, forward and backward, when the graph is cut into as many parts as there are
  /// devices.
  double h_in = 0;
  double h_out = 0;
  /// "this run's cut", "a cut by metis_vol"; empty if the halo is not known, and then why.
  std::string cut;
  std::string why_unknown;
  double graph_rows() const { return static_cast<double>(aggregations) * (h_in + h_out); }
  double pipeline_rows() const { return 2 * static_cast<double>(devices - 1); }
};

/// The halo is that of the run's own parts if it has one a device; otherwise the graph is cut by `strategy` at its fast
/// preset, unless it has more than two million edges. What the strategy throws becomes `why_unknown`.
ModeComparison compare_modes(const pipeline::Plan& plan, const layers::Model& model, const std::string& strategy,
                             std::uint64_t seed);

/// For --verbose, a few lines each: where the devices' time goes and what travels, by cause; and which mode should win.
std::string devices_text(const pipeline::Plan& plan, std::span<const pipeline::EpochRecord> epochs);
std::string modes_text(const ModeComparison& comparison);

}  // namespace laminar::apps
