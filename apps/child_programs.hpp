#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace laminar::apps {

enum class ProcessGroup : std::uint8_t { kInherited, kOwn };

/// Starts words[0], a path, with nothing to read and its output in files that only their owner may read. SIGINT and
/// SIGTERM end it, even if this program ignores them. Throws Error if it can't be started.
pid_t start_program(const std::vector<std::string>& words, const std::filesystem::path& out,
                    const std::filesystem::path& err, ProcessGroup group);

/// Programs that run beside this one, each in a process group of its own, so that a Ctrl-C of the terminal does not
/// reach them. One thread at a time.
class ChildPrograms {
 public:
  /// One that has ended.
  struct Ended {
    std::size_t number = 0;
    /// Exit code, or 128 + the signal that ended it.
    int code = 0;
    double wall_s = 0;
  };

  ChildPrograms() = default;
  /// Ends those that still run (SIGTERM), and waits for them.
  ~ChildPrograms();
  ChildPrograms(const ChildPrograms&) = delete;
  ChildPrograms& operator=(const ChildPrograms&) = delete;

  /// Starts words[0], a path, with its output in files; `number` is what it is called by. Throws Error if it can't be
  /// started.
  void start(std::size_t number, const std::vector<std::string>& words, const std::filesystem::path& out,
             const std::filesystem::path& err);
  std::size_t running() const { return children_.size(); }
  /// Those that have ended since the last call, at most after a moment's wait.
  std::vector<Ended> ended();
  void send(int signal) const;

 private:
  struct Child {
    pid_t pid = -1;
    std::size_t number = 0;
    std::chrono::steady_clock::time_point started;
  };
  std::vector<Child> children_;
};

}  // namespace laminar::apps
