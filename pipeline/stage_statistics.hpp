#pragma once

#include <vector>

#include "laminar/core/tape.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/recording.hpp"

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
  friend class KeptSums;
  /// Null if nothing is kept.
  std::vector<core::Tensor>* kept_ = nullptr;
  bool again_ = false;
  std::size_t next_ = 0;
};

/// While it lives, which is for one layer's forward, the sums are kept in `kept`, or given from there in the same order
/// without a message.
class KeptSums {
 public:
  /// `statistics` may be null.
  KeptSums(StageStatistics* statistics, Recording recording, std::vector<core::Tensor>& kept);
  ~KeptSums();
  KeptSums(const KeptSums&) = delete;
  KeptSums& operator=(const KeptSums&) = delete;

 private:
  StageStatistics* statistics_;
};

}  // namespace laminar::pipeline
