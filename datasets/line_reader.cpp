#include "laminar/datasets/line_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"

namespace laminar::datasets {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;

template <class T>
bool read_whole(std::string_view word, T& value) {
  if (word.size() > 1 && word.front() == '+' && word[1] != '-') word.remove_prefix(1);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc{} && end == word.data() + word.size();
}

}  // namespace

struct LineReader::File {
  File(const std::filesystem::path& name, std::size_t longest)
      : path(name.string()), source(ByteSource::open(name)), longest_line_bytes(longest) {}
  std::string path;
  std::unique_ptr<ByteSource> source;
  std::size_t longest_line_bytes;
  std::vector<char> buffer;
  /// What of the buffer is read but not yet given out.
  std::size_t begin = 0;
  std::size_t end = 0;
  bool at_end = false;

  /// Reads a block more behind what is left, which moves to the front.
  void refill() {
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(begin), buffer.begin() + static_cast<std::ptrdiff_t>(end),
              buffer.begin());
    end -= begin;
    begin = 0;
    // Twice as much where a line is long, so that it is not moved block by block.
    if (buffer.size() < end + kBlockBytes) buffer.resize(std::max(2 * buffer.size(), end + kBlockBytes));
    const std::size_t got = source->read(std::span(buffer).subspan(end, kBlockBytes));
    at_end = got == 0;
    end += got;
  }
};

LineReader::LineReader(const std::filesystem::path& path, std::size_t longest_line_bytes)
    : file_(std::make_unique<File>(path, longest_line_bytes)) {}

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
      if (number_ == 1) strip_mark();
      return true;
    }
    if (left > f.longest_line_bytes) {
      fail(fmt::format("the line is longer than {} MiB; is this a text file?", f.longest_line_bytes >> 20));
    }
    searched = left;
    f.refill();
  }
}

void LineReader::strip_mark() {
  if (line_.starts_with("\xef\xbb\xbf")) line_.remove_prefix(3);
  if (line_.starts_with("\xff\xfe") || line_.starts_with("\xfe\xff")) {
    fail("the text is in UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)");
  }
}

const std::string& LineReader::path() const { return file_->path; }

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

bool valid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char first = byte(i);
    const std::size_t more = first < 0x80   ? 0
                             : first < 0xc2 ? 9
                             : first < 0xe0 ? 1
                             : first < 0xf0 ? 2
                             : first < 0xf5 ? 3
                                            : 9;
    if (first == 0 || i + more >= text.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    // Forms that are longer than needed, halves of UTF-16 pairs, and what is beyond U+10FFFF.
    if ((first == 0xe0 && byte(i + 1) < 0xa0) || (first == 0xed && byte(i + 1) > 0x9f) ||
        (first == 0xf0 && byte(i + 1) < 0x90) || (first == 0xf4 && byte(i + 1) > 0x8f)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

std::string shown(std::string_view word) {
  constexpr std::size_t kMost = 40;
  std::string_view start = word.substr(0, kMost);
  // A letter of several bytes stays whole.
  while (start.size() < word.size() && !start.empty() &&
         (static_cast<unsigned char>(word[start.size()]) & 0xc0) == 0x80) {
    start.remove_suffix(1);
  }
  std::string text(start);
  const bool readable = valid_utf8(text);
  std::replace_if(
      text.begin(), text.end(), [&](char c) { return (c >= 0 && c < ' ') || c == 127 || (c < 0 && !readable); }, '?');
  return fmt::format("'{}{}'", text, start.size() < word.size() ? "..." : "");
}

std::int64_t take_integer(const LineReader& file, std::string_view& rest, std::string_view what, std::int64_t lowest,
                          std::int64_t highest) {
  const std::string_view word = take_word(rest);
  std::int64_t value = 0;
  if (word.empty()) file.fail(fmt::format("{} is missing", what));
  if (!read_number(word, value) || value < lowest || value > highest) {
    file.fail(fmt::format("{} is {}, expected a whole number {}..{}", what, shown(word), lowest, highest));
  }
  return value;
}

}  // namespace laminar::datasets
