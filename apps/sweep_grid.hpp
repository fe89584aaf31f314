#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::apps {

/// Options of laminar-train with their values, in the order of the grid: {"hidden", "64"}, {"lr", ".01"}.
using SweepPoint = std::vector<std::pair<std::string, std::string>>;

/// "hidden=64 lr=.01".
std::string point_text(const SweepPoint& point);

/// What an option may be: values, or a range to draw from.
struct SweepAxis {
  enum class Kind : std::uint8_t { kValues, kUniform, kLogarithmic, kInteger };
  std::string name;
  Kind kind = Kind::kValues;
  std::vector<std::string> values = {};
  double low = 0;
  double high = 0;
};

/// Reads "hidden=64,128 lr=1e-4..1e-1:log dropout=0..0.7 layers=2..8:int": words with blanks or line breaks between
/// them, each an option with values or with a range, uniform, logarithmic (log) or of whole numbers (int). Throws
/// UsageError, showing the word, for anything else, an option that stands twice, and ranges that are empty.
std::vector<SweepAxis> parse_grid(const std::string& text);

/// All combinations, the last option varying fastest. Throws UsageError if there is a range, which has no list of
/// values, or if they are more than 100 000.
std::vector<SweepPoint> all_points(const std::vector<SweepAxis>& axes);

/// `count` different points drawn at random, fewer if there are not as many; point i is the same for every larger
/// count.
std::vector<SweepPoint> random_points(const std::vector<SweepAxis>& axes, core::Index count, std::uint64_t seed);

}  // namespace laminar::apps
