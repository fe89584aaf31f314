#include "laminar/datasets/table_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/core/names.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

constexpr std::array<std::string_view, 5> kSeparators = {"auto", "comma", "tab", "semicolon", "blank"};
constexpr std::array<std::string_view, 3> kHeaders = {"auto", "yes", "no"};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

char letter_of(Separator separator) {
  switch (separator) {
    case Separator::kComma:
      return ',';
    case Separator::kTab:
      return '\t';
    case Separator::kSemicolon:
      return ';';
    case Separator::kAuto:
    case Separator::kBlank:
      break;
  }
  return ' ';
}

Separator separator_of(std::string_view line) {
  for (const auto s : {Separator::kTab, Separator::kComma, Separator::kSemicolon}) {
    if (line.find(letter_of(s)) != std::string_view::npos) return s;
  }
  return Separator::kBlank;
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

Separator parse_separator(std::string_view word) {
  return core::detail::from_name<Separator>("separator", kSeparators, word);
}

HeaderLine parse_header_line(std::string_view word) {
  return core::detail::from_name<HeaderLine>("header", kHeaders, word);
}

bool looks_like_number(std::string_view cell) {
  if (cell.size() > 1 && cell.front() == '+') cell.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return error != std::errc::invalid_argument && end == cell.data() + cell.size();
}

TableReader::TableReader(const std::filesystem::path& path, const TableFormat& format,
                         std::initializer_list<std::string_view> known_names)
    : file_(path), format_(format), known_names_(known_names.begin(), known_names.end()) {}

std::string_view TableReader::take_quoted(std::string_view& rest) {
  rest.remove_prefix(1);
  std::string_view whole = rest.substr(0, rest.find('"'));
  bool doubled = false;
  std::string text;
  for (;;) {
    const std::size_t quote = rest.find('"');
    if (quote == std::string_view::npos) {
      line_ = file_.number();
      fail("a text in quotes does not end in its line; line ends inside quotes are not read");
    }
    const bool again = quote + 1 < rest.size() && rest[quote + 1] == '"';
    if (again || doubled) text += rest.substr(0, quote + (again ? 1 : 0));
    rest.remove_prefix(quote + (again ? 2 : 1));
    if (!again) break;
    doubled = true;
  }
  if (doubled) whole = unquoted_.emplace_back(std::move(text));
  return whole;
}

void TableReader::split(std::string_view line) {
  const char separator = letter_of(format_.separator);
  const auto is_end = [&](char c) { return c == separator || (separator == ' ' && c == '\t'); };
  const auto skip_blanks = [&](std::string_view& text) {
    while (!text.empty() && (text.front() == ' ' || (text.front() == '\t' && separator != '\t'))) text.remove_prefix(1);
  };
  cells_.clear();
  unquoted_.clear();
  std::string_view rest = line;
  skip_blanks(rest);
  for (;;) {
    if (!rest.empty() && rest.front() == '"') {
      cells_.push_back(take_quoted(rest));
      const std::string_view before = rest;
      skip_blanks(rest);
      const bool ended = rest.empty() || is_end(rest.front()) || (separator == ' ' && before.size() > rest.size());
      if (!ended) {
        line_ = file_.number();
        fail(fmt::format("{} stands behind a text in quotes, expected the next column", shown(rest)));
      }
    } else {
      std::size_t length = 0;
      while (length < rest.size() && !is_end(rest[length])) ++length;
      cells_.push_back(trimmed(rest.substr(0, length)));
      rest.remove_prefix(length);
    }
    if (separator == ' ') {
      skip_blanks(rest);
      if (rest.empty()) return;
    } else {
      if (rest.empty()) return;
      rest.remove_prefix(1);
      skip_blanks(rest);
    }
  }
}

bool TableReader::read_row() {
  while (file_.next()) {
    const std::string_view text = trimmed(file_.line());
    if (file_.number() == 1 && text.starts_with("%%MatrixMarket")) {
      file_.fail("this is a Matrix Market file; say --from mtx");
    }
    if (text.empty() || text.front() == '#' || text.front() == '%') continue;
    if (format_.separator == Separator::kAuto) format_.separator = separator_of(text);
    split(file_.line());
    return true;
  }
  cells_.clear();
  return false;
}

bool TableReader::next() {
  switch (state_) {
    case State::kStart: {
      if (!read_row()) {
        line_ = file_.number();
        return false;
      }
      cols_ = static_cast<Index>(cells_.size());
      first_.assign(cells_.begin(), cells_.end());
      first_line_ = file_.number();
      const bool known = std::any_of(first_.begin(), first_.end(), [&](const std::string& cell) {
        return std::any_of(known_names_.begin(), known_names_.end(),
                           [&](const std::string& name) { return same_name(name, cell); });
      });
      const bool second = read_row();
      bool named = format_.header == HeaderLine::kYes;
      if (format_.header == HeaderLine::kAuto) {
        named = known;
        for (std::size_t c = 0; c < std::min(first_.size(), cells_.size()); ++c) {
          named = named || (!first_[c].empty() && !looks_like_number(first_[c]) && looks_like_number(cells_[c]));
        }
      }
      if (named) {
        header_ = std::move(first_);
        state_ = State::kRunning;
        line_ = file_.number();
        if (!second) return false;
        break;
      }
      // The second row's cells would be overwritten by the first one's; it is split again from its line.
      cells_.assign(first_.begin(), first_.end());
      line_ = first_line_;
      state_ = second ? State::kSecondWaits : State::kEndWaits;
      return true;
    }
    case State::kSecondWaits:
      split(file_.line());
      line_ = file_.number();
      state_ = State::kRunning;
      break;
    case State::kEndWaits:
      line_ = file_.number();
      cells_.clear();
      return false;
    case State::kRunning: {
      const bool more = read_row();
      line_ = file_.number();
      if (!more) return false;
      break;
    }
  }
  if (static_cast<Index>(cells_.size()) != cols_) {
    fail(fmt::format("has {} column{}, but the first row has {}", cells_.size(), cells_.size() == 1 ? "" : "s", cols_));
  }
  return true;
}

Index TableReader::column(std::string_view name, std::string_view option) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found != header_.end()) return found - header_.begin();
  std::int64_t number = 0;
  if (read_number(name, number) && number >= 1 && number <= cols_) return number - 1;
  throw UsageError(fmt::format("{} {}: {} has no such column; there are {}{}", option, shown(name), path(), cols_,
                               header_.empty() ? ", counted from 1" : fmt::format(": {}", fmt::join(header_, ", "))));
}

Index TableReader::column_of(std::initializer_list<std::string_view> names) const {
  const auto found = std::find_if(header_.begin(), header_.end(), [&](const std::string& cell) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return same_name(name, cell); });
  });
  return found == header_.end() ? -1 : found - header_.begin();
}

}  // namespace laminar::datasets
