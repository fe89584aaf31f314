#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "laminar/core/random.hpp"

namespace laminar::core {

/// The generator's constants: Salmon et al., SC 2011, table 2 and section 3.1.
inline constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53;
inline constexpr std::uint32_t kPhiloxMultiplier1 = 0xCD9E8D57;
inline constexpr std::uint32_t kPhiloxWeyl0 = 0x9E3779B9;
inline constexpr std::uint32_t kPhiloxWeyl1 = 0xBB67AE85;
inline constexpr int kPhiloxRounds = 10;

inline constexpr int kPhiloxLanes = 8;
/// Word w of block i at [w][i].
using PhiloxWords = std::array<std::array<std::uint32_t, kPhiloxLanes>, 4>;

/// random_block(key, a, b + i, c) for i of [0, 8), word by word, side by side: many times as fast as one by one.
void philox_lanes(RandomKey key, std::uint32_t a, std::uint32_t b, std::uint32_t c, PhiloxWords& words);

/// All versions of it that this processor can run, the fastest first: for tests.
using PhiloxVersion = void (*)(RandomKey, std::uint32_t, std::uint32_t, std::uint32_t, PhiloxWords&);
std::vector<PhiloxVersion> philox_versions();

}  // namespace laminar::core
