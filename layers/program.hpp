#pragma once

#include <string>
#include <vector>

namespace laminar::layers {

struct ProgramResult {
  /// Exit code, 128 + the signal that ended it, or -1: it could not be started, and `output` says why.
  int code = 0;
  /// Standard output and standard error together.
  std::string output;
};

/// Runs a program, found as a shell finds it, and waits for it; its standard input is empty. Throws Error if its output
/// can't be taken.
ProgramResult run_program(const std::vector<std::string>& words);

}  // namespace laminar::layers
