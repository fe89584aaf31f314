#include "laminar/pipeline/mpi_transport.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/tests/pipeline/devices.hpp"
#include "laminar/tests/pipeline/exchange.hpp"
#include "laminar/tests/support/ranks.hpp"

using namespace laminar;
using namespace laminar::pipeline;
using namespace laminar::testing;

namespace {

FinishedRanks run_scenario(int ranks, const std::string& scenario, const std::string& timeout_s = "10") {
  return run_ranks(MPIEXEC, ranks, "'" MPI_RANK "' " + scenario, timeout_s);
}

/// Every rank ended well.
void check_done(const FinishedRanks& finished, int ranks) {
  CAPTURE(finished.output);
  CHECK(finished.code == 0);
  CHECK(finished.said.size() == static_cast<std::size_t>(ranks));
  for (const std::string& line : finished.said) CHECK(line.find(": done") != std::string::npos);
}

}  // namespace

TEST_CASE("ranks hear the same bits as threads; none is lost that says nothing for longer than the timeout") {
  for (const int size : {2, 4}) {
    std::vector<std::string> expected(static_cast<std::size_t>(size));
    testing::run_devices(size, [&](Transport& t) {
      expected[static_cast<std::size_t>(t.rank())] =
          fmt::format("rank {}: done {:016x}", t.rank(), testing::exchange(t));
    });
    const FinishedRanks finished = size == 2 ? run_scenario(size, "quiet", "1") : run_scenario(size, "exchange");
    check_done(finished, size);
    auto said = finished.said;
    std::sort(said.begin(), said.end());
    CHECK(said == expected);
  }
}

TEST_CASE("messages of any length, and more of them than may wait") { check_done(run_scenario(2, "load"), 2); }

TEST_CASE("ranks share the cores of their host") {
  const auto shares = [](int ranks) {
    const FinishedRanks finished = run_scenario(ranks, "cores");
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
  const FinishedRanks finished = run_scenario(4, "fails");
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
  check_errors(run_scenario(2, "differs"), 2,
               {"--layers is not the same on all devices: rank 0 has '32', rank 1 has '16'"});
}

TEST_CASE("a rank that is stopped is missed, and all end") {
  check_errors(run_scenario(4, "stopped", "1"), 3,
               {"error: rank 3 (host ", ") has not been heard of for 1 s; it was killed or stopped"});
}

TEST_CASE("a rank that is killed ends all, without a flood of messages") {
  const FinishedRanks finished = run_scenario(4, "killed", "1");
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
  const FinishedRanks alone = run_scenario(1, "alone");
  CHECK(alone.output.find("error: MPI was started before in this process") != std::string::npos);
  const FinishedRanks plain = run_command(MPI_RANK " exchange");
  CHECK(plain.output == "rank ?: error: not started by mpirun\n");
  const FinishedRanks stranger = run_command("PMI_SIZE=3 " MPI_RANK " exchange");
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
