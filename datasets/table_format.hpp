#pragma once

#include <cstdint>
#include <string_view>

namespace laminar::datasets {

/// What divides the cells of a line.
enum class Separator : std::uint8_t { kAuto, kComma, kTab, kSemicolon, kBlank };
/// "auto", "comma", "tab", "semicolon", "blank". Throws UsageError for another word.
Separator parse_separator(std::string_view word);

/// Whether the first line names the columns.
enum class HeaderLine : std::uint8_t { kAuto, kYes, kNo };
/// "auto", "yes", "no". Throws UsageError for another word.
HeaderLine parse_header_line(std::string_view word);

/// What a table in a text file looks like where that is not to be found out.
struct TableFormat {
  Separator separator = Separator::kAuto;
  HeaderLine header = HeaderLine::kAuto;
};

}  // namespace laminar::datasets
