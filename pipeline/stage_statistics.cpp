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
  communicator_.begin_all_reduce(group_, kStatisticsBucket, {sums}, cause_);
  communicator_.finish_all_reduces();
}

}  // namespace laminar::pipeline
