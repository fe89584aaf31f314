#include "laminar/apps/child_programs.hpp"

#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "laminar/core/error.hpp"

namespace laminar::apps {
namespace {

constexpr auto kMoment = std::chrono::milliseconds(20);
constexpr mode_t kOwnersOnly = 0600;

}  // namespace

pid_t start_program(const std::vector<std::string>& words, const std::filesystem::path& out,
                    const std::filesystem::path& err, ProcessGroup group) {
  std::vector<std::string> copies = words;
  std::vector<char*> argv;
  for (std::string& word : copies) argv.push_back(word.data());
  argv.push_back(nullptr);
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), kWrite, kOwnersOnly);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), kWrite, kOwnersOnly);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  const bool own = group == ProcessGroup::kOwn;
  ::posix_spawnattr_setflags(&attributes,
                             static_cast<short>(POSIX_SPAWN_SETSIGDEF | (own ? POSIX_SPAWN_SETPGROUP : 0)));
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, argv.front(), &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw Error(fmt::format("{} can't be started: {}", words.front(), std::strerror(failed)));
  return pid;
}

ChildPrograms::~ChildPrograms() {
  send(SIGTERM);
  for (const Child& c : children_) ::waitpid(c.pid, nullptr, 0);
}

void ChildPrograms::start(std::size_t number, const std::vector<std::string>& words, const std::filesystem::path& out,
                          const std::filesystem::path& err) {
  const auto started = std::chrono::steady_clock::now();
  children_.push_back({start_program(words, out, err, ProcessGroup::kOwn), number, started});
}

std::vector<ChildPrograms::Ended> ChildPrograms::ended() {
  std::vector<Ended> found;
  for (auto c = children_.begin(); c != children_.end();) {
    int status = 0;
    if (::waitpid(c->pid, &status, WNOHANG) == 0) {
      ++c;
      continue;
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - c->started;
    found.push_back({c->number, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), wall.count()});
    c = children_.erase(c);
  }
  if (found.empty()) std::this_thread::sleep_for(kMoment);
  return found;
}

void ChildPrograms::send(int signal) const {
  for (const Child& c : children_) ::kill(c.pid, signal);
}

}  // namespace laminar::apps
