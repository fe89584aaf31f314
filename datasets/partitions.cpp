#include "laminar/datasets/partitions.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include <fmt/format.h>

#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/checks.hpp"
#include "laminar/datasets/graph_reader.hpp"
#include "laminar/datasets/hdf5_writer.hpp"
#include "laminar/datasets/line_reader.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

constexpr int kCompression = 1;
constexpr std::string_view kFormat = "laminar-partition";
constexpr const char* kAssignment = "/assignment";

[[noreturn]] void fail_as_other_graph(std::string_view where, std::uint64_t made_for, std::uint64_t graph) {
  throw Error(fmt::format(
      "{}: the partition was made for another graph (fingerprint {:016x}, expected {:016x}); partition this "
      "graph anew",
      where, made_for, graph));
}

void check_parts(const SavedPartition& partition, std::string_view where) {
  if (partition.parts < 1 || partition.parts > std::numeric_limits<std::int32_t>::max()) {
    throw Error(fmt::format("{}: {} parts, expected 1 or more", where, partition.parts));
  }
  const auto& parts = partition.assignment;
  const auto bad = std::find_if(parts.begin(), parts.end(), [&](auto p) { return p < 0 || p >= partition.parts; });
  if (bad == parts.end()) return;
  throw Error(fmt::format("{}: entry {} is {}, expected 0..{}", where, bad - parts.begin(), *bad, partition.parts - 1));
}

void write_array(Hdf5Writer& file, const std::string& object, const SavedPartition& partition) {
  file.write(object, {static_cast<Index>(partition.assignment.size())}, partition.assignment);
  file.set_attribute(object, "strategy", std::string_view(partition.strategy));
  file.set_attribute(object, "parts", std::int64_t{partition.parts});
  file.set_attribute(object, "seed", static_cast<std::int64_t>(partition.seed));
  file.set_attribute(object, "graph_fingerprint", static_cast<std::int64_t>(partition.graph_fingerprint));
}

bool is_hdf5_name(const std::filesystem::path& path) {
  return path.extension() == ".h5" || path.extension() == ".hdf5";
}

bool has_hdf5_signature(const std::filesystem::path& path) {
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  char start[kSignature.size()] = {};
  std::ifstream(path, std::ios::binary).read(start, sizeof start);
  return std::string_view(start, sizeof start) == kSignature;
}

SavedPartition read_hdf5(const std::filesystem::path& path, const GraphIdentity& graph) {
  const Hdf5Reader file(path);
  const std::string format = file.has_attribute("/", "format") ? file.string_attribute("/", "format") : std::string();
  if (format == "laminar-graph") {
    file.fail("/", "is a graph file; a partition inside it goes by its name alone, without the file's");
  }
  if (format != kFormat) {
    file.fail("/", fmt::format("the attribute 'format' is '{}', expected '{}'", format, kFormat));
  }
  if (const auto version = file.integer_attribute("/", "version"); version != 1) {
    file.fail("/", fmt::format("the attribute 'version' is {}, expected 1; a newer Laminar may read it", version));
  }
  const auto info = file.array_info(kAssignment);
  if (info.kind != ElementKind::kInteger || info.shape != std::vector<Index>{graph.num_vertices}) {
    file.fail(kAssignment, fmt::format("is {}, expected int32 [{}], a number a vertex", info.text, graph.num_vertices));
  }
  SavedPartition partition;
  partition.name = path.stem().string();
  partition.strategy = file.string_attribute(kAssignment, "strategy");
  partition.parts = file.integer_attribute(kAssignment, "parts");
  if (partition.parts < 1 || partition.parts > std::numeric_limits<std::int32_t>::max()) {
    file.fail(kAssignment, fmt::format("the attribute 'parts' is {}, expected 1 or more", partition.parts));
  }
  partition.seed = static_cast<std::uint64_t>(file.integer_attribute(kAssignment, "seed"));
  partition.graph_fingerprint = static_cast<std::uint64_t>(file.integer_attribute(kAssignment, "graph_fingerprint"));
  if (const auto expected = graph.fingerprint; partition.graph_fingerprint != expected) {
    fail_as_other_graph(path.string(), partition.graph_fingerprint, expected);
  }
  partition.assignment = read_integers(file, kAssignment, 0, graph.num_vertices, 0, partition.parts);
  return partition;
}

SavedPartition read_text(const std::filesystem::path& path, const GraphIdentity& graph) {
  LineReader file(path);
  SavedPartition partition;
  partition.name = path.stem().string();
  partition.strategy = "file";
  partition.graph_fingerprint = graph.fingerprint;
  const Index n = graph.num_vertices;
  while (file.next()) {
    std::string_view rest = file.line();
    const std::string_view word = take_word(rest);
    if (word.empty() || word.front() == '#' || word.front() == '%') continue;
    std::int64_t part = 0;
    // More parts than vertices can't be meant.
    if (!read_number(word, part) || part < 0 || part >= n || !rest.empty()) {
      file.fail(fmt::format("{}{} is found, expected one part number, 0..{}", shown(word),
                            rest.empty() ? "" : " and more", n - 1));
    }
    if (static_cast<Index>(partition.assignment.size()) == n) {
      file.fail(fmt::format("expected nothing after {} numbers, one a vertex of the graph", n));
    }
    partition.assignment.push_back(static_cast<std::int32_t>(part));
    partition.parts = std::max<Index>(partition.parts, part + 1);
  }
  if (static_cast<Index>(partition.assignment.size()) != n) {
    throw Error(fmt::format("{}: holds {} numbers, expected {}, one a vertex of the graph", path.string(),
                            partition.assignment.size(), n));
  }
  return partition;
}

}  // namespace

void save_partition(const std::filesystem::path& path, const SavedPartition& partition, bool overwrite) {
  const std::string object = "/partitions/" + partition.name;
  const std::string where = fmt::format("{}: {}", path.string(), object);
  if (const auto wrong = check_object_name(partition.name))
    throw Error(fmt::format("{}: /partitions: {}", path.string(), *wrong));
  check_parts(partition, where);
  {
    const GraphFile file(path);
    const auto& names = file.partition_names();
    if (!overwrite && std::find(names.begin(), names.end(), partition.name) != names.end()) {
      throw UsageError(
          fmt::format("{}: there is a partition of that name already; choose another name, or --overwrite", where));
    }
    if (static_cast<Index>(partition.assignment.size()) != file.schema().num_vertices) {
      throw Error(fmt::format("{}: {} entries for a graph of {} vertices", where, partition.assignment.size(),
                              file.schema().num_vertices));
    }
    if (const auto expected = file.graph_fingerprint(); partition.graph_fingerprint != expected) {
      fail_as_other_graph(where, partition.graph_fingerprint, expected);
    }
  }
  Hdf5Writer file(path, kCompression, Hdf5Writer::Start::kFromTarget);
  if (!file.has("/partitions")) file.create_group("/partitions");
  if (file.has(object)) file.remove(object);
  write_array(file, object, partition);
  file.commit();
}

SavedPartition load_partition(const std::filesystem::path& path, const std::string& name, const GraphIdentity& graph) {
  const GraphFile file(path);
  SavedPartition partition = file.partition(name);
  if (const auto expected = graph.fingerprint; partition.graph_fingerprint != expected) {
    fail_as_other_graph(fmt::format("{}: /partitions/{}", path.string(), name), partition.graph_fingerprint, expected);
  }
  return partition;
}

void write_partition_file(const std::filesystem::path& path, const SavedPartition& partition) {
  check_parts(partition, path.string());
  if (is_hdf5_name(path)) {
    Hdf5Writer file(path, kCompression);
    file.set_attribute("/", "format", kFormat);
    file.set_attribute("/", "version", std::int64_t{1});
    write_array(file, kAssignment, partition);
    file.commit();
    return;
  }
  std::string text;
  text.reserve(partition.assignment.size() * 3);
  for (const std::int32_t part : partition.assignment) fmt::format_to(std::back_inserter(text), "{}\n", part);
  core::write_file(path, text);
}

SavedPartition read_partition_file(const std::filesystem::path& path, const GraphIdentity& graph) {
  return has_hdf5_signature(path) ? read_hdf5(path, graph) : read_text(path, graph);
}

}  // namespace laminar::datasets
