#include "laminar/pipeline/mailbox.hpp"

#include <algorithm>
#include <utility>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

Mailbox::Mailbox(Index senders, std::size_t limit, ArrivalOf arrival_of)
    : limit_(limit), arrival_of_(std::move(arrival_of)), waiting_(static_cast<std::size_t>(senders)) {}

void Mailbox::throw_if_failed() const {
  if (failure_) throw Error(*failure_);
}

void Mailbox::deliver(Index from, const Tag& tag, Bytes message, Transfer transfer) {
  const Address address{from, tag};
  std::unique_lock lock(mutex_);
  std::size_t& waiting = waiting_.at(static_cast<std::size_t>(from));
  room_.wait(lock, [&] { return failure_ || waiting < limit_; });
  throw_if_failed();
  queues_[address].push_back({std::move(message), std::move(transfer)});
  ++waiting;
  const bool wake = std::find(wanted_.begin(), wanted_.end(), address) != wanted_.end();
  lock.unlock();
  if (wake) arrived_.notify_one();
}

std::size_t Mailbox::waiting(Index from) const {
  const std::lock_guard lock(mutex_);
  return waiting_.at(static_cast<std::size_t>(from));
}

Mailbox::Clock::time_point Mailbox::arrival(const Message& message) const {
  return message.transfer && arrival_of_ ? arrival_of_(*message.transfer) : Clock::time_point::min();
}

Bytes Mailbox::take(Queues::iterator queue) {
  Bytes bytes = std::move(queue->second.front().bytes);
  std::size_t& waiting = waiting_[static_cast<std::size_t>(queue->first.from)];
  if (waiting-- == limit_) room_.notify_all();
  queue->second.pop_front();
  if (queue->second.empty()) queues_.erase(queue);
  return bytes;
}

Bytes Mailbox::receive(Index from, const Tag& tag) {
  const Address address{from, tag};
  wait_any({&address, 1});
  const std::lock_guard lock(mutex_);
  return take(queues_.find(address));
}

std::optional<Bytes> Mailbox::try_receive(Index from, const Tag& tag) {
  const std::lock_guard lock(mutex_);
  throw_if_failed();
  const auto queue = queues_.find({from, tag});
  if (queue == queues_.end()) return std::nullopt;
  const auto arrives = arrival(queue->second.front());
  if (arrives != Clock::time_point::min() && arrives > Clock::now()) return std::nullopt;
  return take(queue);
}

std::optional<std::size_t> Mailbox::find(std::span<const Address> wanted, Clock::time_point& next) const {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto queue = queues_.find(wanted[i]);
    if (queue == queues_.end()) continue;
    const auto arrives = arrival(queue->second.front());
    if (arrives == Clock::time_point::min() || arrives <= Clock::now()) return i;
    next = std::min(next, arrives);
  }
  return std::nullopt;
}

std::optional<std::size_t> Mailbox::find_any(std::span<const Address> wanted) {
  const std::lock_guard lock(mutex_);
  throw_if_failed();
  auto next = Clock::time_point::max();
  return find(wanted, next);
}

std::size_t Mailbox::wait_any(std::span<const Address> wanted) {
  if (wanted.empty()) throw Error("[mailbox] a wait for no message would never end");
  std::unique_lock lock(mutex_);
  while (true) {
    throw_if_failed();
    auto next = Clock::time_point::max();
    if (const auto place = find(wanted, next)) return *place;
    wanted_ = wanted;
    if (next == Clock::time_point::max()) {
      arrived_.wait(lock);
    } else {
      arrived_.wait_until(lock, next);
    }
    wanted_ = {};
  }
}

bool Mailbox::fail(const std::string& text) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return false;
    failure_ = text;
  }
  arrived_.notify_all();
  room_.notify_all();
  return true;
}

void Mailbox::check() const {
  const std::lock_guard lock(mutex_);
  throw_if_failed();
}

}  // namespace laminar::pipeline
