#include "laminar/pipeline/link_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

LinkModel::LinkModel(Index devices, const LinkOptions& link)
    : devices_(static_cast<std::size_t>(devices)),
      bytes_per_s_(link.mbps * 1e6 / 8),
      latency_s_(link.latency_us * 1e-6),
      pairs_(devices_ * devices_),
      leaving_(devices_),
      entering_(devices_) {
  if (!(link.mbps >= 0 && std::isfinite(link.mbps))) {
    throw UsageError(fmt::format("--link-mbps is {}, expected 0 (as fast as memory) or more", link.mbps));
  }
  if (!(link.latency_us >= 0 && std::isfinite(link.latency_us))) {
    throw UsageError(fmt::format("--link-latency-us is {}, expected 0 or more", link.latency_us));
  }
}

double LinkModel::rate_of(std::size_t pair, const std::vector<int>& leaving, const std::vector<int>& entering) const {
  return bytes_per_s_ / std::max(leaving[pair / devices_], entering[pair % devices_]);
}

void LinkModel::advance(double now_s) {
  while (time_s_ < now_s) {
    // To the next moment at which a message ends, as rates are constant until then.
    double step_s = now_s - time_s_;
    for (std::size_t p = 0; p < pairs_.size(); ++p) {
      if (!pairs_[p].empty()) {
        step_s = std::min(step_s, pairs_[p].front()->left_bytes / rate_of(p, leaving_, entering_));
      }
    }
    const double then_s = step_s < now_s - time_s_ ? time_s_ + step_s : now_s;
    std::vector<std::size_t> done;
    for (std::size_t p = 0; p < pairs_.size(); ++p) {
      if (pairs_[p].empty()) continue;
      Transfer& head = *pairs_[p].front();
      head.left_bytes -= rate_of(p, leaving_, entering_) * step_s;
      // What is below a thousandth of a byte is rounding.
      if (head.left_bytes < 1e-3) done.push_back(p);
    }
    for (const std::size_t p : done) {
      pairs_[p].front()->finished_s = then_s;
      pairs_[p].pop_front();
      if (pairs_[p].empty()) {
        --leaving_[p / devices_];
        --entering_[p % devices_];
      }
    }
    time_s_ = then_s;
  }
}

std::shared_ptr<const LinkModel::Transfer> LinkModel::add(Index from, Index to, std::uint64_t bytes, double now_s) {
  advance(now_s);
  auto transfer = std::make_shared<Transfer>();
  transfer->pair = static_cast<std::size_t>(from) * devices_ + static_cast<std::size_t>(to);
  transfer->left_bytes = static_cast<double>(bytes);
  if (bytes_per_s_ == 0 || bytes == 0) {
    transfer->finished_s = now_s;
    return transfer;
  }
  Queue& queue = pairs_[transfer->pair];
  if (queue.empty()) {
    ++leaving_[static_cast<std::size_t>(from)];
    ++entering_[static_cast<std::size_t>(to)];
  }
  queue.push_back(transfer);
  return transfer;
}

double LinkModel::arrival_s(const Transfer& transfer, double now_s) {
  advance(now_s);
  if (transfer.finished_s >= 0) return transfer.finished_s + latency_s_;
  // The same steps on a copy of what is left, until the transfer ends. `left` is the head's rest, `next` its successor.
  struct Busy {
    std::size_t pair;
    double left_bytes;
    std::size_t next;
  };
  std::vector<Busy> busy;
  for (std::size_t p = 0; p < pairs_.size(); ++p) {
    if (!pairs_[p].empty()) busy.push_back({p, pairs_[p].front()->left_bytes, 1});
  }
  std::vector<int> leaving = leaving_;
  std::vector<int> entering = entering_;
  double time_s = time_s_;
  while (true) {
    std::size_t first = 0;
    double step_s = std::numeric_limits<double>::infinity();
    for (std::size_t b = 0; b < busy.size(); ++b) {
      const double needed_s = busy[b].left_bytes / rate_of(busy[b].pair, leaving, entering);
      if (needed_s < step_s) {
        step_s = needed_s;
        first = b;
      }
    }
    time_s += step_s;
    for (Busy& b : busy) b.left_bytes -= rate_of(b.pair, leaving, entering) * step_s;
    const Queue& queue = pairs_[busy[first].pair];
    if (queue[busy[first].next - 1].get() == &transfer) return time_s + latency_s_;
    if (busy[first].next < queue.size()) {
      busy[first].left_bytes = queue[busy[first].next++]->left_bytes;
    } else {
      --leaving[busy[first].pair / devices_];
      --entering[busy[first].pair % devices_];
      busy.erase(busy.begin() + static_cast<std::ptrdiff_t>(first));
    }
  }
}

}  // namespace laminar::pipeline
