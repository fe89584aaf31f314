/// Chunked arrays of the HDF5 format, read through H5Dread_chunk(). The filters are those of "HDF5 File Format
/// Specification" 3.0, IV.A.2.l: deflate is a zlib stream (RFC 1950); shuffle stores the first bytes of all elements,
/// then the second ones, and so on; fletcher32 appends a checksum of four bytes, least first (Fletcher, IEEE Trans. on
/// Communications 1982), over words of two bytes, the greater one first.
#include "laminar/datasets/hdf5_chunks.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>
#include <vector>

#include <zlib.h>

#include "laminar/core/parallel.hpp"

namespace laminar::datasets {
namespace {

using core::Index;
using Buffer = std::vector<unsigned char>;

/// Encoded chunks held at a time.
constexpr Index kBatchBytes = Index{32} << 20;
constexpr std::size_t kChecksumBytes = 4;

constexpr std::size_t size_of(NumberKind kind) { return kind == NumberKind::kInt64 ? 8 : 4; }

/// How chunks of an array are stored, as far as that is understood here.
struct Layout {
  Index rows = 0;
  Index chunk_rows = 0;
  Index row_values = 1;
  int rank = 1;
  NumberKind stored = NumberKind::kFloat32;
  std::vector<H5Z_filter_t> filters;

  std::size_t chunk_bytes() const { return static_cast<std::size_t>(chunk_rows * row_values) * size_of(stored); }
};

std::optional<NumberKind> stored_kind(hid_t array) {
  const Hdf5Handle type(H5Dget_type(array), H5Tclose);
  if (!type) return std::nullopt;
  if (H5Tequal(type.get(), H5T_IEEE_F32LE) > 0) return NumberKind::kFloat32;
  if (H5Tequal(type.get(), H5T_STD_I32LE) > 0) return NumberKind::kInt32;
  if (H5Tequal(type.get(), H5T_STD_I64LE) > 0) return NumberKind::kInt64;
  return std::nullopt;
}

/// Whether numbers stored as `from` become `to` by copying or widening.
bool converts(NumberKind from, NumberKind to) {
  return from == to || (from == NumberKind::kInt32 && to == NumberKind::kInt64);
}

std::optional<Layout> layout_of(hid_t array, Index row_values) {
  const Hdf5Handle creation(H5Dget_create_plist(array), H5Pclose);
  const Hdf5Handle space(H5Dget_space(array), H5Sclose);
  if (!creation || !space || H5Pget_layout(creation.get()) != H5D_CHUNKED) return std::nullopt;
  Layout layout;
  layout.row_values = row_values;
  layout.rank = H5Sget_simple_extent_ndims(space.get());
  if (layout.rank < 1 || layout.rank > 2) return std::nullopt;
  hsize_t dims[2] = {0, 1};
  hsize_t chunk[2] = {0, 1};
  if (H5Sget_simple_extent_dims(space.get(), dims, nullptr) != layout.rank ||
      H5Pget_chunk(creation.get(), layout.rank, chunk) != layout.rank || chunk[0] < 1 || chunk[1] != dims[1] ||
      static_cast<Index>(dims[1]) != row_values) {
    return std::nullopt;
  }
  layout.rows = static_cast<Index>(dims[0]);
  layout.chunk_rows = static_cast<Index>(chunk[0]);
  const auto stored = stored_kind(array);
  if (!stored) return std::nullopt;
  layout.stored = *stored;
  const int count = H5Pget_nfilters(creation.get());
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) {
      return std::nullopt;
    }
    // Twice the same, or bytes shuffled that are no elements any more: nobody writes that.
    if (std::find(layout.filters.begin(), layout.filters.end(), filter) != layout.filters.end()) return std::nullopt;
    if (filter == H5Z_FILTER_SHUFFLE && !layout.filters.empty()) return std::nullopt;
    layout.filters.push_back(filter);
  }
  return layout;
}

/// Fletcher's checksum of `size` bytes with sums modulo 65535, where 65535 stands for a multiple of it other than 0.
std::uint32_t fletcher32(const unsigned char* data, std::size_t size) {
  // In a block of this many words no sum passes 32 bits.
  constexpr std::size_t kBlock = 256;
  const auto word = [data](std::size_t i) {
    return static_cast<std::uint32_t>(data[2 * i]) << 8 | static_cast<std::uint32_t>(data[2 * i + 1]);
  };
  const auto fold = [](std::uint64_t sum) { return sum == 0 ? 0 : (sum - 1) % 65535 + 1; };
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  const std::size_t words = size / 2;
  for (std::size_t begin = 0; begin < words; begin += kBlock) {
    const std::size_t count = std::min(kBlock, words - begin);
    std::uint32_t sum = 0;
    std::uint32_t weighted = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t w = word(begin + i);
      sum += w;
      weighted += static_cast<std::uint32_t>(count - i) * w;
    }
    second = fold(second + first * count + weighted);
    first = fold(first + sum);
  }
  if (size % 2 != 0) {
    first = fold(first + (static_cast<std::uint32_t>(data[size - 1]) << 8));
    second = fold(second + first);
  }
  return static_cast<std::uint32_t>(second << 16 | first);
}

bool check_and_drop_checksum(Buffer& bytes) {
  if (bytes.size() < kChecksumBytes) return false;
  const std::size_t size = bytes.size() - kChecksumBytes;
  std::uint32_t stored = 0;
  for (std::size_t i = 0; i < kChecksumBytes; ++i) stored |= static_cast<std::uint32_t>(bytes[size + i]) << (8 * i);
  if (fletcher32(bytes.data(), size) != stored) return false;
  bytes.resize(size);
  return true;
}

bool inflate_to(Buffer& bytes, std::size_t size, Buffer& scratch) {
  scratch.resize(size);
  auto made = static_cast<uLongf>(size);
  if (uncompress(scratch.data(), &made, bytes.data(), static_cast<uLong>(bytes.size())) != Z_OK || made != size) {
    return false;
  }
  bytes.swap(scratch);
  return true;
}

template <std::size_t kBytes>
void unshuffle_elements(const Buffer& from, Buffer& to) {
  const std::size_t count = from.size() / kBytes;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t b = 0; b < kBytes; ++b) to[kBytes * i + b] = from[b * count + i];
  }
}

void unshuffle(Buffer& bytes, NumberKind kind, Buffer& scratch) {
  scratch.resize(bytes.size());
  if (size_of(kind) == 4) {
    unshuffle_elements<4>(bytes, scratch);
  } else {
    unshuffle_elements<8>(bytes, scratch);
  }
  bytes.swap(scratch);
}

/// A chunk as it is in the file. Bit i of `skipped`: its filter i was not applied.
struct StoredChunk {
  Buffer bytes;
  std::uint32_t skipped = 0;
};

/// Undoes the filters in the place of chunk.bytes; whether that gave a whole chunk.
bool decode(StoredChunk& chunk, const Layout& layout) {
  Buffer scratch;
  const auto applied = [&](std::size_t i) { return (chunk.skipped >> i & 1U) == 0; };
  for (std::size_t i = layout.filters.size(); i-- > 0;) {
    if (!applied(i)) continue;
    switch (layout.filters[i]) {
      case H5Z_FILTER_FLETCHER32:
        if (!check_and_drop_checksum(chunk.bytes)) return false;
        break;
      case H5Z_FILTER_DEFLATE: {
        std::size_t size = layout.chunk_bytes();
        for (std::size_t before = 0; before < i; ++before) {
          if (layout.filters[before] == H5Z_FILTER_FLETCHER32 && applied(before)) size += kChecksumBytes;
        }
        if (!inflate_to(chunk.bytes, size, scratch)) return false;
        break;
      }
      default:
        if (chunk.bytes.size() != layout.chunk_bytes()) return false;
        unshuffle(chunk.bytes, layout.stored, scratch);
        break;
    }
  }
  return chunk.bytes.size() == layout.chunk_bytes();
}

/// `count` numbers from the place `from`, counted in numbers.
void copy_numbers(const Buffer& bytes, std::size_t from, std::size_t count, NumberKind stored, NumberKind kind,
                  void* out) {
  if (stored == kind) {
    std::memcpy(out, bytes.data() + from * size_of(kind), count * size_of(kind));
    return;
  }
  auto* to = static_cast<std::int64_t*>(out);
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t value = 0;
    std::memcpy(&value, bytes.data() + (from + i) * sizeof value, sizeof value);
    to[i] = value;
  }
}

}  // namespace

bool read_chunks(hid_t array, Index begin, Index end, Index row_values, NumberKind kind, std::uint64_t file_bytes,
                 void* out) {
  if constexpr (std::endian::native != std::endian::little) return false;
  const auto layout = layout_of(array, row_values);
  if (!layout || !converts(layout->stored, kind) || end > layout->rows) return false;
  // A few rows after another are read faster from the chunk that libhdf5 keeps.
  if (end - begin < layout->chunk_rows) return false;
  const Index first = begin / layout->chunk_rows;
  const Index last = (end - 1) / layout->chunk_rows + 1;
  const Index batch =
      std::clamp<Index>(kBatchBytes / std::max<Index>(1, static_cast<Index>(layout->chunk_bytes())), 1, last - first);
  std::vector<StoredChunk> chunks(static_cast<std::size_t>(batch));
  for (Index base = first; base < last; base += batch) {
    const Index count = std::min(batch, last - base);
    for (Index i = 0; i < count; ++i) {
      const hsize_t offset[2] = {static_cast<hsize_t>((base + i) * layout->chunk_rows), 0};
      hsize_t size = 0;
      if (H5Dget_chunk_storage_size(array, offset, &size) < 0 || size == 0 || size > file_bytes) return false;
      StoredChunk& chunk = chunks[static_cast<std::size_t>(i)];
      chunk.bytes.resize(size);
      if (H5Dread_chunk(array, H5P_DEFAULT, offset, &chunk.skipped, chunk.bytes.data()) < 0) return false;
    }
    std::atomic<bool> whole = true;
    core::parallel_for(count, 1, [&](Index b, Index e) {
      for (Index i = b; i < e; ++i) {
        StoredChunk& chunk = chunks[static_cast<std::size_t>(i)];
        if (!decode(chunk, *layout)) {
          whole = false;
          continue;
        }
        const Index row = (base + i) * layout->chunk_rows;
        const Index from = std::max(begin, row);
        const Index to = std::min(end, row + layout->chunk_rows);
        copy_numbers(
            chunk.bytes, static_cast<std::size_t>((from - row) * row_values),
            static_cast<std::size_t>((to - from) * row_values), layout->stored, kind,
            static_cast<unsigned char*>(out) + static_cast<std::size_t>((from - begin) * row_values) * size_of(kind));
      }
    });
    if (!whole) return false;
  }
  return true;
}

}  // namespace laminar::datasets
