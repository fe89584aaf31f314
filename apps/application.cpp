#include "laminar/apps/application.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/layers/plugin_compiler.hpp"

namespace laminar::apps {
namespace {

/// Seconds after which a rank speaks whether or not others do.
constexpr core::Index kLastTurn = 5;

int complain(const char* name, std::string text, int code) {
  // Whatever a file name or a library put into it: one error, one line.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  fmt::print(stderr, "{}: error: {}{}\n", name, text, code == 2 ? fmt::format(" (see {} --help)", name) : "");
  return code;
}

}  // namespace

int run_application(const char* name, int argc, char** argv, int (*run)(int argc, char** argv)) {
  try {
    const int code = run(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return complain(name, "standard output can't be written; is the disk full?", 1);
    }
    return code;
  } catch (const layers::CompileError& error) {
    // As it is, lines and all: this is what the author of a plugin works with.
    fmt::print(stderr, "{}", error.output());
    return complain(name, error.what(), 1);
  } catch (const UsageError& error) {
    return complain(name, error.what(), 2);
  } catch (const std::bad_alloc&) {
    return complain(name, "the system has no more memory", 1);
  } catch (const std::exception& error) {
    return complain(name, error.what(), 1);
  }
}

int run_on_rank(std::unique_ptr<pipeline::Transport> rank, const std::function<int(pipeline::Transport&)>& run) {
  using std::chrono::seconds;
  try {
    return run(*rank);
  } catch (const std::exception& e) {
    const bool own = rank->fail(e.what());
    const core::Index number = rank->rank();
    if (number == 0) throw;
    if (rank->leave()) {
      // Rank 0 has been told, or failed by itself, and speaks now.
      std::this_thread::sleep_for(seconds(1));
      return 1;
    }
    // Rank 0 is gone, or so busy that it has not heard: who knows a reason of its own says it at once. The others wait
    // their turn, which comes only if those before them are gone as well.
    if (!own) std::this_thread::sleep_for(seconds(std::min<core::Index>(number, kLastTurn)));
    throw;
  }
}

}  // namespace laminar::apps
