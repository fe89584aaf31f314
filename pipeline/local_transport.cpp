// Devices as threads of one process: a message is moved into the receiver's mailbox.
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/link_model.hpp"
#include "laminar/pipeline/mailbox.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {
namespace {

/// Messages of one sender that may wait at one receiver.
constexpr std::size_t kWaitingMessages = 1024;

/// An emulated link, and the clock that it runs by.
class Link {
 public:
  Link(Index devices, const LinkOptions& options) : model_(devices, options) {}

  Mailbox::Transfer add(Index from, Index to, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    return model_.add(from, to, bytes, now_s());
  }
  Mailbox::Clock::time_point arrival(const LinkModel::Transfer& transfer) {
    const std::lock_guard lock(mutex_);
    const auto since = std::chrono::duration<double>(model_.arrival_s(transfer, now_s()));
    // Up to the next tick, so that a wait until then is long enough.
    return start_ + std::chrono::ceil<Mailbox::Clock::duration>(since);
  }

 private:
  double now_s() const { return std::chrono::duration<double>(Mailbox::Clock::now() - start_).count(); }

  const Mailbox::Clock::time_point start_ = Mailbox::Clock::now();
  std::mutex mutex_;
  LinkModel model_;
};

struct Network {
  std::unique_ptr<Link> link;
  std::vector<std::unique_ptr<Mailbox>> mailboxes;
};

class LocalTransport final : public Transport {
 public:
  LocalTransport(Index rank, std::shared_ptr<Network> network) : rank_(rank), network_(std::move(network)) {}

  Index rank() const override { return rank_; }
  Index size() const override { return static_cast<Index>(network_->mailboxes.size()); }

  void send(Index to, const Tag& tag, Bytes message) override {
    check_peer(*this, to);
    mailbox(rank_).check();
    Mailbox::Transfer transfer;
    if (network_->link) transfer = network_->link->add(rank_, to, message.size() + kFramingBytes);
    mailbox(to).deliver(rank_, tag, std::move(message), std::move(transfer));
  }
  Bytes receive(Index from, const Tag& tag) override {
    check_peer(*this, from);
    return mailbox(rank_).receive(from, tag);
  }
  std::optional<Bytes> try_receive(Index from, const Tag& tag) override {
    check_peer(*this, from);
    return mailbox(rank_).try_receive(from, tag);
  }
  std::size_t wait_any(std::span<const Address> wanted) override {
    for (const Address& address : wanted) check_peer(*this, address.from);
    return mailbox(rank_).wait_any(wanted);
  }
  bool fail(const std::string& why) override {
    const std::string text = fmt::format("{} has failed: {}", device_name(rank_), why);
    bool first = false;
    for (const auto& box : network_->mailboxes) first = box->fail(text) || first;
    return first;
  }
  std::string device_name(Index rank) const override { return fmt::format("device {}", rank); }

 private:
  Mailbox& mailbox(Index rank) const { return *network_->mailboxes[static_cast<std::size_t>(rank)]; }

  Index rank_;
  std::shared_ptr<Network> network_;
};

}  // namespace

void check_peer(const Transport& transport, Index peer) {
  if (peer >= 0 && peer < transport.size() && peer != transport.rank()) return;
  throw Error(fmt::format("[transport] {} of {} names device {} as the other end; expected another one of 0 to {}",
                          transport.device_name(transport.rank()), transport.size(), peer, transport.size() - 1));
}

std::vector<std::unique_ptr<Transport>> make_local_transports(Index size, const LinkOptions& link) {
  if (size < 1) throw Error(fmt::format("[transport] {} devices; expected 1 or more", size));
  auto network = std::make_shared<Network>();
  // Checks the options even if the link turns out to be none.
  auto emulated = std::make_unique<Link>(size, link);
  if (link.mbps > 0 || link.latency_us > 0) network->link = std::move(emulated);
  Mailbox::ArrivalOf arrival_of;
  if (network->link) {
    arrival_of = [clock = network->link.get()](const LinkModel::Transfer& transfer) {
      return clock->arrival(transfer);
    };
  }
  std::vector<std::unique_ptr<Transport>> ends;
  for (Index rank = 0; rank < size; ++rank) {
    network->mailboxes.push_back(std::make_unique<Mailbox>(size, kWaitingMessages, arrival_of));
  }
  for (Index rank = 0; rank < size; ++rank) ends.push_back(std::make_unique<LocalTransport>(rank, network));
  return ends;
}

}  // namespace laminar::pipeline
