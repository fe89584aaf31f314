#include "laminar/tests/apps/support.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include "laminar/apps/child_programs.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/support/datasets.hpp"

namespace laminar::apps::test {

void check_refused(const Finished& f, int code, const std::string& says) {
  CAPTURE(says);
  CAPTURE(f.err);
  CHECK(f.code == code);
  CHECK(lines_of(f.err).size() == 1);
  CHECK(f.err.find(says) != std::string::npos);
  CHECK(f.out.find("RESULT") == std::string::npos);
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::size_t entries(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

std::string Finished::last_line() const {
  const auto lines = lines_of(out);
  return lines.empty() ? std::string() : lines.back();
}

std::map<std::string, std::string> Finished::result() const {
  std::istringstream words(last_line());
  std::string word;
  words >> word;
  if (word != "RESULT") throw std::runtime_error("no RESULT line, but: " + out + err);
  std::map<std::string, std::string> values;
  while (words >> word) values[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
  return values;
}

Process::Process(const std::vector<std::string>& words, const std::filesystem::path& folder) {
  static int count = 0;
  ++count;
  out_ = folder / ("out." + std::to_string(count));
  err_ = folder / ("err." + std::to_string(count));
  std::vector<std::string> command = words;
  if (command.front().front() != '/') command.front() = std::string(LAMINAR_BIN_DIR) + "/" + command.front();
  pid_ = apps::start_program(command, out_, err_, apps::ProcessGroup::kInherited);
}

Process::~Process() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::send(int signal) const { ::kill(pid_, signal); }

std::string Process::err() const { return read_text(err_); }

Finished Process::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(out_), read_text(err_)};
}

datasets::GraphData named_blocks() {
  datasets::GraphData data = testing::block_model();
  data.labels.names = {"zero, \"nil\"", "one", "two"};
  for (core::Index v = 0; v < data.graph->num_vertices(); ++v) data.vertex_names.push_back(fmt::format("v{}", v));
  data.vertex_names[7] = "seven, \"the\" seventh";
  return data;
}

Workspace::Workspace() { datasets::write(graph(), named_blocks()); }

Finished Workspace::run(const std::vector<std::string>& words) const { return Process(words, logs_.path()).wait(); }

Finished Workspace::train(std::vector<std::string> words) const {
  std::vector<std::string> all = {"laminar-train", graph()};
  for (const char* option : {"--hidden", "--epochs"}) {
    if (std::find(words.begin(), words.end(), option) == words.end()) all.insert(all.end(), {option, "8"});
  }
  all.insert(all.end(), words.begin(), words.end());
  return run(all);
}

}  // namespace laminar::apps::test
