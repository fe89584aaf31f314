#include "laminar/datasets/edge_columns.hpp"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

std::vector<std::string_view> words_of(std::string_view list) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t comma = list.find(',');
    words.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return words;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

EdgeColumns choose_edge_columns(const TableReader& table, const EdgeListOptions& options) {
  EdgeColumns columns;
  std::set<Index> taken;
  const auto take = [&](Index column, const char* option) {
    if (!taken.insert(column).second) {
      throw UsageError(fmt::format("{}: column {} has another role already", option, column + 1));
    }
    return column;
  };
  if (options.ends.empty()) {
    const Index from = table.column_of({"source", "src", "from", "fromnodeid", "u", "node1", "id1", "tail"});
    const Index to =
        table.column_of({"target", "tgt", "dst", "destination", "to", "tonodeid", "v", "node2", "id2", "head"});
    if (from >= 0 && to >= 0) {
      columns.from = from;
      columns.to = to;
    }
    if (table.cols() < 2) table.fail("the second vertex is missing; expected \"FROM TO\" or \"FROM TO WEIGHT\"");
    taken = {columns.from, columns.to};
  } else {
    const auto words = words_of(options.ends);
    if (words.size() != 2) {
      throw UsageError(fmt::format("--ends {}: expected two columns, FROM,TO", options.ends));
    }
    columns.from = take(table.column(words[0], "--ends"), "--ends");
    columns.to = take(table.column(words[1], "--ends"), "--ends");
  }
  const bool features_named = !options.edge_features.empty();
  if (!options.weight.empty()) {
    if (options.weight != "none") columns.weight = take(table.column(options.weight, "--weight"), "--weight");
  } else {
    const Index named = table.column_of({"weight", "weights", "w"});
    if (named >= 0 && !taken.contains(named)) {
      columns.weight = take(named, "--weight");
    } else if (table.cols() == 3 && !features_named) {
      for (Index c = 0; c < 3; ++c) {
        if (!taken.contains(c)) columns.weight = c;
      }
      taken.insert(columns.weight);
    }
  }
  if (options.edge_features == "rest") {
    for (Index c = 0; c < table.cols(); ++c) {
      if (!taken.contains(c)) columns.features.push_back(c);
    }
    if (columns.features.empty()) throw UsageError("--edge-features rest: no other column is left");
  } else if (features_named && options.edge_features != "none") {
    for (const auto word : words_of(options.edge_features)) {
      columns.features.push_back(take(table.column(word, "--edge-features"), "--edge-features"));
    }
  } else if (!features_named && options.weight.empty() && static_cast<Index>(taken.size()) < table.cols()) {
    table.fail(
        fmt::format("there are {} columns, expected FROM, TO and perhaps WEIGHT; say with --weight COLUMN and "
                    "--edge-features COLUMNS (rest, none) what the others are",
                    table.cols()));
  }
  return columns;
}

}  // namespace laminar::datasets
