#pragma once

#include <cstdint>

#include "laminar/core/types.hpp"
#include "laminar/datasets/hdf5_handle.hpp"

namespace laminar::datasets {

/// What numbers of an array become in memory.
enum class NumberKind : std::uint8_t { kInt32, kInt64, kFloat32 };

/// Reads rows [begin, end) of an array of one or two dimensions, `row_values` numbers each, into `out`, by taking its
/// chunks from the file as they are stored and decoding them (checksum, deflate, shuffle) in parallel, which libhdf5
/// does one after another. Returns false, with `out` in any state, where libhdf5 must do it: few rows, other layouts,
/// filters or types of numbers, chunks that were never written or are damaged (it then says what is wrong).
/// `file_bytes`: no chunk can be larger. Only the calling thread calls libhdf5.
bool read_chunks(hid_t array, core::Index begin, core::Index end, core::Index row_values, NumberKind kind,
                 std::uint64_t file_bytes, void* out);

}  // namespace laminar::datasets
