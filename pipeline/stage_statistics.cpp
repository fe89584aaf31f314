#include "laminar/pipeline/stage_statistics.hpp"

#include <utility>

namespace laminar::pipeline {
namespace {

// Beside those of layers, which are numbered from 0, and of encoder and head.
constexpr std::int32_t kStatisticsBucket = -3;

}  // namespace

StageStatistics::StageStatistics(Communicator& communicator, std::vector<Index> group)
    : communicator_(communicator), group_(std::move(group)) {}

void StageStatistics::add_up(core::Tensor& sums) {
  if (kept_ != nullptr && again_) {
    sums.copy_from(kept_->at(next_++));
    return;
  }
  communicator_.begin_all_reduce(group_, kStatisticsBucket, {sums}, cause_);
  communicator_.finish_all_reduces();
  if (kept_ != nullptr) kept_->push_back(sums.clone());
}

KeptSums::KeptSums(StageStatistics* statistics, Recording recording, std::vector<core::Tensor>& kept)
    : statistics_(recording == Recording::kOnce ? nullptr : statistics) {
  if (statistics_ == nullptr) return;
  statistics_->kept_ = &kept;
  statistics_->again_ = recording == Recording::kAgain;
  statistics_->next_ = 0;
}

KeptSums::~KeptSums() {
  if (statistics_ != nullptr) statistics_->kept_ = nullptr;
}

}  // namespace laminar::pipeline
