#include "laminar/pipeline/pair_options.hpp"

#include <charconv>
#include <cmath>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

constexpr Index kMostNegatives = 1000;
constexpr std::size_t kMostHits = 16;

/// The numbers between separators; empty if one is no number.
template <class T>
std::vector<T> numbers(const std::string& text, char separator) {
  std::vector<T> found;
  std::istringstream words(text + separator);
  for (std::string word; std::getline(words, word, separator);) {
    T value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) return {};
    found.push_back(value);
  }
  return found;
}

}  // namespace

std::string pair_split_text(const PairOptions& o) {
  const auto percent = [](double share) { return std::round(share * 1e12) / 1e10; };
  return fmt::format("{}/{}/{}", percent(1 - o.val - o.test), percent(o.val), percent(o.test));
}

void set_pair_split(const std::string& text, PairOptions& o) {
  const auto shares = numbers<double>(text, '/');
  const bool good = shares.size() == 3 && shares[0] > 0 && shares[1] > 0 && shares[2] > 0 &&
                    std::abs(shares[0] + shares[1] + shares[2] - 100) < 1e-9;
  if (!good) {
    throw UsageError("expected shares of training, validation and test pairs that add up to 100, e.g. 85/5/10");
  }
  o.val = shares[1] / 100;
  o.test = shares[2] / 100;
}

std::string hits_text(const PairOptions& o) { return fmt::format("{}", fmt::join(o.hits, ",")); }

void set_hits(const std::string& text, PairOptions& o) {
  auto hits = numbers<Index>(text, ',');
  bool good = !hits.empty() && hits.size() <= kMostHits;
  for (const Index k : hits) good = good && k >= 1;
  if (!good) {
    throw UsageError(
        fmt::format("expected 1 to {} numbers from 1 up with commas between them, e.g. 10,50,100", kMostHits));
  }
  o.hits = std::move(hits);
}

void validate(const PairOptions& o) {
  if (!(o.val > 0 && o.test > 0 && o.val + o.test < 1)) {
    throw UsageError(fmt::format("--link-split is {}, expected three shares above 0", pair_split_text(o)));
  }
  for (const auto& [value, name] :
       {std::pair{o.negatives, "negatives"}, std::pair{o.eval_negatives, "eval-negatives"}}) {
    if (value < 1 || value > kMostNegatives) {
      throw UsageError(fmt::format("--{} is {}, expected 1 to {}", name, value, kMostNegatives));
    }
  }
}

}  // namespace laminar::pipeline
