#include "laminar/pipeline/turns.hpp"

#include <utility>

namespace laminar::pipeline {
namespace {

/// Holds no lock for as long as it lives.
class Unlocked {
 public:
  explicit Unlocked(std::mutex& mutex) : mutex_(mutex) { mutex_.unlock(); }
  ~Unlocked() { mutex_.lock(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  std::mutex& mutex_;
};

class TurnTransport final : public Transport {
 public:
  TurnTransport(std::unique_ptr<Transport> inner, std::shared_ptr<std::mutex> turn)
      : inner_(std::move(inner)), turn_(std::move(turn)) {}

  Index rank() const override { return inner_->rank(); }
  Index size() const override { return inner_->size(); }
  void send(Index to, const Tag& tag, Bytes message) override {
    // May wait for a receiver that has too many messages.
    const Unlocked others_turn(*turn_);
    inner_->send(to, tag, std::move(message));
  }
  Bytes receive(Index from, const Tag& tag) override {
    if (auto message = inner_->try_receive(from, tag)) return *std::move(message);
    const Unlocked others_turn(*turn_);
    return inner_->receive(from, tag);
  }
  std::optional<Bytes> try_receive(Index from, const Tag& tag) override { return inner_->try_receive(from, tag); }
  std::size_t wait_any(std::span<const Address> wanted) override {
    const Unlocked others_turn(*turn_);
    return inner_->wait_any(wanted);
  }
  bool fail(const std::string& why) override { return inner_->fail(why); }
  bool leave() override { return inner_->leave(); }
  std::uint64_t background_bytes() const override { return inner_->background_bytes(); }
  int core_share() const override { return inner_->core_share(); }
  std::string device_name(Index rank) const override { return inner_->device_name(rank); }

 private:
  std::unique_ptr<Transport> inner_;
  std::shared_ptr<std::mutex> turn_;
};

}  // namespace

std::vector<std::unique_ptr<Transport>> take_turns(std::vector<std::unique_ptr<Transport>> ends,
                                                   std::shared_ptr<std::mutex> turn) {
  for (auto& end : ends) end = std::make_unique<TurnTransport>(std::move(end), turn);
  return ends;
}

}  // namespace laminar::pipeline
