#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// When messages arrive on a network whose devices have one port each, with a rate in each direction, joined by a
/// switch that is never the bottleneck. A fluid model: the messages of a (sender, receiver) pair go one after the
/// other, like on a TCP connection; pairs that are busy at the same time share a port equally, so a message to one
/// device does not wait for a long one to another. A pair's rate is R / max(pairs leaving the sender, pairs entering
/// the receiver).
///
/// Times are seconds of the caller's clock, which must not go back; no clock is read here. Not thread-safe.
class LinkModel {
 public:
  /// A message on its way.
  struct Transfer {
    double left_bytes = 0;
    /// When its last byte left; negative as long as it has not.
    double finished_s = -1;
    std::size_t pair = 0;
  };

  LinkModel(Index devices, const LinkOptions& link);

  /// A message that is handed over at `now_s`.
  std::shared_ptr<const Transfer> add(Index from, Index to, std::uint64_t bytes, double now_s);
  /// When its last byte will have arrived, if nothing else is handed over after `now_s`; what comes later can only make
  /// that later.
  double arrival_s(const Transfer& transfer, double now_s);

 private:
  using Queue = std::deque<std::shared_ptr<Transfer>>;
  /// Moves the model's time to `now_s`.
  void advance(double now_s);
  /// Bytes a second of a pair, given how many busy ones each port has.
  double rate_of(std::size_t pair, const std::vector<int>& leaving, const std::vector<int>& entering) const;

  std::size_t devices_;
  /// 0 = infinite.
  double bytes_per_s_;
  double latency_s_;
  double time_s_ = 0;
  /// One a pair, at from * devices + to.
  std::vector<Queue> pairs_;
  std::vector<int> leaving_;
  std::vector<int> entering_;
};

}  // namespace laminar::pipeline
