#include "laminar/datasets/import_matrix_market.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/edge_table.hpp"
#include "laminar/datasets/line_reader.hpp"
#include "laminar/datasets/memory_budget.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

constexpr std::size_t kEntryBytes = 80;

enum class Symmetry : std::uint8_t { kGeneral, kSymmetric, kSkew };

struct Header {
  bool pattern = false;
  Symmetry symmetry = Symmetry::kGeneral;
  std::int64_t size = 0;
  std::int64_t entries = 0;
};

std::string take_lower(std::string_view& rest) {
  std::string word(take_word(rest));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return word;
}

/// The next line that is neither empty nor a comment.
bool next_line(LineReader& file) {
  while (file.next()) {
    const std::size_t first = file.line().find_first_not_of(" \t");
    if (first != std::string_view::npos && file.line()[first] != '%') return true;
  }
  return false;
}

Header read_header(LineReader& file) {
  constexpr const char* kExpected = "expected \"%%MatrixMarket matrix coordinate real general\" or the like";
  if (!file.next()) file.fail(fmt::format("the file is empty, {}", kExpected));
  std::string_view rest = file.line();
  if (take_lower(rest) != "%%matrixmarket" || take_lower(rest) != "matrix") {
    file.fail(fmt::format("the line is {}, {}", shown(file.line()), kExpected));
  }
  Header h;
  if (const std::string format = take_lower(rest); format != "coordinate") {
    file.fail(fmt::format("the format is {}, expected coordinate: a graph is a sparse matrix", shown(format)));
  }
  const std::string field = take_lower(rest);
  h.pattern = field == "pattern";
  if (!h.pattern && field != "real" && field != "integer" && field != "double") {
    file.fail(fmt::format("the field is {}, expected pattern, integer or real", shown(field)));
  }
  const std::string symmetry = take_lower(rest);
  if (symmetry == "symmetric") {
    h.symmetry = Symmetry::kSymmetric;
  } else if (symmetry == "skew-symmetric") {
    h.symmetry = Symmetry::kSkew;
  } else if (symmetry != "general") {
    file.fail(fmt::format("the symmetry is {}, expected general, symmetric or skew-symmetric", shown(symmetry)));
  }
  if (h.pattern && h.symmetry == Symmetry::kSkew) file.fail("a pattern can't be skew-symmetric: it has no values");
  if (!next_line(file)) file.fail("the file ends, expected the line of sizes \"ROWS COLUMNS ENTRIES\"");
  rest = file.line();
  h.size = take_integer(file, rest, "the number of rows", 1, std::numeric_limits<VertexId>::max());
  const auto cols = take_integer(file, rest, "the number of columns", 1, std::numeric_limits<VertexId>::max());
  h.entries = take_integer(file, rest, "the number of entries", 0, std::numeric_limits<std::int64_t>::max() / 4);
  if (!rest.empty()) file.fail(fmt::format("{} is too much, expected three sizes", shown(rest)));
  if (cols != h.size) {
    file.fail(
        fmt::format("the matrix is {} x {}, expected a square one: a row and a column for each vertex", h.size, cols));
  }
  return h;
}

EdgeTable read_entries(LineReader& file, const Header& h, MemoryBudget& budget) {
  EdgeTable edges;
  while (next_line(file)) {
    if (edges.size() == h.entries) {
      file.fail(fmt::format("expected nothing after the {} entries of the line of sizes", h.entries));
    }
    if (!budget.take(kEntryBytes)) {
      file.fail(budget.complaint("what the file holds up to here"));
    }
    std::string_view rest = file.line();
    const auto row = take_integer(file, rest, "the row", 1, h.size);
    const auto col = take_integer(file, rest, "the column", 1, h.size);
    if (h.symmetry == Symmetry::kSkew && row == col) file.fail("a skew-symmetric matrix has nothing on its diagonal");
    edges.source.push_back(static_cast<VertexId>(row - 1));
    edges.target.push_back(static_cast<VertexId>(col - 1));
    if (!h.pattern) {
      const std::string_view word = take_word(rest);
      double value = 0;
      if (!read_number(word, value) || !std::isfinite(static_cast<float>(value))) {
        file.fail(word.empty() ? std::string("the value is missing")
                               : fmt::format("the value is {}, expected a finite number", shown(word)));
      }
      // In float32, as graph files store it.
      edges.weight.push_back(static_cast<float>(value));
    }
    if (!rest.empty()) file.fail(fmt::format("{} is too much", shown(rest)));
  }
  if (edges.size() != h.entries) {
    file.fail(fmt::format("the file ends after {} of {} entries", edges.size(), h.entries));
  }
  return edges;
}

void mirror_negative(EdgeTable& edges) {
  const std::size_t count = edges.source.size();
  for (std::size_t e = 0; e < count; ++e) {
    edges.source.push_back(edges.target[e]);
    edges.target.push_back(edges.source[e]);
    edges.weight.push_back(-edges.weight[e]);
  }
}

}  // namespace

ImportResult import_matrix_market(const std::filesystem::path& path, const ImportOptions& options) {
  LineReader file(path);
  const Header header = read_header(file);
  MemoryBudget budget(options.max_memory_bytes);
  EdgeTable edges = read_entries(file, header, budget);
  budget.take_vertices(header.size, path.string());
  if (header.symmetry == Symmetry::kSkew) mirror_negative(edges);
  ImportResult result;
  if (std::all_of(edges.weight.begin(), edges.weight.end(), [](double w) { return w == 1; })) edges.weight.clear();
  const bool directed = header.symmetry != Symmetry::kSymmetric;
  BuiltGraph built = build_graph(header.size, std::move(edges), directed);
  if (built.dropped > 0) {
    result.notes.push_back(fmt::format("{} entries stand for a place that has one already; the largest stayed",
                                       directed ? built.dropped : (built.dropped + 1) / 2));
  }
  GraphData& data = result.data;
  data.name = stem_of(path);
  data.graph = std::move(built.graph);
  data.provenance = fmt::format("imported from the Matrix Market file {}", path.filename().string());
  check(data, path.string());
  return result;
}

}  // namespace laminar::datasets
