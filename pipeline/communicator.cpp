#include "laminar/pipeline/communicator.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/all_reduce.hpp"
#include "laminar/pipeline/stopwatch.hpp"

namespace laminar::pipeline {
namespace {

constexpr Tag kSumTag = {.kind = Tag::Kind::kControl, .item = 255};
constexpr Tag kGatherTag = {.kind = Tag::Kind::kControl, .item = 254};
constexpr Tag kBroadcastTag = {.kind = Tag::Kind::kControl, .item = 253};

/// Buffers of received messages that are kept for the next ones to send.
constexpr std::size_t kSpareBuffers = 64;

std::string text_of(const Tag& tag) {
  static constexpr std::array<std::string_view, 7> kKinds = {
      "state", "state gradient", "halo", "halo gradient", "weight segment", "weight sum", "control"};
  return fmt::format("{} {} of chunk {}, layer {}", kKinds[static_cast<std::size_t>(tag.kind)], tag.item, tag.chunk,
                     tag.layer);
}

Bytes bytes_of(std::string_view text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Adds up the milliseconds of a scope.
class Timed {
 public:
  explicit Timed(double& total_ms) : total_ms_(total_ms) {}
  ~Timed() { total_ms_ += watch_.lap_ms(); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  double& total_ms_;
  Stopwatch watch_;
};

}  // namespace

struct Communicator::Impl final : Port {
  Impl(Transport& t, const CompressionOptions& c, std::shared_ptr<core::MemoryPool> p)
      : transport(t), compression(c), pool(std::move(p)), background_bytes(t.background_bytes()) {}

  Codec codec_of(Cause cause) const {
    switch (cause) {
      case Cause::kStageForward:
      case Cause::kStageBackward:
        return compression.stage;
      case Cause::kHaloForward:
      case Cause::kHaloBackward:
        return compression.halo;
      case Cause::kWeights:
        return compression.weights;
      default:
        return Codec::kNative;
    }
  }

  void account(Cause cause, std::uint64_t payload_bytes, std::uint64_t scale_bytes) {
    const bool apart = cause != Cause::kEvaluation && cause != Cause::kOther;
    const std::uint64_t framing_bytes = kFramingBytes + scale_bytes;
    ledger.add(cause, payload_bytes + (apart ? 0 : framing_bytes));
    if (apart) ledger.add(Cause::kFraming, framing_bytes);
  }

  void send_bytes(Index to, const Tag& tag, Bytes message, Cause cause, std::uint64_t scale_bytes = 0) {
    const Timed timed(send_ms);
    account(cause, message.size() - scale_bytes, scale_bytes);
    transport.send(to, tag, std::move(message));
  }

  /// Waits for one of `wanted`, going on with the all-reduces while it has not come.
  Bytes receive_bytes(Index from, const Tag& tag) {
    while (true) {
      if (auto message = transport.try_receive(from, tag)) return *std::move(message);
      progress();
      wait(Address{from, tag});
    }
  }

  void progress() {
    std::erase_if(all_reduces, [](const std::unique_ptr<AllReduce>& a) { return a->advance(); });
  }

  /// Until one of the messages that the all-reduces need, or `also`, has come.
  void wait(const std::optional<Address>& also) {
    wanted.clear();
    if (also) wanted.push_back(*also);
    for (const auto& a : all_reduces) a->add_wanted(wanted);
    const Timed timed(wait_ms);
    transport.wait_any(wanted);
  }

  /// A buffer of this size, out of the spare ones if one is large enough.
  Bytes buffer(std::size_t size) {
    auto best = spare.end();
    for (auto b = spare.begin(); b != spare.end(); ++b) {
      if (b->capacity() >= size && (best == spare.end() || b->capacity() < best->capacity())) best = b;
    }
    Bytes bytes;
    if (best != spare.end()) {
      bytes = std::move(*best);
      spare.erase(best);
    }
    bytes.resize(size);
    return bytes;
  }
  void recycle(Bytes bytes) {
    if (bytes.capacity() == 0) return;
    if (spare.size() == kSpareBuffers) spare.erase(spare.begin());
    spare.push_back(std::move(bytes));
  }

  /// Where the random numbers of the next message under this tag come from.
  core::RandomKey random_key(Index to, const Tag& tag) {
    const auto word = [](auto high, auto low) {
      return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(high)) << 32) | static_cast<std::uint32_t>(low);
    };
    const std::uint64_t count = packed[{to, tag}]++;
    const core::RandomKey seed = core::random_key(compression.seed, "messages");
    return core::random_key(word(seed.k1, seed.k0), word(transport.rank(), to), static_cast<std::uint64_t>(epoch),
                            word(tag.layer, tag.chunk),
                            (count << 16) | static_cast<std::uint64_t>(static_cast<int>(tag.kind) << 8 | tag.item));
  }

  Bytes pack(Index to, const Tag& tag, const Packing& packing, const core::Tensor& values) override {
    const Timed timed(send_ms);
    Bytes message = buffer(packing.bytes());
    pipeline::pack(packing, packing.codec == Codec::kInt8 ? random_key(to, tag) : core::RandomKey{}, values.raw(),
                   message.data());
    return message;
  }
  void send(Index to, const Tag& tag, const Packing& packing, Bytes message, Cause cause) override {
    send_bytes(to, tag, std::move(message), cause, packing.scale_bytes());
  }
  bool try_receive(Index from, const Tag& tag, const Packing& packing, core::Tensor& into) override {
    auto message = transport.try_receive(from, tag);
    if (!message) return false;
    unpack_message(from, tag, packing, *std::move(message), into);
    return true;
  }

  void unpack_message(Index from, const Tag& tag, const Packing& packing, Bytes message, core::Tensor& into) {
    if (message.size() != packing.bytes()) {
      throw Error(fmt::format("[communicator] {} got {} bytes from {} ({}), expected {}: the two disagree on its shape",
                              transport.device_name(transport.rank()), message.size(), transport.device_name(from),
                              text_of(tag), packing.bytes()));
    }
    unpack(packing, message.data(), into.raw());
    recycle(std::move(message));
  }

  Transport& transport;
  CompressionOptions compression;
  std::shared_ptr<core::MemoryPool> pool;
  Ledger ledger;
  /// Of the transport, as far as it is in the ledger.
  std::uint64_t background_bytes = 0;
  double wait_ms = 0;
  double send_ms = 0;
  std::vector<std::unique_ptr<AllReduce>> all_reduces;
  std::vector<Address> wanted;
  std::vector<Bytes> spare;
  Index epoch = 0;
  /// Stochastically rounded messages of this epoch, by receiver and tag.
  std::map<std::pair<Index, Tag>, std::uint64_t> packed;
  std::map<std::int32_t, core::Tensor> feedback;
};

Communicator::Communicator(Transport& transport, const CompressionOptions& compression,
                           std::shared_ptr<core::MemoryPool> pool)
    : impl_(std::make_unique<Impl>(transport, compression, std::move(pool))) {}

Communicator::~Communicator() = default;

Index Communicator::rank() const { return impl_->transport.rank(); }
Index Communicator::size() const { return impl_->transport.size(); }
Transport& Communicator::transport() { return impl_->transport; }
const Ledger& Communicator::ledger() const {
  if (const std::uint64_t now = impl_->transport.background_bytes(); now != impl_->background_bytes) {
    impl_->ledger.add(Cause::kOther, now - impl_->background_bytes);
    impl_->background_bytes = now;
  }
  return impl_->ledger;
}
double Communicator::wait_ms() const { return impl_->wait_ms; }
double Communicator::send_ms() const { return impl_->send_ms; }

void Communicator::begin_epoch(Index epoch) {
  impl_->epoch = epoch;
  impl_->packed.clear();
}

void Communicator::send(Index to, const Tag& tag, const core::Tensor& rows, Cause cause) {
  const Packing packing{impl_->codec_of(cause), rows.dtype(), rows.size(), rows.cols()};
  impl_->send_bytes(to, tag, impl_->pack(to, tag, packing, rows), cause, packing.scale_bytes());
}

void Communicator::receive(Index from, const Tag& tag, core::Tensor& into, Cause cause) {
  const Packing packing{impl_->codec_of(cause), into.dtype(), into.size(), into.cols()};
  impl_->unpack_message(from, tag, packing, impl_->receive_bytes(from, tag), into);
}

void Communicator::begin_all_reduce(std::span<const Index> group, std::int32_t bucket,
                                    std::vector<core::Tensor> tensors, Cause cause) {
  const bool ascending = std::adjacent_find(group.begin(), group.end(), std::greater_equal<>()) == group.end();
  if (!ascending || std::find(group.begin(), group.end(), rank()) == group.end() || group.front() < 0 ||
      group.back() >= size()) {
    throw Error(fmt::format("[all_reduce] bucket {}: expected an ascending group of devices 0 to {}, with {} in it",
                            bucket, size() - 1, rank()));
  }
  Index numbers = 0;
  for (const core::Tensor& t : tensors) {
    if (t.dtype() != tensors.front().dtype()) {
      throw Error(fmt::format("[all_reduce] bucket {}: expected tensors of one dtype, found {} and {}", bucket,
                              name_of(tensors.front().dtype()), name_of(t.dtype())));
    }
    numbers += t.size();
  }
  auto& going_on = impl_->all_reduces;
  if (std::any_of(going_on.begin(), going_on.end(), [&](const auto& a) { return a->bucket() == bucket; })) {
    throw Error(fmt::format("[all_reduce] bucket {}: its last all-reduce is still going on", bucket));
  }
  const Codec codec = impl_->codec_of(cause);
  core::Tensor feedback;
  if (codec == Codec::kInt8 && numbers > 0 && group.size() > 1) {
    core::Tensor& kept = impl_->feedback[bucket];
    const core::DType dtype = tensors.front().dtype();
    if (!kept || kept.size() != numbers || kept.dtype() != dtype) {
      kept = core::Tensor::zeros(1, numbers, dtype, impl_->pool.get(), core::MemoryPurpose::kGradients);
    }
    feedback = kept;
  }
  going_on.push_back(std::make_unique<AllReduce>(*impl_, group, rank(), bucket, std::move(tensors), cause, codec,
                                                 std::move(feedback), impl_->pool.get()));
  impl_->progress();
}

void Communicator::progress() { impl_->progress(); }

void Communicator::finish_all_reduces() {
  while (true) {
    impl_->progress();
    if (impl_->all_reduces.empty()) return;
    impl_->wait(std::nullopt);
  }
}

std::map<std::int32_t, core::Tensor> Communicator::feedback() const { return impl_->feedback; }

void Communicator::restore_feedback(std::map<std::int32_t, core::Tensor> feedback) {
  impl_->feedback = std::move(feedback);
}

std::vector<double> Communicator::sum(std::span<const double> values, Cause cause) {
  std::vector<double> total(values.begin(), values.end());
  const auto bytes = static_cast<std::size_t>(values.size_bytes());
  const auto message_of = [&] {
    Bytes message = impl_->buffer(bytes);
    if (bytes > 0) std::memcpy(message.data(), total.data(), bytes);
    return message;
  };
  const auto values_of = [&](Index from, const auto& use) {
    Bytes message = impl_->receive_bytes(from, kSumTag);
    if (message.size() != bytes) {
      throw Error(fmt::format("[sum] {} brings {} numbers and {} brings {}", impl_->transport.device_name(rank()),
                              values.size(), impl_->transport.device_name(from), message.size() / sizeof(double)));
    }
    std::vector<double> theirs(values.size());
    if (bytes > 0) std::memcpy(theirs.data(), message.data(), bytes);
    impl_->recycle(std::move(message));
    use(theirs);
  };
  if (rank() == 0) {
    for (Index from = 1; from < size(); ++from) {
      values_of(from, [&](const std::vector<double>& theirs) {
        for (std::size_t i = 0; i < total.size(); ++i) total[i] += theirs[i];
      });
    }
    for (Index to = 1; to < size(); ++to) impl_->send_bytes(to, kSumTag, message_of(), cause);
  } else {
    impl_->send_bytes(0, kSumTag, message_of(), cause);
    values_of(0, [&](std::vector<double>& theirs) { total = std::move(theirs); });
  }
  return total;
}

std::vector<std::string> Communicator::gather_text(const std::string& text, Cause cause) {
  for (Index to = 0; to < size(); ++to) {
    if (to != rank()) impl_->send_bytes(to, kGatherTag, bytes_of(text), cause);
  }
  std::vector<std::string> texts;
  for (Index from = 0; from < size(); ++from) {
    texts.push_back(from == rank() ? text : text_of(impl_->receive_bytes(from, kGatherTag)));
  }
  return texts;
}

std::vector<std::string> Communicator::gather_text_at_first(const std::string& text, Cause cause) {
  if (rank() != 0) {
    impl_->send_bytes(0, kGatherTag, bytes_of(text), cause);
    return {};
  }
  std::vector<std::string> texts{text};
  for (Index from = 1; from < size(); ++from) texts.push_back(text_of(impl_->receive_bytes(from, kGatherTag)));
  return texts;
}

void Communicator::send_bytes(Index to, const Tag& tag, Bytes message, Cause cause) {
  impl_->send_bytes(to, tag, std::move(message), cause);
}

Bytes Communicator::receive_bytes(Index from, const Tag& tag) { return impl_->receive_bytes(from, tag); }

std::string Communicator::broadcast_text(const std::string& text, Cause cause) {
  // Down a binary tree: a long text is held twice at most beside the own one.
  std::string whole = rank() == 0 ? text : text_of(impl_->receive_bytes((rank() - 1) / 2, kBroadcastTag));
  for (const Index to : {2 * rank() + 1, 2 * rank() + 2}) {
    if (to < size()) impl_->send_bytes(to, kBroadcastTag, bytes_of(whole), cause);
  }
  return whole;
}

void verify_same(Communicator& communicator, std::string_view what, const std::string& value) {
  const auto values = communicator.gather_text(value);
  for (std::size_t r = 1; r < values.size(); ++r) {
    if (values[r] == values[0]) continue;
    const Transport& transport = communicator.transport();
    throw Error(fmt::format("{} is not the same on all devices: {} has '{}', {} has '{}'", what,
                            transport.device_name(0), values[0], transport.device_name(static_cast<Index>(r)),
                            values[r]));
  }
}

}  // namespace laminar::pipeline
