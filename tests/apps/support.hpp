#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "laminar/datasets/graph_data.hpp"
#include "laminar/tests/support/temporary_folder.hpp"

// What the tests of the executables share: they are run as a user would run them.
namespace laminar::apps::test {

/// What a finished program left behind.
struct Finished {
  /// Exit code, or 128 + the signal that ended it.
  int code = 0;
  std::string out;
  std::string err;
  /// The last line of `out`, without its line break.
  std::string last_line() const;
  /// The key=value pairs of the last line; it must be a RESULT line.
  std::map<std::string, std::string> result() const;
};

/// A program that runs beside the test, with its output in files.
class Process {
 public:
  /// `words[0]` is an executable of this project by its name, or an absolute path.
  Process(const std::vector<std::string>& words, const std::filesystem::path& folder);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void send(int signal) const;
  /// What it has written to stderr up to now.
  std::string err() const;
  Finished wait();

 private:
  std::filesystem::path out_;
  std::filesystem::path err_;
  pid_t pid_ = -1;
};

/// Checks that it ended with that exit code, one line on stderr that holds `says`, and no result.
void check_refused(const Finished& f, int code, const std::string& says);

std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, std::string_view text);
std::vector<std::string> lines_of(const std::string& text);
std::size_t entries(const std::filesystem::path& folder);

/// testing::block_model() (240 vertices, 3 classes, splits "random" and "swapped") with names of vertices and classes,
/// some with commas and quotes.
datasets::GraphData named_blocks();

/// A folder with graph.h5, named_blocks() as a file.
class Workspace {
 public:
  Workspace();
  std::string path(std::string_view name) const { return (folder_.path() / name).string(); }
  std::string graph() const { return path("graph.h5"); }
  const std::filesystem::path& folder() const { return folder_.path(); }

  Finished run(const std::vector<std::string>& words) const;
  /// laminar-train graph.h5 with a short training and these words.
  Finished train(std::vector<std::string> words) const;

 private:
  testing::TemporaryFolder folder_;
  testing::TemporaryFolder logs_;
};

}  // namespace laminar::apps::test
