#pragma once

#include <filesystem>

#include "laminar/datasets/importer.hpp"

namespace laminar::datasets {

/// A graph from a square matrix in NIST's Matrix Market exchange format ("The Matrix Market Exchange Formats: Initial
/// Design", Boisvert, Pozo and Remington, NISTIR 5935, 1996), plain or compressed: `coordinate`; `pattern`, `integer`
/// or `real`; `general`, `symmetric` or `skew-symmetric`. Entry (i, j), counted from 1, is the edge i -> j, as in the
/// SuiteSparse collection; its value is the edge's weight unless all are 1. A symmetric matrix, of which the file holds
/// one triangle, is an undirected graph; a general one a directed graph; of a skew-symmetric one (j, i) weighs the
/// negative of (i, j). Of entries of one place the largest stays. Nothing is allocated by what the size line claims.
/// Throws Error, as "FILE:LINE: ...", for anything else: `array`, `complex` or `hermitian` matrices, a matrix that
/// isn't square, indices out of range, values that are missing or not finite, another number of entries than announced,
/// and if what is read passes `options.max_memory_bytes`. O(N + E log(degree)).
ImportResult import_matrix_market(const std::filesystem::path& path, const ImportOptions& options);

}  // namespace laminar::datasets
