#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::datasets {

enum class ElementKind : std::uint8_t { kInteger, kFloat, kString, kOther };

/// Type and shape of an array in a file. Booleans as h5py writes them (an enumeration) count as integers.
struct ArrayInfo {
  ElementKind kind = ElementKind::kOther;
  std::vector<core::Index> shape;
  /// "float32 [2708, 1433]"
  std::string text;
};

/// An HDF5 file for reading, distrusted: every call throws Error, naming file and object, on whatever is missing, of
/// another type or damaged. An array is refused before memory is taken for it if it claims far more elements than its
/// stored bytes could hold. Links to other files are refused. One thread at a time.
class Hdf5Reader {
 public:
  /// Throws Error if `path` isn't there, isn't readable or isn't HDF5.
  explicit Hdf5Reader(const std::filesystem::path& path);
  ~Hdf5Reader();
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;

  const std::string& path() const;
  /// Throws Error "path: object: text".
  [[noreturn]] void fail(std::string_view object, std::string_view text) const;

  /// Object names are absolute ("/graph/indptr").
  bool has_group(const std::string& object) const;
  bool has_array(const std::string& object) const;
  /// Names of what a group holds, in byte order.
  std::vector<std::string> children(const std::string& group) const;

  bool has_attribute(const std::string& object, const std::string& attribute) const;
  /// Integers and booleans of any width, a scalar or an array of one.
  std::int64_t integer_attribute(const std::string& object, const std::string& attribute) const;
  std::vector<std::int64_t> integers_attribute(const std::string& object, const std::string& attribute) const;
  /// Fixed or variable length, ASCII or UTF-8.
  std::string string_attribute(const std::string& object, const std::string& attribute) const;
  std::vector<std::string> strings_attribute(const std::string& object, const std::string& attribute) const;

  ArrayInfo array_info(const std::string& object) const;
  /// Rows [begin, end) of a one- or two-dimensional array into `out`, converted; integers that don't fit are clamped.
  /// Many rows at once are decoded in parallel.
  void read_rows(const std::string& object, core::Index begin, core::Index end, std::int32_t* out) const;
  void read_rows(const std::string& object, core::Index begin, core::Index end, std::int64_t* out) const;
  void read_rows(const std::string& object, core::Index begin, core::Index end, float* out) const;
  std::vector<std::string> read_strings(const std::string& object) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laminar::datasets
