#pragma once

#include "laminar/core/dataset.hpp"
#include "laminar/pipeline/plan.hpp"

namespace laminar::pipeline {

/// Milliseconds that each layer takes one core in an epoch, forward and backward over all of the graph: calibrate() on
/// the plan's slices. Depends on the machine and on what else it does.
std::vector<double> measure_layers(const layers::ModelOptions& model, const core::Dataset& data,
                                   const TrainOptions& options, const Plan& plan);

/// Cuts the stages of `plan` anew so that the longest by measure_layers() is short, writes the places into
/// `options.distribution.stage_cut.at` and a remark into the plan. With `rank` all ranks call it, and take what rank 0
/// has measured. Does nothing if there is one stage.
void cut_by_measure(const layers::ModelOptions& model, const core::Dataset& data, TrainOptions& options,
                    Transport* rank, Plan& plan);

}  // namespace laminar::pipeline
