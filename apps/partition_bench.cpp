#include "laminar/apps/partition_bench.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <type_traits>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "laminar/apps/machine.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/partitions.hpp"

namespace laminar::apps {
namespace {

using partition::Partition;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// How the child's answer begins.
enum class Answer : std::uint8_t { kDone, kUsageError, kError };

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw Error(fmt::format("no pipe: {}", std::strerror(errno)));
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_end(std::size_t which) {
    if (ends_[which] >= 0) ::close(ends_[which]);
    ends_[which] = -1;
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

void put(std::string& bytes, const void* data, std::size_t size) { bytes.append(static_cast<const char*>(data), size); }

template <class T>
void put(std::string& bytes, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  put(bytes, &value, sizeof value);
}

/// Takes values off what the child sent.
class Parser {
 public:
  explicit Parser(const std::string& bytes) : rest_(bytes) {}
  template <class T>
  T take() {
    T value{};
    copy(&value, sizeof value);
    return value;
  }
  void copy(void* out, std::size_t size) {
    if (rest_.size() < size) throw Error("the process that ran the strategy broke off");
    std::memcpy(out, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  std::string take_text() {
    std::string text(std::min<std::size_t>(take<std::uint64_t>(), rest_.size()), '\0');
    copy(text.data(), text.size());
    return text;
  }

 private:
  std::string_view rest_;
};

void put_text(std::string& bytes, const std::string& text) {
  put(bytes, std::uint64_t{text.size()});
  put(bytes, text.data(), text.size());
}

std::string refusal(Answer answer, const char* what) {
  std::string bytes;
  put(bytes, answer);
  put_text(bytes, what);
  return bytes;
}

/// In the child: the run, as bytes.
std::string answer_of(const core::Graph& graph, const BenchTask& task, const partition::MeasureOptions& measure) {
  try {
    Partition partition;
    BenchFigures figures;
    core::Arena arena(task.threads);
    arena.execute([&] {
      const auto started = std::chrono::steady_clock::now();
      partition = partition::Partitioners::instance().run(task.strategy, graph, task.options);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      const double peak = static_cast<double>(peak_rss_bytes()) / (1024.0 * 1024.0);
      figures = figures_of(partition::measure(graph, partition, measure), seconds, peak);
    });
    std::string bytes;
    put(bytes, Answer::kDone);
    put(bytes, figures);
    put(bytes, std::uint64_t{partition.remarks.size()});
    for (const std::string& remark : partition.remarks) put_text(bytes, remark);
    put(bytes, std::uint64_t{partition.part_of.size()});
    put(bytes, partition.part_of.data(), partition.part_of.size() * sizeof(std::int32_t));
    return bytes;
  } catch (const UsageError& error) {
    return refusal(Answer::kUsageError, error.what());
  } catch (const std::bad_alloc&) {
    return refusal(Answer::kError, "the system has no more memory");
  } catch (const std::exception& error) {
    return refusal(Answer::kError, error.what());
  }
}

[[noreturn]] void serve(int out, pid_t parent, const core::Graph& graph, const BenchTask& task,
                        const partition::MeasureOptions& measure) {
  // Not to be left behind if the parent is killed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const std::string bytes = answer_of(graph, task, measure);
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t n = ::write(out, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) ::_exit(1);
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  ::_exit(0);
}

std::string read_all(int in) {
  std::string bytes;
  std::array<char, 1 << 16> block{};
  for (;;) {
    const ssize_t n = ::read(in, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return bytes;
    bytes.append(block.data(), static_cast<std::size_t>(n));
  }
}

template <class Pick>
BenchFigures over_runs(const std::vector<BenchRun>& runs, Pick&& pick) {
  BenchFigures result;
  for (const BenchColumn& column : bench_columns()) {
    std::vector<double> values;
    values.reserve(runs.size());
    for (const BenchRun& run : runs) values.push_back(run.figures.*column.value);
    std::sort(values.begin(), values.end());
    result.*column.value = values.empty() ? kUnknown : pick(values);
  }
  return result;
}

/// The number behind "key=" in `line`, or NaN.
double value_in(const std::string& line, const std::string& key) {
  const auto at = line.find(key + "=");
  if (at == std::string::npos) return kUnknown;
  std::istringstream text(line.substr(at + key.size() + 1));
  double value = kUnknown;
  text >> value;
  return text.fail() ? kUnknown : value;
}

}  // namespace

const std::vector<BenchColumn>& bench_columns() {
  static const std::vector<BenchColumn> columns = {
      {"edge_cut", "cut", &BenchFigures::edge_cut, 0},
      {"total_volume", "total", &BenchFigures::total_volume, 0},
      {"max_receive_volume", "max recv", &BenchFigures::max_receive_volume, 0},
      {"max_send_volume", "max send", &BenchFigures::max_send_volume, 0},
      {"replication_factor", "copies", &BenchFigures::replication_factor, 3},
      {"vertex_balance", "vertices", &BenchFigures::vertex_balance, 3},
      {"edge_balance", "edges", &BenchFigures::edge_balance, 3},
      {"train_balance", "train", &BenchFigures::train_balance, 3},
      {"memory_balance", "memory", &BenchFigures::memory_balance, 3},
      {"seconds", "seconds", &BenchFigures::seconds, 3},
      {"peak_rss_mib", "MiB", &BenchFigures::peak_rss_mib, 0},
  };
  return columns;
}

BenchFigures figures_of(const partition::PartitionMetrics& m, double seconds, double peak_rss_mib) {
  return {static_cast<double>(m.edge_cut),
          static_cast<double>(m.total_volume),
          static_cast<double>(m.max_receive_volume),
          static_cast<double>(m.max_send_volume),
          m.replication_factor,
          m.vertex_balance,
          m.edge_balance,
          m.train_balance,
          m.memory_balance,
          seconds,
          peak_rss_mib};
}

BenchFigures BenchEntry::median() const {
  return over_runs(runs, [](const std::vector<double>& v) { return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2; });
}
BenchFigures BenchEntry::least() const {
  return over_runs(runs, [](const std::vector<double>& v) { return v.front(); });
}
BenchFigures BenchEntry::largest() const {
  return over_runs(runs, [](const std::vector<double>& v) { return v.back(); });
}

const BenchRun& BenchEntry::typical() const {
  std::vector<const BenchRun*> order;
  for (const BenchRun& run : runs) order.push_back(&run);
  std::stable_sort(order.begin(), order.end(), [](const BenchRun* a, const BenchRun* b) {
    return a->figures.total_volume < b->figures.total_volume;
  });
  return *order.at((order.size() - 1) / 2);
}

BenchRun run_in_child(const core::Graph& graph, const BenchTask& task, const partition::MeasureOptions& measure,
                      std::vector<std::string>& remarks) {
  std::fflush(nullptr);
  Pipe pipe;
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw Error(fmt::format("no process can be started: {}", std::strerror(errno)));
  if (child == 0) serve(pipe.write_end(), parent, graph, task, measure);
  pipe.close_end(1);
  const std::string bytes = read_all(pipe.read_end());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    throw Error(fmt::format("the process that ran it was ended by signal {} ({}){}", signal, ::strsignal(signal),
                            signal == SIGKILL ? "; did the system run out of memory?" : ""));
  }
  Parser parser(bytes);
  const auto answer = parser.take<Answer>();
  if (answer == Answer::kUsageError) throw UsageError(parser.take_text());
  if (answer == Answer::kError) throw Error(parser.take_text());
  BenchRun run;
  run.seed = task.options.seed;
  run.figures = parser.take<BenchFigures>();
  for (auto left = parser.take<std::uint64_t>(); left > 0; --left) {
    std::string remark = parser.take_text();
    if (std::find(remarks.begin(), remarks.end(), remark) == remarks.end()) remarks.push_back(std::move(remark));
  }
  run.part_of.resize(std::min<std::size_t>(parser.take<std::uint64_t>(), bytes.size()));
  parser.copy(run.part_of.data(), run.part_of.size() * sizeof(std::int32_t));
  return run;
}

ComparedFile parse_compared(const std::string& text) {
  const auto equals = text.find('=');
  ComparedFile file;
  file.path = equals == std::string::npos ? text : text.substr(equals + 1);
  file.name = equals == std::string::npos ? file.path.stem().string() : text.substr(0, equals);
  if (file.path.empty() || file.name.empty()) throw UsageError("expected FILE, or NAME=FILE");
  return file;
}

BenchEntry read_compared(const ComparedFile& file, const core::Graph& graph, const partition::MeasureOptions& measure) {
  datasets::SavedPartition saved = datasets::read_partition_file(file.path, graph);
  std::string first;
  std::ifstream in(file.path);
  std::getline(in, first);
  if (!first.starts_with('#') && !first.starts_with('%')) first.clear();
  BenchEntry entry{.name = file.name, .parts = saved.parts, .compared = true, .runs = {}, .remarks = {}, .failure = {}};
  Partition partition{saved.parts, std::move(saved.assignment)};
  const auto metrics = partition::measure(graph, partition, measure);
  entry.runs.push_back({saved.seed, figures_of(metrics, value_in(first, "seconds"), value_in(first, "peak_rss_mib")),
                        std::move(partition.part_of)});
  return entry;
}

void add_entry(std::vector<BenchEntry>& entries, BenchEntry entry) {
  for (BenchEntry& e : entries) {
    if (e.name != entry.name || e.parts != entry.parts || e.compared != entry.compared) continue;
    std::move(entry.runs.begin(), entry.runs.end(), std::back_inserter(e.runs));
    return;
  }
  entries.push_back(std::move(entry));
}

}  // namespace laminar::apps
