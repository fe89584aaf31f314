#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/vertex_keys.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

std::vector<VertexId>* set_of(core::Split& split, std::string_view word) {
  const auto is_one_of = [&](auto... known) { return ((word == known) || ...); };
  if (is_one_of("train", "training")) return &split.train;
  if (is_one_of("val", "valid", "validation", "dev")) return &split.val;
  return word == "test" ? &split.test : nullptr;
}

}  // namespace

void attach_splits(GraphData& data, const std::filesystem::path& path, const TableOptions& options) {
  TableReader table(path, options.format, {"id", "node", "vertex", "node_id", "vertex_id", "split", "set", "subset"});
  VertexKeys keys(data);
  std::vector<core::Split> splits;
  std::size_t first = 0;
  Index rows = 0;
  for (; table.next(); ++rows) {
    const auto cells = table.cells();
    if (rows == 0) {
      first = VertexKeys::first_column(table, options.key, cells.size() > 1) && cells.size() > 1 ? 1 : 0;
      splits.resize(cells.size() - first);
    }
    const VertexId vertex = first == 1 ? keys.by_id(table, cells[0]) : keys.by_row(table, rows);
    if (keys.num_vertices() > data.graph->num_vertices()) {
      table.fail(first == 1 ? fmt::format("{} is no vertex of the graph", shown(cells[0]))
                            : fmt::format("expected {} rows, one a vertex of the graph", data.graph->num_vertices()));
    }
    for (std::size_t c = first; c < cells.size(); ++c) {
      if (auto* const set = set_of(splits[c - first], cells[c]); set != nullptr) {
        set->push_back(vertex);
      } else if (!cells[c].empty() && cells[c] != "none" && cells[c] != "-") {
        table.fail(fmt::format("the set is {}, expected train, val or test, or nothing for none", shown(cells[c])));
      }
    }
  }
  if (rows == 0) table.fail("the file ends, and there was no row");
  for (std::size_t s = 0; s < splits.size(); ++s) {
    auto& split = splits[s];
    const std::string column = table.header().empty() ? "" : table.header()[s + first];
    const auto is_one_of = [&](auto... known) { return ((column == known) || ...); };
    split.name = is_one_of("", "split", "set", "subset", "fold") ? stem_of(path) : column;
    if (splits.size() > 1 && table.header().empty()) split.name = fmt::format("{}", s);
    for (auto* const set : {&split.train, &split.val, &split.test}) std::sort(set->begin(), set->end());
    for (const auto& [name, set] :
         {std::pair("train", &split.train), std::pair("val", &split.val), std::pair("test", &split.test)}) {
      if (set->empty()) {
        throw Error(fmt::format("{}: split '{}': no vertex is in {}; train, val and test need one each", path.string(),
                                split.name, name));
      }
    }
    if (std::any_of(data.splits.begin(), data.splits.end(), [&](const auto& x) { return x.name == split.name; })) {
      throw Error(fmt::format("{}: there is a split '{}' already; name the column or the file differently",
                              path.string(), split.name));
    }
    data.splits.push_back(std::move(split));
  }
  data.provenance += fmt::format("; splits of {}", path.filename().string());
}

}  // namespace laminar::datasets
