#pragma once

#include <memory>

#include "laminar/core/metrics.hpp"
#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/pair_split.hpp"
#include "laminar/pipeline/plan.hpp"
#include "laminar/pipeline/targets.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::pipeline {

/// What the devices of a process share.
struct TrainingInput {
  layers::ModelOptions model;
  TrainOptions options;
  Plan plan;
  Targets targets;
  /// For models of pairs, which have no targets; null otherwise.
  std::shared_ptr<const PairSplit> links;
  core::Metric metric = core::Metric::kAccuracy;
  DataSignature signature;
};

}  // namespace laminar::pipeline
