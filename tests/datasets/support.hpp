#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/datasets/graph_data.hpp"
#include "laminar/tests/support/temporary_folder.hpp"

// What the tests of datasets/ share.
namespace laminar::datasets::test {

class TemporaryFolder : public testing::TemporaryFolder {
 public:
  std::filesystem::path operator/(std::string_view name) const { return path() / name; }
  /// How many files and folders are in it.
  std::size_t entries() const;
};

std::string read_bytes(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, std::string_view bytes);
void write_gzip(const std::filesystem::path& path, const std::string& text);

/// The folder of real data, from the environment variable LAMINAR_TEST_DATA; prints why a test is skipped if it is
/// unset.
std::optional<std::filesystem::path> real_data(const char* test);

/// 5 vertices, 7 directed weighted edges, of everything a little.
GraphData small_graph();

/// Opens an HDF5 file for changes behind the library's back, or makes one as h5py does by default.
class RawHdf5 {
 public:
  enum class Mode { kCreate, kChange };
  explicit RawHdf5(const std::filesystem::path& path, Mode mode = Mode::kChange);
  ~RawHdf5();
  RawHdf5(const RawHdf5&) = delete;
  RawHdf5& operator=(const RawHdf5&) = delete;

  void group(const std::string& object);
  void remove(const std::string& object);
  void remove_attribute(const std::string& object, const std::string& name);
  /// Arrays replace what is there; attributes stay behind. `chunk` > 0 cuts the first dimension.
  void put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<double>& values,
           std::uint64_t chunk = 0);
  void put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<float>& values,
           std::uint64_t chunk = 0);
  void put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<std::int64_t>& values,
           std::uint64_t chunk = 0);
  void put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<std::int32_t>& values,
           std::uint64_t chunk = 0);
  /// Strings of variable length.
  void put(const std::string& object, const std::vector<std::string>& values);
  /// An array of `shape` of which nothing is stored.
  void put_empty(const std::string& object, std::vector<std::uint64_t> shape);
  void external_link(const std::string& object, const std::string& file, const std::string& target);
  void attribute(const std::string& object, const std::string& name, std::int64_t value);
  void attribute(const std::string& object, const std::string& name, const std::vector<std::int64_t>& values);
  /// Variable length, UTF-8.
  void attribute(const std::string& object, const std::string& name, const std::string& value);
  void attribute(const std::string& object, const std::string& name, const std::vector<std::string>& values);
  /// As h5py writes a NumPy bool.
  void bool_attribute(const std::string& object, const std::string& name, bool value);

 private:
  void put_array(const std::string& object, const std::vector<std::uint64_t>& shape, std::int64_t type,
                 const void* values, std::uint64_t chunk);
  void put_attribute(const std::string& object, const std::string& name, std::optional<std::uint64_t> count,
                     std::int64_t type, const void* values);
  std::int64_t file_;
};

/// small_graph() as h5py users write it: default properties, strings of variable length, bool attributes.
void write_like_h5py(const std::filesystem::path& path);

}  // namespace laminar::datasets::test
