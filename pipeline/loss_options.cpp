#include "laminar/pipeline/loss_options.hpp"

#include <charconv>
#include <cmath>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

std::string class_weights_text(const LossOptions& options) {
  if (options.balanced) return "balanced";
  return options.class_weights.empty() ? "none" : fmt::format("{}", fmt::join(options.class_weights, ","));
}

void set_class_weights(const std::string& text, LossOptions& options) {
  options.balanced = text == "balanced";
  options.class_weights.clear();
  if (options.balanced || text == "none") return;
  std::vector<double> weights;
  std::istringstream words(text + ",");
  for (std::string word; std::getline(words, word, ',');) {
    double weight = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), weight);
    if (error != std::errc() || end != word.data() + word.size() || !(weight > 0 && std::isfinite(weight))) {
      throw UsageError("expected none, balanced, or a number above 0 a class with commas between them, e.g. 1,2.5");
    }
    weights.push_back(weight);
  }
  options.class_weights = std::move(weights);
}

void validate(const LossOptions& o) {
  if (!(o.label_smoothing >= 0 && o.label_smoothing < 1)) {
    throw UsageError(fmt::format("--label-smoothing is {}, expected 0 <= X < 1", o.label_smoothing));
  }
  for (const double w : o.class_weights) {
    if (!(w > 0 && std::isfinite(w))) throw UsageError(fmt::format("--class-weights has {}, expected above 0", w));
  }
}

}  // namespace laminar::pipeline
