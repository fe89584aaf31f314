#include "laminar/core/random.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/philox_lanes.hpp"

using namespace laminar;
using namespace laminar::core;

namespace {

/// Philox4x32-10 as published (Salmon et al. 2011, section 4.3).
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> x, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p = std::uint64_t{0xD2511F53} * x[0];
    const std::uint64_t q = std::uint64_t{0xCD9E8D57} * x[2];
    x = {static_cast<std::uint32_t>(q >> 32) ^ x[1] ^ k0, static_cast<std::uint32_t>(q),
         static_cast<std::uint32_t>(p >> 32) ^ x[3] ^ k1, static_cast<std::uint32_t>(p)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return x;
}

}  // namespace

TEST_CASE("random blocks are Philox4x32-10") {
  // The known answer for a zero counter and key that Random123 publishes.
  CHECK(random_block({}, 0, 0, 0) == std::array<std::uint32_t, 4>{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U});
  std::uint32_t s = 1;
  const auto next = [&s] { return s = s * 1664525U + 1013904223U; };
  for (int i = 0; i < 200; ++i) {
    const RandomKey key{next(), next()};
    const std::uint32_t a = next();
    const std::uint32_t b = next();
    const std::uint32_t c = next();
    CHECK(random_block(key, a, b, c) == philox({a, b, c, 0}, key.k0, key.k1));
  }
}

TEST_CASE("keys differ in every part") {
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
  const auto add = [&](RandomKey k) { seen.insert({k.k0, k.k1}); };
  add(random_key(0, 0, 0, 0, 0));
  add(random_key(1, 0, 0, 0, 0));
  add(random_key(0, 1, 0, 0, 0));
  add(random_key(0, 0, 1, 0, 0));
  add(random_key(0, 0, 0, 1, 0));
  add(random_key(0, 0, 0, 0, 1));
  add(random_key(std::uint64_t{1} << 32, 0, 0, 0, 0));
  add(random_key(0, ""));
  add(random_key(0, "a"));
  add(random_key(1, "a"));
  add(random_key(0, "aa"));
  add(random_key(0, "b"));
  add(random_key(0, std::string("a\0", 2)));
  CHECK(seen.size() == 13);
  const RandomKey again = random_key(1, 2, 3, 4, 5);
  CHECK(again.k0 == random_key(1, 2, 3, 4, 5).k0);
  CHECK(again.k1 == random_key(1, 2, 3, 4, 5).k1);
}

TEST_CASE("uniform numbers are uniform") {
  const RandomKey key = random_key(1, "uniform");
  constexpr int kCount = 100000;
  double sum = 0;
  std::vector<int> bins(10);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double u = random_uniform(key, i);
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u;
    ++bins[static_cast<std::size_t>(u * 10)];
  }
  // Five standard deviations.
  CHECK(std::abs(sum / kCount - 0.5) < 5 * std::sqrt(1.0 / 12 / kCount));
  for (const int b : bins) CHECK(std::abs(b - kCount / 10) < 5 * std::sqrt(kCount * 0.09));
}

TEST_CASE("normal numbers are normal") {
  const RandomKey key = random_key(1, "normal");
  constexpr int kCount = 100000;
  double sum = 0;
  double squares = 0;
  double fourths = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double x = random_normal(key, i);
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
  }
  CHECK(std::abs(sum / kCount) < 5 / std::sqrt(kCount));
  CHECK(std::abs(squares / kCount - 1) < 5 * std::sqrt(2.0 / kCount));
  CHECK(std::abs(fourths / kCount - 3) < 5 * std::sqrt(96.0 / kCount));
}

TEST_CASE("bounded numbers stay below the bound and reach all of it") {
  const RandomKey key = random_key(1, "below");
  std::vector<int> bins(7);
  for (std::uint64_t i = 0; i < 7000; ++i) ++bins[static_cast<std::size_t>(random_below(key, i, 7))];
  for (const int b : bins) CHECK(std::abs(b - 1000) < 5 * std::sqrt(7000.0 * 6 / 49));
  CHECK(random_below(key, 3, 1) == 0);
  CHECK(random_below(key, 3, std::numeric_limits<Index>::max()) >= 0);
  CHECK_THROWS_AS(random_below(key, 0, 0), Error);
  CHECK_THROWS_AS(random_below(key, 0, -5), Error);
}

TEST_CASE("a dropout rate is realised in 65536ths") {
  CHECK_FALSE(DropoutRate(0).active());
  CHECK(DropoutRate(0).scale == 1);
  CHECK(DropoutRate(0.5).threshold == 32768);
  CHECK(DropoutRate(0.5).scale == 2);
  for (const double rate : {0.1, 0.3, 0.6, 0.9, 0.99999999}) {
    const DropoutRate r(rate);
    CHECK(r.active());
    CHECK(r.threshold < 65536);
    CHECK(std::abs(r.threshold / 65536.0 - rate) <= 1.0 / 65536);
    CHECK(r.scale * (65536 - r.threshold) == doctest::Approx(65536).epsilon(1e-15));
  }
  CHECK_THROWS_AS(DropoutRate(1), UsageError);
  CHECK_THROWS_AS(DropoutRate(-0.1), UsageError);
  CHECK_THROWS_AS(DropoutRate(std::nan("")), UsageError);
}

TEST_CASE("blocks made side by side are the library's") {
  const RandomKey key = random_key(5, "lanes");
  for (const std::uint32_t a : {0U, 7U, 0xffffffffU}) {
    for (const std::uint32_t b : {0U, 8U, 0xfffffffeU}) {
      for (const std::uint32_t c : {0U, 3U}) {
        for (const PhiloxVersion version : philox_versions()) {
          PhiloxWords words;
          version(key, a, b, c, words);
          for (std::uint32_t i = 0; i < 8; ++i) {
            const auto block = random_block(key, a, b + i, c);
            for (std::size_t w = 0; w < 4; ++w) CHECK(words[w][i] == block[w]);
          }
        }
      }
    }
  }
}
