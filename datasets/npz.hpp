#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::datasets {

/// One array of a NumPy archive, as stored.
struct NpyArray {
  /// NumPy's type letter: 'f', 'i', 'u', 'b' (boolean) or 'U' (UCS-4 text).
  char kind = 0;
  std::size_t item_bytes = 0;
  bool fortran_order = false;
  std::vector<core::Index> shape;
  std::vector<unsigned char> bytes;

  core::Index size() const;
  /// "<f4 [5201, 2089]"
  std::string text() const;
};

/// The header of `.npy` data (versions 1 to 3) and the number of bytes it takes. Types: little-endian f4 f8 i1 i2 i4 i8
/// u1 u2 u4 u8 b1 and U. Throws Error, prefixed with `where`, on anything else; `total_bytes` is the size of the whole
/// .npy file, which header and shape must add up to exactly.
NpyArray parse_npy_header(const std::vector<unsigned char>& start, std::uint64_t total_bytes, const std::string& where,
                          std::size_t& header_bytes);

/// The file of one array (.npy), not larger than its header says. Throws Error, naming the file.
NpyArray read_npy(const std::filesystem::path& path);

/// The elements of an array of integers or booleans, or of numbers as float32, all finite, row by row (C order). Throws
/// Error, prefixed with `where`, for another type.
std::vector<std::int64_t> integers_of(const NpyArray& array, const std::string& where);
std::vector<float> numbers_of(const NpyArray& array, const std::string& where);

/// A NumPy archive (.npz), distrusted: sizes that an array declares are held against the archive's before memory is
/// taken, an entry may not unpack to more than deflate can pack, and all that is read, with what importing makes of it,
/// may not pass `max_memory_bytes` (0: default_memory_bytes()). Members throw Error, naming file and array.
class NpzFile {
 public:
  explicit NpzFile(const std::filesystem::path& path, std::uint64_t max_memory_bytes = 0);
  ~NpzFile();
  NpzFile(const NpzFile&) = delete;
  NpzFile& operator=(const NpzFile&) = delete;

  const std::string& path() const;
  [[noreturn]] void fail(const std::string& array, const std::string& text) const;
  bool has(const std::string& array) const;
  NpyArray read(const std::string& array) const;

  /// Integers and booleans, row by row (C order). `shape`: expected sizes, -1 = any; the found ones are left in it.
  std::vector<std::int64_t> integers(const std::string& array, std::vector<core::Index>& shape) const;
  /// Numbers as float32, row by row, all finite.
  std::vector<float> numbers(const std::string& array, std::vector<core::Index>& shape) const;
  /// UCS-4 text as UTF-8.
  std::vector<std::string> strings(const std::string& array) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laminar::datasets
