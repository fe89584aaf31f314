#include "laminar/pipeline/codec.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "laminar/core/names.hpp"
#include "laminar/core/philox_lanes.hpp"
#include "laminar/core/vectorised.hpp"

namespace laminar::pipeline {
namespace {

using core::Index;
using core::RandomKey;

constexpr std::array<std::string_view, 3> kNames = {"native", "bf16", "int8"};

constexpr int kLanes = core::kPhiloxLanes;
/// Columns that draw on one group of 8 random blocks of 8 halves each: column 8 h + i on half h of block i.
constexpr Index kGroup = 64;
constexpr std::int32_t kLargest = 127;

LAMINAR_INLINE std::uint16_t to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  // Rounding could carry a NaN into an infinity; a set quiet bit keeps it one.
  const std::uint32_t nan = (bits >> 16) | 0x40U;
  return static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? nan : rounded);
}

LAMINAR_INLINE float from_bfloat16(std::uint16_t x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

template <class T>
void round_values(const T* x, std::uint16_t* y, Index n) {
  core::run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index i = 0; i < n; ++i) y[i] = to_bfloat16(static_cast<float>(x[i]));
  });
}

template <class T>
void widen_values(const std::uint16_t* x, T* y, Index n) {
  core::run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index i = 0; i < n; ++i) y[i] = static_cast<T>(from_bfloat16(x[i]));
  });
}

/// The bits of the largest |x|. Magnitudes order like their bits, and infinities and NaN come out on top: so this
/// vectorises where a maximum of floating-point numbers, with NaN's rules, would not.
template <class Bits, class T>
LAMINAR_INLINE Bits largest_bits(const T* x, Index n) {
  constexpr Bits kMagnitude = std::numeric_limits<Bits>::max() >> 1;
  Bits largest = 0;
  for (Index i = 0; i < n; ++i) {
    const Bits bits = std::bit_cast<Bits>(x[i]) & kMagnitude;
    largest = largest > bits ? largest : bits;
  }
  return largest;
}

/// The 16 random bits of each of a group's columns, as numbers in [0, 1).
template <class T>
LAMINAR_INLINE void uniform_group(RandomKey key, std::uint32_t row, Index group, T* uniform) {
  core::PhiloxWords words;
  core::philox_lanes(key, row, static_cast<std::uint32_t>(group / kGroup * kLanes), 0, words);
  for (std::size_t w = 0; w < words.size(); ++w) {
    T* low = uniform + w * 2 * kLanes;
#pragma GCC unroll 1
    for (int i = 0; i < kLanes; ++i) low[i] = static_cast<T>(static_cast<std::int32_t>(words[w][i] & 0xffffU));
#pragma GCC unroll 1
    for (int i = 0; i < kLanes; ++i) low[kLanes + i] = static_cast<T>(static_cast<std::int32_t>(words[w][i] >> 16));
  }
  for (Index i = 0; i < kGroup; ++i) uniform[i] *= T(1.0 / 65536);
}

/// q = floor(x * inverse + u) within -127..127. Truncation is floor for positive numbers, hence the offset; for an
/// integer product the sum is exact, so that integers stay.
template <class T>
LAMINAR_INLINE void round_group(const T* x, T inverse, const T* uniform, std::int8_t* q, Index count) {
  for (Index i = 0; i < count; ++i) {
    const std::int32_t rounded = static_cast<std::int32_t>((x[i] * inverse + T(128)) + uniform[i]) - 128;
    const std::int32_t low = rounded < -kLargest ? -kLargest : rounded;
    q[i] = static_cast<std::int8_t>(low > kLargest ? kLargest : low);
  }
}

/// Quantises one row; returns its scale.
template <class T>
LAMINAR_INLINE float quantise_any(const T* x, std::int8_t* q, Index n, RandomKey key, std::uint32_t row) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  const T largest = std::bit_cast<T>(largest_bits<Bits>(x, n));
  const auto scale = static_cast<float>(largest / static_cast<T>(kLargest));
  // False for NaN as well.
  const bool finite = scale < std::numeric_limits<float>::infinity() && largest < std::numeric_limits<T>::infinity();
  if (!finite || scale < std::numeric_limits<float>::min()) {
    std::memset(q, 0, static_cast<std::size_t>(n));
    return finite ? 0.0F : std::numeric_limits<float>::quiet_NaN();
  }
  const T inverse = T(1) / static_cast<T>(scale);
  T uniform[kGroup];
  for (Index group = 0; group < n; group += kGroup) {
    uniform_group(key, row, group, uniform);
    if (n - group >= kGroup) {
      round_group(x + group, inverse, uniform, q + group, kGroup);
    } else {
      round_group(x + group, inverse, uniform, q + group, n - group);
    }
  }
  return scale;
}
template <class T>
float quantise(const T* x, std::int8_t* q, Index n, RandomKey key, std::uint32_t row) {
  float scale = 0;
  core::run_vectorised([=, &scale]() LAMINAR_INLINE_LAMBDA { scale = quantise_any(x, q, n, key, row); });
  return scale;
}

template <class T>
void restore(const std::int8_t* q, float scale, T* x, Index n) {
  core::run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index i = 0; i < n; ++i) x[i] = static_cast<T>(q[i]) * static_cast<T>(scale);
  });
}

/// Calls body(row, first, length) for all rows, in parallel.
template <class F>
void for_rows(const Packing& packing, const F& body) {
  core::parallel_for(packing.rows(), core::row_grain(packing.row), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Index first = r * packing.row;
      body(r, first, std::min(packing.row, packing.count - first));
    }
  });
}

}  // namespace

std::string_view name_of(Codec codec) { return kNames[static_cast<std::size_t>(codec)]; }

Codec codec_from_name(std::string_view name) { return core::detail::from_name<Codec>("codec", kNames, name); }

std::uint64_t Packing::scale_bytes() const {
  return codec == Codec::kInt8 ? static_cast<std::uint64_t>(rows()) * sizeof(float) : 0;
}

std::uint64_t Packing::payload_bytes() const {
  const auto numbers = static_cast<std::uint64_t>(count);
  if (codec == Codec::kNative) return numbers * core::size_of(dtype);
  return codec == Codec::kBfloat16 ? numbers * 2 : numbers;
}

void pack(const Packing& packing, RandomKey key, const std::byte* values, std::byte* message) {
  if (packing.count == 0) return;
  if (packing.codec == Codec::kNative) {
    std::memcpy(message, values, packing.payload_bytes());
    return;
  }
  core::dispatch(packing.dtype, [&]<class T>(T) {
    const auto* x = reinterpret_cast<const T*>(values);
    if (packing.codec == Codec::kBfloat16) {
      auto* y = reinterpret_cast<std::uint16_t*>(message);
      for_rows(packing, [&](Index, Index first, Index length) { round_values(x + first, y + first, length); });
    } else {
      auto* scales = reinterpret_cast<float*>(message);
      auto* q = reinterpret_cast<std::int8_t*>(message + packing.scale_bytes());
      for_rows(packing, [&](Index r, Index first, Index length) {
        scales[r] = quantise(x + first, q + first, length, key, static_cast<std::uint32_t>(r));
      });
    }
  });
}

void unpack(const Packing& packing, const std::byte* message, std::byte* values) {
  if (packing.count == 0) return;
  if (packing.codec == Codec::kNative) {
    std::memcpy(values, message, packing.payload_bytes());
    return;
  }
  core::dispatch(packing.dtype, [&]<class T>(T) {
    auto* x = reinterpret_cast<T*>(values);
    if (packing.codec == Codec::kBfloat16) {
      const auto* y = reinterpret_cast<const std::uint16_t*>(message);
      for_rows(packing, [&](Index, Index first, Index length) { widen_values(y + first, x + first, length); });
    } else {
      const auto* scales = reinterpret_cast<const float*>(message);
      const auto* q = reinterpret_cast<const std::int8_t*>(message + packing.scale_bytes());
      for_rows(packing, [&](Index r, Index first, Index length) { restore(q + first, scales[r], x + first, length); });
    }
  });
}

}  // namespace laminar::pipeline
