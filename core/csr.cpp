#include "laminar/core/csr.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::core {

namespace {

/// Blocks of rows that are transposed at once, at most; and of fewer entries than this there is only one.
constexpr Index kMostBlocks = 16;
constexpr EdgeId kBlockEntries = 1 << 15;

}  // namespace

CsrTranspose transpose_csr(Index cols, std::span<const EdgeId> offsets, std::span<const std::int32_t> columns) {
  CsrTranspose t;
  t.offsets.assign(static_cast<std::size_t>(cols) + 1, 0);
  t.rows.resize(columns.size());
  t.positions.resize(columns.size());
  const auto rows = static_cast<Index>(offsets.size()) - 1;
  const auto entries = static_cast<EdgeId>(columns.size());
  // A counting sort, blocks of rows side by side: each counts its columns, learns from the counts of those before where
  // its own entries of a column begin, and puts them there. The counts take no more room than the entries do.
  const Index blocks =
      std::clamp<Index>(std::min(entries / std::max<Index>(1, cols), entries / kBlockEntries), 1, kMostBlocks);
  std::vector<Index> begin(static_cast<std::size_t>(blocks) + 1, rows);
  for (Index b = 0; b < blocks; ++b) {
    begin[b] = std::lower_bound(offsets.begin(), offsets.end() - 1, entries / blocks * b) - offsets.begin();
  }
  std::vector<EdgeId> next(static_cast<std::size_t>(blocks * cols), 0);
  parallel_for(blocks, 1, [&](Index first, Index last) {
    for (Index b = first; b < last; ++b) {
      for (EdgeId e = offsets[begin[b]]; e < offsets[begin[b + 1]]; ++e) ++next[b * cols + columns[e]];
    }
  });
  for (Index c = 0; c < cols; ++c) {
    EdgeId at = t.offsets[c];
    for (Index b = 0; b < blocks; ++b) at += std::exchange(next[b * cols + c], at);
    t.offsets[c + 1] = at;
  }
  parallel_for(blocks, 1, [&](Index first, Index last) {
    for (Index b = first; b < last; ++b) {
      for (Index r = begin[b]; r < begin[b + 1]; ++r) {
        for (EdgeId e = offsets[r]; e < offsets[r + 1]; ++e) {
          const EdgeId at = next[b * cols + columns[e]]++;
          t.rows[at] = static_cast<std::int32_t>(r);
          t.positions[at] = e;
        }
      }
    }
  });
  return t;
}

void check_csr(std::string_view what, Index rows, Index cols, std::span<const EdgeId> offsets,
               std::span<const std::int32_t> columns) {
  if (rows < 0 || cols < 0) throw Error(fmt::format("[{}] a shape of [{}, {}] is not possible", what, rows, cols));
  if (static_cast<Index>(offsets.size()) != rows + 1) {
    throw Error(
        fmt::format("[{}] {} offsets for {} rows; there must be one more than rows", what, offsets.size(), rows));
  }
  if (offsets.front() != 0) throw Error(fmt::format("[{}] offsets start at {}, not at 0", what, offsets.front()));
  for (Index r = 0; r < rows; ++r) {
    if (offsets[r + 1] < offsets[r]) {
      throw Error(fmt::format("[{}] offsets fall from {} to {} at row {}", what, offsets[r], offsets[r + 1], r));
    }
  }
  if (offsets.back() != static_cast<EdgeId>(columns.size())) {
    throw Error(fmt::format("[{}] offsets end at {}, but there are {} entries", what, offsets.back(), columns.size()));
  }
  const auto entries = static_cast<EdgeId>(columns.size());
  const EdgeId bad = first_where(entries, [&](EdgeId e) { return columns[e] < 0 || columns[e] >= cols; });
  if (bad < entries) {
    throw Error(fmt::format("[{}] entry {} is {}, expected 0..{}", what, bad, columns[bad], cols - 1));
  }
}

}  // namespace laminar::core
