#include "laminar/datasets/line_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include "laminar/core/error.hpp"

namespace laminar::datasets {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
constexpr std::size_t kLongestLine = std::size_t{1} << 30;

template <class T>
bool read_whole(std::string_view word, T& value) {
  if (word.size() > 1 && word.front() == '+' && word[1] != '-') word.remove_prefix(1);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc{} && end == word.data() + word.size();
}

}  // namespace

struct LineReader::File {
  std::string path;
  gzFile stream = nullptr;
  std::vector<char> buffer;
  /// What of the buffer is read but not yet given out.
  std::size_t begin = 0;
  std::size_t end = 0;
  bool at_end = false;

  ~File() {
    if (stream != nullptr) ::gzclose(stream);
  }

  /// Reads a block more behind what is left, which moves to the front.
  void refill() {
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(begin), buffer.begin() + static_cast<std::ptrdiff_t>(end),
              buffer.begin());
    end -= begin;
    begin = 0;
    buffer.resize(std::max(buffer.size(), end + kBlockBytes));
    const int got = ::gzread(stream, buffer.data() + end, static_cast<unsigned>(kBlockBytes));
    int code = Z_OK;
    const char* const reason = ::gzerror(stream, &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      throw Error(fmt::format("{}: can't be read: {}", path,
                              code == Z_ERRNO       ? std::strerror(errno)
                              : code == Z_BUF_ERROR ? "the compressed file is cut off"
                                                    : reason));
    }
    at_end = got == 0;
    end += static_cast<std::size_t>(got);
  }
};

LineReader::LineReader(const std::filesystem::path& path) : file_(std::make_unique<File>()) {
  file_->path = path.string();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw Error(fmt::format("{}: there is no such file", file_->path));
  if (std::filesystem::is_directory(path, ignored)) throw Error(fmt::format("{}: is a folder", file_->path));
  errno = 0;
  file_->stream = ::gzopen(path.c_str(), "rb");
  if (file_->stream == nullptr) {
    throw Error(fmt::format("{}: can't be read: {}", file_->path, std::strerror(errno == 0 ? ENOMEM : errno)));
  }
  ::gzbuffer(file_->stream, 1U << 17);
}

LineReader::~LineReader() = default;

bool LineReader::next() {
  File& f = *file_;
  ++number_;
  std::size_t searched = 0;
  for (;;) {
    const char* const first = f.buffer.data() + f.begin;
    const std::size_t left = f.end - f.begin;
    const void* const found = left > searched ? std::memchr(first + searched, '\n', left - searched) : nullptr;
    if (found != nullptr || f.at_end) {
      if (found == nullptr && left == 0) return false;
      const std::size_t length =
          found == nullptr ? left : static_cast<std::size_t>(static_cast<const char*>(found) - first);
      f.begin += found == nullptr ? left : length + 1;
      line_ = {first, length};
      if (!line_.empty() && line_.back() == '\r') line_.remove_suffix(1);
      return true;
    }
    if (left > kLongestLine) fail("the line is longer than 1 GiB");
    searched = left;
    f.refill();
  }
}

void LineReader::fail(core::Index number, std::string_view text) const {
  throw Error(fmt::format("{}:{}: {}", file_->path, number, text));
}

std::string_view take_word(std::string_view& rest, char separator) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  const auto skip_blanks = [&] {
    while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  };
  skip_blanks();
  const bool separates = separator != ' ';
  if (separates && !rest.empty() && rest.front() == separator) {
    const std::string_view word = rest.substr(0, 1);
    rest.remove_prefix(1);
    return word;
  }
  std::size_t length = 0;
  while (length < rest.size() && !is_blank(rest[length]) && rest[length] != separator) ++length;
  const std::string_view word = rest.substr(0, length);
  rest.remove_prefix(length);
  skip_blanks();
  if (separates && !rest.empty() && rest.front() == separator) rest.remove_prefix(1);
  return word;
}

bool read_number(std::string_view word, std::int64_t& value) { return read_whole(word, value); }
bool read_number(std::string_view word, double& value) { return read_whole(word, value) && std::isfinite(value); }

std::string shown(std::string_view word) {
  constexpr std::size_t kMost = 40;
  std::string text(word.substr(0, kMost));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return fmt::format("'{}{}'", text, word.size() > kMost ? "..." : "");
}

}  // namespace laminar::datasets
