// One rank of the tests of MPI: `laminar_mpi_rank SCENARIO`, started by mpirun (see mpi_transport_test.cpp). Prints one
// line, "rank 0: done ..." or "rank 0: error: ...", and returns 0 or 1.
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <signal.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/mpi_transport.hpp"
#include "laminar/tests/pipeline/exchange.hpp"

namespace {

using namespace laminar;
using namespace laminar::pipeline;
using namespace std::chrono_literals;

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

std::string exchange(Transport& t) { return fmt::format("{:016x}", testing::exchange(t)); }

/// The last rank ends by `end`, while rank 0 waits for it and the others wait for rank 0.
std::string lose(Transport& t, const std::function<void()>& end) {
  if (t.rank() == t.size() - 1) end();
  t.receive(t.rank() == 0 ? t.size() - 1 : 0, {.chunk = 99});
  return "no error";
}

/// Nobody is lost although nothing is said for long.
std::string quiet(Transport& t) {
  std::this_thread::sleep_for(1300ms);
  return exchange(t);
}

/// Messages of many pieces each way at the same time; then far more messages than may wait.
std::string load(Transport& t) {
  constexpr std::size_t kBytes = 20 << 20;
  const core::Index other = 1 - t.rank();
  Bytes message(kBytes);
  for (std::size_t i = 0; i < kBytes; i += 4096) message[i] = static_cast<std::byte>(i / 4096 + t.rank());
  t.send(other, {}, std::move(message));
  const Bytes got = t.receive(other, {});
  if (got.size() != kBytes) throw Error("cut off");
  for (std::size_t i = 0; i < kBytes; i += 4096) {
    if (got[i] != static_cast<std::byte>(i / 4096 + other)) throw Error(fmt::format("wrong at {}", i));
  }
  constexpr int kMessages = 5000;
  if (t.rank() == 0) {
    for (int n = 0; n < kMessages; ++n) t.send(1, {.chunk = n % 3}, Bytes(n % 7));
  } else {
    std::this_thread::sleep_for(100ms);
    for (int n = 0; n < kMessages; ++n) {
      if (t.receive(0, {.chunk = n % 3}).size() != static_cast<std::size_t>(n % 7)) throw Error("out of order");
    }
  }
  return "";
}

/// Of two ranks: microseconds there and back, Mbit/s of 10 MiB one way and both ways. For people to look at; not
/// tested.
std::string speed(Transport& t) {
  constexpr int kTimes = 500;
  constexpr std::size_t kBytes = 10 << 20;
  const core::Index other = 1 - t.rank();
  const auto seconds = [&](bool mine, bool theirs, std::size_t bytes) {
    const auto start = std::chrono::steady_clock::now();
    if (mine) t.send(other, {}, Bytes(bytes));
    if (theirs) t.receive(other, {});
    // The end of the longest way.
    t.send(other, {.chunk = 1}, {});
    t.receive(other, {.chunk = 1});
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double ping_s = 0;
  for (int n = 0; n < kTimes; ++n) ping_s += seconds(t.rank() == n % 2, t.rank() != n % 2, 64);
  const double mbit = 8e-6 * kBytes;
  const double one_way_s = seconds(t.rank() == 0, t.rank() == 1, kBytes);
  const double both_ways_s = seconds(true, true, kBytes);
  return fmt::format("{:.0f} us, {:.1f} Mbit/s, {:.1f} Mbit/s", ping_s / kTimes * 1e6, mbit / one_way_s,
                     mbit / both_ways_s);
}

std::string differs(Transport& t) {
  Communicator c(t, {}, core::MemoryPool::create());
  verify_same(c, "the version", "1.0");
  verify_same(c, "--layers", t.rank() == 1 ? "16" : "32");
  return "no error";
}

/// Without anybody to talk to; and then a second time.
std::string alone(Transport& t) {
  Communicator c(t, {}, core::MemoryPool::create());
  verify_same(c, "the version", "1.0");
  c.finish_all_reduces();
  if (c.sum(std::vector<double>{2.5}).front() == 2.5) make_mpi_transport();
  return "no error";
}

const std::map<std::string, std::function<std::string(Transport&)>> kScenarios = {
    {"exchange", exchange},
    {"quiet", quiet},
    {"load", load},
    {"speed", speed},
    {"cores", [](Transport& t) { return std::to_string(t.core_share()); }},
    {"alone", alone},
    {"differs", differs},
    {"fails", [](Transport& t) { return lose(t, [] { throw Error("the disk is full"); }); }},
    {"killed", [](Transport& t) { return lose(t, [] { raise(SIGKILL); }); }},
    {"stopped", [](Transport& t) { return lose(t, [] { raise(SIGSTOP); }); }},
};

}  // namespace

int main(int argc, char** argv) {
  std::string rank = "rank ?";
  try {
    if (!under_mpi()) throw Error("not started by mpirun");
    const auto& scenario = kScenarios.at(argc > 1 ? argv[1] : "");
    const auto transport = make_mpi_transport();
    rank = transport->device_name(transport->rank());
    try {
      const std::string result = scenario(*transport);
      say(fmt::format("{}: done {}", rank, result));
    } catch (const Error& error) {
      transport->fail(error.what());
      throw;
    }
  } catch (const std::exception& error) {
    say(fmt::format("{}: error: {}", rank, error.what()));
    return 1;
  }
  return 0;
}
