#include "laminar/datasets/import_metis.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/line_reader.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

struct Header {
  std::int64_t vertices = 0;
  std::int64_t edges = 0;
  bool vertex_sizes = false;
  bool vertex_weights = false;
  bool edge_weights = false;
  std::int64_t constraints = 1;
};

bool is_comment(std::string_view line) {
  const std::string_view word = take_word(line);
  return !word.empty() && word.front() == '%';
}

double take_weight(const LineReader& file, std::string_view& rest, const char* what, bool may_be_zero) {
  const std::string_view word = take_word(rest);
  double value = 0;
  if (word.empty()) file.fail(fmt::format("{} is missing", what));
  if (!read_number(word, value) || value < 0 || (value == 0 && !may_be_zero)) {
    file.fail(
        fmt::format("{} is {}, expected a number {}", what, shown(word), may_be_zero ? "of 0 or more" : "above 0"));
  }
  return value;
}

Header read_header(LineReader& file) {
  do {
    if (!file.next()) file.fail("expected the first line \"VERTICES EDGES [FORMAT [WEIGHTS]]\", found nothing");
  } while (is_comment(file.line()) || file.line().find_first_not_of(" \t") == std::string_view::npos);
  std::string_view rest = file.line();
  Header h;
  h.vertices = take_integer(file, rest, "the number of vertices", 1, std::numeric_limits<VertexId>::max());
  h.edges = take_integer(file, rest, "the number of edges", 0, std::numeric_limits<std::int64_t>::max() / 4);
  const std::string_view format = take_word(rest);
  if (format.size() > 3 || format.find_first_not_of("01") != std::string_view::npos) {
    file.fail(fmt::format("the format is {}, expected up to three digits 0 or 1", shown(format)));
  }
  const auto digit = [&](std::size_t from_right) {
    return from_right < format.size() && format[format.size() - 1 - from_right] == '1';
  };
  h.edge_weights = digit(0);
  h.vertex_weights = digit(1);
  h.vertex_sizes = digit(2);
  if (!rest.empty()) h.constraints = take_integer(file, rest, "the number of weights a vertex", 1, 1 << 10);
  if (!h.vertex_weights) h.constraints = 0;
  if (!rest.empty()) file.fail(fmt::format("{} is too much; expected at most four numbers", shown(rest)));
  return h;
}

/// The lists as they stand in the file.
struct Lists {
  std::vector<EdgeId> offsets = {0};
  std::vector<VertexId> neighbours;
  std::vector<double> weights;
  std::vector<double> vertex_weights;
  /// Line of each vertex.
  std::vector<Index> lines;
};

Lists read_lists(LineReader& file, const Header& h) {
  Lists lists;
  while (static_cast<std::int64_t>(lists.lines.size()) < h.vertices) {
    if (!file.next()) {
      file.fail(fmt::format("the file ends after {} of {} vertices", lists.lines.size(), h.vertices));
    }
    if (is_comment(file.line())) continue;
    const auto vertex = static_cast<std::int64_t>(lists.lines.size()) + 1;
    lists.lines.push_back(file.number());
    std::string_view rest = file.line();
    if (h.vertex_sizes) take_weight(file, rest, "the vertex's size", true);
    for (std::int64_t c = 0; c < h.constraints; ++c) {
      const double weight = take_weight(file, rest, "a weight of the vertex", true);
      if (c == 0) lists.vertex_weights.push_back(weight);
    }
    while (rest.find_first_not_of(" \t") != std::string_view::npos) {
      const std::int64_t neighbour = take_integer(file, rest, "a neighbour", 1, h.vertices);
      if (neighbour == vertex)
        file.fail(fmt::format("vertex {} is its own neighbour; self-loops are not allowed", vertex));
      lists.neighbours.push_back(static_cast<VertexId>(neighbour - 1));
      if (h.edge_weights) lists.weights.push_back(take_weight(file, rest, "the weight of an edge", false));
    }
    lists.offsets.push_back(static_cast<EdgeId>(lists.neighbours.size()));
  }
  while (file.next()) {
    if (is_comment(file.line()) || file.line().find_first_not_of(" \t") == std::string_view::npos) continue;
    file.fail(fmt::format("expected nothing after the {} vertices of the first line", h.vertices));
  }
  return lists;
}

/// Both ends must list an edge, once and with the same weight.
void check_edges(const LineReader& file, const core::Graph& graph, const std::vector<Index>& lines) {
  const auto in = graph.in_offsets();
  const auto out = graph.out_offsets();
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    // Row v is what v lists; its out-edges are those who list v. Both ascend.
    const auto listed = graph.in_sources().subspan(in[v], in[v + 1] - in[v]);
    const auto listing = graph.out_targets().subspan(out[v], out[v + 1] - out[v]);
    if (const auto twice = std::adjacent_find(listed.begin(), listed.end()); twice != listed.end()) {
      file.fail(lines[v], fmt::format("vertex {} lists its neighbour {} twice", v + 1, *twice + 1));
    }
    if (const auto [a, b] = std::mismatch(listed.begin(), listed.end(), listing.begin(), listing.end());
        a != listed.end() || b != listing.end()) {
      const bool other_lacks = a != listed.end() && (b == listing.end() || *a < *b);
      const Index from = other_lacks ? v : *b;
      const Index to = other_lacks ? *a : v;
      file.fail(lines[from], fmt::format("vertex {} lists {}, but vertex {} (line {}) doesn't list {}", from + 1,
                                         to + 1, to + 1, lines[to], from + 1));
    }
    if (!graph.weighted()) continue;
    for (std::size_t i = 0; i < listed.size(); ++i) {
      const double here = graph.in_weights()[in[v] + static_cast<EdgeId>(i)];
      const double there = graph.in_weights()[graph.out_edges()[out[v] + static_cast<EdgeId>(i)]];
      if (here == there) continue;
      file.fail(lines[v], fmt::format("the edge to {} weighs {}, but {} there (line {})", listed[i] + 1, here, there,
                                      lines[listed[i]]));
    }
  }
}

}  // namespace

MetisGraph read_metis(const std::filesystem::path& path) {
  LineReader file(path, LineReader::kLongestList);
  const Header header = read_header(file);
  const Index header_line = file.number();
  Lists lists = read_lists(file, header);
  const auto entries = static_cast<std::int64_t>(lists.neighbours.size());
  MetisGraph result;
  result.graph = std::make_shared<const core::Graph>(core::Graph::from_in_csr(
      header.vertices, std::move(lists.offsets), std::move(lists.neighbours), std::move(lists.weights), false));
  check_edges(file, *result.graph, lists.lines);
  if (entries != 2 * header.edges) {
    file.fail(header_line, fmt::format("the first line says {} edges, but the vertices list {} (each from both ends)",
                                       header.edges, entries / 2));
  }
  result.vertex_weights = std::move(lists.vertex_weights);
  if (header.constraints > 1) {
    result.notes.push_back(fmt::format("of the {} weights a vertex the first one counts", header.constraints));
  }
  if (header.vertex_sizes) result.notes.emplace_back("vertex sizes are not used");
  return result;
}

ImportResult import_metis(const std::filesystem::path& path, const ImportOptions& /*options*/) {
  MetisGraph metis = read_metis(path);
  ImportResult result;
  GraphData& data = result.data;
  data.name = stem_of(path);
  data.graph = std::move(metis.graph);
  data.provenance = fmt::format("imported from the METIS graph {}", path.filename().string());
  result.notes = std::move(metis.notes);
  if (!metis.vertex_weights.empty()) {
    result.notes.emplace_back(
        "graph files don't keep vertex weights; laminar-partition reads them from the METIS file");
  }
  check(data, path.string());
  return result;
}

}  // namespace laminar::datasets
