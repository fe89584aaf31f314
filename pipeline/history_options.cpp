#include "laminar/pipeline/history_options.hpp"

#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

constexpr std::array kModes = {
    std::pair{GradientMode::kTruncated, "truncated"}, std::pair{GradientMode::kDetached, "detached"},
    std::pair{GradientMode::kRescaled, "rescaled"}, std::pair{GradientMode::kCompensated, "compensated"}};
constexpr std::array kGradients = {std::pair{HistoryGradient::kAuto, "auto"}, std::pair{HistoryGradient::kLook, "look"},
                                   std::pair{HistoryGradient::kPull, "pull"}};

}  // namespace

std::string_view name_of(GradientMode mode) { return kModes[static_cast<std::size_t>(mode)].second; }
std::string_view name_of(HistoryGradient gradient) { return kGradients[static_cast<std::size_t>(gradient)].second; }

GradientMode gradient_mode_from_name(std::string_view name) {
  for (const auto& [mode, text] : kModes) {
    if (name == text) return mode;
  }
  throw UsageError(
      fmt::format("gradient mode '{}' is not known; there are truncated, detached, rescaled and compensated", name));
}

HistoryGradient history_gradient_from_name(std::string_view name) {
  for (const auto& [gradient, text] : kGradients) {
    if (name == text) return gradient;
  }
  throw UsageError(fmt::format("history gradient '{}' is not known; there are auto, look and pull", name));
}

void validate(const HistoryOptions& o) {
  if (o.staleness != 0 && o.staleness != 1) {
    throw UsageError(
        fmt::format("--staleness is {}, expected 0 (wait for the neighbours) or 1 (history)", o.staleness));
  }
  if (o.refresh_every < 0) throw UsageError(fmt::format("--history-refresh is {}, expected epochs", o.refresh_every));
  if (o.freeze < 0) throw UsageError(fmt::format("--history-freeze is {}, expected epochs", o.freeze));
  if (!(o.smoothing >= 0 && o.smoothing < 1)) {
    throw UsageError(fmt::format("--history-smoothing is {}, expected 0 <= share < 1", o.smoothing));
  }
}

}  // namespace laminar::pipeline
