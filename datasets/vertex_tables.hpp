#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/datasets/graph_data.hpp"
#include "laminar/datasets/table_format.hpp"

// What a bare graph lacks, from files beside it. Functions append to `notes` what a user should know, and throw Error
// "FILE:LINE: ..." for whatever is wrong in a file; `data` may be changed in part then.
namespace laminar::datasets {

/// What tells which vertex a row of a table is about.
enum class RowKey : std::uint8_t {
  kAuto,
  kRow,  ///< the row's place: the first is vertex 0
  kId,   ///< its first column: a vertex's name, or its number where vertices have no names
};
/// "auto", "row", "id". Throws UsageError for another word.
RowKey parse_row_key(std::string_view word);

struct TableOptions {
  TableFormat format = {};
  RowKey key = RowKey::kAuto;
  std::uint64_t max_memory_bytes = 0;
};

/// Features of the vertices, float32: a text table of numbers (all columns, or all but the first where that is a
/// vertex), or a NumPy array [N, F] or [N] (.npy) by row. kAuto: the first column is a vertex if its name is one of id,
/// name, node, vertex, node_id, vertex_id, or its first cell is no number. Every vertex needs one row. A table that has
/// rows beyond the graph's vertices adds vertices without edges. Replaces features that are there.
void attach_features(GraphData& data, const std::filesystem::path& path, const TableOptions& options,
                     std::vector<std::string>& notes);

/// Labels of the vertices. kAuto: a table of one column is by row, one of more is by id. Classification: one column;
/// whole numbers are classes as they stand (-1 = unknown; if fewer than half of 0 to the largest occur, they are names
/// of classes in ascending order), anything else is a name of a class, ascending by bytes; an empty cell, "?" and "NA"
/// mean unknown, as does a vertex without a row. Regression: columns of finite numbers; multi-label: columns of 0 and
/// 1, whose names are kept; both need a row for every vertex. A NumPy array (.npy) of integers [N] is taken by row.
void attach_labels(GraphData& data, const std::filesystem::path& path, core::Task task, const TableOptions& options,
                   std::vector<std::string>& notes);

/// Splits of the vertices: each column (but that of ids) is a split, its cells train, val (valid, validation, dev),
/// test, or nothing for none of them (empty, "none", "-"). A split's name is that of its column, or of the file if the
/// column has none or is called split, set, subset or fold. kAuto as for labels. Adds to those there are; throws Error
/// if one of that name is there, or if a part is empty.
void attach_splits(GraphData& data, const std::filesystem::path& path, const TableOptions& options);

/// Adds vertices without edges behind the others, up to `num_vertices`: of unknown class; `names` are those of the new
/// ones where vertices have names. Throws Error if there are features, targets or multi-labels, or names that aren't as
/// many as the new vertices.
void add_vertices(GraphData& data, core::Index num_vertices, std::vector<std::string> names);

}  // namespace laminar::datasets
