#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "laminar/core/types.hpp"

namespace laminar::datasets {

/// Writes an HDF5 file beside its target and renames it into place in commit(): until then, and after any failure,
/// what stood there before is untouched. Until then the file is in memory, as large as it will be on disk. Arrays are
/// cut into chunks of about 1 MiB and checksummed, and shuffled and compressed but for large ones that would hardly
/// become smaller. Every call throws Error, naming the file, when it can't be written. One thread at a time.
class Hdf5Writer {
 public:
  /// What is in the file at first.
  enum class Start : std::uint8_t {
    kEmpty,
    /// All that is in the target, which must be an HDF5 file that a reader has checked.
    kFromTarget,
  };
  /// `compression`: deflate level 0 (off) to 9.
  Hdf5Writer(const std::filesystem::path& path, int compression, Start start = Start::kEmpty);
  /// Removes the unfinished file unless commit() has succeeded.
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  /// Whether there is such an object; its parents must exist.
  bool has(const std::string& object) const;
  /// Takes an object's name away, and with it the object.
  void remove(const std::string& object);
  /// Parents must exist.
  void create_group(const std::string& object);
  void write(const std::string& object, std::initializer_list<core::Index> shape, std::span<const std::int64_t> values);
  void write(const std::string& object, std::initializer_list<core::Index> shape, std::span<const std::int32_t> values);
  void write(const std::string& object, std::initializer_list<core::Index> shape, std::span<const std::uint8_t> values);
  void write(const std::string& object, std::initializer_list<core::Index> shape, std::span<const float> values);
  /// UTF-8 of fixed length, padded with NUL.
  void write_strings(const std::string& object, std::span<const std::string> values);

  /// Texts of attributes are UTF-8 of variable length, which Python reads as `str`.
  void set_attribute(const std::string& object, const std::string& attribute, std::string_view value);
  void set_attribute(const std::string& object, const std::string& attribute, std::int64_t value);
  void set_attribute(const std::string& object, const std::string& attribute, bool value);
  void set_attribute(const std::string& object, const std::string& attribute, std::span<const std::int64_t> values);
  void set_attribute(const std::string& object, const std::string& attribute, std::span<const std::string> values);

  /// Closes, flushes to the disk and renames into place.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laminar::datasets
