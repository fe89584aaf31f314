#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "laminar/core/random.hpp"

namespace laminar::core {

inline constexpr int kPhiloxLanes = 8;
/// Word w of block i at [w][i].
using PhiloxWords = std::array<std::array<std::uint32_t, kPhiloxLanes>, 4>;

/// random_block(key, a, b + i, 0) for i of [0, 8), word by word, side by side: many times as fast as one by one.
void philox_lanes(RandomKey key, std::uint32_t a, std::uint32_t b, PhiloxWords& words);

/// All versions of it that this processor can run, the fastest first: for tests.
using PhiloxVersion = void (*)(RandomKey, std::uint32_t, std::uint32_t, PhiloxWords&);
std::vector<PhiloxVersion> philox_versions();

}  // namespace laminar::core
