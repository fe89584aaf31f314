#include "laminar/pipeline/train_options.hpp"

#include <cmath>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

void at_least(Index value, Index least, const char* option) {
  if (value < least) throw UsageError(fmt::format("--{} is {}, expected {} or more", option, value, least));
}

}  // namespace

std::string_view name_of(Selection selection) { return selection == Selection::kMetric ? "metric" : "loss"; }

Selection selection_from_name(std::string_view name) {
  if (name == "metric") return Selection::kMetric;
  if (name == "loss") return Selection::kLoss;
  throw UsageError(fmt::format("selection '{}' is not known; use metric or loss", name));
}

std::string_view name_of(Recompute recompute) {
  switch (recompute) {
    case Recompute::kAuto:
      return "auto";
    case Recompute::kNever:
      return "never";
    case Recompute::kAlways:
      break;
  }
  return "always";
}

Recompute recompute_from_name(std::string_view name) {
  for (const Recompute recompute : {Recompute::kAuto, Recompute::kNever, Recompute::kAlways}) {
    if (name == name_of(recompute)) return recompute;
  }
  throw UsageError(fmt::format("'{}' is no way to recompute; use auto, never or always", name));
}

int threads_of(int asked, const Transport* rank) { return asked > 0 || rank == nullptr ? asked : rank->core_share(); }

void validate(const TrainOptions& o) {
  at_least(o.epochs, 1, "epochs");
  at_least(o.stop_after, 0, "stop-after");
  at_least(o.eval_every, 1, "eval-every");
  at_least(o.patience, 0, "patience");
  at_least(o.checkpoint_every, 0, "checkpoint-every");
  at_least(o.threads, 0, "threads");
  const DistributionOptions& d = o.distribution;
  at_least(d.topology.stages, 1, "stages");
  at_least(d.topology.parts, 1, "partitions");
  at_least(d.topology.chunks, 1, "chunks");
  at_least(d.fidelity_every, 0, "gradient-fidelity");
  validate(o.loss);
  validate(o.pairs);
  validate(d.history);
  validate(d.halo);
  if (d.schedule == ScheduleKind::kOneForwardOneBackward && d.history.mode == GradientMode::kTruncated) {
    throw UsageError(
        "--schedule 1f1b can't go with --gradient-mode truncated: a chunk goes back before those that read it fresh; "
        "use compensated, or --schedule all-forward");
  }
  if (!(o.clip_norm >= 0 && std::isfinite(o.clip_norm))) {
    throw UsageError(fmt::format("--clip-norm is {}, expected 0 (off) or more", o.clip_norm));
  }
  // These check their own options.
  static_cast<void>(core::learning_rate(o.learning_rate, 0, o.epochs));
  static_cast<void>(core::make_optimizer(o.optimizer));
}

}  // namespace laminar::pipeline
