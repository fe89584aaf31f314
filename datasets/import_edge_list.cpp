#include "laminar/datasets/import_edge_list.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/line_reader.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

struct Entries {
  /// FROM and TO of each line, one behind the other.
  std::vector<std::int64_t> ends;
  std::vector<double> weights;
  bool names_skipped = false;
};

/// "source,target,weight": words that begin with letters or quotes.
bool is_line_of_names(std::string_view line) {
  int words = 0;
  for (std::string_view word = take_word(line, ','); !word.empty(); word = take_word(line, ',')) {
    const char c = word.front();
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '"' && c != '_') return false;
    ++words;
  }
  return words >= 2;
}

std::int64_t take_vertex(const LineReader& file, std::string_view& rest, const char* what) {
  const std::string_view word = take_word(rest, ',');
  std::int64_t id = 0;
  if (word.empty()) file.fail(fmt::format("{} is missing; expected \"FROM TO\" or \"FROM TO WEIGHT\"", what));
  if (!read_number(word, id) || id < 0) {
    file.fail(fmt::format("{} is {}, expected a whole number of 0 or more", what, shown(word)));
  }
  return id;
}

Entries read_entries(LineReader& file) {
  Entries entries;
  bool weighted = false;
  while (file.next()) {
    std::string_view rest = file.line();
    const std::size_t first = rest.find_first_not_of(" \t");
    if (file.number() == 1 && rest.starts_with("%%MatrixMarket")) {
      file.fail("this is a Matrix Market file; take away its lines up to the one with the sizes");
    }
    if (first == std::string_view::npos || rest[first] == '#' || rest[first] == '%') continue;
    if (entries.ends.empty() && !entries.names_skipped && is_line_of_names(rest)) {
      entries.names_skipped = true;
      continue;
    }
    const std::int64_t from = take_vertex(file, rest, "the first vertex");
    const std::int64_t to = take_vertex(file, rest, "the second vertex");
    const std::string_view word = take_word(rest, ',');
    if (entries.ends.empty()) weighted = !word.empty();
    if (word.empty() == weighted) {
      file.fail(weighted ? "has 2 columns, but the first edge has 3" : "has 3 columns, but the first edge has 2");
    }
    if (weighted) {
      double weight = 0;
      if (!read_number(word, weight)) file.fail(fmt::format("the weight is {}, expected a finite number", shown(word)));
      entries.weights.push_back(weight);
    }
    if (const auto more = rest.find_first_not_of(" \t"); more != std::string_view::npos) {
      file.fail(fmt::format("{} is too much; expected \"FROM TO\" or \"FROM TO WEIGHT\"", shown(rest.substr(more))));
    }
    entries.ends.push_back(from);
    entries.ends.push_back(to);
  }
  if (entries.ends.empty()) file.fail("the file ends, and there was no edge");
  return entries;
}

/// Of parallel edges, which stand side by side in a row, the one of largest weight.
core::Graph without_repetition(const core::Graph& graph, EdgeId& dropped) {
  const auto in = graph.in_offsets();
  const auto sources = graph.in_sources();
  std::vector<EdgeId> offsets = {0};
  std::vector<VertexId> kept;
  std::vector<double> weights;
  offsets.reserve(in.size());
  kept.reserve(sources.size());
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    for (EdgeId e = in[v]; e < in[v + 1]; ++e) {
      const bool repeated = e > in[v] && sources[e] == sources[e - 1];
      if (!repeated) kept.push_back(sources[e]);
      if (!graph.weighted()) continue;
      const double weight = graph.in_weights()[e];
      if (repeated) {
        weights.back() = std::max(weights.back(), weight);
      } else {
        weights.push_back(weight);
      }
    }
    offsets.push_back(static_cast<EdgeId>(kept.size()));
  }
  dropped = static_cast<EdgeId>(sources.size() - kept.size());
  if (dropped == 0) return graph;
  return core::Graph::from_in_csr(graph.num_vertices(), std::move(offsets), std::move(kept), std::move(weights),
                                  graph.directed());
}

core::Graph build(Index n, const std::vector<VertexId>& ends, std::vector<double> weights, bool directed,
                  EdgeId& dropped) {
  std::vector<VertexId> sources;
  std::vector<VertexId> targets;
  const std::size_t lines = ends.size() / 2;
  sources.reserve(directed ? lines : 2 * lines);
  targets.reserve(directed ? lines : 2 * lines);
  for (std::size_t e = 0; e < ends.size(); e += 2) {
    sources.push_back(ends[e]);
    targets.push_back(ends[e + 1]);
  }
  if (!directed) {
    for (std::size_t e = 0; e < ends.size(); e += 2) {
      sources.push_back(ends[e + 1]);
      targets.push_back(ends[e]);
    }
    if (!weights.empty()) {
      weights.reserve(2 * lines);
      std::copy_n(weights.begin(), lines, std::back_inserter(weights));
    }
  }
  return without_repetition(core::Graph::from_edges(n, sources, targets, weights, directed), dropped);
}

}  // namespace

EdgeListGraph read_edge_list(const std::filesystem::path& path, bool directed) {
  LineReader file(path);
  Entries entries = read_entries(file);
  EdgeListGraph result;
  std::vector<std::int64_t> occurring = entries.ends;
  std::sort(occurring.begin(), occurring.end());
  occurring.erase(std::unique(occurring.begin(), occurring.end()), occurring.end());
  const std::int64_t largest = occurring.back();
  // Written so that the largest number of all does not overflow.
  const bool relabelled = largest / 2 >= static_cast<std::int64_t>(occurring.size());
  const std::int64_t n = relabelled ? static_cast<std::int64_t>(occurring.size()) : largest + 1;
  if (n > std::numeric_limits<VertexId>::max()) {
    throw Error(fmt::format("{}: {} vertices; a graph holds at most {}", path.string(), n,
                            std::numeric_limits<VertexId>::max()));
  }
  std::vector<VertexId> ends;
  ends.reserve(entries.ends.size());
  for (const std::int64_t id : entries.ends) {
    const auto place = relabelled ? std::lower_bound(occurring.begin(), occurring.end(), id) - occurring.begin() : id;
    ends.push_back(static_cast<VertexId>(place));
  }
  entries.ends = {};
  EdgeId dropped = 0;
  result.graph = std::make_shared<const core::Graph>(build(n, ends, std::move(entries.weights), directed, dropped));
  if (entries.names_skipped) result.notes.emplace_back("the first line holds names of columns");
  if (relabelled) {
    result.notes.push_back(
        fmt::format("only {} of the numbers 0..{} occur; they are the vertices, in ascending order", n, largest));
  } else if (occurring.front() > 0) {
    result.notes.push_back(fmt::format("the smallest number is {}; vertices 0..{} have no edges", occurring.front(),
                                       occurring.front() - 1));
  }
  // Of an undirected graph, listing both directions is no repetition worth a note.
  if (directed && dropped > 0) result.notes.push_back(fmt::format("{} repeated edges were dropped", dropped));
  if (relabelled) result.ids = std::move(occurring);
  return result;
}

ImportResult import_edge_list(const std::filesystem::path& path, const ImportOptions& options) {
  EdgeListGraph list = read_edge_list(path, options.directed);
  ImportResult result;
  GraphData& data = result.data;
  data.name = path.stem().string();
  data.graph = std::move(list.graph);
  for (const std::int64_t id : list.ids) data.vertex_names.push_back(std::to_string(id));
  data.provenance = fmt::format("imported from the edge list {}", path.filename().string());
  result.notes = std::move(list.notes);
  add_splits(data, options);
  check(data, path.string());
  return result;
}

}  // namespace laminar::datasets
