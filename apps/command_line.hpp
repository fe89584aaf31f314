#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/types.hpp"

/// The command line of an executable as a table: every option is a row that knows how to read and to show one variable,
/// so that parsing, --help, configuration files and the comparison of two runs come from the same place.
namespace laminar::apps {

/// What an option decides.
enum class Scope : std::uint8_t {
  /// The result of the run: written by --dump-config, and fixed when a run is resumed.
  kRun,
  /// Which devices the run is spread over: written by --dump-config, but a resumed run may change it.
  kSpread,
  /// How the run is conducted (threads, outputs); may stand in a configuration file, but is not dumped.
  kConduct,
  /// Only meaningful on the command line, e.g. --help.
  kOnce,
};

/// A row of the table.
struct Option {
  std::string name;
  /// What stands for the value in --help; empty for a flag, which takes none, or true or false after a "=".
  std::string placeholder;
  std::string help;
  Scope scope = Scope::kRun;
  /// A letter that does the same; 0 = none.
  char letter = 0;
  /// Reads a value into the variable. Throws UsageError "expected ...", without naming the option.
  std::function<void(const std::string&)> set;
  /// The variable as set() would read it; empty if it has none.
  std::function<std::string()> get;
  /// Whether it is of use in this run; always, if empty.
  std::function<bool()> applies = {};
  /// Whether it may be given several times; then set() gets the values with line breaks between them.
  bool repeats = false;
};

/// Options bound to a variable, which must outlive them. The default shown by --help is the variable's value then.
/// Numbers are read whole ("1e-3" is one, "3x" is none) and shown so that they read back exactly.
Option flag(std::string name, bool& target, std::string help);
Option option(std::string name, double& target, std::string placeholder, std::string help);
Option option(std::string name, std::int64_t& target, std::string placeholder, std::string help);
Option option(std::string name, std::uint64_t& target, std::string placeholder, std::string help);
Option option(std::string name, int& target, std::string placeholder, std::string help);
Option option(std::string name, std::string& target, std::string placeholder, std::string help);
Option option(std::string name, std::filesystem::path& target, std::string placeholder, std::string help);
/// An enumeration by its names.
template <class Enum, class FromName>
Option option(std::string name, Enum& target, std::string placeholder, std::string help, FromName from_name) {
  return {.name = std::move(name),
          .placeholder = std::move(placeholder),
          .help = std::move(help),
          .set = [&target, from_name](const std::string& text) { target = from_name(text); },
          .get = [&target] { return std::string(name_of(target)); }};
}

/// Reads all of `text` as a number. Throws UsageError "expected ...".
double parse_number(const std::string& text);
std::int64_t parse_integer(const std::string& text);
bool parse_bool(const std::string& text);

/// The name of `known` that `name` was most likely meant to be, or empty: at most two letters differ, and fewer than
/// half.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

/// ", did you mean 'sage'?", or empty.
std::string suggestion(std::string_view name, const std::vector<std::string>& known);

/// Values by option name, as text.
using GivenValues = std::map<std::string, std::string, std::less<>>;

/// The options of one executable. One thread at a time.
class CommandLine {
 public:
  /// `positional` names the options that stand without their names, in that order.
  explicit CommandLine(std::vector<std::string> positional) : positional_(std::move(positional)) {}

  /// Options added from here on stand under `caption` in --help.
  void group(std::string caption);
  /// Throws Error if there is one of that name or letter already.
  void add(Option option);

  /// Reads a command line. Throws UsageError for unknown options (with the nearest known one), missing values, an
  /// option given twice, or words that belong to none.
  GivenValues parse(int argc, const char* const* argv) const;
  /// Reads a configuration file: lines "NAME = VALUE", sections "[LAYER]", comments from "#". Throws Error if it can't
  /// be read, UsageError, naming the file, as parse() does and for options that only a command line can have.
  GivenValues parse_config(const std::filesystem::path& path) const;

  /// Sets the variables, in the order of the table. Throws UsageError, naming the option and `origin` if not empty.
  void apply(const GivenValues& given, std::string_view origin = {});

  /// All options of a scope that apply and have a value, in the order of the table.
  std::vector<std::pair<std::string, std::string>> values(Scope scope) const;

  /// A configuration file that sets every option of Scope::kRun and kSpread to its present value. Throws UsageError,
  /// naming the option, for a value that such a file can't hold: one with "#", line breaks or blanks at its ends.
  std::string config() const;

  /// The table for people, in groups, with the values that were there when options were added as defaults.
  std::string help() const;

 private:
  struct Row {
    Option option;
    std::string default_value;
    std::size_t group = 0;
  };
  std::vector<std::string> names() const;
  bool is_positional(std::string_view name) const;
  GivenValues collect(const void* parsed_options) const;

  std::vector<std::string> positional_;
  std::vector<std::string> groups_;
  std::vector<Row> rows_;
};

}  // namespace laminar::apps
