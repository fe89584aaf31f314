#include "laminar/apps/pair_file.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <span>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include "laminar/apps/curves.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/hdf5_writer.hpp"

namespace laminar::apps {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// The two words of a line; empty if there are not two.
std::array<std::string_view, 2> words_of(std::string_view line) {
  const char separator = line.find('\t') != std::string_view::npos  ? '\t'
                         : line.find(',') != std::string_view::npos ? ','
                                                                    : ' ';
  const auto at = line.find(separator);
  if (at == std::string_view::npos) return {};
  const std::string_view second = trimmed(line.substr(at + 1));
  if (second.find(separator) != std::string_view::npos) return {};
  return {trimmed(line.substr(0, at)), second};
}

class Vertices {
 public:
  Vertices(core::Index num_vertices, const std::vector<std::string>& names) : num_vertices_(num_vertices) {
    for (std::size_t v = 0; v < names.size(); ++v) by_name_.emplace(names[v], static_cast<core::VertexId>(v));
  }
  /// -1 if there is no such vertex.
  core::VertexId find(std::string_view word) const {
    if (const auto named = by_name_.find(std::string(word)); named != by_name_.end()) return named->second;
    core::VertexId v = -1;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), v);
    const bool good = error == std::errc() && end == word.data() + word.size() && v >= 0 && v < num_vertices_;
    return good ? v : -1;
  }
  bool named() const { return !by_name_.empty(); }

 private:
  core::Index num_vertices_;
  std::unordered_map<std::string, core::VertexId> by_name_;
};

double probability(double score) { return 1 / (1 + std::exp(-score)); }

std::string csv_text(const ScoredPairs& p) {
  const bool named = !p.names.empty();
  std::string csv = fmt::format("source,target{},score,probability,joined\n", named ? ",source_name,target_name" : "");
  for (std::size_t i = 0; i < p.pairs.size(); ++i) {
    csv += fmt::format("{},{}", p.pairs[i].u, p.pairs[i].v);
    for (const core::VertexId v : {p.pairs[i].u, p.pairs[i].v}) {
      if (named) csv.append(",").append(csv_field(p.names[static_cast<std::size_t>(v)]));
    }
    csv += fmt::format(",{},{},{}\n", static_cast<float>(p.scores[i]), static_cast<float>(probability(p.scores[i])),
                       static_cast<int>(p.joined[i]));
  }
  return csv;
}

void write_hdf5(const std::filesystem::path& path, const ScoredPairs& p) {
  constexpr int kCompression = 1;
  std::vector<std::int32_t> sources, targets;
  std::vector<float> scores, probabilities;
  for (std::size_t i = 0; i < p.pairs.size(); ++i) {
    sources.push_back(p.pairs[i].u);
    targets.push_back(p.pairs[i].v);
    scores.push_back(static_cast<float>(p.scores[i]));
    probabilities.push_back(static_cast<float>(probability(p.scores[i])));
  }
  const auto n = std::ssize(p.pairs);
  datasets::Hdf5Writer file(path, kCompression);
  file.set_attribute("/", "format", std::string_view("laminar-pairs"));
  file.set_attribute("/", "version", std::int64_t{1});
  file.write("/source", {n}, std::span<const std::int32_t>(sources));
  file.write("/target", {n}, std::span<const std::int32_t>(targets));
  file.write("/score", {n}, std::span<const float>(scores));
  file.write("/probability", {n}, std::span<const float>(probabilities));
  file.write("/joined", {n}, std::span<const std::uint8_t>(p.joined));
  file.commit();
}

}  // namespace

std::vector<pipeline::Pair> read_pairs(const std::filesystem::path& path, core::Index num_vertices,
                                       const std::vector<std::string>& names) {
  std::ifstream file(path);
  if (!file) throw Error(fmt::format("{}: the pairs can't be read", path.string()));
  const Vertices vertices(num_vertices, names);
  std::vector<pipeline::Pair> pairs;
  std::string text;
  for (core::Index number = 1; std::getline(file, text); ++number) {
    const std::string_view line = trimmed(text);
    if (line.empty() || line.front() == '#') continue;
    const auto [first, second] = words_of(line);
    if (number == 1 && first == "source" && second == "target") continue;
    const auto refuse = [&](const std::string& what) {
      throw Error(fmt::format("{}, line {}: {}", path.string(), number, what));
    };
    if (first.empty() || second.empty()) {
      refuse("expected two vertices with a tab, a comma or a blank between them");
    }
    const pipeline::Pair pair{vertices.find(first), vertices.find(second)};
    for (const auto& [v, word] : {std::pair{pair.u, first}, std::pair{pair.v, second}}) {
      if (v >= 0) continue;
      refuse(fmt::format("there is no vertex '{}'; expected {}a number from 0 to {}", word,
                         vertices.named() ? "a name in the graph file, or " : "", num_vertices - 1));
    }
    if (pair.u == pair.v) refuse(fmt::format("'{}' with itself is no pair", first));
    pairs.push_back(pair);
  }
  if (file.bad()) throw Error(fmt::format("{}: the pairs can't be read", path.string()));
  if (pairs.empty()) throw Error(fmt::format("{}: there are no pairs in it", path.string()));
  return pairs;
}

void write_pairs(const std::filesystem::path& path, const ScoredPairs& pairs) {
  if (path.extension() == ".csv") {
    core::write_file(path, csv_text(pairs));
  } else {
    write_hdf5(path, pairs);
  }
}

}  // namespace laminar::apps
