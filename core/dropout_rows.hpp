#pragma once

#include <span>

#include "laminar/core/bfloat16.hpp"
#include "laminar/core/random.hpp"
#include "laminar/core/types.hpp"

namespace laminar::core {

/// y (+)= mask x: rows of `d` columns, the mask of row r a function of key and ids[r].
template <class T>
struct MaskedRows {
  const T* x = nullptr;
  T* y = nullptr;
  Index d = 0;
  std::span<const VertexId> ids;
  RandomKey key;
  /// An element whose 16 random bits are below it becomes 0, whatever it was; others are multiplied by `factor`.
  std::uint32_t threshold = 0;
  Computed<T> factor = 1;
  bool accumulate = false;
};

/// Masks rows [begin, end); serial. y may be x.
template <class T>
void mask_rows(const MaskedRows<T>& what, Index begin, Index end);

/// The same of rows that keep their entries only: y[e] = mask x[e] for the entries [offsets[r], offsets[r + 1]) of row
/// r, which stand in columns[e], in any order.
struct MaskedEntries {
  std::span<const EdgeId> offsets;
  std::span<const std::int32_t> columns;
  const float* x = nullptr;
  float* y = nullptr;
  std::span<const VertexId> ids;
  RandomKey key;
  std::uint32_t threshold = 0;
  double factor = 1;
};

/// Masks the entries of rows [begin, end); serial.
void mask_entries(const MaskedEntries& what, Index begin, Index end);

/// Whether these keep column `c` of row `id`.
bool mask_keeps(RandomKey key, VertexId id, Index c, std::uint32_t threshold);

}  // namespace laminar::core
