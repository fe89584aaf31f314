#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "laminar/core/types.hpp"

// Internal to datasets/.
namespace laminar::datasets {

/// The lines of a text file, plain or compressed (see ByteSource), in blocks: memory is that of the longest line,
/// however much the file unpacks to. Lines end with LF or CRLF; the last one need not. A byte order mark of UTF-8 is
/// passed over, UTF-16 is refused. One thread at a time.
class LineReader {
 public:
  /// Where a line is a record of its own.
  static constexpr std::size_t kLongestRecord = std::size_t{64} << 20;
  /// Where a line may hold all neighbours of a vertex.
  static constexpr std::size_t kLongestList = std::size_t{1} << 30;

  /// Throws Error if there is no such file, or it can't be read.
  explicit LineReader(const std::filesystem::path& path, std::size_t longest_line_bytes = kLongestRecord);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// Goes to the next line; false at the end. Throws Error where the file is damaged, or a line is beyond its limit.
  bool next();
  /// Without its end; valid until the next call of next().
  std::string_view line() const { return line_; }
  /// From 1.
  core::Index number() const { return number_; }
  const std::string& path() const;

  /// Throws Error "FILE:LINE: text" of the present line, or of another.
  [[noreturn]] void fail(std::string_view text) const { fail(number_, text); }
  [[noreturn]] void fail(core::Index number, std::string_view text) const;

 private:
  void strip_mark();
  struct File;
  std::unique_ptr<File> file_;
  std::string_view line_;
  core::Index number_ = 0;
};

/// Takes the first word off `rest`: what stands between blanks, tabs and `separator`. Empty if there is none. A
/// separator counts as a blank, but two of them have an empty word between them, which is returned as ",".
std::string_view take_word(std::string_view& rest, char separator = ' ');

/// All of `word` as a whole number, or a finite number. False if it is none, or out of range.
bool read_number(std::string_view word, std::int64_t& value);
bool read_number(std::string_view word, double& value);

/// Takes the next word of the reader's line off `rest`: a whole number of lowest..highest. Throws Error, which names
/// the line and `what` it is, if it is missing or another one.
std::int64_t take_integer(const LineReader& file, std::string_view& rest, std::string_view what, std::int64_t lowest,
                          std::int64_t highest);

/// Whether `text` is UTF-8 without NUL: what the names in a graph file must be.
bool valid_utf8(std::string_view text);

/// `word` as an error may show it: quoted, at most 40 bytes, those that can't be printed as "?".
std::string shown(std::string_view word);

}  // namespace laminar::datasets
