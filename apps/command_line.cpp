#include "laminar/apps/command_line.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::apps {
namespace {

namespace po = boost::program_options;

constexpr std::size_t kHelpWidth = 110;
constexpr std::size_t kHelpColumn = 34;

/// All of `text` as a T; from_chars knows no leading "+".
template <class T>
bool parse_whole(std::string_view text, T& value) {
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

template <class T>
Option integer_option(std::string name, T& target, std::string placeholder, std::string help, const char* expected) {
  return {.name = std::move(name),
          .placeholder = std::move(placeholder),
          .help = std::move(help),
          .set =
              [&target, expected](const std::string& text) {
                if (!parse_whole(text, target)) throw UsageError(fmt::format("expected {}", expected));
              },
          .get = [&target] { return fmt::format("{}", target); }};
}

/// Letters to insert, remove, replace or swap with the next to get from one word to the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> d((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      const std::size_t at = i * width + j;
      if (i == 0 || j == 0) {
        d[at] = i + j;
        continue;
      }
      const bool same = a[i - 1] == b[j - 1];
      d[at] = std::min({d[at - width - 1] + (same ? 0 : 1), d[at - width] + 1, d[at - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[at] = std::min(d[at], d[at - 2 * width - 2] + 1);
    }
  }
  return d.back();
}

/// Breaks `text` at blanks into lines of at most `width`; a longer word has a line of its own.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines(1);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::string& line = lines.back();
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(word);
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
  }
  return lines;
}

po::options_description describe(const std::vector<const Option*>& options) {
  po::options_description description;
  for (const Option* o : options) {
    const std::string name = o->letter == 0 ? o->name : fmt::format("{},{}", o->name, o->letter);
    description.add_options()(name.c_str(), po::value<std::string>());
  }
  return description;
}

/// For a name like my_conv.heads, which only its layer's plugin can have declared.
std::string plugin_hint(std::string_view name) {
  return name.find('.') == std::string_view::npos ? "" : "; options of a plugin's layer need --plugin FILE";
}

std::string without_dashes(std::string name) {
  name.erase(0, name.find_first_not_of('-'));
  return name.substr(0, name.find('='));
}

}  // namespace

double parse_number(const std::string& text) {
  double value = 0;
  if (!parse_whole(text, value) || !std::isfinite(value)) throw UsageError("expected a number");
  return value;
}

std::int64_t parse_integer(const std::string& text) {
  std::int64_t value = 0;
  if (!parse_whole(text, value)) throw UsageError("expected a whole number");
  return value;
}

bool parse_bool(const std::string& text) {
  if (text == "true" || text == "on" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "off" || text == "no" || text == "0") return false;
  throw UsageError("expected true or false");
}

Option flag(std::string name, bool& target, std::string help) {
  return {.name = std::move(name),
          .placeholder = {},
          .help = std::move(help),
          .set = [&target](const std::string& text) { target = parse_bool(text); },
          .get = [&target] { return std::string(target ? "true" : "false"); }};
}

Option option(std::string name, double& target, std::string placeholder, std::string help) {
  return {.name = std::move(name),
          .placeholder = std::move(placeholder),
          .help = std::move(help),
          .set = [&target](const std::string& text) { target = parse_number(text); },
          .get = [&target] { return fmt::format("{}", target); }};
}

Option option(std::string name, std::int64_t& target, std::string placeholder, std::string help) {
  return integer_option(std::move(name), target, std::move(placeholder), std::move(help), "a whole number");
}

Option option(std::string name, std::uint64_t& target, std::string placeholder, std::string help) {
  return integer_option(std::move(name), target, std::move(placeholder), std::move(help),
                        "a whole number, 0 or more and below 2^64");
}

Option option(std::string name, int& target, std::string placeholder, std::string help) {
  return integer_option(std::move(name), target, std::move(placeholder), std::move(help), "a whole number");
}

Option option(std::string name, std::string& target, std::string placeholder, std::string help) {
  return {.name = std::move(name),
          .placeholder = std::move(placeholder),
          .help = std::move(help),
          .set = [&target](const std::string& text) { target = text; },
          .get = [&target] { return target; }};
}

Option option(std::string name, std::filesystem::path& target, std::string placeholder, std::string help) {
  return {.name = std::move(name),
          .placeholder = std::move(placeholder),
          .help = std::move(help),
          .set =
              [&target](const std::string& text) {
                if (text.empty()) throw UsageError("expected the name of a file");
                target = text;
              },
          .get = [&target] { return target.string(); }};
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  std::string nearest;
  std::size_t least = std::min<std::size_t>(2, (name.size() - std::min<std::size_t>(name.size(), 1)) / 2) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? std::string() : fmt::format(", did you mean '{}'?", nearest);
}

void CommandLine::group(std::string caption) { groups_.push_back(std::move(caption)); }

void CommandLine::add(Option option) {
  for (const Row& row : rows_) {
    if (row.option.name == option.name || (option.letter != 0 && row.option.letter == option.letter)) {
      throw Error(fmt::format("option --{} is declared twice", option.name));
    }
  }
  if (groups_.empty()) groups_.emplace_back("Options");
  std::string value = option.get ? option.get() : std::string();
  rows_.push_back({std::move(option), std::move(value), groups_.size() - 1});
}

std::vector<std::string> CommandLine::names() const {
  std::vector<std::string> result;
  for (const Row& row : rows_) result.push_back("--" + row.option.name);
  return result;
}

bool CommandLine::is_positional(std::string_view name) const {
  return std::find(positional_.begin(), positional_.end(), name) != positional_.end();
}

GivenValues CommandLine::collect(const void* parsed_options) const {
  GivenValues given;
  for (const auto& o : static_cast<const po::parsed_options*>(parsed_options)->options) {
    const std::string value = o.value.empty() ? std::string() : o.value.front();
    const auto [at, is_first] = given.emplace(o.string_key, value);
    if (is_first) continue;
    const bool repeats = std::any_of(rows_.begin(), rows_.end(), [&, &name = o.string_key](const Row& row) {
      return row.option.name == name && row.option.repeats;
    });
    if (!repeats) throw UsageError(fmt::format("option --{} is given twice", o.string_key));
    at->second += "\n" + value;
  }
  return given;
}

GivenValues CommandLine::parse(int argc, const char* const* argv) const {
  std::vector<const Option*> options;
  for (const Row& row : rows_) options.push_back(&row.option);
  const po::options_description description = describe(options);
  po::positional_options_description positions;
  for (const std::string& name : positional_) positions.add(name.c_str(), 1);
  // A flag is a value that need not be written. Boost's own form of that would take the next word away.
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    for (const Option* o : options) {
      const bool is_named =
          word == fmt::format("--{}", o->name) || (o->letter != 0 && word == fmt::format("-{}", o->letter));
      if (o->placeholder.empty() && is_named) word = fmt::format("--{}=true", o->name);
    }
    words.push_back(std::move(word));
  }
  // Abbreviations would change their meaning whenever an option is added.
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  try {
    const po::parsed_options parsed =
        po::command_line_parser(words).options(description).positional(positions).style(style).run();
    return collect(&parsed);
  } catch (const po::unknown_option& error) {
    const std::string name = without_dashes(error.get_option_name());
    throw UsageError(fmt::format("unknown option '{}'{}{}", error.get_option_name(), suggestion("--" + name, names()),
                                 plugin_hint(name)));
  } catch (const po::too_many_positional_options_error&) {
    throw UsageError(fmt::format("too many words that belong to no option, expected at most {}", positional_.size()));
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
}

GivenValues CommandLine::parse_config(const std::filesystem::path& path) const {
  std::error_code ignored;
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path, ignored)) {
    throw Error(fmt::format("{}: the configuration file can't be read: {}", path.string(),
                            std::strerror(file ? EISDIR : errno)));
  }
  std::vector<const Option*> options;
  for (const Row& row : rows_) {
    if (row.option.scope != Scope::kOnce) options.push_back(&row.option);
  }
  try {
    const po::parsed_options parsed = po::parse_config_file(file, describe(options));
    return collect(&parsed);
  } catch (const po::unknown_option& error) {
    const std::string name = without_dashes(error.get_option_name());
    throw UsageError(fmt::format("{}: unknown option '{}'{}{}", path.string(), name, suggestion("--" + name, names()),
                                 plugin_hint(name)));
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}: {}", path.string(), error.what()));
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

void CommandLine::apply(const GivenValues& given, std::string_view origin) {
  for (Row& row : rows_) {
    const auto found = given.find(row.option.name);
    if (found == given.end()) continue;
    try {
      row.option.set(found->second);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{}{}--{} is '{}': {}", origin, origin.empty() ? "" : ": ", row.option.name,
                                   found->second, error.what()));
    }
  }
}

std::vector<std::pair<std::string, std::string>> CommandLine::values(Scope scope) const {
  std::vector<std::pair<std::string, std::string>> result;
  for (const Row& row : rows_) {
    const Option& o = row.option;
    if (o.scope != scope || !o.get || (o.applies && !o.applies())) continue;
    if (std::string value = o.get(); !value.empty()) result.emplace_back(o.name, std::move(value));
  }
  return result;
}

std::string CommandLine::config() const {
  std::string text;
  auto all = values(Scope::kRun);
  const auto spread = values(Scope::kSpread);
  all.insert(all.end(), spread.begin(), spread.end());
  for (const auto& [name, value] : all) {
    const bool blank_ends =
        value.front() == ' ' || value.front() == '\t' || value.back() == ' ' || value.back() == '\t';
    if (blank_ends || value.find_first_of("#\n\r") != std::string::npos) {
      throw UsageError(fmt::format(
          "--{} is '{}', which a configuration file can't hold; leave out '#', line breaks and blanks at the ends",
          name, value));
    }
    text += fmt::format("{} = {}\n", name, value);
  }
  return text;
}

std::string CommandLine::help() const {
  std::string text;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const auto is_shown = [&](const Row& row) { return row.group == g && !is_positional(row.option.name); };
    if (std::none_of(rows_.begin(), rows_.end(), is_shown)) continue;
    text += fmt::format("{}{}:\n", text.empty() ? "" : "\n", groups_[g]);
    for (const Row& row : rows_) {
      if (!is_shown(row)) continue;
      const Option& o = row.option;
      std::string left = fmt::format("  {}--{}{}{}", o.letter != 0 ? fmt::format("-{}, ", o.letter) : "", o.name,
                                     o.placeholder.empty() ? "" : " ", o.placeholder);
      std::string help = o.help;
      // A value named "default" says so itself.
      const bool has_default = !row.default_value.empty() && row.default_value != "default";
      if (!o.placeholder.empty() && has_default) help += fmt::format(" (default {})", row.default_value);
      if (left.size() + 2 > kHelpColumn) {
        text += left + "\n";
        left.clear();
      }
      for (const std::string& line : wrapped(help, kHelpWidth - kHelpColumn)) {
        text += fmt::format("{:<{}}{}\n", left, kHelpColumn, line);
        left.clear();
      }
    }
  }
  return text;
}

}  // namespace laminar::apps
