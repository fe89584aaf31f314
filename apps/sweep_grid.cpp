#include "laminar/apps/sweep_grid.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/format.h>

#include "laminar/apps/command_line.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"

namespace laminar::apps {
namespace {

using core::Index;

constexpr Index kMostPoints = 100'000;
/// Draws of which all were there already, before the points are taken to be all there are.
constexpr int kPatience = 1000;

[[noreturn]] void refuse(const std::string& word, const std::string& why) {
  throw UsageError(fmt::format("--grid: '{}': {}", word, why));
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text + separator);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

SweepAxis range_of(const std::string& word, std::string name, const std::string& text, std::size_t dots) {
  SweepAxis axis{.name = std::move(name)};
  std::string high = text.substr(dots + 2);
  std::string kind;
  if (const auto colon = high.find(':'); colon != std::string::npos) {
    kind = high.substr(colon + 1);
    high.erase(colon);
  }
  if (kind != "" && kind != "log" && kind != "int") refuse(word, "expected LOW..HIGH, LOW..HIGH:log or LOW..HIGH:int");
  axis.kind = kind.empty()    ? SweepAxis::Kind::kUniform
              : kind == "log" ? SweepAxis::Kind::kLogarithmic
                              : SweepAxis::Kind::kInteger;
  try {
    axis.low = parse_number(text.substr(0, dots));
    axis.high = parse_number(high);
  } catch (const UsageError& e) {
    refuse(word, e.what());
  }
  if (!(axis.low < axis.high)) refuse(word, "expected a range from a smaller to a larger number");
  if (kind == "log" && !(axis.low > 0)) refuse(word, "a logarithmic range begins above 0");
  if (kind == "int" && (axis.low != std::floor(axis.low) || axis.high != std::floor(axis.high))) {
    refuse(word, "expected whole numbers");
  }
  return axis;
}

std::string drawn(const SweepAxis& axis, double u) {
  switch (axis.kind) {
    case SweepAxis::Kind::kValues: {
      const auto n = axis.values.size();
      return axis.values[std::min(n - 1, static_cast<std::size_t>(u * static_cast<double>(n)))];
    }
    case SweepAxis::Kind::kInteger:
      return fmt::format("{}", static_cast<Index>(std::floor(axis.low + u * (axis.high - axis.low + 1))));
    case SweepAxis::Kind::kLogarithmic:
      return fmt::format("{:.3g}", axis.low * std::pow(axis.high / axis.low, u));
    case SweepAxis::Kind::kUniform:
      break;
  }
  return fmt::format("{:.3g}", axis.low + u * (axis.high - axis.low));
}

}  // namespace

std::string point_text(const SweepPoint& point) {
  std::string text;
  for (const auto& [name, value] : point) text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  return text;
}

std::vector<SweepAxis> parse_grid(const std::string& text) {
  std::vector<SweepAxis> axes;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == word.size()) {
      refuse(word, "expected OPTION=VALUE,VALUE,... or OPTION=LOW..HIGH");
    }
    std::string name = word.substr(0, equals);
    if (name.starts_with("--")) name.erase(0, 2);
    for (const SweepAxis& axis : axes) {
      if (axis.name == name) refuse(word, "the option stands there twice");
    }
    const std::string values = word.substr(equals + 1);
    if (const auto dots = values.find(".."); dots != std::string::npos) {
      axes.push_back(range_of(word, name, values, dots));
      continue;
    }
    SweepAxis axis{.name = name, .values = split(values, ',')};
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      if (axis.values[i].empty()) refuse(word, "a value is missing between two commas");
      if (std::find(axis.values.begin(), axis.values.begin() + static_cast<std::ptrdiff_t>(i), axis.values[i]) !=
          axis.values.begin() + static_cast<std::ptrdiff_t>(i)) {
        refuse(word, fmt::format("value {} stands there twice", axis.values[i]));
      }
    }
    axes.push_back(std::move(axis));
  }
  return axes;
}

std::vector<SweepPoint> all_points(const std::vector<SweepAxis>& axes) {
  std::vector<SweepPoint> points{{}};
  for (const SweepAxis& axis : axes) {
    if (axis.kind != SweepAxis::Kind::kValues) {
      refuse(axis.name, "a range is drawn from with --random N; without it name values, e.g. lr=.01,.003");
    }
    if (std::ssize(points) * std::ssize(axis.values) > kMostPoints) {
      throw UsageError(fmt::format("--grid has more than {} combinations; draw some with --random N", kMostPoints));
    }
    std::vector<SweepPoint> longer;
    for (const SweepPoint& p : points) {
      for (const std::string& value : axis.values) {
        longer.push_back(p);
        longer.back().emplace_back(axis.name, value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

std::vector<SweepPoint> random_points(const std::vector<SweepAxis>& axes, Index count, std::uint64_t seed) {
  const core::RandomKey key = core::random_key(seed, "sweep");
  std::vector<SweepPoint> points;
  std::uint64_t draw = 0;
  int in_vain = 0;
  while (std::ssize(points) < count && in_vain < kPatience) {
    SweepPoint point;
    for (const SweepAxis& axis : axes) point.emplace_back(axis.name, drawn(axis, core::random_uniform(key, draw++)));
    const bool is_new = std::find(points.begin(), points.end(), point) == points.end();
    in_vain = is_new ? 0 : in_vain + 1;
    if (is_new) points.push_back(std::move(point));
  }
  return points;
}

}  // namespace laminar::apps
