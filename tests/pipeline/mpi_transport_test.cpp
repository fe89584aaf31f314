#include "laminar/pipeline/mpi_transport.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/tests/pipeline/devices.hpp"
#include "laminar/tests/pipeline/exchange.hpp"

using namespace laminar;
using namespace laminar::pipeline;

namespace {

struct Finished {
  /// As a shell gives it; 124 = it took too long.
  int code = 0;
  std::string output;
  /// What the ranks said, by line.
  std::vector<std::string> said;
};

Finished run(const std::string& command) {
  Finished finished;
  // The first variables let Open MPI start more ranks than there are cores, also for root. Open MPI leaks, and unloads
  // the plug-ins that do, so that no suppression could name them.
  const std::string environment =
      "OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
      "ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\" ";
  std::FILE* pipe = ::popen((environment + command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer = {};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    finished.output.append(buffer.data(), count);
  }
  const int status = ::pclose(pipe);
  finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::istringstream lines(finished.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("rank ")) finished.said.push_back(line);
  }
  return finished;
}

Finished run_ranks(int ranks, const std::string& scenario, const std::string& timeout_s = "10") {
  return run(fmt::format("LAMINAR_HEARTBEAT_TIMEOUT_S={} timeout -k 1 60 '{}' -n {} '{}' {}", timeout_s, MPIEXEC, ranks,
                         MPI_RANK, scenario));
}

/// Every rank ended well.
void check_done(const Finished& finished, int ranks) {
  CAPTURE(finished.output);
  CHECK(finished.code == 0);
  CHECK(finished.said.size() == static_cast<std::size_t>(ranks));
  for (const std::string& line : finished.said) CHECK(line.find(": done") != std::string::npos);
}

/// All ranks that say something at all, each with one line, say this; and at least one does.
void check_error(const Finished& finished, int ranks, const std::string& before, const std::string& after) {
  CAPTURE(finished.output);
  CHECK(finished.code != 0);
  CHECK(finished.code != 124);
  CHECK(finished.said.size() >= 1);
  CHECK(finished.said.size() <= static_cast<std::size_t>(ranks));
  for (const std::string& line : finished.said) {
    CHECK(line.find("error: " + before) != std::string::npos);
    CHECK(line.find(after) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("ranks hear the same bits as threads; none is lost that says nothing for longer than the timeout") {
  for (const int size : {2, 4}) {
    std::vector<std::string> expected(static_cast<std::size_t>(size));
    testing::run_devices(size, [&](Transport& t) {
      expected[static_cast<std::size_t>(t.rank())] =
          fmt::format("rank {}: done {:016x}", t.rank(), testing::exchange(t));
    });
    const Finished finished = size == 2 ? run_ranks(size, "quiet", "1") : run_ranks(size, "exchange");
    check_done(finished, size);
    auto said = finished.said;
    std::sort(said.begin(), said.end());
    CHECK(said == expected);
  }
}

TEST_CASE("messages of any length, and more of them than may wait") { check_done(run_ranks(2, "load"), 2); }

TEST_CASE("ranks share the cores of their host") {
  const auto shares = [](int ranks) {
    const Finished finished = run_ranks(ranks, "cores");
    check_done(finished, ranks);
    std::vector<int> cores;
    for (const std::string& line : finished.said) cores.push_back(std::stoi(line.substr(line.rfind(' '))));
    return cores;
  };
  const int all = core::Arena(0).threads();
  for (const int ranks : {1, 2, 4}) {
    CAPTURE(ranks);
    int sum = 0;
    for (const int share : shares(ranks)) {
      CHECK(share >= 1);
      sum += share;
    }
    CHECK(sum <= std::max(all, ranks));
  }
}

TEST_CASE("a rank that fails tells all others why, and all end") {
  const Finished finished = run_ranks(4, "fails");
  CAPTURE(finished.output);
  CHECK(finished.code != 0);
  CHECK(finished.code != 124);
  CHECK(finished.said.size() >= 1);
  for (const std::string& line : finished.said) {
    CHECK(line.find("the disk is full") != std::string::npos);
    if (!line.starts_with("rank 3")) {
      CHECK(line.find("error: rank 3 (host ") != std::string::npos);
      CHECK(line.find(") has failed: the disk is full") != std::string::npos);
    }
  }
}

TEST_CASE("ranks with different options say which rank and what") {
  // Who finds out first may tell the others before they have compared for themselves.
  check_error(run_ranks(2, "differs"), 2, "",
              "--layers is not the same on all devices: rank 0 has '32', rank 1 has '16'");
}

TEST_CASE("a rank that is stopped is missed, and all end") {
  check_error(run_ranks(4, "stopped", "1"), 3, "rank 3 (host ",
              ") has not been heard of for 1 s; it was killed or stopped");
}

TEST_CASE("a rank that is killed ends all, without a flood of messages") {
  const Finished finished = run_ranks(4, "killed", "1");
  CAPTURE(finished.output);
  CHECK(finished.code != 0);
  CHECK(finished.code != 124);
  // The launcher is faster than the heartbeat; who still says something must be right.
  CHECK(finished.said.size() <= 3);
  for (const std::string& line : finished.said) CHECK(line.find("error: rank 3 (host ") != std::string::npos);
}

TEST_CASE("MPI starts once in a process, with the launcher it belongs to, and only under one") {
  CHECK_FALSE(under_mpi());
  CHECK(mpi_library() != "none");
  const Finished alone = run_ranks(1, "alone");
  CHECK(alone.output.find("error: MPI was started before in this process") != std::string::npos);
  const Finished plain = run(MPI_RANK " exchange");
  CHECK(plain.output == "rank ?: error: not started by mpirun\n");
  const Finished stranger = run("PMI_SIZE=3 " MPI_RANK " exchange");
  CHECK(stranger.output.find("error: the launcher started 3 ranks, but MPI knows 1") != std::string::npos);
}

TEST_CASE("the heartbeat's timeout comes from the environment") {
  CHECK(HeartbeatOptions{}.timeout_s == 15);
  CHECK(HeartbeatOptions{}.interval_s() == 1);
  CHECK(HeartbeatOptions{.timeout_s = 2}.interval_s() == doctest::Approx(0.4));
  REQUIRE(::setenv("LAMINAR_HEARTBEAT_TIMEOUT_S", "2.5", 1) == 0);
  CHECK(HeartbeatOptions::from_environment().timeout_s == 2.5);
  for (const char* wrong : {"", "0", "-1", "nan", "inf", "2s", "abc"}) {
    REQUIRE(::setenv("LAMINAR_HEARTBEAT_TIMEOUT_S", wrong, 1) == 0);
    CHECK_THROWS_WITH_AS(HeartbeatOptions::from_environment(), doctest::Contains("LAMINAR_HEARTBEAT_TIMEOUT_S is '"),
                         UsageError);
  }
  REQUIRE(::unsetenv("LAMINAR_HEARTBEAT_TIMEOUT_S") == 0);
  CHECK(HeartbeatOptions::from_environment().timeout_s == 15);
  CHECK_THROWS_AS(make_mpi_transport({.timeout_s = 0}), UsageError);
}
