#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "laminar/pipeline/mailbox.hpp"
#include "laminar/pipeline/mpi_transport.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// The thread behind make_mpi_transport(): the only one that calls MPI. Its other members may be called by one other
/// thread.
class MpiEngine {
 public:
  /// Starts MPI. Throws Error if that fails.
  explicit MpiEngine(const HeartbeatOptions& heartbeat);
  /// As leave().
  ~MpiEngine();
  MpiEngine(const MpiEngine&) = delete;
  MpiEngine& operator=(const MpiEngine&) = delete;

  static std::string library();

  Index rank() const { return rank_; }
  Index size() const { return static_cast<Index>(places_.size()); }
  /// See Transport.
  int core_share() const { return core_share_; }
  int ranks_on_host() const { return ranks_on_host_; }
  Mailbox& mailbox() { return *mailbox_; }
  /// Queues a message; waits while too many are queued for that rank.
  void send(Index to, const Tag& tag, Bytes message);
  /// As Transport's; meanwhile the thread looks more often.
  std::size_t wait_any(std::span<const Address> wanted);
  /// As Transport's.
  bool fail(const std::string& why);
  /// Ends MPI together with all other ranks: true; or leaves without that after a failure (see make_mpi_transport()).
  bool leave();
  /// How many heartbeats were sent.
  std::uint64_t heartbeats() const { return heartbeats_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Outgoing;
  /// What only the thread touches: MPI's handles and what goes on over them.
  class Loop;

  void run();
  /// "rank 2 (host H, pid N)"
  std::string name_of(Index rank) const;

  const HeartbeatOptions heartbeat_;
  Index rank_ = 0;
  int core_share_ = 1;
  int ranks_on_host_ = 1;
  /// "host H, pid N" of every rank.
  std::vector<std::string> places_;
  std::unique_ptr<Mailbox> mailbox_;
  std::atomic<std::uint64_t> heartbeats_ = 0;

  std::mutex mutex_;
  /// For the thread: something to do; for the senders: room.
  std::condition_variable work_;
  std::condition_variable room_;
  /// Not yet taken by the thread.
  std::vector<std::shared_ptr<Outgoing>> outbox_;
  /// Messages to each rank that are not yet all handed to MPI.
  std::vector<std::size_t> queued_;
  /// Text for all others that this rank has failed.
  std::string failure_to_tell_;
  bool closing_ = false;
  bool waiting_ = false;

  std::thread thread_;
  /// Whether the thread has ended MPI; to be read when it has ended.
  bool ended_ = false;
};

}  // namespace laminar::pipeline
