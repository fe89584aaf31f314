// A libFuzzer target for the reader that the environment variable LAMINAR_FUZZ_READER names: it may read an input or
// refuse it with an Error; anything else is a finding.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_changes.hpp"
#include "laminar/datasets/importer.hpp"
#include "laminar/datasets/partitions.hpp"
#include "laminar/datasets/vertex_tables.hpp"

namespace {

namespace datasets = laminar::datasets;

// Little, so that a claim of much is a finding and not a full machine.
constexpr std::uint64_t kMemoryBytes = std::uint64_t{1} << 26;

datasets::GraphData ring() {
  datasets::GraphData data;
  data.name = "ring";
  data.graph = std::make_shared<const laminar::core::Graph>(
      laminar::core::Graph::from_edges(4, std::vector{0, 1, 2, 3}, std::vector{1, 2, 3, 0}, {}, true));
  data.vertex_names = {"a", "b", "c", "d"};
  return data;
}

void write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// An input of a reader of folders is its files in this order, each but the last ended by a line "==="; a file that
/// begins with "none" is left out.
constexpr std::array kOgbFiles = {"raw/num-node-list.csv", "raw/num-edge-list.csv", "raw/edge.csv",
                                  "raw/node-feat.csv",     "raw/node-label.csv",    "raw/edge-feat.csv",
                                  "split/time/train.csv",  "split/time/valid.csv",  "split/time/test.csv"};

void write_ogb(const std::filesystem::path& folder, std::string_view bytes) {
  constexpr std::string_view kEnd = "===\n";
  std::filesystem::create_directories(folder / "raw");
  std::filesystem::create_directories(folder / "split/time");
  for (const char* name : kOgbFiles) {
    const std::size_t end = bytes.find(kEnd);
    const std::string_view file = bytes.substr(0, end);
    if (file.substr(0, 4) != "none") write(folder / name, file);
    bytes = end == std::string_view::npos ? std::string_view() : bytes.substr(end + kEnd.size());
  }
}

/// Makes what `reader` reads of an input.
void write_input(std::string_view reader, const std::filesystem::path& path, std::string_view bytes) {
  if (reader == "ogb") {
    write_ogb(path, bytes);
  } else if (reader == "debian") {
    std::filesystem::create_directory(path);
    write(path / "main_Packages", bytes);
  } else {
    write(path, bytes);
  }
}

void read(std::string_view reader, const std::filesystem::path& path) {
  datasets::GraphData data = ring();
  datasets::TableOptions tables;
  tables.max_memory_bytes = kMemoryBytes;
  std::vector<std::string> notes;
  if (reader == "features") {
    datasets::attach_features(data, path, tables, notes);
  } else if (reader == "labels") {
    datasets::attach_labels(data, path, laminar::core::Task::kClassification, tables, notes);
  } else if (reader == "splits") {
    datasets::attach_splits(data, path, tables);
  } else if (reader == "vertices") {
    datasets::read_vertices(data, path);
  } else if (reader == "parts") {
    datasets::read_partition_file(path, *data.graph);
  } else {
    datasets::ImportOptions options;
    options.max_memory_bytes = kMemoryBytes;
    data = datasets::find_importer(reader).run(path, options).data;
  }
  datasets::check(data, "fuzzed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("laminar_fuzz." + std::to_string(::getpid()));
  const char* const reader = std::getenv("LAMINAR_FUZZ_READER");
  if (reader == nullptr)
    throw std::runtime_error("set LAMINAR_FUZZ_READER to the name of a folder of tests/fuzz/corpus");
  write_input(reader, path, {reinterpret_cast<const char*>(bytes), size});
  try {
    read(reader, path);
  } catch (const laminar::Error&) {
    // Refused, as it should be.
  }
  std::filesystem::remove_all(path);
  return 0;
}
