#include "laminar/apps/html.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace laminar::apps {
namespace {

constexpr std::string_view kDash = "–";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Bytes of the well-formed UTF-8 character (Unicode 15, table 3-7) that `s` starts with, or 0.
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  const unsigned second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90;
    const bool beyond = first == 0xF4 && second > 0x8F;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

/// Digits after the point for `digits` significant ones.
int decimals_for(double x, int digits) {
  if (x == 0) return 0;
  return std::max(0, digits - 1 - static_cast<int>(std::floor(std::log10(std::abs(x)))));
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (length == 0 || c == '\x7f' || (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n')) {
      out += kReplacement;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string json_script(std::string_view json) {
  std::string text = "<script type=\"application/json\">";
  for (const char c : json) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text + "</script>";
}

std::string format_count(std::int64_t n) {
  std::string digits = fmt::format("{}", n);
  const std::ptrdiff_t sign = n < 0 ? 1 : 0;
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > sign; at -= 3) {
    digits.insert(digits.begin() + at, ',');
  }
  return digits;
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 999.5 of a unit would be shown with four digits.
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits[unit]);
}

std::string format_ms(double ms) {
  if (!std::isfinite(ms)) return std::string(kDash);
  const auto three_digits = [](double x, std::string_view unit) {
    return fmt::format("{:.{}f} {}", x, x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2, unit);
  };
  if (ms == 0) return "0 ms";
  if (ms < 0.9995) return three_digits(ms * 1000, "µs");
  if (ms < 999.5) return three_digits(ms, "ms");
  if (ms < 59995) return three_digits(ms / 1000, "s");
  const auto seconds = static_cast<std::int64_t>(std::llround(ms / 1000));
  if (seconds < 3600) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  const std::int64_t minutes = (seconds + 30) / 60;
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string format_number(double x, int digits) {
  if (!std::isfinite(x)) return std::string(kDash);
  if (x == 0) return "0";
  const double size = std::abs(x);
  if (size < 1e-4 || size >= 1e7) return fmt::format("{:.{}e}", x, digits - 1);
  return fmt::format("{:.{}f}", x, decimals_for(x, digits));
}

std::string format_percent(double share, int decimals) {
  if (!std::isfinite(share)) return std::string(kDash);
  return fmt::format("{:.{}f} %", share * 100, decimals);
}

std::string_view readable_name(core::Metric metric) {
  switch (metric) {
    case core::Metric::kAccuracy:
      return "accuracy";
    case core::Metric::kMacroF1:
      return "macro F1";
    case core::Metric::kMicroF1:
      return "micro F1";
    case core::Metric::kRocAuc:
      return "ROC AUC";
    case core::Metric::kAveragePrecision:
      return "average precision";
    case core::Metric::kRmse:
      return "RMSE";
    case core::Metric::kMae:
      return "MAE";
    case core::Metric::kR2:
      return "R²";
    case core::Metric::kMrr:
      return "MRR";
    case core::Metric::kHits10:
      return "Hits@10";
    case core::Metric::kHits20:
      return "Hits@20";
    case core::Metric::kHits50:
      return "Hits@50";
    case core::Metric::kHits100:
      return "Hits@100";
    case core::Metric::kMse:
      break;
  }
  return "MSE";
}

std::string format_metric(core::Metric metric, double value) {
  return is_share(metric) ? format_percent(value) : format_number(value);
}

std::string format_metric(core::Metric metric, const pipeline::Spread& spread) {
  if (!std::isfinite(spread.mean)) return std::string(kDash);
  if (is_share(metric)) return fmt::format("{:.2f} ± {:.2f} %", spread.mean * 100, spread.std * 100);
  return fmt::format("{} ± {}", format_number(spread.mean), format_number(spread.std, 2));
}

std::string capitalised(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

}  // namespace laminar::apps
