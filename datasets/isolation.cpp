#include "laminar/datasets/isolation.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "laminar/core/error.hpp"

namespace laminar::datasets {

namespace {

constexpr int kUnfinished = 3;

bool send(int descriptor, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t sent = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (sent < 0 && errno != EINTR) return false;
    if (sent > 0) done += static_cast<std::size_t>(sent);
  }
  return true;
}

/// Ended by SIGXCPU after `max_seconds` of processor time, by SIGALRM after `alarm_seconds` of any.
[[noreturn]] void be_child(int result, unsigned max_seconds, unsigned alarm_seconds,
                           const std::function<std::string()>& work) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM, SIGXCPU, SIGPIPE}) {
    std::signal(signal, SIG_DFL);
  }
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const rlimit seconds = {max_seconds, max_seconds};
  ::setrlimit(RLIMIT_CPU, &seconds);
  ::alarm(alarm_seconds);
  if (const int null = ::open("/dev/null", O_RDWR); null >= 0) {
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
  }
  bool sent = false;
  try {
    sent = send(result, work());
  } catch (...) {
    sent = false;
  }
  ::_exit(sent ? 0 : kUnfinished);
}

/// What a child sent, and how it ended.
struct Ended {
  std::string result;
  int status = 0;
  bool by(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
};

/// Throws Error if there can be no child, `subject` being named.
Ended run_child(const std::string& subject, std::size_t max_bytes, unsigned max_seconds, unsigned alarm_seconds,
                const std::function<std::string()>& work) {
  const auto fail = [&](int error) {
    throw Error(fmt::format("{}: can't be checked: {}", subject, std::strerror(error)));
  };
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) fail(errno);
  const pid_t child = ::fork();
  if (child == 0) be_child(pipe[1], max_seconds, alarm_seconds, work);
  const int fork_error = errno;
  ::close(pipe[1]);
  Ended ended;
  std::vector<char> block(std::size_t{1} << 16);
  while (child > 0 && ended.result.size() <= max_bytes) {
    const ssize_t got = ::read(pipe[0], block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    ended.result.append(block.data(), static_cast<std::size_t>(got));
  }
  // Closing first ends a child that still writes.
  ::close(pipe[0]);
  if (child < 0) fail(fork_error);
  while (::waitpid(child, &ended.status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

}  // namespace

std::string run_isolated(const std::string& subject, std::size_t max_bytes, unsigned max_seconds,
                         const std::function<std::string()>& work, unsigned patience_seconds) {
  const auto fail = [&](std::string_view reason) { throw Error(fmt::format("{}: {}", subject, reason)); };
  const unsigned alarm_seconds = max_seconds + patience_seconds;
  Ended ended = run_child(subject, max_bytes, max_seconds, alarm_seconds, work);
  if (ended.by(SIGALRM)) ended = run_child(subject, max_bytes, max_seconds, alarm_seconds, work);
  if (ended.result.size() > max_bytes) fail("the file is damaged: its text is longer than the file could hold");
  if (WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 0) return ended.result;
  if (WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == kUnfinished)
    fail("the file is damaged: it can't be read");
  if (ended.by(SIGALRM)) fail(fmt::format("reading it stood still, twice for {} s", alarm_seconds));
  const bool endless = ended.by(SIGXCPU) || ended.by(SIGKILL);
  fail(endless ? "the file is damaged: reading it does not end" : "the file is damaged: reading it crashes libhdf5");
  return {};
}

}  // namespace laminar::datasets
