#include "laminar/datasets/byte_source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "laminar/core/error.hpp"

namespace laminar::datasets {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 17;
constexpr std::uint64_t kMaxXzBytes = std::uint64_t{256} << 20;
constexpr std::string_view kXzMagic(
    "\xfd"
    "7zXZ\0",
    6);
constexpr std::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);
constexpr std::string_view kCutOff = "the compressed file is cut off";

[[noreturn]] void fail(const std::string& path, std::string_view reason) {
  throw Error(fmt::format("{}: can't be read: {}", path, reason));
}

/// Plain files and gzip: zlib tells them apart.
class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(const std::filesystem::path& path) : path_(path.string()) {
    errno = 0;
    stream_ = ::gzopen(path.c_str(), "rb");
    if (stream_ == nullptr) fail(path_, std::strerror(errno == 0 ? ENOMEM : errno));
    ::gzbuffer(stream_, static_cast<unsigned>(kBlockBytes));
  }
  ~GzipSource() override { ::gzclose(stream_); }

  std::size_t read(std::span<char> out) override {
    const int got = ::gzread(stream_, out.data(), static_cast<unsigned>(std::min(out.size(), std::size_t{1} << 30)));
    int code = Z_OK;
    const char* const reason = ::gzerror(stream_, &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      fail(path_, code == Z_ERRNO ? std::strerror(errno) : code == Z_BUF_ERROR ? kCutOff : reason);
    }
    return static_cast<std::size_t>(got);
  }

 private:
  std::string path_;
  gzFile stream_ = nullptr;
};

/// Compressed bytes, a block at a time.
class Blocks {
 public:
  explicit Blocks(const std::filesystem::path& path) : path_(path.string()), file_(std::fopen(path.c_str(), "rb")) {
    if (!file_) fail(path_, std::strerror(errno));
  }
  const std::string& path() const { return path_; }
  /// Empty at the end.
  std::span<const char> next() {
    const std::size_t got = std::fread(block_.data(), 1, block_.size(), file_.get());
    if (got == 0 && std::ferror(file_.get()) != 0) fail(path_, std::strerror(errno));
    return {block_.data(), got};
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<char> block_ = std::vector<char>(kBlockBytes);
};

class XzSource final : public ByteSource {
 public:
  explicit XzSource(const std::filesystem::path& path) : blocks_(path) {
    if (::lzma_stream_decoder(&stream_, kMaxXzBytes, LZMA_CONCATENATED) != LZMA_OK) {
      fail(blocks_.path(), "the xz decoder can't start");
    }
  }
  ~XzSource() override { ::lzma_end(&stream_); }

  std::size_t read(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    while (!done_ && stream_.avail_out == out.size()) {
      if (stream_.avail_in == 0 && !input_ended_) {
        const auto block = blocks_.next();
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(block.data());
        stream_.avail_in = block.size();
        input_ended_ = block.empty();
      }
      const lzma_ret code = ::lzma_code(&stream_, input_ended_ ? LZMA_FINISH : LZMA_RUN);
      if (code == LZMA_STREAM_END) {
        done_ = true;
      } else if (code == LZMA_MEMLIMIT_ERROR) {
        fail(blocks_.path(), "it needs more than 256 MiB to unpack; pack it with xz -6");
      } else if (code != LZMA_OK) {
        fail(blocks_.path(), code == LZMA_BUF_ERROR ? kCutOff : "the compressed file is damaged");
      }
    }
    return out.size() - stream_.avail_out;
  }

 private:
  Blocks blocks_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool input_ended_ = false;
  bool done_ = false;
};

class ZstdSource final : public ByteSource {
 public:
  explicit ZstdSource(const std::filesystem::path& path) : blocks_(path), stream_(::ZSTD_createDStream()) {
    if (stream_ == nullptr) fail(blocks_.path(), "the zstd decoder can't start");
  }

  std::size_t read(std::span<char> out) override {
    ZSTD_outBuffer unpacked{out.data(), out.size(), 0};
    while (unpacked.pos == 0) {
      if (packed_.pos == packed_.size && !full_) {
        const auto block = blocks_.next();
        if (block.empty()) {
          if (inside_frame_) fail(blocks_.path(), kCutOff);
          return 0;
        }
        packed_ = {block.data(), block.size(), 0};
      }
      const std::size_t code = ::ZSTD_decompressStream(stream_.get(), &unpacked, &packed_);
      if (::ZSTD_isError(code) != 0) fail(blocks_.path(), ::ZSTD_getErrorName(code));
      inside_frame_ = code != 0;
      // More may wait in the decoder where the output had no room for it.
      full_ = unpacked.pos == unpacked.size;
    }
    return unpacked.pos;
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ::ZSTD_freeDStream(stream); }
  };
  Blocks blocks_;
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  ZSTD_inBuffer packed_ = {nullptr, 0, 0};
  bool inside_frame_ = false;
  bool full_ = false;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::filesystem::path without_compression(const std::filesystem::path& path) {
  const std::string ending = lower(path.extension().string());
  return ending == ".gz" || ending == ".xz" || ending == ".zst" ? path.stem() : path.filename();
}

}  // namespace

std::unique_ptr<ByteSource> ByteSource::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw Error(fmt::format("{}: there is no such file", path.string()));
  if (std::filesystem::is_directory(path, ignored)) throw Error(fmt::format("{}: is a folder", path.string()));
  std::array<char, 6> start = {};
  std::size_t length = 0;
  // Only of a regular file can the start be read twice.
  if (std::filesystem::is_regular_file(path, ignored)) {
    if (std::FILE* const file = std::fopen(path.c_str(), "rb"); file != nullptr) {
      length = std::fread(start.data(), 1, start.size(), file);
      std::fclose(file);
    }
  }
  const std::string_view magic(start.data(), length);
  if (magic.starts_with(kXzMagic)) return std::make_unique<XzSource>(path);
  if (magic.starts_with(kZstdMagic)) return std::make_unique<ZstdSource>(path);
  return std::make_unique<GzipSource>(path);
}

std::string stem_of(const std::filesystem::path& path) { return without_compression(path).stem().string(); }
std::string extension_of(const std::filesystem::path& path) {
  return lower(without_compression(path).extension().string());
}

}  // namespace laminar::datasets
