// All calls of MPI. A message travels as a header (with the payload in it, if that is short) and pieces of the payload,
// in order, on one communicator; heartbeats and failures on another, so that a full mailbox never holds them up.
// It is long as the one thread that may call MPI has all of its state in one class, which no other file sees.
#ifdef LAMINAR_HAS_MPI

#include "laminar/pipeline/mpi_engine.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <future>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define OMPI_SKIP_MPICXX
#define MPICH_SKIP_MPICXX
#include <mpi.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

using namespace std::chrono_literals;

/// Messages of one rank that may wait at either end.
constexpr std::size_t kWaitingMessages = 1024;
/// Payload that travels with its header.
constexpr std::size_t kInline = 4096;
/// Of longer ones. Short enough for Open MPI to send it over TCP at once: it announces longer ones and waits for a
/// go-ahead, which then waits behind what goes the other way, so that a link busy both ways would be idle half of the
/// time.
constexpr std::size_t kPiece = std::size_t{60} << 10;
/// What one rank may have given to MPI for another one, or asked of it: enough to keep a link busy from look to look,
/// and little enough for heartbeats to come through soon.
constexpr std::size_t kWindow = std::size_t{1} << 20;
/// Of a heartbeat or a failure's text.
constexpr std::size_t kControl = 1024;
/// Cores of a host that are told apart.
constexpr int kMostCores = 1024;
constexpr auto kShortestNap = 20us;
constexpr auto kLongestNap = 200us;
/// While the program computes and waits for nothing.
constexpr auto kLongestIdleNap = 1000us;
/// How long the others are waited for after a failure; and if one is lost, so that they can't all come.
constexpr auto kPatience = 5s;
constexpr auto kPatienceWithLost = 500ms;

constexpr char kHeartbeat = 'h';
constexpr char kFailure = 'f';

/// The wire form of a tag and a length; kFramingBytes, little or big endian as the machines are, which must be alike.
using Header = std::array<std::byte, kFramingBytes>;

template <class T>
void put(Header& header, std::size_t at, T value) {
  std::memcpy(header.data() + at, &value, sizeof value);
}
template <class T>
T get(const std::byte* header, std::size_t at) {
  T value;
  std::memcpy(&value, header + at, sizeof value);
  return value;
}

Header header_of(const Tag& tag, std::uint64_t length) {
  Header header = {};
  put(header, 0, tag.kind);
  put(header, 1, tag.item);
  put(header, 4, tag.chunk);
  put(header, 8, tag.layer);
  put(header, 12, length);
  return header;
}

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(fmt::format("MPI failed in {}: {}", call, std::string_view(text, static_cast<std::size_t>(length))));
}

/// Signals are for the program's own threads; those of a crash stay.
void block_signals() {
  sigset_t set;
  sigfillset(&set);
  for (const int crash : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&set, crash);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

struct MpiEngine::Outgoing {
  Index to = 0;
  Tag tag;
  Bytes payload;
  /// Header and, if short, payload.
  Bytes head;
  std::size_t posted = 0;
};

class MpiEngine::Loop {
 public:
  explicit Loop(MpiEngine& engine) : engine_(engine) {}

  void start() {
    int initialised = 0;
    MPI_Initialized(&initialised);
    if (initialised != 0) throw Error("MPI was started before in this process, which can be done only once");
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (MPI_Comm* copy : {&data_, &control_}) {
      check(MPI_Comm_dup(MPI_COMM_WORLD, copy), "MPI_Comm_dup");
      MPI_Comm_set_errhandler(*copy, MPI_ERRORS_RETURN);
    }
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(data_, &rank);
    MPI_Comm_size(data_, &size);
    engine_.rank_ = rank;
    exchange_places(size);
    share_cores(rank);
    engine_.mailbox_ = std::make_unique<Mailbox>(size, kWaitingMessages);
    engine_.queued_.resize(static_cast<std::size_t>(size));
    lanes_.resize(static_cast<std::size_t>(size));
    const auto now = Clock::now();
    last_look_ = next_heartbeat_ = now;
    for (int peer = 0; peer < size; ++peer) {
      if (peer == rank) continue;
      lane(peer).heard = now;
      listen(peer);
      receive_head(peer);
    }
  }

  /// Until the engine is closed, and MPI ended: true; or left after a failure: false.
  bool run() {
    auto last_event = Clock::now();
    while (true) {
      const bool sent = take_outbox();
      const bool completed = complete();
      const bool watched = watch();
      if (closing_) {
        if (close()) return true;
        if (give_up_ && Clock::now() > *give_up_) return false;
      }
      const auto now = Clock::now();
      if (sent || completed || watched) {
        last_event = now;
        continue;
      }
      // What is waited for is late by a small share of the wait at most.
      std::unique_lock lock(engine_.mutex_);
      const auto longest = engine_.waiting_ ? kLongestNap : kLongestIdleNap;
      const auto nap = std::clamp<Clock::duration>((now - last_event) / 8, kShortestNap, longest);
      if (engine_.work_.wait_for(lock, nap, [&] { return has_work(); })) last_event = now;
    }
  }

 private:
  struct Incoming {
    Tag tag;
    Bytes payload;
    std::size_t asked_bytes = 0;
    std::size_t received_bytes = 0;
  };
  /// The traffic with one rank.
  struct Lane {
    std::deque<std::shared_ptr<Outgoing>> queue;
    std::size_t sending_bytes = 0;

    /// Of the next message; not being received as long as there is no room for one more.
    std::array<std::byte, kFramingBytes + kInline> head;
    bool stalled = false;
    /// Messages whose header has come, in order; all pieces but some of the last one's have been asked for.
    std::deque<Incoming> incoming;
    std::size_t receiving_bytes = 0;

    std::array<char, kControl> control;
    bool heartbeat_on_its_way = false;
    Clock::time_point heard;
  };
  using Handler = std::function<void(int count)>;

  Lane& lane(Index peer) { return lanes_[static_cast<std::size_t>(peer)]; }

  void exchange_places(int size) {
    char host[256] = {};
    gethostname(host, sizeof host - 1);
    std::array<char, 300> mine = {};
    fmt::format_to_n(mine.begin(), mine.size() - 1, "host {}, pid {}", host, getpid());
    std::vector<std::array<char, 300>> all(static_cast<std::size_t>(size));
    check(MPI_Allgather(mine.data(), 300, MPI_CHAR, all.data(), 300, MPI_CHAR, control_), "MPI_Allgather");
    for (const auto& place : all) engine_.places_.emplace_back(place.data());
  }

  /// Ranks of one host share the cores that each of them may use: all of them, or those a launcher bound it to.
  void share_cores(int rank) {
    MPI_Comm host = MPI_COMM_NULL;
    check(MPI_Comm_split_type(control_, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host), "MPI_Comm_split_type");
    std::array<int, kMostCores> usable = {};
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
      for (std::size_t core = 0; core < usable.size(); ++core) usable[core] = CPU_ISSET(core, &set) ? 1 : 0;
    }
#endif
    std::array<int, kMostCores> users = {};
    check(MPI_Allreduce(usable.data(), users.data(), kMostCores, MPI_INT, MPI_SUM, host), "MPI_Allreduce");
    check(MPI_Comm_size(host, &engine_.ranks_on_host_), "MPI_Comm_size");
    MPI_Comm_free(&host);
    double share = 0;
    for (std::size_t core = 0; core < usable.size(); ++core) share += usable[core] > 0 ? 1.0 / users[core] : 0;
    engine_.core_share_ = std::max(1, static_cast<int>(share + 1e-9));
  }

  // Requests and what to do when they are done.

  void post(MPI_Request request, Handler done) {
    requests_.push_back(request);
    handlers_.push_back(std::move(done));
  }
  void post_send(Index to, MPI_Comm comm, const void* data, std::size_t bytes, Handler done) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Isend(data, static_cast<int>(bytes), MPI_BYTE, static_cast<int>(to), 0, comm, &request), "MPI_Isend");
    ++sending_;
    post(request, [this, done = std::move(done)](int count) {
      --sending_;
      done(count);
    });
  }
  void post_receive(Index from, MPI_Comm comm, void* data, std::size_t bytes, Handler done) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, static_cast<int>(from), 0, comm, &request), "MPI_Irecv");
    post(request, [this, from, done = std::move(done)](int count) {
      lane(from).heard = Clock::now();
      done(count);
    });
  }

  /// Handles what is done; whether there was anything.
  bool complete() {
    if (requests_.empty()) return false;
    done_.resize(requests_.size());
    statuses_.resize(requests_.size());
    int count = 0;
    check(MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, done_.data(), statuses_.data()),
          "MPI_Testsome");
    if (count == MPI_UNDEFINED || count == 0) return false;
    // Handlers start new requests, so they run when the lists are in order again.
    std::vector<std::pair<Handler, int>> calls;
    for (int i = 0; i < count; ++i) {
      int bytes = 0;
      MPI_Get_count(&statuses_[static_cast<std::size_t>(i)], MPI_BYTE, &bytes);
      calls.emplace_back(std::exchange(handlers_[static_cast<std::size_t>(done_[i])], nullptr), bytes);
    }
    std::erase(requests_, MPI_REQUEST_NULL);
    std::erase_if(handlers_, [](const Handler& handler) { return !handler; });
    for (auto& [handler, bytes] : calls) handler(bytes);
    return true;
  }

  // Sending.

  bool has_work() const {
    return !engine_.outbox_.empty() || !engine_.failure_to_tell_.empty() || engine_.closing_ != closing_ ||
           engine_.waiting_ != waiting_;
  }

  bool take_outbox() {
    std::vector<std::shared_ptr<Outgoing>> taken;
    std::string failure;
    {
      const std::lock_guard lock(engine_.mutex_);
      if (!has_work()) return false;
      taken.swap(engine_.outbox_);
      failure.swap(engine_.failure_to_tell_);
      closing_ = engine_.closing_;
      waiting_ = engine_.waiting_;
    }
    for (auto& message : taken) {
      message->head.resize(kFramingBytes + (message->payload.size() <= kInline ? message->payload.size() : 0));
      const Header header = header_of(message->tag, message->payload.size());
      std::copy(header.begin(), header.end(), message->head.begin());
      if (message->payload.size() <= kInline) {
        std::copy(message->payload.begin(), message->payload.end(), message->head.begin() + kFramingBytes);
        message->payload.clear();
      }
      lane(message->to).queue.push_back(message);
      pump(message->to);
    }
    if (!failure.empty()) tell_failure(failure);
    return true;
  }

  /// Hands pieces to MPI as long as not too many are on their way.
  void pump(Index to) {
    Lane& l = lane(to);
    while (!l.queue.empty() && l.sending_bytes < kWindow) {
      const std::shared_ptr<Outgoing> message = l.queue.front();
      const std::byte* data = message->head.data();
      std::size_t bytes = message->head.size();
      if (message->posted >= bytes) {
        const std::size_t offset = message->posted - bytes;
        data = message->payload.data() + offset;
        bytes = std::min(kPiece, message->payload.size() - offset);
      }
      message->posted += bytes;
      l.sending_bytes += bytes;
      // The handler keeps the message until MPI has done with it.
      post_send(to, data_, data, bytes, [this, to, bytes, message](int) {
        lane(to).sending_bytes -= bytes;
        pump(to);
      });
      if (message->posted < message->head.size() + message->payload.size()) continue;
      l.queue.pop_front();
      const std::lock_guard lock(engine_.mutex_);
      if (engine_.queued_[static_cast<std::size_t>(to)]-- == kWaitingMessages) engine_.room_.notify_all();
    }
  }

  // Receiving.

  void receive_head(Index from) {
    Lane& l = lane(from);
    l.stalled = !draining() && engine_.mailbox_->waiting(from) + l.incoming.size() >= kWaitingMessages;
    if (l.stalled) return;
    post_receive(from, data_, l.head.data(), l.head.size(),
                 [this, from](int count) { got_head(from, static_cast<std::size_t>(count)); });
  }

  void got_head(Index from, std::size_t count) {
    Lane& l = lane(from);
    const Tag tag = {.kind = get<Tag::Kind>(l.head.data(), 0),
                     .item = get<std::uint8_t>(l.head.data(), 1),
                     .chunk = get<std::int32_t>(l.head.data(), 4),
                     .layer = get<std::int32_t>(l.head.data(), 8)};
    const auto length = static_cast<std::size_t>(get<std::uint64_t>(l.head.data(), 12));
    const std::size_t with_head = length <= kInline ? length : 0;
    if (count != kFramingBytes + with_head) {
      throw Error(
          fmt::format("{} sends what is no message: do all ranks run the same program?", engine_.name_of(from)));
    }
    Incoming& message = l.incoming.emplace_back(Incoming{tag, Bytes(length), with_head, with_head});
    std::copy_n(l.head.begin() + kFramingBytes, with_head, message.payload.begin());
    deliver(from);
    receive_pieces(from);
  }

  /// Asks for pieces of the last message, and then for the next header, which follows them.
  void receive_pieces(Index from) {
    Lane& l = lane(from);
    // Empty, or all asked for: the next header is already being received.
    if (!l.incoming.empty()) {
      // A reference to an element of a deque stays valid while others come and go at its ends.
      Incoming& message = l.incoming.back();
      while (message.asked_bytes < message.payload.size()) {
        if (l.receiving_bytes >= kWindow) return;
        const std::size_t bytes = std::min(kPiece, message.payload.size() - message.asked_bytes);
        post_receive(from, data_, message.payload.data() + message.asked_bytes, bytes,
                     [this, from, &message, bytes](int) {
                       Lane& then = lane(from);
                       const bool more = then.incoming.back().asked_bytes < then.incoming.back().payload.size();
                       then.receiving_bytes -= bytes;
                       message.received_bytes += bytes;
                       deliver(from);
                       if (more) receive_pieces(from);
                     });
        message.asked_bytes += bytes;
        l.receiving_bytes += bytes;
      }
    }
    receive_head(from);
  }

  /// Hands on what is complete, in order.
  void deliver(Index from) {
    Lane& l = lane(from);
    while (!l.incoming.empty() && l.incoming.front().received_bytes == l.incoming.front().payload.size()) {
      Incoming& message = l.incoming.front();
      // Nobody will ask for it any more when all is over; but its sender must get rid of it.
      if (!draining()) engine_.mailbox_->deliver(from, message.tag, std::move(message.payload));
      l.incoming.pop_front();
    }
  }

  bool draining() const { return closing_ || failed_; }

  // Signs of life.

  void listen(Index peer) {
    Lane& l = lane(peer);
    post_receive(peer, control_, l.control.data(), l.control.size(), [this, peer](int count) {
      const std::string_view message(lane(peer).control.data(), static_cast<std::size_t>(count));
      if (message.starts_with(kFailure)) mark_failed(std::string(message.substr(1)));
      listen(peer);
    });
  }

  void send_control(Index to, const std::shared_ptr<const std::string>& message, Handler done) {
    post_send(to, control_, message->data(), std::min(message->size(), kControl),
              [message, done = std::move(done)](int count) { done(count); });
  }

  void tell_failure(const std::string& text) {
    failed_ = true;
    const auto message = std::make_shared<const std::string>(kFailure + text);
    for (Index peer = 0; peer < engine_.size(); ++peer) {
      if (peer != engine_.rank_) send_control(peer, message, [](int) {});
    }
  }

  void mark_failed(const std::string& text) {
    failed_ = true;
    engine_.mailbox_->fail(text);
    // A sender that waits for room must hear of it too.
    const std::lock_guard lock(engine_.mutex_);
    engine_.room_.notify_all();
  }

  /// Sends heartbeats, misses those of others, and goes on with stalled lanes. Whether there was something to do.
  bool watch() {
    bool busy = false;
    const auto now = Clock::now();
    const auto interval =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(engine_.heartbeat_.interval_s()));
    const auto timeout =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(engine_.heartbeat_.timeout_s));
    // Who was stopped or starved itself has no right to call others silent.
    if (now - last_look_ > interval / 2) {
      for (Lane& l : lanes_) l.heard += now - last_look_;
    }
    last_look_ = now;
    const bool beat = now >= next_heartbeat_;
    if (beat) next_heartbeat_ = now + interval;
    for (Index peer = 0; peer < engine_.size(); ++peer) {
      if (peer == engine_.rank_) continue;
      Lane& l = lane(peer);
      if (l.stalled) {
        receive_head(peer);
        busy = busy || !l.stalled;
      }
      if (beat && !l.heartbeat_on_its_way) {
        l.heartbeat_on_its_way = true;
        ++engine_.heartbeats_;
        send_control(peer, heartbeat_, [this, peer](int) { lane(peer).heartbeat_on_its_way = false; });
      }
      if (now - l.heard > timeout && !failed_) {
        const std::string text = fmt::format("{} has not been heard of for {} s; it was killed or stopped",
                                             engine_.name_of(peer), engine_.heartbeat_.timeout_s);
        lost_ = true;
        mark_failed(text);
        tell_failure(text);
      }
    }
    return busy;
  }

  // The end.

  /// One step of it; whether MPI has been ended.
  bool close() {
    if (failed_ && !give_up_) give_up_ = Clock::now() + (lost_ ? kPatienceWithLost : kPatience);
    if (barrier_ == MPI_REQUEST_NULL) {
      const bool sent = std::all_of(lanes_.begin(), lanes_.end(),
                                    [](const Lane& l) { return l.queue.empty() && l.sending_bytes == 0; });
      if (!sent) return false;
      check(MPI_Ibarrier(control_, &barrier_), "MPI_Ibarrier");
    }
    int done = 0;
    check(MPI_Test(&barrier_, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) return false;
    finalise();
    return true;
  }

  /// All ranks are here, and all their messages have come.
  void finalise() {
    // Heartbeats that were on their way when their sender came to the barrier are taken in as ever.
    while (sending_ > 0) complete();
    for (MPI_Request& request : requests_) {
      MPI_Cancel(&request);
      MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
    MPI_Comm_free(&data_);
    MPI_Comm_free(&control_);
    MPI_Finalize();
  }

  MpiEngine& engine_;
  MPI_Comm data_ = MPI_COMM_NULL;
  MPI_Comm control_ = MPI_COMM_NULL;
  MPI_Request barrier_ = MPI_REQUEST_NULL;
  std::vector<MPI_Request> requests_;
  std::vector<Handler> handlers_;
  std::vector<int> done_;
  std::vector<MPI_Status> statuses_;
  std::size_t sending_ = 0;
  std::deque<Lane> lanes_;
  const std::shared_ptr<const std::string> heartbeat_ = std::make_shared<const std::string>(1, kHeartbeat);
  Clock::time_point last_look_;
  Clock::time_point next_heartbeat_;
  bool closing_ = false;
  bool waiting_ = false;
  bool failed_ = false;
  bool lost_ = false;
  std::optional<Clock::time_point> give_up_;
};

MpiEngine::MpiEngine(const HeartbeatOptions& heartbeat) : heartbeat_(heartbeat) {
  std::promise<void> started;
  auto ready = started.get_future();
  thread_ = std::thread([this, &started] {
    block_signals();
#ifdef __linux__
    // Naps of 20 microseconds would take 70 otherwise.
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
#endif
    auto loop = std::make_unique<Loop>(*this);
    try {
      loop->start();
    } catch (...) {
      started.set_exception(std::current_exception());
      return;
    }
    started.set_value();
    try {
      if (loop->run()) {
        ended_ = true;
        return;
      }
    } catch (const std::exception& error) {
      mailbox_->fail(fmt::format("{}: {}", name_of(rank_), error.what()));
      const std::lock_guard lock(mutex_);
      room_.notify_all();
    }
    // Without its end MPI may still write to, or let others read from, what it was given.
    static std::atomic<Loop*> abandoned;
    abandoned = loop.release();
  });
  try {
    ready.get();
  } catch (...) {
    thread_.join();
    throw;
  }
}

MpiEngine::~MpiEngine() { leave(); }

bool MpiEngine::leave() {
  if (!thread_.joinable()) return ended_;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_all();
  thread_.join();
  return ended_;
}

std::string MpiEngine::library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string whole(text, static_cast<std::size_t>(length));
  return whole.substr(0, whole.find_first_of(",\n"));
}

std::string MpiEngine::name_of(Index rank) const {
  return fmt::format("rank {} ({})", rank, places_[static_cast<std::size_t>(rank)]);
}

void MpiEngine::send(Index to, const Tag& tag, Bytes message) {
  mailbox_->check();
  auto outgoing = std::make_shared<Outgoing>();
  outgoing->to = to;
  outgoing->tag = tag;
  outgoing->payload = std::move(message);
  std::unique_lock lock(mutex_);
  std::size_t& queued = queued_[static_cast<std::size_t>(to)];
  while (queued >= kWaitingMessages) {
    mailbox_->check();
    // A failure may come between the check and the wait.
    room_.wait_for(lock, 100ms);
  }
  ++queued;
  outbox_.push_back(std::move(outgoing));
  lock.unlock();
  work_.notify_one();
}

std::size_t MpiEngine::wait_any(std::span<const Address> wanted) {
  if (const auto place = mailbox_->find_any(wanted)) return *place;
  const auto set_waiting = [&](bool waiting) {
    const std::lock_guard lock(mutex_);
    waiting_ = waiting;
  };
  set_waiting(true);
  work_.notify_one();
  try {
    const std::size_t place = mailbox_->wait_any(wanted);
    set_waiting(false);
    return place;
  } catch (...) {
    set_waiting(false);
    throw;
  }
}

bool MpiEngine::fail(const std::string& why) {
  const std::string text = fmt::format("{} has failed: {}", name_of(rank_), why);
  if (!mailbox_->fail(text)) return false;
  {
    const std::lock_guard lock(mutex_);
    failure_to_tell_ = text;
  }
  work_.notify_one();
  return true;
}

}  // namespace laminar::pipeline

#endif
