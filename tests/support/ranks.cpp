#include "laminar/tests/support/ranks.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <sstream>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

namespace laminar::testing {

std::string launcher_environment() {
  // The first variables let Open MPI start more ranks than there are cores, also for root. Open MPI leaks, and unloads
  // the plug-ins that do, so that no suppression could name them.
  return "OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
         "ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\" ";
}

FinishedRanks run_command(const std::string& command) {
  FinishedRanks finished;
  std::FILE* pipe = ::popen((launcher_environment() + command + " 2>&1").c_str(), "r");
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
  std::sort(finished.said.begin(), finished.said.end());
  return finished;
}

FinishedRanks run_ranks(const std::string& mpiexec, int ranks, const std::string& program,
                        const std::string& timeout_s) {
  return run_command(
      fmt::format("LAMINAR_HEARTBEAT_TIMEOUT_S={} timeout -k 1 60 '{}' -n {} {}", timeout_s, mpiexec, ranks, program));
}

void check_errors(const FinishedRanks& finished, int most, const std::vector<std::string>& texts) {
  CAPTURE(finished.output);
  CHECK(finished.code != 0);
  CHECK(finished.code != 124);
  CHECK(finished.said.size() >= 1);
  CHECK(finished.said.size() <= static_cast<std::size_t>(most));
  std::set<std::string> speakers;
  for (const std::string& line : finished.said) {
    CHECK(line.find(": error: ") != std::string::npos);
    for (const std::string& text : texts) CHECK(line.find(text) != std::string::npos);
    CHECK(speakers.insert(line.substr(0, line.find(':'))).second);
  }
}

}  // namespace laminar::testing
