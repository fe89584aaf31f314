#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "laminar/pipeline/link_model.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// The messages that have come to one device and wait to be received: a queue for each (sender, tag). Thread-safe; one
/// thread receives, any deliver. Waiting never spins.
class Mailbox {
 public:
  using Clock = std::chrono::steady_clock;
  using Transfer = std::shared_ptr<const LinkModel::Transfer>;
  /// When a message on an emulated link arrives; before, a receiver does not see it. Called with the mailbox locked.
  using ArrivalOf = std::function<Clock::time_point(const LinkModel::Transfer&)>;

  /// At most `limit` messages of one sender wait here.
  Mailbox(Index senders, std::size_t limit, ArrivalOf arrival_of = {});

  /// Waits as long as `limit` messages of this sender are waiting. Throws Error, with the reason, after fail().
  void deliver(Index from, const Tag& tag, Bytes message, Transfer transfer = {});
  /// How many messages of this sender are waiting.
  std::size_t waiting(Index from) const;

  /// As in Transport; all throw Error after fail().
  Bytes receive(Index from, const Tag& tag);
  std::optional<Bytes> try_receive(Index from, const Tag& tag);
  std::size_t wait_any(std::span<const Address> wanted);
  /// wait_any() without the wait.
  std::optional<std::size_t> find_any(std::span<const Address> wanted);

  /// Everybody who waits here or will gets an Error with this text; the first text stays. Whether this was the first.
  bool fail(const std::string& text);
  /// Throws Error if fail() was called.
  void check() const;

 private:
  struct Message {
    Bytes bytes;
    Transfer transfer;
  };
  using Queues = std::map<Address, std::deque<Message>>;

  void throw_if_failed() const;
  /// The place of the first of `wanted` that can be seen; else `next` becomes the time at which one can, if that is
  /// known.
  std::optional<std::size_t> find(std::span<const Address> wanted, Clock::time_point& next) const;
  /// Takes the first message of a queue that has one.
  Bytes take(Queues::iterator queue);
  /// The time at which the first message can be seen; the clock's least value if that needs no clock.
  Clock::time_point arrival(const Message& message) const;

  const std::size_t limit_;
  const ArrivalOf arrival_of_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable room_;
  Queues queues_;
  /// Messages waiting, by sender.
  std::vector<std::size_t> waiting_;
  /// What the receiver waits for; others' messages need not wake it.
  std::span<const Address> wanted_;
  std::optional<std::string> failure_;
};

}  // namespace laminar::pipeline
