#pragma once

#include <vector>

#include "laminar/core/tape.hpp"
#include "laminar/pipeline/communicator.hpp"

namespace laminar::pipeline {

/// Batch norm's sums over the parts of a stage. Every part comes to them in the same order, since each runs the same
/// layers over one slice. What is sent counts as Cause::kOther in training, as kEvaluation there.
class StageStatistics final : public core::StatisticsExchange {
 public:
  /// `group`: the stage's devices, ascending. `communicator` must outlive it.
  StageStatistics(Communicator& communicator, std::vector<Index> group);
  void evaluating(bool evaluating) { cause_ = evaluating ? Cause::kEvaluation : Cause::kOther; }
  void add_up(core::Tensor& sums) override;

 private:
  Communicator& communicator_;
  std::vector<Index> group_;
  Cause cause_ = Cause::kOther;
};

}  // namespace laminar::pipeline
