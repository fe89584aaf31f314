#include "laminar/apps/bench_load.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "laminar/apps/machine.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/core/block.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/pipeline/statistics.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPiece = std::size_t{1} << 20;

/// A row while it is measured.
struct Times {
  std::string label;
  double bytes = 0;
  std::vector<double> ms;

  LoadRow row() const {
    const auto [least, largest] = std::minmax_element(ms.begin(), ms.end());
    return {label, bytes, pipeline::median(ms), *least, *largest};
  }
};

/// Runs `load`, which returns the bytes of what it made, and notes its time.
template <class Load>
void time_into(Times& times, bool warm, Load&& load) {
  const auto start = Clock::now();
  times.bytes = static_cast<double>(load());
  if (warm) times.ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
}

std::size_t read_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw Error(fmt::format("{}: can't be read: {}", path.string(), std::strerror(errno)));
  const auto bytes = static_cast<std::size_t>(std::filesystem::file_size(path));
  const auto memory = std::make_unique_for_overwrite<char[]>(bytes);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t count = ::read(file, memory.get() + done, std::min(kPiece, bytes - done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  ::close(file);
  if (done != bytes) throw Error(fmt::format("{}: can't be read to its end", path.string()));
  return bytes;
}

std::size_t graph_bytes(const core::Graph& graph) {
  return static_cast<std::size_t>(graph.num_vertices() + 1) * sizeof(core::EdgeId) +
         static_cast<std::size_t>(graph.num_edges()) *
             (sizeof(core::VertexId) + (graph.weighted() ? sizeof(float) : 0));
}

std::size_t feature_bytes(const core::RowSource& features) {
  if (!features.sparse()) {
    const core::Tensor rows = features.read_dense(0, features.rows());
    return static_cast<std::size_t>(rows.size()) * sizeof(float);
  }
  const core::SparseMatrix rows = features.read_sparse(0, features.rows());
  return static_cast<std::size_t>(rows.rows() + 1) * sizeof(core::EdgeId) +
         static_cast<std::size_t>(rows.entries()) * (sizeof(std::int32_t) + sizeof(float));
}

std::size_t label_bytes(const core::Dataset& data) {
  const core::Labels& labels = data.labels();
  std::size_t bytes =
      labels.classes.size() * sizeof(std::int32_t) + labels.multi_label.size() + labels.targets.size() * sizeof(float);
  for (const std::string& name : data.schema().split_names) {
    const core::Split split = data.split(name);
    bytes += (split.train.size() + split.val.size() + split.test.size()) * sizeof(core::VertexId);
  }
  return bytes;
}

std::size_t matrix_bytes(const core::Graph& graph) {
  const auto matrix =
      core::Block::whole(graph).adjacency({core::Normalization::kSymmetric, true}, core::DType::kFloat32);
  const auto entries = static_cast<std::size_t>(matrix->num_entries());
  return 2 * (static_cast<std::size_t>(matrix->num_rows + 1) * sizeof(core::EdgeId) +
              entries * (sizeof(std::int32_t) + sizeof(float)));
}

}  // namespace

double LoadFigures::load_gbps() const {
  double bytes = 0;
  double ms = 0;
  for (const LoadRow& row : arrays) {
    bytes += row.bytes;
    ms += row.median_ms;
  }
  return bytes / (ms * 1e6);
}

LoadFigures measure_load(const std::filesystem::path& path, const LoadBenchOptions& options) {
  LoadFigures figures;
  Times cache{"the file, from the system's cache", 0, {}};
  Times graph_times{"graph", 0, {}};
  Times features{"features", 0, {}};
  Times labels{"labels, splits", 0, {}};
  Times matrix{"matrix of the graph and its transpose", 0, {}};
  core::Arena arena(options.threads);
  figures.threads = arena.threads();
  for (Index i = 0; i <= options.repeats; ++i) {
    const bool warm = i > 0;
    time_into(cache, warm, [&] { return read_file(path); });
    arena.execute([&] {
      std::unique_ptr<core::Dataset> data;
      std::shared_ptr<const core::Graph> graph;
      time_into(graph_times, warm, [&] {
        data = datasets::open(path);
        graph = data->graph();
        return graph_bytes(*graph);
      });
      const core::DatasetSchema& schema = data->schema();
      figures.name = schema.name;
      figures.vertices = schema.num_vertices;
      figures.edges = schema.num_edges;
      if (schema.num_features > 0) time_into(features, warm, [&] { return feature_bytes(data->features()); });
      if (schema.task != core::Task::kNone) time_into(labels, warm, [&] { return label_bytes(*data); });
      time_into(matrix, warm, [&] { return matrix_bytes(*graph); });
    });
  }
  figures.file_bytes = cache.bytes;
  figures.cache = cache.row();
  for (const Times& times : {graph_times, features, labels}) {
    if (!times.ms.empty()) figures.arrays.push_back(times.row());
  }
  figures.matrix = matrix.row();
  return figures;
}

std::string load_table(const LoadFigures& f) {
  std::string text =
      fmt::format("{:<40} {:>9} {:>9} {:>19} {:>7} {:>9}\n", "", "MB", "ms", "least to largest", "GB/s", "of cache");
  const auto add = [&](const LoadRow& row, bool share) {
    text += fmt::format("{:<40} {:>9.1f} {:>9} {:>19} {:>7.2f} {:>9}\n", row.label, row.bytes / 1e6,
                        ms_text(row.median_ms), fmt::format("{} to {}", ms_text(row.least_ms), ms_text(row.largest_ms)),
                        row.gbps(), share ? fmt::format("{:.0f} %", 100 * row.gbps() / f.cache.gbps()) : "");
  };
  add(f.cache, false);
  for (const LoadRow& row : f.arrays) add(row, true);
  add(f.matrix, true);
  return text;
}

nlohmann::ordered_json load_json(const LoadFigures& f) {
  const auto row_json = [](const LoadRow& row) {
    return nlohmann::ordered_json{{"label", row.label},           {"bytes", row.bytes},
                                  {"median_ms", row.median_ms},   {"least_ms", row.least_ms},
                                  {"largest_ms", row.largest_ms}, {"gbps", row.gbps()}};
  };
  nlohmann::ordered_json j = {{"graph", f.name},
                              {"vertices", f.vertices},
                              {"edges", f.edges},
                              {"file_bytes", f.file_bytes},
                              {"cache", row_json(f.cache)},
                              {"matrix", row_json(f.matrix)}};
  for (const LoadRow& row : f.arrays) j["arrays"].push_back(row_json(row));
  j["load_gbps"] = f.load_gbps();
  return j;
}

std::string load_result_line(const LoadFigures& f) {
  double ms = 0;
  for (const LoadRow& row : f.arrays) ms += row.median_ms;
  return fmt::format(
      "RESULT vertices={} edges={} cache_gbps={:.3f} load_gbps={:.3f} share={:.3f} load_ms={:.3f} matrix_ms={:.3f}",
      f.vertices, f.edges, f.cache.gbps(), f.load_gbps(), f.load_gbps() / f.cache.gbps(), ms, f.matrix.median_ms);
}

}  // namespace laminar::apps
