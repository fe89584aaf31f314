#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

// Internal to datasets/.
namespace laminar::datasets {

/// The bytes of a file, unpacked piece by piece: gzip, xz and zstd are known by their first bytes, whatever the file's
/// name; anything else is given as it stands. Memory is that of the decoder (gzip 0.2 MiB; zstd at most 128 MiB and xz
/// at most 256 MiB, where files that ask for more are refused), however much comes out. One thread at a time.
class ByteSource {
 public:
  /// Throws Error, naming the file, if there is none, it is a folder, or it can't be read.
  static std::unique_ptr<ByteSource> open(const std::filesystem::path& path);
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// The next bytes, at most `out.size()`; 0 at the end only. Throws Error where the file is damaged or cut off.
  virtual std::size_t read(std::span<char> out) = 0;

 protected:
  ByteSource() = default;
};

/// The file's name without folder and without the endings of compression and of format: "web" of "a/web.mtx.gz".
std::string stem_of(const std::filesystem::path& path);
/// The ending of the format, in lower case: ".mtx" of "a/web.MTX.gz"; empty if there is none.
std::string extension_of(const std::filesystem::path& path);

}  // namespace laminar::datasets
