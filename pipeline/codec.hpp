#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "laminar/core/random.hpp"
#include "laminar/core/types.hpp"

namespace laminar::pipeline {

/// How numbers travel.
enum class Codec : std::uint8_t {
  kNative,    ///< as they are: f32 or f64
  kBfloat16,  ///< rounded to nearest even, 2 bytes each
  kInt8,      ///< a float32 scale a row (counted as framing) and stochastically rounded 8-bit numbers
};

/// "native", "bf16", "int8".
std::string_view name_of(Codec codec);
/// The inverse. Throws UsageError on any other name.
Codec codec_from_name(std::string_view name);

/// `count` numbers that are cut into rows of `row` (the last may be shorter): a matrix has its columns as `row`, a flat
/// buffer any block size. Row lengths matter to kInt8 only.
struct Packing {
  Codec codec = Codec::kNative;
  core::DType dtype = core::DType::kFloat32;
  core::Index count = 0;
  core::Index row = 0;
  core::Index rows() const { return row == 0 ? 0 : (count + row - 1) / row; }
  std::uint64_t scale_bytes() const;
  std::uint64_t payload_bytes() const;
  /// A packed message: the scales, then the numbers.
  std::uint64_t bytes() const { return scale_bytes() + payload_bytes(); }
};

/// Packs `values` [count] of the packing's dtype into `message` [packing.bytes()], which is aligned to 4 bytes.
///
/// kBfloat16: round to nearest, ties to even; infinities and NaN stay; float64 is rounded to float32 first.
/// kInt8: scale_r = max_c |x_rc| / 127 in float32, q_rc = floor(x_rc / scale_r + u_rc), with u_rc uniform in [0, 1),
/// 16 bits, a function of (key, r, c) only: so x is met on average (to scale / 2^17) and missed by less than scale_r.
/// Zeros stay zeros. A row whose maximum is too small for a float32 scale (below 1.5e-36) becomes zeros; a row with an
/// infinity, a NaN or numbers beyond float32 becomes NaN throughout, so that a diverged training is seen.
/// Loops over rows run in parallel in the caller's arena; the result does not depend on that.
void pack(const Packing& packing, core::RandomKey key, const std::byte* values, std::byte* message);

/// The inverse: writes `values` [count] from `message` [packing.bytes()].
void unpack(const Packing& packing, const std::byte* message, std::byte* values);

}  // namespace laminar::pipeline
