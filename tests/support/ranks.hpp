#pragma once

#include <string>
#include <vector>

/// Programs of the tests that run as MPI ranks. A rank says one line, "rank 0 ...: done ..." or "rank 0 ...: error:
/// ...".
namespace laminar::testing {

struct FinishedRanks {
  /// As a shell gives it; 124 = it took too long.
  int code = 0;
  std::string output;
  /// What the ranks said, by line, sorted.
  std::vector<std::string> said;
};

/// What Open MPI and sanitizers need in the environment of a launcher, as assignments before a shell's command.
std::string launcher_environment();
/// Runs a shell's command as it stands, in launcher_environment().
FinishedRanks run_command(const std::string& command);
/// Runs `program`, a path with arguments in a shell's quotes, as this many ranks, for at most 60 s; a silent rank is
/// lost after `timeout_s`. `mpiexec`: the launcher's path.
FinishedRanks run_ranks(const std::string& mpiexec, int ranks, const std::string& program,
                        const std::string& timeout_s = "10");

/// Checks that they failed in time, and that all ranks that say something say one line each, an error with all of
/// `texts` in it; at least one does, and at most `most`.
void check_errors(const FinishedRanks& finished, int most, const std::vector<std::string>& texts);

}  // namespace laminar::testing
