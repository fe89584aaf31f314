// A libFuzzer target for the reader that the environment variable LAMINAR_FUZZ_READER names: it may read an input or
// refuse it with an Error; anything else is a finding.
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
  {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  }
  try {
    read(reader, path);
  } catch (const laminar::Error&) {
    // Refused, as it should be.
  }
  std::filesystem::remove(path);
  return 0;
}
