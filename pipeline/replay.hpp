#pragma once

#include <span>
#include <vector>

#include "laminar/pipeline/simulation.hpp"
#include "laminar/pipeline/step_span.hpp"

namespace laminar::pipeline {

/// An epoch of a pipeline whose devices have cores of their own and links as fast as memory, made of measured steps.
struct Replay {
  SimulatedEpoch epoch;
  /// Share of the devices' time in which they wait: 1 - sum of busy / (S x epoch).
  double bubble = 0;
};

/// Runs the steps again, each as long as it was busy: device s is stage s of a pipeline (one part), takes the state of
/// a chunk from stage s - 1 and its gradient from stage s + 1. A pure function. `spans`: a device's steps in order, as
/// TrainResult::spans has them; measure them while devices take turns (DistributionOptions::take_turns), or they hold
/// the time that others used the core. Throws Error if there are half steps, which need more messages, or if the steps
/// are those of no pipeline.
Replay replay(std::span<const std::vector<StepSpan>> spans);

/// The steps of the last of several epochs, each as long as it was busy in their median: a single step is short enough
/// for one interruption to spoil it. epochs[e][s]: as replay() takes them; the order of chunks may differ. Throws Error
/// if the epochs do not have the same steps.
std::vector<std::vector<StepSpan>> median_steps(std::span<const std::vector<std::vector<StepSpan>>> epochs);

}  // namespace laminar::pipeline
