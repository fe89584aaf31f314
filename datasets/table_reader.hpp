#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/types.hpp"
#include "laminar/datasets/line_reader.hpp"
#include "laminar/datasets/table_format.hpp"

// Internal to datasets/.
namespace laminar::datasets {

/// A table in a text file, row by row: comma-, tab- or semicolon-separated, or in columns divided by blanks. Lines that
/// are empty or begin with # or % are passed over. Cells lose the blanks around them; one in double quotes may hold
/// separators, blanks and "" for a quote, but no line end. The separator is that of the first row: a tab, else a comma,
/// else a semicolon, else blanks. The first row names the columns if a column of it is one of `known_names`, or if it
/// has no number where the second row has one. All rows have as many cells. One thread at a time.
class TableReader {
 public:
  TableReader(const std::filesystem::path& path, const TableFormat& format,
              std::initializer_list<std::string_view> known_names);

  /// Goes to the next row; false at the end. Throws Error "FILE:LINE: ...".
  bool next();
  /// Valid until the next call of next().
  std::span<const std::string_view> cells() const { return cells_; }
  /// Known after the first next().
  core::Index cols() const { return cols_; }
  /// Names of the columns, or empty; known after the first next().
  const std::vector<std::string>& header() const { return header_; }
  core::Index line() const { return line_; }
  const std::string& path() const { return file_.path(); }
  /// Throws Error "FILE:LINE: text" of the present row.
  [[noreturn]] void fail(std::string_view text) const { file_.fail(line_, text); }

  /// The place of a column that a user names by its header or by its number from 1. Throws UsageError, as
  /// "`option` ...", if there is no such column.
  core::Index column(std::string_view name, std::string_view option) const;
  /// The place of the column whose name, in whatever case, is one of `names`; -1 if there is none.
  core::Index column_of(std::initializer_list<std::string_view> names) const;

 private:
  bool read_row();
  void split(std::string_view line);
  std::string_view take_quoted(std::string_view& rest);

  LineReader file_;
  TableFormat format_;
  std::vector<std::string> known_names_;
  std::vector<std::string> header_;
  std::vector<std::string_view> cells_;
  /// Of the first row, while the second one tells what it is.
  std::vector<std::string> first_;
  core::Index first_line_ = 0;
  std::deque<std::string> unquoted_;
  core::Index cols_ = 0;
  core::Index line_ = 0;
  enum class State : std::uint8_t { kStart, kSecondWaits, kEndWaits, kRunning } state_ = State::kStart;
};

/// Whether a cell looks like a number, a finite one or not.
bool looks_like_number(std::string_view cell);

}  // namespace laminar::datasets
