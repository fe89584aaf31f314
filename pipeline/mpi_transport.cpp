#include "laminar/pipeline/mpi_transport.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

#ifdef LAMINAR_HAS_MPI
#include "laminar/pipeline/mpi_engine.hpp"
#endif

namespace laminar::pipeline {
namespace {

/// A number in the environment that launchers set.
std::optional<long> number_of(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  return *end == '\0' ? std::optional(value) : std::nullopt;
}

/// How many ranks the launcher says it has started.
std::optional<long> launched_ranks() {
  // Open MPI; MPICH, Intel MPI and MVAPICH; Slurm's own.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const auto size = number_of(name)) return size;
  }
  // A batch script runs in a step of its own, which has one task: that is no launch.
  if (const auto size = number_of("SLURM_STEP_NUM_TASKS"); size && *size > 1) return size;
  return std::nullopt;
}

bool is_possible(double timeout_s) { return timeout_s >= 0.1 && std::isfinite(timeout_s); }

}  // namespace

double HeartbeatOptions::interval_s() const { return std::min(1.0, timeout_s / 5); }

HeartbeatOptions HeartbeatOptions::from_environment() {
  HeartbeatOptions options;
  const char* text = std::getenv("LAMINAR_HEARTBEAT_TIMEOUT_S");
  if (text == nullptr) return options;
  char* end = nullptr;
  options.timeout_s = std::strtod(text, &end);
  if (end == text || *end != '\0' || !is_possible(options.timeout_s)) {
    throw UsageError(fmt::format("LAMINAR_HEARTBEAT_TIMEOUT_S is '{}', expected seconds, 0.1 or more", text));
  }
  return options;
}

bool under_mpi() { return launched_ranks().has_value() || number_of("PMIX_RANK") || number_of("PMI_RANK"); }

#ifdef LAMINAR_HAS_MPI

std::string mpi_library() { return MpiEngine::library(); }

namespace {

class MpiTransport final : public Transport {
 public:
  explicit MpiTransport(const HeartbeatOptions& heartbeat) : engine_(heartbeat) {
    if (const auto launched = launched_ranks(); launched && *launched != size()) {
      const std::string text = fmt::format("the launcher started {} ranks, but MPI knows {}: is it the launcher of {}?",
                                           *launched, size(), mpi_library());
      fail(text);
      throw Error(text);
    }
  }
  ~MpiTransport() override {
    if (std::uncaught_exceptions() > exceptions_) fail("it was ended by an error");
  }
  MpiTransport(const MpiTransport&) = delete;
  MpiTransport& operator=(const MpiTransport&) = delete;

  Index rank() const override { return engine_.rank(); }
  Index size() const override { return engine_.size(); }
  void send(Index to, const Tag& tag, Bytes message) override {
    check_peer(*this, to);
    engine_.send(to, tag, std::move(message));
  }
  Bytes receive(Index from, const Tag& tag) override {
    check_peer(*this, from);
    const Address address{from, tag};
    engine_.wait_any({&address, 1});
    return engine_.mailbox().receive(from, tag);
  }
  std::optional<Bytes> try_receive(Index from, const Tag& tag) override {
    check_peer(*this, from);
    return engine_.mailbox().try_receive(from, tag);
  }
  std::size_t wait_any(std::span<const Address> wanted) override {
    for (const Address& address : wanted) check_peer(*this, address.from);
    return engine_.wait_any(wanted);
  }
  bool fail(const std::string& why) override { return engine_.fail(why); }
  bool leave() override { return engine_.leave(); }
  std::uint64_t background_bytes() const override { return engine_.heartbeats() * (1 + kFramingBytes); }
  int core_share() const override { return engine_.core_share(); }
  int ranks_on_host() const override { return engine_.ranks_on_host(); }
  std::string device_name(Index rank) const override { return fmt::format("rank {}", rank); }

 private:
  int exceptions_ = std::uncaught_exceptions();
  MpiEngine engine_;
};

}  // namespace

std::unique_ptr<Transport> make_mpi_transport(const HeartbeatOptions& heartbeat) {
  if (!is_possible(heartbeat.timeout_s)) {
    throw UsageError(fmt::format("a heartbeat's timeout of {} s, expected 0.1 or more", heartbeat.timeout_s));
  }
  return std::make_unique<MpiTransport>(heartbeat);
}

#else

std::string mpi_library() { return "none"; }

std::unique_ptr<Transport> make_mpi_transport(const HeartbeatOptions&) {
  throw Error(
      "this Laminar is built without MPI, so it can't be started by mpirun: build it with LAMINAR_WITH_MPI=ON and an "
      "MPI "
      "installed (libopenmpi-dev), or start it alone and let threads be the devices");
}

#endif

}  // namespace laminar::pipeline
